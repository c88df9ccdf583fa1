// Owns: what user space and the KFD driver agree on: argument structs, request numbers, flags and enumerations, up to
// KFD 1.17. Both the clients here and the emulated driver take them from this file and from nowhere else. Not here:
// what the calls mean (the clients) and the hardware (amdgpu/gfx11).
//
// Everything is declared here rather than taken from <linux/kfd_ioctl.h>: Debian 12's is of KFD 1.11, without what has
// grown since, and includes <drm/drm.h>, which its packages install elsewhere. Source: Linux,
// include/uapi/linux/kfd_ioctl.h (KFD 1.17 is of 6.12); kfd/uapi_test.cc holds it against the system's header.
#pragma once

#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

namespace bw::kfd::uapi {

inline constexpr const char* kKfdPath = "/dev/kfd";
inline constexpr const char* kTopologyPath = "/sys/devices/virtual/kfd/kfd/topology";

inline constexpr uint32_t kMajorVersion = 1;
// Minor versions that brought a call which this stack uses.
inline constexpr uint32_t kMinorAvailableMemory = 9;
inline constexpr uint32_t kMinorRuntimeEnable = 13;
inline constexpr uint32_t kMinorEventAge = 14;
inline constexpr uint32_t kMinorContiguousVram = 16;
inline constexpr uint32_t kMinorSdmaByEngineId = 17;

// Argument structs. "out" marks what the driver writes; all else is read by it.
struct GetVersionArgs {
  uint32_t major_version;  // out
  uint32_t minor_version;  // out
};

// 1.17 appended the engine; before, the struct ended at ctl_stack_size. A driver copies the shorter of what the
// caller's request number says and what it knows, and takes the rest as zero.
struct CreateQueueArgs {
  uint64_t ring_base_address;
  uint64_t write_pointer_address;
  uint64_t read_pointer_address;
  uint64_t doorbell_offset;  // out
  uint32_t ring_size;        // bytes
  uint32_t gpu_id;
  uint32_t queue_type;  // QueueType
  uint32_t queue_percentage;
  uint32_t queue_priority;
  uint32_t queue_id;  // out
  uint64_t eop_buffer_address;
  uint64_t eop_buffer_size;
  uint64_t ctx_save_restore_address;
  uint32_t ctx_save_restore_size;
  uint32_t ctl_stack_size;
  uint32_t sdma_engine_id;  // kSdmaByEngineId only
  uint32_t pad;
};

struct DestroyQueueArgs {
  uint32_t queue_id;
  uint32_t pad;
};

struct UpdateQueueArgs {
  uint64_t ring_base_address;
  uint32_t queue_id;
  uint32_t ring_size;
  uint32_t queue_percentage;
  uint32_t queue_priority;
};

struct SetMemoryPolicyArgs {
  uint64_t alternate_aperture_base;
  uint64_t alternate_aperture_size;
  uint32_t gpu_id;
  uint32_t default_policy;  // CachePolicy
  uint32_t alternate_policy;
  uint32_t pad;
};

struct GetClockCountersArgs {
  uint64_t gpu_clock_counter;     // out
  uint64_t cpu_clock_counter;     // out, ns
  uint64_t system_clock_counter;  // out
  uint64_t system_clock_freq;     // out, Hz
  uint32_t gpu_id;
  uint32_t pad;
};

struct DeviceApertures {
  uint64_t lds_base;
  uint64_t lds_limit;
  uint64_t scratch_base;
  uint64_t scratch_limit;
  uint64_t gpuvm_base;
  uint64_t gpuvm_limit;
  uint32_t gpu_id;
  uint32_t pad;
};

struct GetProcessAperturesArgs {
  uint64_t kfd_process_device_apertures_ptr;  // DeviceApertures[num_of_nodes], filled by the driver
  uint32_t num_of_nodes;                      // in: room; out: filled. Room 0 asks for the number
  uint32_t pad;
};

struct AcquireVmArgs {
  uint32_t drm_fd;
  uint32_t gpu_id;
};

struct AllocMemoryArgs {
  uint64_t va_addr;
  uint64_t size;
  uint64_t handle;       // out
  uint64_t mmap_offset;  // in for USERPTR: the host address; else out: where the render node (or /dev/kfd) maps it
  uint32_t gpu_id;
  uint32_t flags;  // alloc_flag
};

struct FreeMemoryArgs {
  uint64_t handle;
};

struct MapMemoryArgs {
  uint64_t handle;
  uint64_t device_ids_array_ptr;  // uint32_t gpu_ids[n_devices]
  uint32_t n_devices;
  uint32_t n_success;  // in and out: how many devices, from the first, are done
};

struct UnmapMemoryArgs {
  uint64_t handle;
  uint64_t device_ids_array_ptr;
  uint32_t n_devices;
  uint32_t n_success;
};

struct CreateEventArgs {
  uint64_t event_page_offset;   // in: handle of the event page, once; out: where /dev/kfd maps it
  uint32_t event_trigger_data;  // out, signal events: what the GPU sends with the interrupt
  uint32_t event_type;          // EventType
  uint32_t auto_reset;
  uint32_t node_id;
  uint32_t event_id;          // out
  uint32_t event_slot_index;  // out, signal events: index of the mailbox in the event page
};

struct DestroyEventArgs {
  uint32_t event_id;
  uint32_t pad;
};

struct SetEventArgs {
  uint32_t event_id;
  uint32_t pad;
};

struct ResetEventArgs {
  uint32_t event_id;
  uint32_t pad;
};

struct MemoryExceptionFailure {
  uint32_t NotPresent;
  uint32_t ReadOnly;
  uint32_t NoExecute;
  uint32_t imprecise;
};

struct MemoryExceptionData {
  MemoryExceptionFailure failure;
  uint64_t va;
  uint32_t gpu_id;
  uint32_t ErrorType;  // MemoryErrorType
};

struct HwExceptionData {
  uint32_t reset_type;   // ResetType
  uint32_t reset_cause;  // ResetCause
  uint32_t memory_lost;
  uint32_t gpu_id;
};

// Since 1.14: in, the age of the event that the caller has seen (0: not used); out, its present age. A signal event
// whose age differs from the one given satisfies the wait at once.
struct SignalEventData {
  uint64_t last_event_age;
};

struct EventData {
  union {
    MemoryExceptionData memory_exception_data;
    HwExceptionData hw_exception_data;
    SignalEventData signal_event_data;
  };
  uint64_t kfd_event_data_ext;
  uint32_t event_id;
  uint32_t pad;
};

struct WaitEventsArgs {
  uint64_t events_ptr;  // EventData[num_events]
  uint32_t num_events;
  uint32_t wait_for_all;
  uint32_t timeout;      // ms, or kWaitForever
  uint32_t wait_result;  // out, WaitResult
};

struct SetScratchBackingVaArgs {
  uint64_t va_addr;
  uint32_t gpu_id;
  uint32_t pad;
};

struct SetTrapHandlerArgs {
  uint64_t tba_addr;
  uint64_t tma_addr;
  uint32_t gpu_id;
  uint32_t pad;
};

struct GetTileConfigArgs {
  uint64_t tile_config_ptr;         // uint32_t[num_tile_configs], filled by the driver
  uint64_t macro_tile_config_ptr;   // uint32_t[num_macro_tile_configs]
  uint32_t num_tile_configs;        // in: room; out: filled
  uint32_t num_macro_tile_configs;  // likewise
  uint32_t gpu_id;
  uint32_t gb_addr_config;  // out
  uint32_t num_banks;       // out
  uint32_t num_ranks;       // out
};

struct SetCuMaskArgs {
  uint32_t queue_id;
  uint32_t num_cu_mask;  // bits, a multiple of 32
  uint64_t cu_mask_ptr;
};

struct GetQueueWaveStateArgs {
  uint64_t ctl_stack_address;    // where the driver writes a WaveStateHeader
  uint32_t ctl_stack_used_size;  // out
  uint32_t save_area_used_size;  // out
  uint32_t queue_id;
  uint32_t pad;
};

// What a context save area begins with, as GET_QUEUE_WAVE_STATE writes it; the debugger's header goes on after it.
struct WaveStateHeader {
  uint32_t control_stack_offset;
  uint32_t control_stack_size;
  uint32_t wave_state_offset;
  uint32_t wave_state_size;
};

struct AllocQueueGwsArgs {
  uint32_t queue_id;
  uint32_t num_gws;    // 0 gives them back
  uint32_t first_gws;  // out
  uint32_t pad;
};

struct GetDmabufInfoArgs {
  uint64_t size;  // out
  uint64_t metadata_ptr;
  uint32_t metadata_size;  // in: room; out: actual size
  uint32_t gpu_id;         // out
  uint32_t flags;          // out, alloc_flag
  uint32_t dmabuf_fd;
};

struct ImportDmabufArgs {
  uint64_t va_addr;
  uint64_t handle;  // out
  uint32_t gpu_id;
  uint32_t dmabuf_fd;
};

struct SmiEventsArgs {
  uint32_t gpu_id;
  uint32_t anon_fd;  // out: takes an 8-byte mask of SmiEvents, gives lines of text
};

struct SvmAttribute {  // kfd/uapi_svm.h has the types
  uint32_t type;
  uint32_t value;
};

struct SvmArgs {  // followed by SvmAttribute[nattr]
  uint64_t start_addr;
  uint64_t size;
  uint32_t op;
  uint32_t nattr;
};

struct SetXnackModeArgs {
  int32_t xnack_enabled;  // in: negative asks only; out: the mode
};

struct AvailableMemoryArgs {
  uint64_t available;  // out, bytes
  uint32_t gpu_id;
  uint32_t pad;
};

struct ExportDmabufArgs {
  uint64_t handle;
  uint32_t flags;
  uint32_t dmabuf_fd;  // out
};

struct RuntimeEnableArgs {
  uint64_t r_debug;
  uint32_t mode_mask;          // kRuntimeMode*
  uint32_t capabilities_mask;  // out
};

inline constexpr uint32_t kRuntimeModeEnable = 1u << 0;
inline constexpr uint32_t kRuntimeModeTtmpSave = 1u << 1;

// Request numbers. GET_PROCESS_APERTURES is the call that the header names ..._NEW; the old one is not used.
inline constexpr unsigned kRequestType = 'K';
inline constexpr unsigned long kGetVersion = _IOR(kRequestType, 0x01, GetVersionArgs);
inline constexpr unsigned long kCreateQueue = _IOWR(kRequestType, 0x02, CreateQueueArgs);
inline constexpr unsigned long kDestroyQueue = _IOWR(kRequestType, 0x03, DestroyQueueArgs);
inline constexpr unsigned long kSetMemoryPolicy = _IOW(kRequestType, 0x04, SetMemoryPolicyArgs);
inline constexpr unsigned long kGetClockCounters = _IOWR(kRequestType, 0x05, GetClockCountersArgs);
inline constexpr unsigned long kUpdateQueue = _IOW(kRequestType, 0x07, UpdateQueueArgs);
inline constexpr unsigned long kCreateEvent = _IOWR(kRequestType, 0x08, CreateEventArgs);
inline constexpr unsigned long kDestroyEvent = _IOW(kRequestType, 0x09, DestroyEventArgs);
inline constexpr unsigned long kSetEvent = _IOW(kRequestType, 0x0a, SetEventArgs);
inline constexpr unsigned long kResetEvent = _IOW(kRequestType, 0x0b, ResetEventArgs);
inline constexpr unsigned long kWaitEvents = _IOWR(kRequestType, 0x0c, WaitEventsArgs);
inline constexpr unsigned long kGetTileConfig = _IOWR(kRequestType, 0x12, GetTileConfigArgs);
inline constexpr unsigned long kSetCuMask = _IOW(kRequestType, 0x1a, SetCuMaskArgs);
inline constexpr unsigned long kGetQueueWaveState = _IOWR(kRequestType, 0x1b, GetQueueWaveStateArgs);
inline constexpr unsigned long kGetDmabufInfo = _IOWR(kRequestType, 0x1c, GetDmabufInfoArgs);
inline constexpr unsigned long kImportDmabuf = _IOWR(kRequestType, 0x1d, ImportDmabufArgs);
inline constexpr unsigned long kAllocQueueGws = _IOWR(kRequestType, 0x1e, AllocQueueGwsArgs);
inline constexpr unsigned long kSmiEvents = _IOWR(kRequestType, 0x1f, SmiEventsArgs);
inline constexpr unsigned long kSetScratchBackingVa = _IOWR(kRequestType, 0x11, SetScratchBackingVaArgs);
inline constexpr unsigned long kSetTrapHandler = _IOW(kRequestType, 0x13, SetTrapHandlerArgs);
inline constexpr unsigned long kGetProcessApertures = _IOWR(kRequestType, 0x14, GetProcessAperturesArgs);
inline constexpr unsigned long kAcquireVm = _IOW(kRequestType, 0x15, AcquireVmArgs);
inline constexpr unsigned long kAllocMemory = _IOWR(kRequestType, 0x16, AllocMemoryArgs);
inline constexpr unsigned long kFreeMemory = _IOW(kRequestType, 0x17, FreeMemoryArgs);
inline constexpr unsigned long kMapMemory = _IOWR(kRequestType, 0x18, MapMemoryArgs);
inline constexpr unsigned long kUnmapMemory = _IOWR(kRequestType, 0x19, UnmapMemoryArgs);
inline constexpr unsigned long kSvm = _IOWR(kRequestType, 0x20, SvmArgs);
inline constexpr unsigned long kSetXnackMode = _IOWR(kRequestType, 0x21, SetXnackModeArgs);
inline constexpr unsigned long kAvailableMemory = _IOWR(kRequestType, 0x23, AvailableMemoryArgs);
inline constexpr unsigned long kExportDmabuf = _IOWR(kRequestType, 0x24, ExportDmabufArgs);
inline constexpr unsigned long kRuntimeEnable = _IOWR(kRequestType, 0x25, RuntimeEnableArgs);

// The driver tells calls apart by this part of the number alone; sizes may differ between versions.
constexpr unsigned request_nr(unsigned long request) {
  return _IOC_NR(request);
}
constexpr size_t request_size_bytes(unsigned long request) {
  return _IOC_SIZE(request);
}
constexpr bool is_kfd_request(unsigned long request) {
  return _IOC_TYPE(request) == kRequestType;
}

enum class QueueType : uint32_t {
  kCompute = 0,  // PM4
  kSdma = 1,
  kComputeAql = 2,
  kSdmaXgmi = 3,
  kSdmaByEngineId = 4,  // since 1.17
};

inline constexpr uint32_t kMaxQueuePercentage = 100;
inline constexpr uint32_t kMaxQueuePriority = 15;
inline constexpr uint32_t kMinQueueRingBytes = 1024;
// A process has one doorbell area per device: 1024 doorbells of 8 bytes. doorbell_offset of CREATE_QUEUE names a
// doorbell; rounded down to this size it is the offset at which /dev/kfd maps the area. (Linux kfd_doorbell.c, SOC15
// and later.)
inline constexpr uint64_t kDoorbellAreaBytes = 0x2000;
inline constexpr uint64_t kDoorbellBytes = 8;
// The top bits of an mmap offset on /dev/kfd say what is mapped, the next 16 for which device. (Linux kfd_priv.h.)
inline constexpr unsigned kMmapTypeShift = 62;
inline constexpr uint64_t kMmapTypeMmio = 0ull << kMmapTypeShift;
inline constexpr uint64_t kMmapTypeEvents = 2ull << kMmapTypeShift;
inline constexpr uint64_t kMmapTypeDoorbell = 3ull << kMmapTypeShift;
inline constexpr uint64_t kMmapTypeMask = 3ull << kMmapTypeShift;
inline constexpr unsigned kMmapGpuIdShift = 46;
inline constexpr uint64_t kMmapGpuIdMask = 0xffffull << kMmapGpuIdShift;
constexpr uint64_t mmap_gpu_id_bits(uint32_t gpu_id) {
  return (uint64_t{gpu_id} << kMmapGpuIdShift) & kMmapGpuIdMask;
}

// Events of SMI_EVENTS; bit (number - 1) of the mask chooses each.
enum class SmiEvent : uint32_t {
  kVmFault = 1,
  kThermalThrottle = 2,
  kGpuPreReset = 3,
  kGpuPostReset = 4,
  kMigrateStart = 5,
  kMigrateEnd = 6,
  kQueueEviction = 9,
  kQueueRestore = 10,
  kProcessStart = 12,
  kProcessEnd = 13,
};
constexpr uint64_t smi_mask(SmiEvent event) {
  return 1ull << (static_cast<uint32_t>(event) - 1);
}
inline constexpr uint64_t kSmiAllProcesses = 1ull << 63;

enum class CachePolicy : uint32_t { kCoherent = 0, kNonCoherent = 1 };

enum class EventType : uint32_t {
  kSignal = 0,
  kNodeChange = 1,
  kDeviceStateChange = 2,
  kHwException = 3,
  kSystem = 4,
  kDebug = 5,
  kProfile = 6,
  kQueue = 7,
  kMemory = 8,
};

enum class WaitResult : uint32_t { kComplete = 0, kTimeout = 1, kFail = 2 };
inline constexpr uint32_t kWaitForever = 0xffffffff;  // timeout of WAIT_EVENTS, else milliseconds
inline constexpr uint32_t kSignalEventLimit = 4096;
inline constexpr uint64_t kEventPageBytes = uint64_t{kSignalEventLimit} * 8;  // one mailbox for each signal event

enum class ResetType : uint32_t { kWholeGpu = 0, kPerEngine = 1 };
enum class ResetCause : uint32_t { kGpuHang = 0, kEcc = 1 };
enum class MemoryErrorType : uint32_t { kNoRas = 0, kSramEcc = 1, kPoisonConsumed = 2, kGpuHang = 3 };

// Flags of ALLOC_MEMORY_OF_GPU.
namespace alloc_flag {
inline constexpr uint32_t kVram = 1u << 0;
inline constexpr uint32_t kGtt = 1u << 1;
inline constexpr uint32_t kUserptr = 1u << 2;
inline constexpr uint32_t kDoorbell = 1u << 3;
inline constexpr uint32_t kMmioRemap = 1u << 4;
inline constexpr uint32_t kTypeMask = kVram | kGtt | kUserptr | kDoorbell | kMmioRemap;
inline constexpr uint32_t kContiguous = 1u << 23;  // since 1.16
inline constexpr uint32_t kExtCoherent = 1u << 24;
inline constexpr uint32_t kUncached = 1u << 25;
inline constexpr uint32_t kCoherent = 1u << 26;
inline constexpr uint32_t kAqlQueueMem = 1u << 27;
inline constexpr uint32_t kNoSubstitute = 1u << 28;
inline constexpr uint32_t kPublic = 1u << 29;  // VRAM that the host may map
inline constexpr uint32_t kExecutable = 1u << 30;
inline constexpr uint32_t kWritable = 1u << 31;
}  // namespace alloc_flag

// Sizes, offsets and encoded numbers, as literals: this is what the kernel's binary interface is.
static_assert(sizeof(GetVersionArgs) == 8 && kGetVersion == 0x80084b01);
static_assert(sizeof(CreateQueueArgs) == 96 && kCreateQueue == 0xc0604b02);
static_assert(offsetof(CreateQueueArgs, queue_id) == 52 && offsetof(CreateQueueArgs, ctl_stack_size) == 84);
static_assert(offsetof(CreateQueueArgs, sdma_engine_id) == 88);
static_assert(sizeof(DestroyQueueArgs) == 8 && kDestroyQueue == 0xc0084b03);
static_assert(sizeof(SetMemoryPolicyArgs) == 32 && kSetMemoryPolicy == 0x40204b04);
static_assert(sizeof(GetClockCountersArgs) == 40 && kGetClockCounters == 0xc0284b05);
static_assert(sizeof(UpdateQueueArgs) == 24 && kUpdateQueue == 0x40184b07);
static_assert(sizeof(CreateEventArgs) == 32 && kCreateEvent == 0xc0204b08);
static_assert(sizeof(DestroyEventArgs) == 8 && kDestroyEvent == 0x40084b09);
static_assert(sizeof(SetEventArgs) == 8 && kSetEvent == 0x40084b0a);
static_assert(sizeof(ResetEventArgs) == 8 && kResetEvent == 0x40084b0b);
static_assert(sizeof(WaitEventsArgs) == 24 && kWaitEvents == 0xc0184b0c);
static_assert(sizeof(EventData) == 48 && offsetof(EventData, event_id) == 40);
static_assert(sizeof(MemoryExceptionData) == 32 && sizeof(HwExceptionData) == 16 && sizeof(SignalEventData) == 8);
static_assert(sizeof(SetScratchBackingVaArgs) == 16 && kSetScratchBackingVa == 0xc0104b11);
static_assert(sizeof(SetTrapHandlerArgs) == 24 && kSetTrapHandler == 0x40184b13);
static_assert(sizeof(DeviceApertures) == 56);
static_assert(sizeof(GetProcessAperturesArgs) == 16 && kGetProcessApertures == 0xc0104b14);
static_assert(sizeof(AcquireVmArgs) == 8 && kAcquireVm == 0x40084b15);
static_assert(sizeof(AllocMemoryArgs) == 40 && kAllocMemory == 0xc0284b16);
static_assert(sizeof(FreeMemoryArgs) == 8 && kFreeMemory == 0x40084b17);
static_assert(sizeof(MapMemoryArgs) == 24 && kMapMemory == 0xc0184b18);
static_assert(sizeof(UnmapMemoryArgs) == 24 && kUnmapMemory == 0xc0184b19);
static_assert(sizeof(GetTileConfigArgs) == 40 && kGetTileConfig == 0xc0284b12);
static_assert(sizeof(SetCuMaskArgs) == 16 && kSetCuMask == 0x40104b1a);
static_assert(sizeof(GetQueueWaveStateArgs) == 24 && kGetQueueWaveState == 0xc0184b1b);
static_assert(sizeof(GetDmabufInfoArgs) == 32 && kGetDmabufInfo == 0xc0204b1c);
static_assert(sizeof(ImportDmabufArgs) == 24 && kImportDmabuf == 0xc0184b1d);
static_assert(sizeof(AllocQueueGwsArgs) == 16 && kAllocQueueGws == 0xc0104b1e);
static_assert(sizeof(SmiEventsArgs) == 8 && kSmiEvents == 0xc0084b1f && sizeof(WaveStateHeader) == 16);
static_assert(sizeof(SvmArgs) == 24 && sizeof(SvmAttribute) == 8 && kSvm == 0xc0184b20);
static_assert(sizeof(SetXnackModeArgs) == 4 && kSetXnackMode == 0xc0044b21);
static_assert(sizeof(AvailableMemoryArgs) == 16 && kAvailableMemory == 0xc0104b23);
static_assert(sizeof(ExportDmabufArgs) == 16 && kExportDmabuf == 0xc0104b24);
static_assert(sizeof(RuntimeEnableArgs) == 16 && kRuntimeEnable == 0xc0104b25);

}  // namespace bw::kfd::uapi
