#include "tests/fuzz/ioctl_fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "emulator/testing/machine.h"
#include "tests/fuzz/ioctl_templates.h"

namespace bw::test {
namespace {

using emulator::EmulatedDriver;
using emulator::EmulatedOptions;
using emulator::testing::Machine;
using emulator::testing::TestQueue;
using namespace kfd::uapi;
using Clock = std::chrono::steady_clock;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kRegionPages = 64;
constexpr uint64_t kReservedBytes = 16ull << 30;
constexpr int kCallsPerMachine = 400;
constexpr auto kPatience = std::chrono::seconds(120);

// What Linux's drivers may answer at all.
constexpr int kErrors[] = {EPERM,  ENOENT,     ESRCH,   EINTR,      EIO,    EBADF,    EAGAIN,    ENOMEM,
                           EACCES, EFAULT,     EBUSY,   EEXIST,     ENODEV, EINVAL,   EMFILE,    ENOTTY,
                           ENOSPC, EOPNOTSUPP, ENODATA, EADDRINUSE, ETIME,  EALREADY, EOVERFLOW, 524};

bool is_answer(int result) {
  return result == 0 || std::find(std::begin(kErrors), std::end(kErrors), -result) != std::end(kErrors);
}

size_t open_descriptors() {
  size_t count = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (folder != nullptr && ::readdir(folder) != nullptr) ++count;
  if (folder != nullptr) ::closedir(folder);
  return count;
}

size_t memfd_mappings() {
  std::ifstream maps("/proc/self/maps");
  size_t count = 0;
  for (std::string line; std::getline(maps, line);) count += line.find("/memfd:barewave") != std::string::npos ? 1 : 0;
  return count;
}

// What calls have given out; filled and used by all threads.
class Pool {
 public:
  void add(Field field, uint64_t value) {
    std::lock_guard lock(mutex_);
    std::vector<uint64_t>& values = values_[field];
    if (values.size() < 64) {
      values.push_back(value);
    } else {
      values[value % values.size()] = value;
    }
  }
  std::optional<uint64_t> pick(Field field, uint32_t random) {
    std::lock_guard lock(mutex_);
    const auto it = values_.find(field);
    if (it == values_.end() || it->second.empty()) return std::nullopt;
    return it->second[random % it->second.size()];
  }

