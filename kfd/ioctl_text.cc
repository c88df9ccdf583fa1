#include "kfd/ioctl_text.h"

#include <amdgpu_drm.h>
#include <drm.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <vector>

#include "kfd/uapi.h"
#include "kfd/uapi_debug.h"
#include "kfd/uapi_svm.h"
#include "kfd/value_text.h"

namespace bw::kfd {
namespace {

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
constexpr std::array<std::string_view, 5> kQueueTypeNames = {"COMPUTE", "SDMA", "COMPUTE_AQL", "SDMA_XGMI",
                                                             "SDMA_BY_ENG_ID"};
constexpr std::array<std::string_view, 9> kEventTypeNames = {
    "SIGNAL", "NODECHANGE", "DEVICESTATECHANGE", "HW_EXCEPTION", "SYSTEM", "DEBUG", "PROFILE", "QUEUE", "MEMORY"};
constexpr std::array<std::string_view, 3> kWaitResultNames = {"COMPLETE", "TIMEOUT", "FAIL"};

constexpr std::array<std::string_view, 2> kSvmOpNames = {"SET_ATTR", "GET_ATTR"};
constexpr std::array<std::string_view, 8> kSvmAttributeNames = {
    "PREFERRED_LOC", "PREFETCH_LOC", "ACCESS", "ACCESS_IN_PLACE", "NO_ACCESS", "SET_FLAGS", "CLR_FLAGS", "GRANULARITY"};

// Arrays that calls point to are shown up to here.
constexpr uint32_t kMaxShown = 16;

std::string drm_query_name(uint32_t query) {
  constexpr std::array kNames = {
      FlagName{AMDGPU_INFO_ACCEL_WORKING, "ACCEL_WORKING"},
      FlagName{AMDGPU_INFO_CRTC_FROM_ID, "CRTC_FROM_ID"},
      FlagName{AMDGPU_INFO_HW_IP_INFO, "HW_IP_INFO"},
      FlagName{AMDGPU_INFO_HW_IP_COUNT, "HW_IP_COUNT"},
      FlagName{AMDGPU_INFO_TIMESTAMP, "TIMESTAMP"},
      FlagName{AMDGPU_INFO_FW_VERSION, "FW_VERSION"},
      FlagName{AMDGPU_INFO_NUM_BYTES_MOVED, "NUM_BYTES_MOVED"},
      FlagName{AMDGPU_INFO_VRAM_USAGE, "VRAM_USAGE"},
      FlagName{AMDGPU_INFO_GTT_USAGE, "GTT_USAGE"},
      FlagName{AMDGPU_INFO_GDS_CONFIG, "GDS_CONFIG"},
      FlagName{AMDGPU_INFO_VRAM_GTT, "VRAM_GTT"},
      FlagName{AMDGPU_INFO_READ_MMR_REG, "READ_MMR_REG"},
      FlagName{AMDGPU_INFO_DEV_INFO, "DEV_INFO"},
      FlagName{AMDGPU_INFO_VIS_VRAM_USAGE, "VIS_VRAM_USAGE"},
      FlagName{AMDGPU_INFO_MEMORY, "MEMORY"},
      FlagName{AMDGPU_INFO_VBIOS, "VBIOS"},
      FlagName{AMDGPU_INFO_SENSOR, "SENSOR"},
      FlagName{AMDGPU_INFO_VRAM_LOST_COUNTER, "VRAM_LOST_COUNTER"},
  };
  const auto* found = std::find_if(kNames.begin(), kNames.end(), [&](const auto& name) { return name.flag == query; });
  return found == kNames.end() ? fmt::format("{:#x}", query) : std::string(found->name);
}

// Who calls: their memory, and where the arguments are in it.
struct Caller {
  const CallerMemory& memory;
  uint64_t argument;
};

// Up to kMaxShown values of the caller's, as `text` writes each; "null" where they cannot be read.
template <typename T, typename Text>
std::string list_text(const Caller& caller, uint64_t address, uint32_t count, Text text) {
  std::array<T, kMaxShown> values{};
  const uint32_t shown = std::min(count, kMaxShown);
  if (shown != 0 && !caller.memory(values.data(), address, shown * sizeof(T))) return "null";
  std::string list;
  for (uint32_t i = 0; i < shown; ++i) list += fmt::format("{}{}", i == 0 ? "" : ",", text(values[i]));
  return fmt::format("[{}{}]", list, count > kMaxShown ? ",..." : "");
}

std::string gpu_ids_text(const Caller& caller, uint64_t address, uint32_t count) {
  return list_text<uint32_t>(caller, address, count, [](uint32_t id) { return fmt::format("{}", id); });
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
std::string in_text(const uapi::MapMemoryArgs& a, const Caller& caller) {
  return fmt::format("handle={} gpus={}", handle_text(a.handle),
                     gpu_ids_text(caller, a.device_ids_array_ptr, a.n_devices));
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
std::string in_text(const uapi::WaitEventsArgs& a, const Caller& caller) {
  const std::string ids =
      list_text<uapi::EventData>(caller, a.events_ptr, a.num_events,
                                 [](const uapi::EventData& event) { return fmt::format("{}", event.event_id); });
  return fmt::format("events={} for={} timeout={}", ids, a.wait_for_all != 0 ? "ALL" : "ANY", a.timeout);
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
// The attributes follow the arguments.
std::string svm_attributes_text(const uapi::SvmArgs& a, const Caller& caller) {
  using Attribute = std::array<uint32_t, 2>;
  return list_text<Attribute>(caller, caller.argument + sizeof(a), a.nattr, [](const Attribute& attribute) {
    return fmt::format("{}={:#x}", enumerator_text(attribute[0], kSvmAttributeNames), attribute[1]);
  });
}
std::string in_text(const uapi::SvmArgs& a, const Caller& caller) {
  return fmt::format("va={} size={:#x} op={} attributes={}", address_text(a.start_addr), a.size,
                     enumerator_text(a.op, kSvmOpNames), svm_attributes_text(a, caller));
}
std::string out_text(const uapi::SvmArgs& a, const Caller& caller) {
  if (a.op != static_cast<uint32_t>(uapi::SvmOp::kGetAttr)) return "";
  return fmt::format("attributes={}", svm_attributes_text(a, caller));
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

std::string in_text(const uapi::GetTileConfigArgs& a) {
  return fmt::format("gpu={} room={} macro_room={}", a.gpu_id, a.num_tile_configs, a.num_macro_tile_configs);
}
std::string out_text(const uapi::GetTileConfigArgs& a) {
  return fmt::format("filled={} macro_filled={} gb_addr_config={:#x}", a.num_tile_configs, a.num_macro_tile_configs,
                     a.gb_addr_config);
}
std::string in_text(const uapi::SetCuMaskArgs& a, const Caller& caller) {
  return fmt::format("queue={} mask={}", a.queue_id,
                     list_text<uint32_t>(caller, a.cu_mask_ptr, a.num_cu_mask / 32,
                                         [](uint32_t word) { return fmt::format("{:#x}", word); }));
}
std::string in_text(const uapi::GetQueueWaveStateArgs& a) {
  return fmt::format("queue={} ctl_stack={}", a.queue_id, address_text(a.ctl_stack_address));
}
std::string out_text(const uapi::GetQueueWaveStateArgs& a) {
  return fmt::format("ctl_stack_used={:#x} save_area_used={:#x}", a.ctl_stack_used_size, a.save_area_used_size);
}
std::string in_text(const uapi::AllocQueueGwsArgs& a) {
  return fmt::format("queue={} num_gws={}", a.queue_id, a.num_gws);
}
std::string out_text(const uapi::AllocQueueGwsArgs& a) {
  return fmt::format("first_gws={}", a.first_gws);
}
std::string in_text(const uapi::GetDmabufInfoArgs& a) {
  return fmt::format("dmabuf={}", a.dmabuf_fd);
}
std::string out_text(const uapi::GetDmabufInfoArgs& a) {
  return fmt::format("gpu={} size={:#x} flags={} metadata_size={}", a.gpu_id, a.size,
                     flags_text(a.flags, kAllocFlagNames), a.metadata_size);
}
std::string in_text(const uapi::ImportDmabufArgs& a) {
  return fmt::format("gpu={} va={} dmabuf={}", a.gpu_id, address_text(a.va_addr), a.dmabuf_fd);
}
std::string out_text(const uapi::ImportDmabufArgs& a) {
  return fmt::format("handle={}", handle_text(a.handle));
}
std::string in_text(const uapi::SmiEventsArgs& a) {
  return fmt::format("gpu={}", a.gpu_id);
}
std::string out_text(const uapi::SmiEventsArgs& a) {
  return fmt::format("fd={}", a.anon_fd);
}
std::string in_text(const uapi::CriuArgs& a) {
  return fmt::format("op={} pid={}", a.op, a.pid);
}
std::string in_text(const uapi::DbgTrapArgs& a) {
  return fmt::format("op={} pid={}", a.op, a.pid);
}

// Render nodes.
std::string in_text(const drm_amdgpu_info& a) {
  std::string text = fmt::format("query={}", drm_query_name(a.query));
  if (a.query == AMDGPU_INFO_READ_MMR_REG) {
    text += fmt::format(" register={:#x} count={}", a.read_mmr_reg.dword_offset, a.read_mmr_reg.count);
  }
  if (a.query == AMDGPU_INFO_HW_IP_INFO || a.query == AMDGPU_INFO_HW_IP_COUNT) {
    text += fmt::format(" type={}", a.query_hw_ip.type);
  }
  return fmt::format("{} room={}", text, a.return_size);
}
std::string in_text(const drm_amdgpu_gem_create& a) {
  return fmt::format("size={:#x} domains={:#x} flags={:#x}", a.in.bo_size, a.in.domains, a.in.domain_flags);
}
std::string out_text(const drm_amdgpu_gem_create& a) {
  return fmt::format("handle={}", handle_text(a.out.handle));
}
std::string in_text(const drm_amdgpu_gem_mmap& a) {
  return fmt::format("handle={}", handle_text(a.in.handle));
}
std::string out_text(const drm_amdgpu_gem_mmap& a) {
  return fmt::format("mmap_offset={}", handle_text(a.out.addr_ptr));
}
std::string in_text(const drm_amdgpu_gem_va& a) {
  return fmt::format("handle={} operation={} va={} size={:#x}", handle_text(a.handle), a.operation,
                     address_text(a.va_address), a.map_size);
}
std::string in_text(const drm_prime_handle& a) {
  return fmt::format("handle={} fd={}", handle_text(a.handle), a.fd);
}
std::string out_text(const drm_prime_handle& a) {
  return fmt::format("handle={} fd={}", handle_text(a.handle), a.fd);
}
std::string in_text(const drm_gem_close& a) {
  return fmt::format("handle={}", handle_text(a.handle));
}
std::string in_text(const drm_get_cap& a) {
  return fmt::format("capability={}", a.capability);
}
std::string out_text(const drm_get_cap& a) {
  return fmt::format("value={}", a.value);
}

// UNMAP and the two other event calls have the layout of a call above.
static_assert(sizeof(uapi::UnmapMemoryArgs) == sizeof(uapi::MapMemoryArgs));
static_assert(sizeof(uapi::SetEventArgs) == sizeof(uapi::DestroyEventArgs));

struct Decoder {
  unsigned long request;
  std::string_view name;
  size_t size_bytes;
  std::string (*in)(const std::byte* argument, const Caller& caller);
  std::string (*out)(const std::byte* argument, const Caller& caller);
};

template <typename Args>
const Args& as(const std::byte* argument) {
  return *reinterpret_cast<const Args*>(argument);
}

template <typename Args>
constexpr Decoder decoder(unsigned long request, std::string_view name) {
  Decoder result{request, name, sizeof(Args), nullptr, nullptr};
  if constexpr (requires(const Args& args) { in_text(args); }) {
    result.in = [](const std::byte* argument, const Caller&) { return in_text(as<Args>(argument)); };
  } else if constexpr (requires(const Args& args, const Caller& caller) { in_text(args, caller); }) {
    result.in = [](const std::byte* argument, const Caller& caller) { return in_text(as<Args>(argument), caller); };
  }
  if constexpr (requires(const Args& args) { out_text(args); }) {
    result.out = [](const std::byte* argument, const Caller&) { return out_text(as<Args>(argument)); };
  } else if constexpr (requires(const Args& args, const Caller& caller) { out_text(args, caller); }) {
    result.out = [](const std::byte* argument, const Caller& caller) { return out_text(as<Args>(argument), caller); };
  }
  return result;
}

struct NoArgs {};

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
    decoder<uapi::GetTileConfigArgs>(uapi::kGetTileConfig, "GET_TILE_CONFIG"),
    decoder<uapi::SetCuMaskArgs>(uapi::kSetCuMask, "SET_CU_MASK"),
    decoder<uapi::GetQueueWaveStateArgs>(uapi::kGetQueueWaveState, "GET_QUEUE_WAVE_STATE"),
    decoder<uapi::GetDmabufInfoArgs>(uapi::kGetDmabufInfo, "GET_DMABUF_INFO"),
    decoder<uapi::ImportDmabufArgs>(uapi::kImportDmabuf, "IMPORT_DMABUF"),
    decoder<uapi::AllocQueueGwsArgs>(uapi::kAllocQueueGws, "ALLOC_QUEUE_GWS"),
    decoder<uapi::SmiEventsArgs>(uapi::kSmiEvents, "SMI_EVENTS"),
    decoder<uapi::CriuArgs>(uapi::kCriuOp, "CRIU_OP"),
    decoder<uapi::DbgTrapArgs>(uapi::kDbgTrap, "DBG_TRAP"),
    decoder<NoArgs>(uapi::kDbgRegister, "DBG_REGISTER"),
    decoder<NoArgs>(uapi::kDbgUnregister, "DBG_UNREGISTER"),
    decoder<NoArgs>(uapi::kDbgAddressWatch, "DBG_ADDRESS_WATCH"),
    decoder<NoArgs>(uapi::kDbgWaveControl, "DBG_WAVE_CONTROL"),
    decoder<NoArgs>(DRM_IOCTL_VERSION, "DRM_VERSION"),
    decoder<NoArgs>(DRM_IOCTL_GET_UNIQUE, "DRM_GET_UNIQUE"),
    decoder<NoArgs>(DRM_IOCTL_GET_MAGIC, "DRM_GET_MAGIC"),
    decoder<NoArgs>(DRM_IOCTL_GET_CLIENT, "DRM_GET_CLIENT"),
    decoder<NoArgs>(DRM_IOCTL_SET_VERSION, "DRM_SET_VERSION"),
    decoder<NoArgs>(DRM_IOCTL_SET_CLIENT_CAP, "DRM_SET_CLIENT_CAP"),
    decoder<drm_get_cap>(DRM_IOCTL_GET_CAP, "DRM_GET_CAP"),
    decoder<drm_gem_close>(DRM_IOCTL_GEM_CLOSE, "DRM_GEM_CLOSE"),
    decoder<drm_prime_handle>(DRM_IOCTL_PRIME_HANDLE_TO_FD, "DRM_PRIME_HANDLE_TO_FD"),
    decoder<drm_prime_handle>(DRM_IOCTL_PRIME_FD_TO_HANDLE, "DRM_PRIME_FD_TO_HANDLE"),
    decoder<drm_amdgpu_gem_create>(DRM_IOCTL_AMDGPU_GEM_CREATE, "AMDGPU_GEM_CREATE"),
    decoder<drm_amdgpu_gem_mmap>(DRM_IOCTL_AMDGPU_GEM_MMAP, "AMDGPU_GEM_MMAP"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_GEM_METADATA, "AMDGPU_GEM_METADATA"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_GEM_WAIT_IDLE, "AMDGPU_GEM_WAIT_IDLE"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_GEM_OP, "AMDGPU_GEM_OP"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_GEM_USERPTR, "AMDGPU_GEM_USERPTR"),
    decoder<drm_amdgpu_gem_va>(DRM_IOCTL_AMDGPU_GEM_VA, "AMDGPU_GEM_VA"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_CTX, "AMDGPU_CTX"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_BO_LIST, "AMDGPU_BO_LIST"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_CS, "AMDGPU_CS"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_WAIT_CS, "AMDGPU_WAIT_CS"),
    decoder<NoArgs>(DRM_IOCTL_AMDGPU_VM, "AMDGPU_VM"),
    decoder<drm_amdgpu_info>(DRM_IOCTL_AMDGPU_INFO, "AMDGPU_INFO"),
};

// By type and number, as Linux finds its handlers.
const Decoder* find_decoder(unsigned long request) {
  const auto* found = std::find_if(kDecoders.begin(), kDecoders.end(), [request](const Decoder& decoder) {
    return _IOC_TYPE(decoder.request) == _IOC_TYPE(request) && _IOC_NR(decoder.request) == _IOC_NR(request);
  });
  return found == kDecoders.end() ? nullptr : found;
}

// What `write` makes of the arguments; what the caller's struct does not have is zero.
std::string describe(const Decoder& decoder, std::string (*write)(const std::byte*, const Caller&),
                     unsigned long request, const void* argument, const CallerMemory& memory) {
  if (write == nullptr) return "";
  const Caller caller{memory, reinterpret_cast<uint64_t>(argument)};
  std::vector<uint64_t> copy(decoder.size_bytes / sizeof(uint64_t) + 1);
  const size_t size_bytes = std::min<size_t>(_IOC_SIZE(request), decoder.size_bytes);
  if (!memory(copy.data(), caller.argument, size_bytes)) {
    return fmt::format("arguments at {}, which cannot be read", address_text(argument));
  }
  return write(reinterpret_cast<const std::byte*>(copy.data()), caller);
}

}  // namespace

std::string request_name(unsigned long request) {
  const Decoder* decoder = find_decoder(request);
  return decoder == nullptr ? fmt::format("{:#x}", request) : std::string(decoder->name);
}

bool request_may_block(unsigned long request) {
  return _IOC_TYPE(request) == _IOC_TYPE(uapi::kWaitEvents) && _IOC_NR(request) == _IOC_NR(uapi::kWaitEvents);
}

std::string request_arguments(unsigned long request, const void* argument, const CallerMemory& memory) {
  const Decoder* decoder = find_decoder(request);
  return decoder == nullptr ? "" : describe(*decoder, decoder->in, request, argument, memory);
}

std::string request_results(unsigned long request, const void* argument, const CallerMemory& memory) {
  const Decoder* decoder = find_decoder(request);
  return decoder == nullptr ? "" : describe(*decoder, decoder->out, request, argument, memory);
}

}  // namespace bw::kfd
