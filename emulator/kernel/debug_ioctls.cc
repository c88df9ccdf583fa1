// KFD's request of debuggers. A process can only debug itself here: each program has an emulated driver of its own, so
// that another's process is one that KFD does not know (-ESRCH).
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "emulator/card_facts.h"
#include "emulator/kernel/apertures.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

// Those that reach into the hardware, and so need the runtime to have set the waves' trap registers up.
bool is_for_hardware(DbgTrapOp op) {
  switch (op) {
    case DbgTrapOp::kSetWaveLaunchOverride:
    case DbgTrapOp::kSetWaveLaunchMode:
    case DbgTrapOp::kSuspendQueues:
    case DbgTrapOp::kResumeQueues:
    case DbgTrapOp::kSetNodeAddressWatch:
    case DbgTrapOp::kClearNodeAddressWatch:
    case DbgTrapOp::kSetFlags:
      return true;
    default:
      return false;
  }
}

int enable(Process& process, DbgTrapEnableArgs& args) {
  if (process.debug().is_enabled()) return -EALREADY;
  UniqueFd notify(::fcntl(static_cast<int>(args.dbg_fd), F_DUPFD_CLOEXEC, 0));
  if (!notify.is_valid()) return -EBADF;
  if (int status = process.debug().enable(std::move(notify)); status != 0) return status;
  const size_t size = std::min<size_t>(args.rinfo_size, sizeof(RuntimeInfo));
  args.rinfo_size = sizeof(RuntimeInfo);
  // As on Linux, the session is on even where the caller cannot be told of the runtime.
  if (copy_to_user(args.rinfo_ptr, &process.runtime, size) != 0) return -EFAULT;
  process.debug().set_enabled_exceptions(args.exception_mask);
  return 0;
}

// Linux kfd_send_exception_to_runtime(): the context save area's header says where the reason goes, and which event
// to set.
int send_to_queue(Process& process, uint32_t queue_id, uint64_t reason) {
  constexpr uint64_t kErrorReasonAddress = 24, kErrorEventId = 32;
  const auto queue = process.queues().find(queue_id);
  if (!queue) return -EINVAL;
  const uint64_t header = queue->args.ctx_save_restore_address;
  uint64_t address = 0;
  uint32_t event_id = 0;
  uint64_t so_far = 0;
  if (copy_from_user(&address, header + kErrorReasonAddress, sizeof(address)) != 0) return -EFAULT;
  if (copy_from_user(&event_id, header + kErrorEventId, sizeof(event_id)) != 0) return -EFAULT;
  if (copy_from_user(&so_far, address, sizeof(so_far)) != 0) return -EFAULT;
  so_far |= reason;
  if (copy_to_user(address, &so_far, sizeof(so_far)) != 0) return -EFAULT;
  process.events().set(event_id);
  return 0;
}

// Linux kfd_dbg_send_exception_to_runtime().
int send_runtime_event(Process& process, const DbgTrapSendRuntimeEventArgs& args) {
  uint64_t mask = args.exception_mask;
  const uint64_t violation = exception_mask(ExceptionCode::kDeviceMemoryViolation);
  if ((mask & violation) != 0) {
    if (process.find_device(args.gpu_id) == nullptr) return -ENODEV;
    if (const auto data = process.debug().last_violation(args.gpu_id)) process.events().signal_memory_exception(*data);
    mask &= ~violation;
  }
  // The runtime does not wait for the debugger here.
  mask &= ~exception_mask(ExceptionCode::kProcessRuntime);
  return mask == 0 ? 0 : send_to_queue(process, args.queue_id, mask);
}

