#include "emulator/driver.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <thread>

#include "base/bits.h"
#include "emulator/files.h"
#include "emulator/jit/jit.h"
#include "emulator/kernel/drm.h"
#include "emulator/kernel/process.h"
#include "emulator/kernel/user_memory.h"
#include "emulator/shader/interpreter.h"
#include "emulator/sysfs.h"

namespace bw::emulator {
namespace {

constexpr uint32_t kMaxCards = 7;  // as many as the oldest request about apertures can tell of
constexpr uint32_t kMinKfdMinor = 12;
constexpr uint32_t kMaxKfdMinor = 17;
constexpr uint64_t kMinVramBytes = 256ull << 20;

Status check(const EmulatedOptions& options) {
  if (options.card_count == 0 || options.card_count > kMaxCards) {
    return error(StatusCode::kInvalidArgument, "emulated machine: {} cards asked for, 1 to {} are possible",
                 options.card_count, kMaxCards);
  }
  if (options.kfd_minor_version < kMinKfdMinor || options.kfd_minor_version > kMaxKfdMinor) {
    return error(StatusCode::kInvalidArgument, "emulated driver: KFD 1.{} asked for, 1.{} to 1.{} are possible",
                 options.kfd_minor_version, kMinKfdMinor, kMaxKfdMinor);
  }
  if (options.vram_bytes < kMinVramBytes || options.vram_bytes % 4096 != 0) {
    return error(StatusCode::kInvalidArgument, "emulated card: {} bytes of VRAM asked for, at least {} are needed",
                 options.vram_bytes, kMinVramBytes);
  }
  return Status::ok();
}

// Programs that are executed once and cheaply stay interpreted. A translation takes about 20 ms of processor time, as
// much as 1.5 million interpreted wave instructions, but on a thread of its own. Measured on a small model: processor
// time is the same within 10% for anything from 50 000 to a million, and 30% more at three millions.
constexpr uint64_t kHotInstructions = 400'000;

class NoShaderCores final : public ShaderCores {
 public:
  std::optional<ShaderFault> run(const Dispatch&, const AddressSpace&, std::stop_token, Suspension*) override {
    return std::nullopt;
  }
  void set_watchdog(uint64_t) override {}
  uint64_t instruction_count() const override { return 0; }
};

// `counters`: null to count nothing.
ShaderCoresFactory shader_cores_factory(const EmulatedOptions& options, std::shared_ptr<CounterLog> counters) {
  const uint32_t threads =
      options.worker_threads != 0 ? options.worker_threads : std::max(1u, std::thread::hardware_concurrency());
  if (options.strictness != Strictness::kOff || counters != nullptr || options.engine == ShaderEngine::kInterpreter) {
    return [threads, strictness = options.strictness, counters = std::move(counters)] {
      return make_interpreter(threads, strictness, nullptr, counters);
    };
  }
  if (options.engine == ShaderEngine::kNone) {
    return [] { return Result<std::unique_ptr<ShaderCores>>(std::make_unique<NoShaderCores>()); };
  }
  JitOptions jit;
  jit.tiering.instructions_before = options.engine == ShaderEngine::kJitAtOnce ? 0 : kHotInstructions;
  jit.tiering.warn = options.warn;
  jit.cache_dir = options.cache_dir;
  return [threads, jit] { return make_jit(threads, jit); };
}

ShaderCoresFactory watched(ShaderCoresFactory make, uint64_t wave_instructions) {
  return [make = std::move(make), wave_instructions]() -> Result<std::unique_ptr<ShaderCores>> {
    BW_ASSIGN(std::unique_ptr<ShaderCores> cores, make());
    cores->set_watchdog(wave_instructions);
    return cores;
  };
}

// The whole of a file of the host.
int read_host_file(const std::string& path, std::string* content) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return -errno;
  content->clear();
  std::array<char, 4096> chunk;
  while (true) {
    const ssize_t count = ::read(fd.get(), chunk.data(), chunk.size());
    if (count < 0) return -errno;
    if (count == 0) return 0;
    content->append(chunk.data(), static_cast<size_t>(count));
  }
}

int list_host_dir(const std::string& path, std::vector<std::string>* names) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return -errno;
  names->clear();
  while (const dirent* entry = ::readdir(dir)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names->push_back(name);
  }
  ::closedir(dir);
  std::sort(names->begin(), names->end());
  return 0;
}

// A memfd with the text, read-only as far as the caller cares.
UniqueFd text_fd(const std::string& text) {
  UniqueFd fd(::memfd_create("barewave-sysfs", MFD_CLOEXEC));
  if (!fd.is_valid()) return fd;
  if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return UniqueFd();
  ::lseek(fd.get(), 0, SEEK_SET);
  return fd;
}

}  // namespace

