#include "emulator/kernel/process.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "base/bits.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator {
namespace {

namespace uapi = kfd::uapi;

constexpr size_t kLargestArgument = sizeof(ioctls::GetProcessAperturesOldArgs);

struct Request {
  unsigned long number;
  uint32_t since_minor;
  // Arguments of at least the size that `number` says.
  int (*call)(Process&, std::span<std::byte>);
};

template <typename Args, int (*Handler)(Process&, Args&)>
int call_with(Process& process, std::span<std::byte> argument) {
  static_assert(sizeof(Args) <= kLargestArgument);
  return Handler(process, *reinterpret_cast<Args*>(argument.data()));
}

template <auto Handler>
struct Entry;
template <typename Args, int (*Handler)(Process&, Args&)>
struct Entry<Handler> {
  static constexpr auto kCall = &call_with<Args, Handler>;
};

// The calls with which debuggers began; Linux keeps their numbers and forbids them (kfd_ioctl_dbg_register() and so
// on).
int forbidden(Process&, std::span<std::byte>) {
  return -EPERM;
}

constexpr unsigned long kGetProcessAperturesOld = _IOR(uapi::kRequestType, 0x06, ioctls::GetProcessAperturesOldArgs);

// By number, which grew with the versions.
constexpr Request kRequests[] = {
    {uapi::kGetVersion, 0, Entry<ioctls::get_version>::kCall},
    {uapi::kCreateQueue, 0, Entry<ioctls::create_queue>::kCall},
    {uapi::kDestroyQueue, 0, Entry<ioctls::destroy_queue>::kCall},
    {uapi::kSetMemoryPolicy, 0, Entry<ioctls::set_memory_policy>::kCall},
    {uapi::kGetClockCounters, 0, Entry<ioctls::get_clock_counters>::kCall},
    {kGetProcessAperturesOld, 0, Entry<ioctls::get_process_apertures>::kCall},
    {uapi::kUpdateQueue, 0, Entry<ioctls::update_queue>::kCall},
    {uapi::kCreateEvent, 0, Entry<ioctls::create_event>::kCall},
    {uapi::kDestroyEvent, 0, Entry<ioctls::destroy_event>::kCall},
    {uapi::kSetEvent, 0, Entry<ioctls::set_event>::kCall},
    {uapi::kResetEvent, 0, Entry<ioctls::reset_event>::kCall},
    {uapi::kWaitEvents, 0, Entry<ioctls::wait_events>::kCall},
    {uapi::kDbgRegister, 0, forbidden},
    {uapi::kDbgUnregister, 0, forbidden},
    {uapi::kDbgAddressWatch, 0, forbidden},
    {uapi::kDbgWaveControl, 0, forbidden},
    {uapi::kSetScratchBackingVa, 0, Entry<ioctls::set_scratch_backing_va>::kCall},
    {uapi::kGetTileConfig, 0, Entry<ioctls::get_tile_config>::kCall},
    {uapi::kSetTrapHandler, 0, Entry<ioctls::set_trap_handler>::kCall},
    {uapi::kGetProcessApertures, 0, Entry<ioctls::get_process_apertures_new>::kCall},
    {uapi::kAcquireVm, 0, Entry<ioctls::acquire_vm>::kCall},
    {uapi::kAllocMemory, 0, Entry<ioctls::alloc_memory_of_gpu>::kCall},
    {uapi::kFreeMemory, 0, Entry<ioctls::free_memory_of_gpu>::kCall},
    {uapi::kMapMemory, 0, Entry<ioctls::map_memory_to_gpu>::kCall},
    {uapi::kUnmapMemory, 0, Entry<ioctls::unmap_memory_from_gpu>::kCall},
    {uapi::kSetCuMask, 0, Entry<ioctls::set_cu_mask>::kCall},
    {uapi::kGetQueueWaveState, 0, Entry<ioctls::get_queue_wave_state>::kCall},
    {uapi::kGetDmabufInfo, 0, Entry<ioctls::get_dmabuf_info>::kCall},
    {uapi::kImportDmabuf, 0, Entry<ioctls::import_dmabuf>::kCall},
    {uapi::kAllocQueueGws, 0, Entry<ioctls::alloc_queue_gws>::kCall},
    {uapi::kSmiEvents, 0, Entry<ioctls::smi_events>::kCall},
    {uapi::kSvm, 0, ioctls::svm},
    {uapi::kSetXnackMode, 0, Entry<ioctls::set_xnack_mode>::kCall},
    {uapi::kCriuOp, 0, Entry<ioctls::criu_op>::kCall},
    {uapi::kAvailableMemory, 0, Entry<ioctls::available_memory>::kCall},
    {uapi::kExportDmabuf, 0, Entry<ioctls::export_dmabuf>::kCall},
    {uapi::kRuntimeEnable, uapi::kMinorRuntimeEnable, Entry<ioctls::runtime_enable>::kCall},
    {uapi::kDbgTrap, uapi::kMinorRuntimeEnable, Entry<ioctls::dbg_trap>::kCall},
    {uapi::kIpcImportHandle, 0, Entry<ioctls::ipc_import_handle>::kCall},
    {uapi::kIpcExportHandle, 0, Entry<ioctls::ipc_export_handle>::kCall},
};

const Request* find_request(unsigned nr, uint32_t minor_version) {
  for (const Request& request : kRequests) {
    if (uapi::request_nr(request.number) == nr && request.since_minor <= minor_version) return &request;
  }
  return nullptr;
}

}  // namespace