 private:
  std::mutex mutex_;
  std::map<Field, std::vector<uint64_t>> values_;
};

// One machine's life. A region of the client's own memory serves as memory of the card, as arguments' lists and as what
// is mapped and unmapped.
class Life {
 public:
  explicit Life(uint32_t seed) : machine_(options(seed)) {
    // What lies behind the region shall not be the emulator's own memory, which a long range would take in.
    region_ = static_cast<std::byte*>(
        ::mmap(nullptr, kReservedBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    ::mprotect(region_, kRegionPages * kPage, PROT_READ | PROT_WRITE);
    TestQueue queue;
    good_queue_ = machine_.queue_args(&queue, 0, 4096);
    ring_ = queue.ring;
    other_render_ = machine_.driver().open("/dev/dri/renderD128", O_RDWR);
    pool_.add(Field::kFd, static_cast<uint64_t>(other_render_));
    pool_.add(Field::kFd, static_cast<uint64_t>(machine_.render()));
    pool_.add(Field::kHandle, ring_.handle);
    void* doorbells = nullptr;
    pool_.add(Field::kArenaOffset, doorbells_offset());
    (void)doorbells;
  }
  ~Life() {
    for (int fd : descriptors_) ::close(fd);
    ::munmap(region_, kReservedBytes);
  }

  std::string run(uint32_t seed, std::atomic<uint64_t>* calls, std::atomic<uint64_t>* successes) {
    std::mt19937 random(seed);
    for (int i = 0; i < kCallsPerMachine; ++i) {
      const uint32_t kind = random() % 100;
      std::string failure;
      if (kind < 86) {
        failure = call(random, successes);
      } else if (kind < 90) {
        map_something(random);
      } else if (kind < 94) {
        unmap_something(random);
      } else {
        submit(random);
      }
      ++*calls;
      if (!failure.empty()) return fmt::format("call {} of seed {}: {}", i, seed, failure);
    }
    return "";
  }

 private:
  static EmulatedOptions options(uint32_t seed) {
    EmulatedOptions result;
    result.card_count = 1 + seed % 2;
    result.kfd_minor_version = 12 + seed % 6;
    return result;
  }

  uint64_t doorbells_offset() {
    CreateQueueArgs args = good_queue_;
    if (machine_.ioctl(kCreateQueue, args) != 0) return 0;
    pool_.add(Field::kQueue, args.queue_id);
    void* address = nullptr;
    const auto offset = static_cast<off_t>(args.doorbell_offset & ~uint64_t{0x1fff});
    if (machine_.driver().mmap(nullptr, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, machine_.kfd(), offset, &address) ==
        0) {
      doorbells_ = static_cast<std::byte*>(address);
    }
    return static_cast<uint64_t>(offset);
  }

  uint64_t region_page(std::mt19937& random) const {
    return reinterpret_cast<uint64_t>(region_) + random() % kRegionPages * kPage;
  }

  uint64_t wild(std::mt19937& random) {
    constexpr uint64_t kValues[] = {0,
                                    1,
                                    8,
                                    0xfff,
                                    0x1000,
                                    0x10000,
                                    0x80000000,
                                    0xffffffff,
                                    0x100000000,
                                    0x7ffffffff000,
                                    1ull << 47,
                                    1ull << 63,
                                    ~0ull - 4095,
                                    ~0ull - 7,
                                    ~0ull};
    return kValues[random() % std::size(kValues)];
  }

  uint64_t list_of_devices(std::mt19937& random) {
    const uint64_t address = region_page(random);
    const std::array<uint32_t, 4> ids = {machine_.gpu_id(), machine_.gpu_id(), machine_.gpu_id() + 0x101,
                                         static_cast<uint32_t>(random())};
    // The page may be gone, or no longer writable.
    write_region(address, ids.data(), sizeof(ids));
    return address;
  }

  uint64_t list_of_events(std::mt19937& random) {
    const uint64_t address = region_page(random);
    std::array<EventData, 4> events{};
    for (EventData& event : events) {
      event.event_id = static_cast<uint32_t>(pool_.pick(Field::kEvent, random()).value_or(random() % 8));
      event.signal_event_data.last_event_age = random() % 3;
    }
    write_region(address, events.data(), sizeof(events));
    return address;
  }

  void write_region(uint64_t address, const void* source, size_t size) {
    const int memory = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    (void)!::pwrite(memory, source, size, static_cast<off_t>(address));
    ::close(memory);
  }

  uint64_t good(Field field, std::mt19937& random) {
    switch (field) {
      case Field::kGpu:
        return machine_.gpu_id() + (random() % 4 == 0 ? 0x101 : 0);
      case Field::kNodeCount:
        return random() % 4;
      case Field::kVa:
        return random() % 2 == 0 ? region_page(random) : 0x700000000000 + random() % 64 * kPage;
      case Field::kSize:
        return random() % 8 == 0 ? uint64_t{1} << (12 + random() % 12) : (1 + random() % 4) * kPage;
      case Field::kPointer:
        return region_page(random);
      case Field::kFlags:
        return (1u << random() % 5) | (random() % 2 == 0 ? 0xd6000000 : 0xf0000000);
      case Field::kSmall:
        return random() % 2 == 0 ? random() % 8 : random() % 40;
      case Field::kTimeout:
        return random() % 3;
      case Field::kOwnPid:
        return static_cast<uint64_t>(::getpid());
      case Field::kRing:
        return good_queue_.ring_base_address;
      case Field::kRingBytes:
        return good_queue_.ring_size;
      case Field::kReadPointer:
        return good_queue_.read_pointer_address;
      case Field::kWritePointer:
        return good_queue_.write_pointer_address;
      case Field::kQueueType:
        return random() % 5;
      case Field::kPercentage:
        return random() % 3 == 0 ? 0 : 100;
      case Field::kContextSave:
        return good_queue_.ctx_save_restore_address;
      case Field::kContextSaveBytes:
        return good_queue_.ctx_save_restore_size;
      case Field::kControlStackBytes:
        return good_queue_.ctl_stack_size;
      case Field::kDeviceList:
        return list_of_devices(random);
      case Field::kEventList:
        return list_of_events(random);
      default:
        return pool_.pick(field, random()).value_or(random() % 8);
    }
  }

  std::string call(std::mt19937& random, std::atomic<uint64_t>* successes) {
    const auto templates = ioctl_templates();
    const Template& chosen = templates[random() % templates.size()];
    alignas(8) std::array<std::byte, 512> argument{};
    for (const FieldAt& at : chosen.fields) {
      if (at.is_result && at.field == Field::kArenaOffset) continue;
      // Neither a wait without end nor a descriptor of the fuzzer's own.
      const bool must_be_good = at.field == Field::kTimeout || at.field == Field::kFd;
      const uint64_t value = must_be_good || random() % 100 < 92 ? good(at.field, random) : wild(random);
      std::memcpy(argument.data() + at.offset, &value, at.bytes);
    }
    // A descriptor that the caller has no room to be told of is lost, on Linux too.
    const bool makes_fd = std::any_of(chosen.fields.begin(), chosen.fields.end(),
                                      [](const FieldAt& at) { return at.is_result && at.field == Field::kFd; });
    void* pointer = argument.data();
    if (random() % 64 == 0 && !makes_fd) pointer = reinterpret_cast<void*>(wild(random));
    unsigned long request = chosen.request;
    if (random() % 64 == 0 && !makes_fd)
      request = _IOC(_IOC_READ | _IOC_WRITE, _IOC_TYPE(request), _IOC_NR(request), random() % 256);
    const int file = chosen.is_render ? (random() % 2 == 0 ? machine_.render() : other_render_) : machine_.kfd();
    const int result = machine_.driver().ioctl(file, request, pointer);
    if (!is_answer(result)) return fmt::format("request {:#x} gave {}", request, result);
    if (result == 0 && pointer == argument.data() && request == chosen.request) {
      ++*successes;
      harvest(chosen, argument.data());
    }
    return "";
  }

  void harvest(const Template& chosen, const std::byte* argument) {
    for (const FieldAt& at : chosen.fields) {
      if (!at.is_result) continue;
      uint64_t value = 0;
      std::memcpy(&value, argument + at.offset, at.bytes);
      pool_.add(at.field, value);
      if (at.field != Field::kFd) continue;
      std::lock_guard lock(mutex_);
      descriptors_.push_back(static_cast<int>(value));
    }
  }

  void map_something(std::mt19937& random) {
    const auto offset = pool_.pick(Field::kArenaOffset, random());
    if (!offset || random() % 3 == 0) {
      std::lock_guard lock(mutex_);
      void* again = nullptr;
      machine_.driver().mmap(region_, kRegionPages * kPage, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, &again);
      return;
    }
    void* address = nullptr;
    const size_t size = (1 + random() % 4) * kPage;
    if (machine_.driver().mmap(nullptr, size, PROT_READ, MAP_SHARED, machine_.render(), static_cast<off_t>(*offset),
                               &address) == 0) {
      machine_.driver().munmap(address, size);
    }
  }

  void unmap_something(std::mt19937& random) {
    void* page = reinterpret_cast<void*>(region_page(random));
    machine_.driver().munmap(page, kPage);
    // Nothing else shall come there, which the engines could write to.
    ::mmap(page, kPage, random() % 2 == 0 ? PROT_NONE : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
           -1, 0);
  }

  // Random packets, and the doorbells of all queues that share the ring.
  void submit(std::mt19937& random) {
    constexpr uint32_t kHeaders[] = {0xc0001000, 0xffff1000, 0xc0033700, 0xc0061a00, 0x00000002,
                                     0x00000005, 0x0000000a, 0x00020c02, 0x00010503, 0x00000000};
    for (int i = 0; i < 32; ++i) {
      const size_t index = random() % (ring_.size_bytes / sizeof(uint32_t));
      const uint32_t value = random() % 3 == 0   ? kHeaders[random() % std::size(kHeaders)]
                             : random() % 2 == 0 ? static_cast<uint32_t>(region_page(random))
                                                 : random() % 64;
      ring_.dword(index).store(value);
    }
    if (doorbells_ == nullptr) return;
    for (int i = 0; i < 4; ++i) {
      auto* doorbell = reinterpret_cast<uint64_t*>(doorbells_ + random() % 16 * 8);
      std::atomic_ref<uint64_t>(*doorbell).store(random() % 2048);
    }
  }

  Machine machine_;
  std::byte* region_ = nullptr;
  std::byte* doorbells_ = nullptr;
  int other_render_ = -1;
  CreateQueueArgs good_queue_{};
  emulator::testing::TestBuffer ring_;
  Pool pool_;
  std::mutex mutex_;
  std::vector<int> descriptors_;

 public:
  // After the machine is gone.
  void* doorbells() const { return doorbells_; }
};

// Ends the program where a call does not return.
class Watch {
 public:
  Watch() : thread_([this] { watch(); }) {}
  ~Watch() {
    ending_ = true;
    thread_.join();
  }
  void feed(uint32_t seed) {
    seed_ = seed;
    fed_ = Clock::now().time_since_epoch().count();
  }

 private:
  void watch() {
    while (!ending_) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      const Clock::time_point fed{Clock::duration(fed_.load())};
      if (Clock::now() - fed < kPatience) continue;
      fmt::print(stderr, "ioctl fuzzer: a call of seed {} does not return\n", seed_.load());
      std::abort();
    }
  }

  std::atomic<bool> ending_{false};
  std::atomic<uint32_t> seed_{0};
  std::atomic<Clock::rep> fed_{Clock::now().time_since_epoch().count()};
  std::thread thread_;
};

}  // namespace

IoctlFuzzResult fuzz_ioctls(uint32_t seed, double seconds, uint64_t machines, unsigned threads) {
  IoctlFuzzResult result;
  std::atomic<uint64_t> calls{0}, successes{0};
  Watch watch;
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  for (; result.machines < machines && Clock::now() < end && result.failure.empty(); ++result.machines, ++seed) {
    watch.feed(seed);
    const size_t descriptors = open_descriptors();
    const size_t mappings = memfd_mappings();
    void* doorbells = nullptr;
    {
      Life life(seed);
      doorbells = life.doorbells();
      std::vector<std::string> failures(threads);
      std::vector<std::thread> others;
      for (unsigned i = 1; i < threads; ++i) {
        others.emplace_back([&, i] { failures[i] = life.run(seed * 7919 + i, &calls, &successes); });
      }
      failures[0] = life.run(seed, &calls, &successes);
      for (std::thread& other : others) other.join();
      for (const std::string& failure : failures) {
        if (result.failure.empty()) result.failure = failure;
      }
    }
    if (doorbells != nullptr) ::munmap(doorbells, 0x2000);
    if (!result.failure.empty()) break;
    if (open_descriptors() != descriptors) {
      result.failure = fmt::format("seed {}: {} descriptors before, {} after", seed, descriptors, open_descriptors());
    } else if (memfd_mappings() != mappings) {
      result.failure = fmt::format("seed {}: {} mappings before, {} after", seed, mappings, memfd_mappings());
    }
  }
  result.calls = calls;
  result.successes = successes;
  return result;
}

}  // namespace bw::test
