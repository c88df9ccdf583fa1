// Owns: the declarations of KFD's requests, one function each: 0 or a negative errno, results in the arguments. The
// arguments are the driver's own copy, as long as the newest version of the struct. Each follows the function of
// Linux's kfd_chardev.c that has the same name with kfd_ioctl_ before it.
#pragma once

#include <span>

#include "emulator/kernel/process.h"
#include "kfd/uapi.h"
#include "kfd/uapi_debug.h"

namespace bw::emulator::ioctls {

// The call of old that knows at most seven GPUs; kfd/uapi.h leaves it out.
struct GetProcessAperturesOldArgs {
  kfd::uapi::DeviceApertures process_apertures[7];
  uint32_t num_of_nodes;
  uint32_t pad;
};
static_assert(sizeof(GetProcessAperturesOldArgs) == 400);

// process_ioctls.cc
int get_version(Process& process, kfd::uapi::GetVersionArgs& args);
int acquire_vm(Process& process, kfd::uapi::AcquireVmArgs& args);
int set_memory_policy(Process& process, kfd::uapi::SetMemoryPolicyArgs& args);
int get_clock_counters(Process& process, kfd::uapi::GetClockCountersArgs& args);
int get_process_apertures(Process& process, GetProcessAperturesOldArgs& args);
int get_process_apertures_new(Process& process, kfd::uapi::GetProcessAperturesArgs& args);
int set_scratch_backing_va(Process& process, kfd::uapi::SetScratchBackingVaArgs& args);
int set_trap_handler(Process& process, kfd::uapi::SetTrapHandlerArgs& args);
int get_tile_config(Process& process, kfd::uapi::GetTileConfigArgs& args);
int set_xnack_mode(Process& process, kfd::uapi::SetXnackModeArgs& args);
int runtime_enable(Process& process, kfd::uapi::RuntimeEnableArgs& args);
int smi_events(Process& process, kfd::uapi::SmiEventsArgs& args);
int criu_op(Process& process, kfd::uapi::CriuArgs& args);

// debug_ioctls.cc
int dbg_trap(Process& process, kfd::uapi::DbgTrapArgs& args);

// memory_ioctls.cc
int alloc_memory_of_gpu(Process& process, kfd::uapi::AllocMemoryArgs& args);
int free_memory_of_gpu(Process& process, kfd::uapi::FreeMemoryArgs& args);
int map_memory_to_gpu(Process& process, kfd::uapi::MapMemoryArgs& args);
int unmap_memory_from_gpu(Process& process, kfd::uapi::UnmapMemoryArgs& args);
int available_memory(Process& process, kfd::uapi::AvailableMemoryArgs& args);

// dmabuf_ioctls.cc
int get_dmabuf_info(Process& process, kfd::uapi::GetDmabufInfoArgs& args);
int import_dmabuf(Process& process, kfd::uapi::ImportDmabufArgs& args);
int export_dmabuf(Process& process, kfd::uapi::ExportDmabufArgs& args);
int ipc_export_handle(Process& process, kfd::uapi::IpcExportHandleArgs& args);
int ipc_import_handle(Process& process, kfd::uapi::IpcImportHandleArgs& args);

// svm_ioctls.cc: as many attributes as the caller's size leaves room for follow the struct.
int svm(Process& process, std::span<std::byte> argument);

// event_ioctls.cc
int create_event(Process& process, kfd::uapi::CreateEventArgs& args);
int destroy_event(Process& process, kfd::uapi::DestroyEventArgs& args);
int set_event(Process& process, kfd::uapi::SetEventArgs& args);
int reset_event(Process& process, kfd::uapi::ResetEventArgs& args);
int wait_events(Process& process, kfd::uapi::WaitEventsArgs& args);

// queue_ioctls.cc
int create_queue(Process& process, kfd::uapi::CreateQueueArgs& args);
int destroy_queue(Process& process, kfd::uapi::DestroyQueueArgs& args);
int update_queue(Process& process, kfd::uapi::UpdateQueueArgs& args);
int set_cu_mask(Process& process, kfd::uapi::SetCuMaskArgs& args);
int get_queue_wave_state(Process& process, kfd::uapi::GetQueueWaveStateArgs& args);
int alloc_queue_gws(Process& process, kfd::uapi::AllocQueueGwsArgs& args);

}  // namespace bw::emulator::ioctls