Process::Process(const Arena& arena, const FileTable& files, std::span<const Card> cards, uint32_t minor_version,
                 ShaderCoresFactory make_shader_cores, std::shared_ptr<TraceRecorder> trace, QueueChecks checks)
    : files_(files),
      owner_(::getpid()),
      minor_version_(minor_version),
      debug_(cards),
      events_(arena.event_page().host),
      buffers_(arena, cards),
      svm_(buffers_, cards),
      queues_(arena, cards, buffers_, events_, std::move(make_shader_cores), std::move(trace), std::move(checks)) {
  for (const Card& card : cards) devices_.emplace_back().card = card;
  events_.watch_memory_exceptions([this](const uapi::MemoryExceptionData& data) {
    if (const ProcessDevice* device = find_device(data.gpu_id)) smi_.vm_fault(device->card.index);
    return debug_.memory_violation(data);
  });
}

// As Linux: the number alone tells requests apart; sizes may differ between versions. What the caller's size says is
// copied in and out, and where the driver's struct is longer, the rest is zero.
int Process::ioctl(unsigned long request, void* argument) {
  const Request* known = find_request(uapi::request_nr(request), minor_version_);
  if (known == nullptr) return -ENOTTY;
  if (::getpid() != owner_) return -EBADF;  // a child has to open the device itself
  alignas(8) std::array<std::byte, kLargestArgument> small{};
  std::vector<std::byte> large;
  const size_t size = uapi::request_size_bytes(request);
  std::span<std::byte> copy = small;
  if (size > small.size()) {
    large.resize(size);
    copy = large;
  }
  const uint64_t user_address = reinterpret_cast<uint64_t>(argument);
  if ((_IOC_DIR(known->number) & _IOC_WRITE) != 0) {
    if (int status = copy_from_user(copy.data(), user_address, size); status != 0) return status;
  }
  const int result = known->call(*this, copy.first(std::max(size, uapi::request_size_bytes(known->number))));
  if ((_IOC_DIR(known->number) & _IOC_READ) != 0) {
    if (int status = copy_to_user(user_address, copy.data(), size); status != 0) return status;
  }
  return result;
}

void Process::invalidate_user_range(uint64_t begin, uint64_t end) {
  for (uint32_t card : buffers_.invalidate_user_range(begin, end)) {
    smi_.queues_evicted_and_restored(devices_[card].card, SmiClients::EvictionTrigger::kUserptr);
  }
  constexpr uint64_t kPageBytes = 4096;
  svm_.forget(align_down(begin, kPageBytes), align_up(end, kPageBytes));
}

ProcessDevice* Process::find_device(uint32_t gpu_id) {
  auto it = std::find_if(devices_.begin(), devices_.end(),
                         [&](const ProcessDevice& device) { return device.card.gpu_id == gpu_id; });
  return it == devices_.end() ? nullptr : &*it;
}

GemFile& Process::gem_file(uint32_t card, uint64_t file) {
  auto it = gem_files_.find(file);
  if (it == gem_files_.end()) {
    const bool is_compute = devices_[card].drm_file == file;
    it = gem_files_.emplace(file, std::make_unique<GemFile>(buffers_.space(card), is_compute)).first;
  }
  return *it->second;
}

void Process::close_render_file(uint32_t card, uint64_t file) {
  std::lock_guard lock(mutex_);
  if (devices_[card].drm_file != file) gem_files_.erase(file);
}

int Process::acquire(ProcessDevice& device, uint64_t file) {
  device.drm_file = file;
  auto it = gem_files_.find(file);
  return it == gem_files_.end() ? 0 : it->second->become_compute();
}

int Process::bind(uint32_t gpu_id, ProcessDevice** device) {
  *device = find_device(gpu_id);
  if (*device == nullptr) return -EINVAL;
  return (*device)->drm_file.has_value() ? 0 : -ENODEV;
}

}  // namespace bw::emulator