struct EmulatedDriver::Machine {
  Machine(std::unique_ptr<Arena> memory, std::vector<Card> all_cards, uint32_t minor_version,
          ShaderCoresFactory make_shader_cores, std::shared_ptr<TraceRecorder> trace, QueueChecks checks)
      : arena(std::move(memory)),
        cards(std::move(all_cards)),
        sysfs(cards),
        process(*arena, files, cards, minor_version, std::move(make_shader_cores), std::move(trace),
                std::move(checks)) {}

  // A descriptor for a device file: -errno, or its number.
  int open_device(FileKind kind, uint32_t card) {
    UniqueFd fd(::fcntl(arena->fd(), F_DUPFD_CLOEXEC, 0));
    if (!fd.is_valid()) return -errno;
    return files.add(std::move(fd), kind, card);
  }

  int open_text(const std::string& path, int flags) {
    std::string content;
    if (int status = sysfs.read(path, &content); status != 0) return status;
    if ((flags & O_ACCMODE) != O_RDONLY) return -EACCES;
    UniqueFd fd = text_fd(content);
    if (!fd.is_valid()) return -errno;
    return files.add(std::move(fd), FileKind::kText, 0);
  }

  // Where memory is that a client maps.
  struct Place {
    int fd = -1;
    uint64_t offset = 0;
  };
  // What Linux's kfd_mmap() and amdgpu_gem's mmap allow.
  int check_mapping(const OpenFile& file, size_t length_bytes, int flags, uint64_t offset, Place* place);

  const std::unique_ptr<Arena> arena;
  const std::vector<Card> cards;
  const Sysfs sysfs;
  FileTable files;
  std::shared_ptr<CounterLog> counters;  // null: nothing is counted
  Process process;
};

int EmulatedDriver::Machine::check_mapping(const OpenFile& file, size_t length_bytes, int flags, uint64_t offset,
                                           Place* place) {
  namespace uapi = kfd::uapi;
  if (file.kind == FileKind::kText) return -ENODEV;
  if (length_bytes == 0 || offset % 4096 != 0) return -EINVAL;
  if (file.kind == FileKind::kKfd && (offset & uapi::kMmapTypeMask) == uapi::kMmapTypeEvents) {
    *place = {arena->fd(), arena->event_page().offset};
    return process.events().map_default_page(length_bytes);
  }
  *place = {arena->fd(), offset};
  std::lock_guard lock(process.mutex());
  if ((flags & MAP_TYPE) != MAP_SHARED && (flags & MAP_TYPE) != MAP_SHARED_VALIDATE) return -EINVAL;
  if (!process.buffers().may_map(offset, align_up(length_bytes, 4096))) return -EINVAL;
  const MemoryBlock* block = process.buffers().memory().find(offset);
  if (block != nullptr && block->is_shared()) *place = {block->dmabuf(), offset - block->arena_offset()};
  return 0;
}

Result<std::unique_ptr<EmulatedDriver>> EmulatedDriver::create(EmulatedOptions options) {
  BW_RETURN_IF_ERROR(check(options));
  BW_RETURN_IF_ERROR(check_user_memory_access());
  BW_ASSIGN(std::unique_ptr<Arena> arena, Arena::create(options.card_count, options.vram_bytes));
  std::shared_ptr<CounterLog> counters;
  if (options.counting != Counting::kOff) counters = std::make_shared<CounterLog>();
  if (!options.make_shader_cores) {
    options.make_shader_cores = shader_cores_factory(options, counters);
  }
  ShaderCoresFactory make_shader_cores = watched(std::move(options.make_shader_cores), options.watchdog_instructions);
  auto machine =
      std::make_unique<Machine>(std::move(arena), make_cards(options.card_count, options.vram_bytes),
                                options.kfd_minor_version, std::move(make_shader_cores), std::move(options.trace),
                                QueueChecks{options.strictness, std::move(options.edit_packet)});
  machine->counters = std::move(counters);
  machine->process.queues().fault_log().set_listener(std::move(options.on_fault));
  return std::unique_ptr<EmulatedDriver>(new EmulatedDriver(std::move(machine)));
}

EmulatedDriver::EmulatedDriver(std::unique_ptr<Machine> machine) : machine_(std::move(machine)) {}
EmulatedDriver::~EmulatedDriver() = default;

