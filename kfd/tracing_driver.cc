#include "kfd/tracing_driver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>  // strerrorname_np
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <span>

#include "kfd/uapi.h"

namespace bw::kfd {
namespace {

struct FlagName {
  uint64_t flag;
  std::string_view name;
};

constexpr std::array kAllocFlagNames = {
    FlagName{uapi::alloc_flag::kVram, "VRAM"},
    FlagName{uapi::alloc_flag::kGtt, "GTT"},
    FlagName{uapi::alloc_flag::kUserptr, "USERPTR"},
    FlagName{uapi::alloc_flag::kDoorbell, "DOORBELL"},
    FlagName{uapi::alloc_flag::kMmioRemap, "MMIO_REMAP"},
    FlagName{uapi::alloc_flag::kContiguous, "CONTIGUOUS"},
    FlagName{uapi::alloc_flag::kExtCoherent, "EXT_COHERENT"},
    FlagName{uapi::alloc_flag::kUncached, "UNCACHED"},
    FlagName{uapi::alloc_flag::kCoherent, "COHERENT"},
    FlagName{uapi::alloc_flag::kAqlQueueMem, "AQL_QUEUE_MEM"},
    FlagName{uapi::alloc_flag::kNoSubstitute, "NO_SUBSTITUTE"},
    FlagName{uapi::alloc_flag::kPublic, "PUBLIC"},
    FlagName{uapi::alloc_flag::kExecutable, "EXECUTABLE"},
    FlagName{uapi::alloc_flag::kWritable, "WRITABLE"},
};
constexpr std::array kMmapFlagNames = {
    FlagName{MAP_SHARED, "SHARED"},       FlagName{MAP_PRIVATE, "PRIVATE"},     FlagName{MAP_FIXED, "FIXED"},
    FlagName{MAP_ANONYMOUS, "ANONYMOUS"}, FlagName{MAP_NORESERVE, "NORESERVE"},
};
constexpr std::array kProtectionNames = {
    FlagName{PROT_READ, "R"},
    FlagName{PROT_WRITE, "W"},
    FlagName{PROT_EXEC, "X"},
};
constexpr std::array kOpenFlagNames = {
    FlagName{O_WRONLY, "O_WRONLY"},
    FlagName{O_RDWR, "O_RDWR"},
    FlagName{O_CLOEXEC, "O_CLOEXEC"},
};
constexpr std::array<std::string_view, 5> kQueueTypeNames = {"COMPUTE", "SDMA", "COMPUTE_AQL", "SDMA_XGMI",
                                                             "SDMA_BY_ENG_ID"};
constexpr std::array<std::string_view, 9> kEventTypeNames = {
    "SIGNAL", "NODECHANGE", "DEVICESTATECHANGE", "HW_EXCEPTION", "SYSTEM", "DEBUG", "PROFILE", "QUEUE", "MEMORY"};
constexpr std::array<std::string_view, 3> kWaitResultNames = {"COMPLETE", "TIMEOUT", "FAIL"};

// Arrays that calls point to are shown up to here.
constexpr uint32_t kMaxShown = 16;

// "A|B|0x40", with the bits that have no name last; "0" for none, or `none`.
std::string flags_text(uint64_t flags, std::span<const FlagName> names, std::string_view separator = "|",
                       std::string_view none = "0") {
  std::string text;
  const auto add = [&](std::string_view part) {
    if (!text.empty()) text += separator;
    text += part;
  };
  for (const FlagName& name : names) {
    if ((flags & name.flag) == 0) continue;
    add(name.name);
    flags &= ~name.flag;
  }
  if (flags != 0) add(fmt::format("{:#x}", flags));
  return text.empty() ? std::string(none) : text;
}

std::string enumerator_text(uint32_t value, std::span<const std::string_view> names) {
  return value < names.size() ? std::string(names[value]) : fmt::format("{}", value);
}

std::string address_text(uint64_t value) {
  return fmt::format("@{:x}", value);
}
std::string address_text(const void* pointer) {
  return address_text(reinterpret_cast<uint64_t>(pointer));
}
std::string handle_text(uint64_t value) {
  return fmt::format("#{:x}", value);
}

std::string errno_text(int negative_errno) {
  const char* name = strerrorname_np(-negative_errno);
  return name == nullptr ? fmt::format("{}", negative_errno) : name;
}

// 0 and positive results as they are, failures by the errno's name.
std::string result_text(int result) {
  return result < 0 ? errno_text(result) : fmt::format("{}", result);
}

std::string gpu_ids_text(uint64_t pointer, uint32_t count) {
  const uint32_t* ids = reinterpret_cast<const uint32_t*>(pointer);
  if (ids == nullptr) return "null";
  std::string text;
  for (uint32_t i = 0; i < std::min(count, kMaxShown); ++i) text += fmt::format("{}{}", i == 0 ? "" : ",", ids[i]);
  return fmt::format("[{}{}]", text, count > kMaxShown ? ",..." : "");
}

// What goes in and what comes out of each call. An overload for a struct that has only one of them is enough.
std::string in_text(const uapi::CreateQueueArgs& a) {
  std::string text = fmt::format("gpu={} type={} ring={} ring_size={:#x} rptr={} wptr={} percentage={} priority={}",
                                 a.gpu_id, enumerator_text(a.queue_type, kQueueTypeNames),
                                 address_text(a.ring_base_address), a.ring_size, address_text(a.read_pointer_address),
                                 address_text(a.write_pointer_address), a.queue_percentage, a.queue_priority);
  if (a.eop_buffer_size != 0) {
    text += fmt::format(" eop={} eop_size={:#x}", address_text(a.eop_buffer_address), a.eop_buffer_size);
  }
  if (a.ctx_save_restore_size != 0) {
    text += fmt::format(" cwsr={} cwsr_size={:#x} ctl_stack_size={:#x}", address_text(a.ctx_save_restore_address),
                        a.ctx_save_restore_size, a.ctl_stack_size);
  }
  if (a.queue_type == static_cast<uint32_t>(uapi::QueueType::kSdmaByEngineId)) {
    text += fmt::format(" engine={}", a.sdma_engine_id);
  }
  return text;
}
std::string out_text(const uapi::CreateQueueArgs& a) {
  return fmt::format("queue={} doorbell_offset={}", a.queue_id, handle_text(a.doorbell_offset));
}
std::string out_text(const uapi::GetVersionArgs& a) {
  return fmt::format("version={}.{}", a.major_version, a.minor_version);
}
std::string in_text(const uapi::DestroyQueueArgs& a) {
  return fmt::format("queue={}", a.queue_id);
}
std::string in_text(const uapi::UpdateQueueArgs& a) {
  return fmt::format("queue={} ring={} ring_size={:#x} percentage={} priority={}", a.queue_id,
                     address_text(a.ring_base_address), a.ring_size, a.queue_percentage, a.queue_priority);
}
std::string in_text(const uapi::SetMemoryPolicyArgs& a) {
  return fmt::format("gpu={} default={} alternate={}", a.gpu_id, a.default_policy, a.alternate_policy);
}
std::string in_text(const uapi::GetClockCountersArgs& a) {
  return fmt::format("gpu={}", a.gpu_id);
}
std::string out_text(const uapi::GetClockCountersArgs& a) {
  return fmt::format("gpu_clock={} system_clock={} freq={}", handle_text(a.gpu_clock_counter),
                     handle_text(a.system_clock_counter), a.system_clock_freq);
}
std::string in_text(const uapi::GetProcessAperturesArgs& a) {
  return fmt::format("room={}", a.num_of_nodes);
}
std::string out_text(const uapi::GetProcessAperturesArgs& a) {
  return fmt::format("filled={}", a.num_of_nodes);
}
std::string in_text(const uapi::AcquireVmArgs& a) {
  return fmt::format("gpu={} drm_fd={}", a.gpu_id, a.drm_fd);
}
std::string in_text(const uapi::AllocMemoryArgs& a) {
  std::string userptr =
      (a.flags & uapi::alloc_flag::kUserptr) ? fmt::format(" host={}", address_text(a.mmap_offset)) : "";
  return fmt::format("gpu={} va={} size={:#x} flags={}{}", a.gpu_id, address_text(a.va_addr), a.size,
                     flags_text(a.flags, kAllocFlagNames), userptr);
}
std::string out_text(const uapi::AllocMemoryArgs& a) {
  if (a.flags & uapi::alloc_flag::kUserptr) return fmt::format("handle={}", handle_text(a.handle));
  return fmt::format("handle={} mmap_offset={}", handle_text(a.handle), handle_text(a.mmap_offset));
}
std::string in_text(const uapi::FreeMemoryArgs& a) {
  return fmt::format("handle={}", handle_text(a.handle));
}
std::string in_text(const uapi::MapMemoryArgs& a) {
  return fmt::format("handle={} gpus={}", handle_text(a.handle), gpu_ids_text(a.device_ids_array_ptr, a.n_devices));
}
std::string out_text(const uapi::MapMemoryArgs& a) {
  return fmt::format("n_success={}", a.n_success);
}
std::string in_text(const uapi::CreateEventArgs& a) {
  std::string page = a.event_page_offset != 0 ? fmt::format(" page={}", handle_text(a.event_page_offset)) : "";
  return fmt::format("type={} auto_reset={}{}", enumerator_text(a.event_type, kEventTypeNames), a.auto_reset, page);
}
std::string out_text(const uapi::CreateEventArgs& a) {
  return fmt::format("event={} slot={} page_offset={}", a.event_id, a.event_slot_index,
                     handle_text(a.event_page_offset));
}
std::string in_text(const uapi::DestroyEventArgs& a) {
  return fmt::format("event={}", a.event_id);
}
std::string in_text(const uapi::WaitEventsArgs& a) {
  const auto* data = reinterpret_cast<const uapi::EventData*>(a.events_ptr);
  std::string ids;
  for (uint32_t i = 0; data != nullptr && i < std::min(a.num_events, kMaxShown); ++i) {
    ids += fmt::format("{}{}", i == 0 ? "" : ",", data[i].event_id);
  }
  return fmt::format("events=[{}] for={} timeout={}", ids, a.wait_for_all != 0 ? "ALL" : "ANY", a.timeout);
}
std::string out_text(const uapi::WaitEventsArgs& a) {
  return fmt::format("result={}", enumerator_text(a.wait_result, kWaitResultNames));
}
std::string in_text(const uapi::SetScratchBackingVaArgs& a) {
  return fmt::format("gpu={} va={}", a.gpu_id, address_text(a.va_addr));
}
std::string in_text(const uapi::SetTrapHandlerArgs& a) {
  return fmt::format("gpu={} tba={} tma={}", a.gpu_id, address_text(a.tba_addr), address_text(a.tma_addr));
}
std::string in_text(const uapi::SvmArgs& a) {
  return fmt::format("va={} size={:#x} op={} nattr={}", address_text(a.start_addr), a.size, a.op, a.nattr);
}
std::string in_text(const uapi::SetXnackModeArgs& a) {
  return fmt::format("mode={}", a.xnack_enabled);
}
std::string out_text(const uapi::SetXnackModeArgs& a) {
  return fmt::format("mode={}", a.xnack_enabled);
}
std::string in_text(const uapi::AvailableMemoryArgs& a) {
  return fmt::format("gpu={}", a.gpu_id);
}
std::string out_text(const uapi::AvailableMemoryArgs& a) {
  return fmt::format("available={}", handle_text(a.available));
}
std::string in_text(const uapi::ExportDmabufArgs& a) {
  return fmt::format("handle={}", handle_text(a.handle));
}
std::string out_text(const uapi::ExportDmabufArgs& a) {
  return fmt::format("fd={}", a.dmabuf_fd);
}
std::string in_text(const uapi::RuntimeEnableArgs& a) {
  return fmt::format("mode={}", a.mode_mask);
}

// UNMAP and the two other event calls have the layout of a call above.
static_assert(sizeof(uapi::UnmapMemoryArgs) == sizeof(uapi::MapMemoryArgs));
static_assert(sizeof(uapi::SetEventArgs) == sizeof(uapi::DestroyEventArgs));

struct Decoder {
  unsigned long request;
  std::string_view name;
  std::string (*in)(const void* argument);
  std::string (*out)(const void* argument);
};

template <typename Args>
constexpr Decoder decoder(unsigned long request, std::string_view name) {
  Decoder result{request, name, nullptr, nullptr};
  if constexpr (requires(const Args& args) { in_text(args); }) {
    result.in = [](const void* argument) { return in_text(*static_cast<const Args*>(argument)); };
  }
  if constexpr (requires(const Args& args) { out_text(args); }) {
    result.out = [](const void* argument) { return out_text(*static_cast<const Args*>(argument)); };
  }
  return result;
}

constexpr std::array kDecoders = {
    decoder<uapi::GetVersionArgs>(uapi::kGetVersion, "GET_VERSION"),
    decoder<uapi::CreateQueueArgs>(uapi::kCreateQueue, "CREATE_QUEUE"),
    decoder<uapi::DestroyQueueArgs>(uapi::kDestroyQueue, "DESTROY_QUEUE"),
    decoder<uapi::SetMemoryPolicyArgs>(uapi::kSetMemoryPolicy, "SET_MEMORY_POLICY"),
    decoder<uapi::GetClockCountersArgs>(uapi::kGetClockCounters, "GET_CLOCK_COUNTERS"),
    decoder<uapi::UpdateQueueArgs>(uapi::kUpdateQueue, "UPDATE_QUEUE"),
    decoder<uapi::CreateEventArgs>(uapi::kCreateEvent, "CREATE_EVENT"),
    decoder<uapi::DestroyEventArgs>(uapi::kDestroyEvent, "DESTROY_EVENT"),
    decoder<uapi::DestroyEventArgs>(uapi::kSetEvent, "SET_EVENT"),
    decoder<uapi::DestroyEventArgs>(uapi::kResetEvent, "RESET_EVENT"),
    decoder<uapi::WaitEventsArgs>(uapi::kWaitEvents, "WAIT_EVENTS"),
    decoder<uapi::SetScratchBackingVaArgs>(uapi::kSetScratchBackingVa, "SET_SCRATCH_BACKING_VA"),
    decoder<uapi::SetTrapHandlerArgs>(uapi::kSetTrapHandler, "SET_TRAP_HANDLER"),
    decoder<uapi::GetProcessAperturesArgs>(uapi::kGetProcessApertures, "GET_PROCESS_APERTURES_NEW"),
    decoder<uapi::AcquireVmArgs>(uapi::kAcquireVm, "ACQUIRE_VM"),
    decoder<uapi::AllocMemoryArgs>(uapi::kAllocMemory, "ALLOC_MEMORY_OF_GPU"),
    decoder<uapi::FreeMemoryArgs>(uapi::kFreeMemory, "FREE_MEMORY_OF_GPU"),
    decoder<uapi::MapMemoryArgs>(uapi::kMapMemory, "MAP_MEMORY_TO_GPU"),
    decoder<uapi::MapMemoryArgs>(uapi::kUnmapMemory, "UNMAP_MEMORY_FROM_GPU"),
    decoder<uapi::SvmArgs>(uapi::kSvm, "SVM"),
    decoder<uapi::SetXnackModeArgs>(uapi::kSetXnackMode, "SET_XNACK_MODE"),
    decoder<uapi::AvailableMemoryArgs>(uapi::kAvailableMemory, "AVAILABLE_MEMORY"),
    decoder<uapi::ExportDmabufArgs>(uapi::kExportDmabuf, "EXPORT_DMABUF"),
    decoder<uapi::RuntimeEnableArgs>(uapi::kRuntimeEnable, "RUNTIME_ENABLE"),
};

const Decoder* find_decoder(unsigned long request) {
  const auto* found = std::find_if(kDecoders.begin(), kDecoders.end(),
                                   [request](const Decoder& decoder) { return decoder.request == request; });
  return found == kDecoders.end() ? nullptr : found;
}

}  // namespace

int TracingDriver::open(const char* path, int flags) {
  int result = inner_.open(path, flags);
  sink_(fmt::format("open({}, {}) = {}", path,
                    flags_text(static_cast<uint64_t>(flags), kOpenFlagNames, "|", "O_RDONLY"), result_text(result)));
  return result;
}

int TracingDriver::close(int fd) {
  int result = inner_.close(fd);
  sink_(fmt::format("close({}) = {}", fd, result_text(result)));
  return result;
}

int TracingDriver::ioctl(int fd, unsigned long request, void* argument) {
  const Decoder* decoder = find_decoder(request);
  if (decoder == nullptr) {
    int result = inner_.ioctl(fd, request, argument);
    sink_(fmt::format("ioctl({}, {:#x}) = {}", fd, request, result_text(result)));
    return result;
  }
  // Before the call, which may write over its arguments.
  std::string in = decoder->in == nullptr ? "" : fmt::format(", {}", decoder->in(argument));
  int result = inner_.ioctl(fd, request, argument);
  std::string out = decoder->out == nullptr || result < 0 ? "" : fmt::format(" {}", decoder->out(argument));
  sink_(fmt::format("ioctl({}, {}{}) = {}{}", fd, decoder->name, in, result_text(result), out));
  return result;
}

int TracingDriver::mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset,
                        void** result) {
  int code = inner_.mmap(address, length_bytes, protection, flags, fd, offset, result);
  sink_(fmt::format("mmap({}, {:#x}, {}, {}, {}, {}) = {}", address_text(address), length_bytes,
                    flags_text(static_cast<uint64_t>(protection), kProtectionNames, "", "NONE"),
                    flags_text(static_cast<uint64_t>(flags), kMmapFlagNames), fd,
                    handle_text(static_cast<uint64_t>(offset)), code < 0 ? errno_text(code) : address_text(*result)));
  return code;
}