int query_exception_info(Process& process, DbgTrapQueryExceptionInfoArgs& args) {
  if (args.info_ptr == 0) return -EINVAL;
  std::optional<MemoryExceptionData> violation;
  const bool clear = args.clear_exception != 0;
  const int status = process.debug().query_exception(args.exception_code, args.source_id, clear, &violation);
  if (status != 0) return status;
  const void* info = nullptr;
  size_t size = 0;
  if (violation) {
    info = &*violation;
    size = sizeof(*violation);
  } else if (args.exception_code == static_cast<uint32_t>(ExceptionCode::kProcessRuntime)) {
    info = &process.runtime;
    size = sizeof(process.runtime);
  }
  if (copy_to_user(args.info_ptr, info, std::min<size_t>(args.info_size, size)) != 0) return -EFAULT;
  args.info_size = static_cast<uint32_t>(size);
  return 0;
}

// Entries of which each caller gets as much as it has room for, and as many.
template <typename Entry>
int give_snapshot(DbgTrapSnapshotArgs& args, const std::vector<Entry>& entries) {
  const size_t given = std::min<size_t>(args.count, entries.size());
  const uint32_t distance = args.entry_size;
  args.count = static_cast<uint32_t>(entries.size());
  args.entry_size = std::min<uint32_t>(distance, sizeof(Entry));
  for (size_t i = 0; i < given; ++i) {
    if (copy_to_user(args.snapshot_buf_ptr + i * distance, &entries[i], args.entry_size) != 0) return -EFAULT;
  }
  return 0;
}

// Linux pqm_get_queue_snapshot(): types are those of the driver, where both kinds of compute queue are one.
int queue_snapshot(Process& process, DbgTrapSnapshotArgs& args) {
  std::vector<QueueSnapshot> entries;
  for (const QueueInfo& queue : process.queues().list()) {
    if (entries.size() >= args.count) {
      entries.emplace_back();  // counts, but is not told, so that its exceptions stay
      continue;
    }
    entries.push_back({.exception_status = process.debug().queue_exceptions(queue.args.queue_id, args.exception_mask),
                       .ring_base_address = queue.args.ring_base_address,
                       .write_pointer_address = queue.args.write_pointer_address,
                       .read_pointer_address = queue.args.read_pointer_address,
                       .ctx_save_restore_address = queue.args.ctx_save_restore_address,
                       .queue_id = queue.args.queue_id,
                       .gpu_id = queue.args.gpu_id,
                       .ring_size = queue.args.ring_size,
                       .queue_type = queue.args.queue_type,
                       .ctx_save_restore_area_size = queue.args.ctx_save_restore_size,
                       .reserved = 0});
  }
  return give_snapshot(args, entries);
}

int device_snapshot(Process& process, DbgTrapSnapshotArgs& args) {
  using namespace facts;
  if (args.snapshot_buf_ptr == 0) return -EINVAL;
  std::vector<DeviceSnapshot> entries;
  for (const ProcessDevice& device : process.devices()) {
    if (entries.size() >= args.count) {
      entries.emplace_back();
      continue;
    }
    const DeviceApertures apertures = apertures_of(device.card);
    entries.push_back({.exception_status = process.debug().device_exceptions(device.card.gpu_id, args.exception_mask),
                       .lds_base = apertures.lds_base,
                       .lds_limit = apertures.lds_limit,
                       .scratch_base = apertures.scratch_base,
                       .scratch_limit = apertures.scratch_limit,
                       .gpuvm_base = apertures.gpuvm_base,
                       .gpuvm_limit = apertures.gpuvm_limit,
                       .gpu_id = device.card.gpu_id,
                       .location_id = device.card.location_id,
                       .vendor_id = kVendorId,
                       .device_id = kDeviceId,
                       .revision_id = kPciRevision,
                       .subsystem_vendor_id = kSubsystemVendorId,
                       .subsystem_device_id = kSubsystemDeviceId,
                       .fw_version = kFirmwareMec,
                       .gfx_target_version = kGfxTargetVersion,
                       .simd_count = kComputeUnits * kSimdsPerComputeUnit,
                       .max_waves_per_simd = kMaxWavesPerSimd,
                       .array_count = kShaderEngines * kArraysPerEngine,
                       .simd_arrays_per_engine = kArraysPerEngine,
                       .num_xcc = 1,
                       .capability = kCapability,
                       .debug_prop = kDebugProp});
  }
  return give_snapshot(args, entries);
}

