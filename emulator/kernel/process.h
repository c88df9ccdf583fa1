// Owns: what the driver keeps for one process that opened /dev/kfd, and the table of its requests. As on Linux, closing
// /dev/kfd takes nothing away: the state ends with the process (here: with the EmulatedDriver).
// Not here: the requests themselves (emulator/kernel/*_ioctls), descriptors (emulator/files).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "emulator/card.h"
#include "emulator/kernel/buffers.h"
#include "emulator/kernel/debug_session.h"
#include "emulator/kernel/events.h"
#include "emulator/kernel/gem.h"
#include "emulator/kernel/queues.h"
#include "emulator/kernel/smi_events.h"
#include "emulator/kernel/svm.h"
#include "emulator/memory/arena.h"

namespace bw::emulator {

class FileTable;

struct ProcessDevice {
  Card card;
  std::optional<uint64_t> drm_file;  // the opening of the render node whose page tables are in use (ACQUIRE_VM)
  uint64_t trap_handler = 0;
  uint64_t trap_memory = 0;
  uint64_t scratch_backing = 0;
  std::optional<uint32_t> gws_queue;  // the one queue that has the global wave sync
};

class Process {
 public:
  Process(const Arena& arena, const FileTable& files, std::span<const Card> cards, uint32_t minor_version,
          ShaderCoresFactory make_shader_cores, std::shared_ptr<TraceRecorder> trace = nullptr,
          QueueChecks checks = {});

  // An ioctl on /dev/kfd: 0 or a negative errno.
  int ioctl(unsigned long request, void* argument);

  // The device that this process has acquired with that id: -EINVAL if there is none such, -ENODEV before ACQUIRE_VM.
  int bind(uint32_t gpu_id, ProcessDevice** device);
  ProcessDevice* find_device(uint32_t gpu_id);

  // Guards devices(), buffers(), svm(), queues() and what openings of render nodes hold; events(), smi() and debug()
  // have their own, which are taken last.
  std::mutex& mutex() { return mutex_; }
  std::span<ProcessDevice> devices() { return devices_; }
  BufferTable& buffers() { return buffers_; }
  SvmTable& svm() { return svm_; }
  // What an opening of a render node holds; made at its first use.
  GemFile& gem_file(uint32_t card, uint64_t file);
  // The opening is gone. Page tables that KFD uses, and what is in them, stay.
  void close_render_file(uint32_t card, uint64_t file);
  // KFD uses the page tables of that opening.
  int acquire(ProcessDevice& device, uint64_t file);
  QueueTable& queues() { return queues_; }
  EventTable& events() { return events_; }
  const FileTable& files() const { return files_; }
  uint32_t minor_version() const { return minor_version_; }
  SmiClients& smi() { return smi_; }
  DebugSession& debug() { return debug_; }
  bool is_runtime_enabled() const {
    return runtime.runtime_state == static_cast<uint32_t>(kfd::uapi::RuntimeState::kEnabled);
  }
  kfd::uapi::RuntimeInfo runtime{};  // guarded by mutex()
  // The client takes [begin, end) of its own memory away. With mutex() held.
  void invalidate_user_range(uint64_t begin, uint64_t end);

 private:
  const FileTable& files_;
  const pid_t owner_;
  const uint32_t minor_version_;
  std::mutex mutex_;
  std::vector<ProcessDevice> devices_;
  SmiClients smi_;
  DebugSession debug_;
  EventTable events_;
  BufferTable buffers_;
  SvmTable svm_;
  GemFiles gem_files_;
  QueueTable queues_;  // last: its engines use all of the above until it is destroyed
};

}  // namespace bw::emulator