int TracingDriver::munmap(void* address, size_t length_bytes) {
  int result = inner_.munmap(address, length_bytes);
  sink_(fmt::format("munmap({}, {:#x}) = {}", address_text(address), length_bytes, result_text(result)));
  return result;
}

int TracingDriver::read_file(const std::string& path, std::string* content) {
  int result = inner_.read_file(path, content);
  sink_(fmt::format("read({}) = {}", path, result < 0 ? errno_text(result) : fmt::format("{} bytes", content->size())));
  return result;
}

int TracingDriver::list_dir(const std::string& path, std::vector<std::string>* names) {
  int result = inner_.list_dir(path, names);
  sink_(fmt::format("list({}) = {}", path, result < 0 ? errno_text(result) : fmt::format("{} names", names->size())));
  return result;
}

std::string request_name(unsigned long request) {
  const Decoder* decoder = find_decoder(request);
  return decoder == nullptr ? fmt::format("{:#x}", request) : std::string(decoder->name);
}

std::string TraceNormaliser::normalise(std::string_view line) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < line.size();) {
    const char mark = line[i++];
    text += mark;
    if (mark != '@' && mark != '#') continue;
    const size_t end = std::min(line.find_first_not_of(kHexDigits, i), line.size());
    const std::string_view value = line.substr(i, end - i);
    i = end;
    if (value.empty() || value == "0") {
      text += value;
      continue;
    }
    std::vector<std::string>& seen = mark == '@' ? seen_addresses_ : seen_handles_;
    auto found = std::find(seen.begin(), seen.end(), value);
    text += fmt::format("{}", found - seen.begin() + 1);
    if (found == seen.end()) seen.emplace_back(value);
  }
  return text;
}

}  // namespace bw::kfd