int EmulatedDriver::open(const char* path, int flags) {
  if (path == nullptr) return -EFAULT;
  const std::string name = path;
  if (name == kfd::uapi::kKfdPath) return machine_->open_device(FileKind::kKfd, 0);
  for (const Card& card : machine_->cards) {
    if (name == fmt::format("/dev/dri/renderD{}", card.render_minor)) {
      return machine_->open_device(FileKind::kRender, card.index);
    }
  }
  if (Sysfs::owns(name)) return machine_->open_text(name, flags);
  const int fd = ::open(path, flags | O_CLOEXEC);
  return fd >= 0 ? fd : -errno;
}

int EmulatedDriver::close(int fd) {
  bool is_last = false;
  if (const auto file = machine_->files.close(fd, &is_last); file) {
    if (is_last && file->kind == FileKind::kRender) machine_->process.close_render_file(file->card, file->id);
    return 0;
  }
  return ::close(fd) == 0 ? 0 : -errno;
}

int EmulatedDriver::add_duplicate(int copy, int fd) {
  return machine_->files.add_duplicate(copy, fd) ? 0 : -EBADF;
}

void EmulatedDriver::forget(int fd) {
  machine_->files.forget(fd);
}

int EmulatedDriver::ioctl(int fd, unsigned long request, void* argument) {
  const auto file = machine_->files.find(fd);
  if (!file) return ::fcntl(fd, F_GETFD) < 0 ? -EBADF : -ENOTTY;
  switch (file->kind) {
    case FileKind::kKfd:
      return machine_->process.ioctl(request, argument);
    case FileKind::kRender:
      return drm_ioctl(machine_->process, machine_->cards[file->card], file->id, request, argument);
    case FileKind::kText:
      return -ENOTTY;
  }
  return -ENOTTY;
}

int EmulatedDriver::mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset,
                         void** result) {
  const auto file = machine_->files.find(fd);
  if (file) {
    Machine::Place place;
    const int status = machine_->check_mapping(*file, length_bytes, flags, static_cast<uint64_t>(offset), &place);
    if (status != 0) return status;
    fd = place.fd;
    offset = static_cast<off_t>(place.offset);
  }
  if ((flags & MAP_FIXED) != 0 && (flags & MAP_FIXED_NOREPLACE) != MAP_FIXED_NOREPLACE) {
    // What was there goes, and its attributes with it (Linux: MMU notifier, as for munmap).
    std::lock_guard lock(machine_->process.mutex());
    const auto begin = reinterpret_cast<uint64_t>(address);
    machine_->process.svm().forget(align_down(begin, 4096), align_up(begin + length_bytes, 4096));
  }
  void* mapped = ::mmap(address, length_bytes, protection, flags, fd, offset);
  if (mapped == MAP_FAILED) return -errno;
  *result = mapped;
  return 0;
}

int EmulatedDriver::munmap(void* address, size_t length_bytes) {
  // Memory given to the card as USERPTR leaves its page tables when it leaves the client's (Linux: MMU notifier). An
  // export in another thread, which puts other pages in the place of mappings, shall not bring this one back.
  std::lock_guard lock(machine_->process.mutex());
  const auto begin = reinterpret_cast<uint64_t>(address);
  machine_->process.invalidate_user_range(begin, begin + length_bytes);
  return ::munmap(address, length_bytes) == 0 ? 0 : -errno;
}

int EmulatedDriver::read_file(const std::string& path, std::string* content) {
  return Sysfs::owns(path) ? machine_->sysfs.read(path, content) : read_host_file(path, content);
}

int EmulatedDriver::list_dir(const std::string& path, std::vector<std::string>* names) {
  if (path == "/dev/dri" || path == "/dev/dri/") {
    names->clear();
    for (const Card& card : machine_->cards) {
      names->push_back(fmt::format("card{}", card.card_minor));
      names->push_back(fmt::format("renderD{}", card.render_minor));
    }
    std::sort(names->begin(), names->end());
    return 0;
  }
  return Sysfs::owns(path) ? machine_->sysfs.list(path, names) : list_host_dir(path, names);
}

std::vector<FaultReport> EmulatedDriver::fault_reports() const {
  return machine_->process.queues().fault_log().reports();
}

uint64_t EmulatedDriver::instruction_count() const {
  return machine_->process.queues().instruction_count();
}

TranslationCounts EmulatedDriver::translation_counts() const {
  return machine_->process.queues().translation_counts();
}

std::vector<DispatchCounters> EmulatedDriver::take_dispatch_counters() {
  return machine_->counters != nullptr ? machine_->counters->take() : std::vector<DispatchCounters>{};
}

void EmulatedDriver::count_ranges(std::vector<RangeCounts> ranges) {
  if (machine_->counters != nullptr) machine_->counters->set_ranges(std::move(ranges));
}

}  // namespace bw::emulator
