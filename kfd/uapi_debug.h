// Owns: the requests of debuggers (DBG_TRAP and the deprecated ones before it), of checkpoints (CRIU_OP), and those
// that only AMD's own version of the driver has. Source: Linux, include/uapi/linux/kfd_ioctl.h; AMD's version is in
// libhsakmt.
#pragma once

#include <sys/ioctl.h>

#include <cstddef>
#include <cstdint>

#include "kfd/uapi.h"

namespace bw::kfd::uapi {

struct DbgRegisterArgs {
  uint32_t gpu_id;
  uint32_t pad;
};
struct DbgAddressWatchArgs {
  uint64_t content_ptr;
  uint32_t gpu_id;
  uint32_t buf_size_in_bytes;
};

struct RuntimeInfo {
  uint64_t r_debug;
  uint32_t runtime_state;  // RuntimeState
  uint32_t ttmp_setup;
};
enum class RuntimeState : uint32_t { kDisabled = 0, kEnabled = 1, kEnabledBusy = 2, kEnabledError = 3 };

enum class DbgTrapOp : uint32_t {
  kEnable = 0,
  kDisable = 1,
  kSendRuntimeEvent = 2,
  kSetExceptionsEnabled = 3,
  kSetWaveLaunchOverride = 4,
  kSetWaveLaunchMode = 5,
  kSuspendQueues = 6,
  kResumeQueues = 7,
  kSetNodeAddressWatch = 8,
  kClearNodeAddressWatch = 9,
  kSetFlags = 10,
  kQueryDebugEvent = 11,
  kQueryExceptionInfo = 12,
  kGetQueueSnapshot = 13,
  kGetDeviceSnapshot = 14,
};

struct DbgTrapEnableArgs {
  uint64_t exception_mask;
  uint64_t rinfo_ptr;   // RuntimeInfo, filled by the driver
  uint32_t rinfo_size;  // in: room; out: size
  uint32_t dbg_fd;      // gets a byte for each exception
};
struct DbgTrapSendRuntimeEventArgs {
  uint64_t exception_mask;
  uint32_t gpu_id;
  uint32_t queue_id;
};
struct DbgTrapSetExceptionsEnabledArgs {
  uint64_t exception_mask;
};
struct DbgTrapSetWaveLaunchOverrideArgs {
  uint32_t override_mode;
  uint32_t enable_mask;           // out: previously enabled
  uint32_t support_request_mask;  // out: supported
  uint32_t pad;
};
struct DbgTrapSetWaveLaunchModeArgs {
  uint32_t launch_mode;
  uint32_t pad;
};
struct DbgTrapSuspendQueuesArgs {
  uint64_t exception_mask;
  uint64_t queue_array_ptr;  // uint32_t[num_queues]; the driver adds kDbgQueueInvalid or kDbgQueueError
  uint32_t num_queues;
  uint32_t grace_period;
};
struct DbgTrapResumeQueuesArgs {
  uint64_t queue_array_ptr;
  uint32_t num_queues;
  uint32_t pad;
};
struct DbgTrapSetNodeAddressWatchArgs {
  uint64_t address;
  uint32_t mode;
  uint32_t mask;
  uint32_t gpu_id;
  uint32_t id;  // out
};
struct DbgTrapClearNodeAddressWatchArgs {
  uint32_t gpu_id;
  uint32_t id;
};
struct DbgTrapSetFlagsArgs {
  uint32_t flags;  // out: those of before
  uint32_t pad;
};
struct DbgTrapQueryDebugEventArgs {
  uint64_t exception_mask;  // in: to clear; out: raised
  uint32_t gpu_id;          // out
  uint32_t queue_id;        // out
};
struct DbgTrapQueryExceptionInfoArgs {
  uint64_t info_ptr;
  uint32_t info_size;  // in: room; out: size
  uint32_t source_id;  // gpu_id or queue_id
  uint32_t exception_code;
  uint32_t clear_exception;
};
struct DbgTrapSnapshotArgs {  // of queues, or of devices
  uint64_t exception_mask;    // to clear
  uint64_t snapshot_buf_ptr;  // QueueSnapshot[count] or DeviceSnapshot[count], entry_size bytes apart
  uint32_t count;             // in: room; out: how many there are
  uint32_t entry_size;        // in: distance; out: bytes filled of each
};

struct DbgTrapArgs {
  uint32_t pid;
  uint32_t op;  // DbgTrapOp
  union {
    DbgTrapEnableArgs enable;
    DbgTrapSendRuntimeEventArgs send_runtime_event;
    DbgTrapSetExceptionsEnabledArgs set_exceptions_enabled;
    DbgTrapSetWaveLaunchOverrideArgs launch_override;
    DbgTrapSetWaveLaunchModeArgs launch_mode;
    DbgTrapSuspendQueuesArgs suspend_queues;
    DbgTrapResumeQueuesArgs resume_queues;
    DbgTrapSetNodeAddressWatchArgs set_node_address_watch;
    DbgTrapClearNodeAddressWatchArgs clear_node_address_watch;
    DbgTrapSetFlagsArgs set_flags;
    DbgTrapQueryDebugEventArgs query_debug_event;
    DbgTrapQueryExceptionInfoArgs query_exception_info;
    DbgTrapSnapshotArgs snapshot;
  };
};

struct QueueSnapshot {
  uint64_t exception_status;
  uint64_t ring_base_address;
  uint64_t write_pointer_address;
  uint64_t read_pointer_address;
  uint64_t ctx_save_restore_address;
  uint32_t queue_id;
  uint32_t gpu_id;
  uint32_t ring_size;
  uint32_t queue_type;
  uint32_t ctx_save_restore_area_size;
  uint32_t reserved;
};

struct DeviceSnapshot {
  uint64_t exception_status;
  uint64_t lds_base;
  uint64_t lds_limit;
  uint64_t scratch_base;
  uint64_t scratch_limit;
  uint64_t gpuvm_base;
  uint64_t gpuvm_limit;
  uint32_t gpu_id;
  uint32_t location_id;
  uint32_t vendor_id;
  uint32_t device_id;
  uint32_t revision_id;
  uint32_t subsystem_vendor_id;
  uint32_t subsystem_device_id;
  uint32_t fw_version;
  uint32_t gfx_target_version;
  uint32_t simd_count;
  uint32_t max_waves_per_simd;
  uint32_t array_count;
  uint32_t simd_arrays_per_engine;
  uint32_t num_xcc;
  uint32_t capability;
  uint32_t debug_prop;
};

// Exceptions of a mask: bit (code - 1).
enum class ExceptionCode : uint32_t {
  kQueueWaveMemoryViolation = 5,
  kQueueNew = 31,
  kDeviceQueueDelete = 32,
  kDeviceMemoryViolation = 33,
  kDeviceNew = 36,
  kProcessRuntime = 48,
  kProcessDeviceRemove = 49,
};
constexpr uint64_t exception_mask(ExceptionCode code) {
  return 1ull << (static_cast<uint32_t>(code) - 1);
}
// Which codes are of queues, devices and processes.
inline constexpr uint64_t kQueueExceptions = 0x607b803full;
inline constexpr uint64_t kDeviceExceptions = 0xf80000000ull;
inline constexpr uint64_t kProcessExceptions = 0x1800000000000ull;

inline constexpr uint32_t kDbgQueueError = 1u << 30;
inline constexpr uint32_t kDbgQueueInvalid = 1u << 31;

enum class CriuOp : uint32_t { kProcessInfo = 0, kCheckpoint = 1, kUnpause = 2, kRestore = 3, kResume = 4 };
struct CriuArgs {
  uint64_t devices;
  uint64_t bos;
  uint64_t priv_data;
  uint64_t priv_data_size;
  uint32_t num_devices;
  uint32_t num_bos;
  uint32_t num_objects;
  uint32_t pid;
  uint32_t op;  // CriuOp
};

inline constexpr unsigned long kDbgRegister = _IOW(kRequestType, 0x0d, DbgRegisterArgs);
inline constexpr unsigned long kDbgUnregister = _IOW(kRequestType, 0x0e, DbgRegisterArgs);
inline constexpr unsigned long kDbgAddressWatch = _IOW(kRequestType, 0x0f, DbgAddressWatchArgs);
inline constexpr unsigned long kDbgWaveControl = _IOW(kRequestType, 0x10, DbgAddressWatchArgs);
inline constexpr unsigned long kCriuOp = _IOWR(kRequestType, 0x22, CriuArgs);
inline constexpr unsigned long kDbgTrap = _IOWR(kRequestType, 0x26, DbgTrapArgs);

// Of AMD's own version of the driver, which Linux has not: handles of memory for other processes (0x80, 0x81), copies
// between processes, performance counters, samples of program counters (up to 0x85).
struct IpcImportHandleArgs {
  uint64_t handle;  // out
  uint64_t va_addr;
  uint64_t mmap_offset;  // out
  uint32_t share_handle[4];
  uint32_t gpu_id;
  uint32_t flags;  // out, alloc_flag
};
struct IpcExportHandleArgs {
  uint64_t handle;
  uint32_t share_handle[4];  // out
  uint32_t gpu_id;
  uint32_t flags;
};
inline constexpr unsigned long kIpcImportHandle = _IOWR(kRequestType, 0x80, IpcImportHandleArgs);
inline constexpr unsigned long kIpcExportHandle = _IOWR(kRequestType, 0x81, IpcExportHandleArgs);
inline constexpr unsigned kLastPrivateNr = 0x85;
static_assert(sizeof(IpcImportHandleArgs) == 48 && kIpcImportHandle == 0xc0304b80);
static_assert(sizeof(IpcExportHandleArgs) == 32 && kIpcExportHandle == 0xc0204b81);

static_assert(sizeof(DbgRegisterArgs) == 8 && kDbgRegister == 0x40084b0d && kDbgUnregister == 0x40084b0e);
static_assert(sizeof(DbgAddressWatchArgs) == 16 && kDbgAddressWatch == 0x40104b0f && kDbgWaveControl == 0x40104b10);
static_assert(sizeof(CriuArgs) == 56 && kCriuOp == 0xc0384b22);
static_assert(sizeof(DbgTrapArgs) == 32 && kDbgTrap == 0xc0204b26);
static_assert(sizeof(QueueSnapshot) == 64 && sizeof(DeviceSnapshot) == 120 && sizeof(RuntimeInfo) == 16);

}  // namespace bw::kfd::uapi