// The card's capability has neither of the precise modes.
int set_flags(Process& process, DbgTrapSetFlagsArgs& args) {
  constexpr uint32_t kPreciseModes = 0x3;
  if ((args.flags & kPreciseModes) != 0) return -EACCES;
  args.flags = process.debug().exchange_flags(args.flags);
  return 0;
}

// Traps, halted waves, queues that stand still and watched addresses are not built: -EOPNOTSUPP, which Linux does not
// say. What asks for nothing of it is fine.
int hardware_op(Process& process, DbgTrapArgs& args) {
  switch (static_cast<DbgTrapOp>(args.op)) {
    case DbgTrapOp::kSetWaveLaunchMode:
      if (args.launch_mode.launch_mode == 2 || args.launch_mode.launch_mode > 3) return -EINVAL;
      return args.launch_mode.launch_mode == 0 ? 0 : -EOPNOTSUPP;
    case DbgTrapOp::kSuspendQueues:
      return args.suspend_queues.num_queues == 0 ? 0 : -EOPNOTSUPP;
    case DbgTrapOp::kResumeQueues:
      return args.resume_queues.num_queues == 0 ? 0 : -EOPNOTSUPP;
    case DbgTrapOp::kSetNodeAddressWatch:
      return process.find_device(args.set_node_address_watch.gpu_id) == nullptr ? -ENODEV : -EOPNOTSUPP;
    case DbgTrapOp::kClearNodeAddressWatch:
      return process.find_device(args.clear_node_address_watch.gpu_id) == nullptr ? -ENODEV : -EINVAL;
    case DbgTrapOp::kSetFlags:
      return set_flags(process, args.set_flags);
    default:
      return -EOPNOTSUPP;
  }
}

int run(Process& process, DbgTrapArgs& args) {
  switch (static_cast<DbgTrapOp>(args.op)) {
    case DbgTrapOp::kEnable:
      return enable(process, args.enable);
    case DbgTrapOp::kDisable:
      process.debug().disable();
      return 0;
    case DbgTrapOp::kSendRuntimeEvent:
      return send_runtime_event(process, args.send_runtime_event);
    case DbgTrapOp::kSetExceptionsEnabled:
      process.debug().set_enabled_exceptions(args.set_exceptions_enabled.exception_mask);
      return 0;
    case DbgTrapOp::kQueryDebugEvent:
      return process.debug().query_event(args.query_debug_event.exception_mask, &args.query_debug_event);
    case DbgTrapOp::kQueryExceptionInfo:
      return query_exception_info(process, args.query_exception_info);
    case DbgTrapOp::kGetQueueSnapshot:
      return queue_snapshot(process, args.snapshot);
    case DbgTrapOp::kGetDeviceSnapshot:
      return device_snapshot(process, args.snapshot);
    default:
      return -EINVAL;
  }
}

}  // namespace

// Linux kfd_ioctl_set_debug_trap().
int dbg_trap(Process& process, DbgTrapArgs& args) {
  if (static_cast<pid_t>(args.pid) != ::getpid()) return -ESRCH;
  const auto op = static_cast<DbgTrapOp>(args.op);
  std::lock_guard lock(process.mutex());
  if (op != DbgTrapOp::kEnable && !process.debug().is_enabled()) return -EINVAL;
  if (!is_for_hardware(op)) return run(process, args);
  const bool is_runtime_enabled = process.runtime.runtime_state == static_cast<uint32_t>(RuntimeState::kEnabled);
  return is_runtime_enabled ? hardware_op(process, args) : -EPERM;
}

}  // namespace bw::emulator::ioctls
