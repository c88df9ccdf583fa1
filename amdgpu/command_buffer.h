// Owns: a list of dispatches written once as packets in GPU memory, with their kernel arguments beside them, to be
// submitted any number of times. Not here: queues, and who waits for whom (device.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/code_module.h"
#include "amdgpu/memory.h"
#include "amdgpu/pm4_builder.h"

namespace bw::amdgpu {

using Dim3 = std::array<uint32_t, 3>;

// Scratch memory for kernels with a private segment; shared by all command buffers recorded while it was the largest.
struct Scratch {
  Buffer memory;
  uint32_t tmpring_size = 0;  // COMPUTE_TMPRING_SIZE
  uint32_t bytes_per_lane = 0;
};

// What a recording became. Immutable but for the arguments.
struct RecordedCommands {
  Buffer packets;    // GTT; the indirect buffer, then the progress word
  Buffer arguments;  // kernel arguments of all dispatches; invalid if there are none
  uint32_t packet_count_dwords = 0;
  // The command processor writes here how many dispatches it has started; 0 at the begin of each submission.
  const volatile uint32_t* progress = nullptr;

  struct Dispatch {
    std::string kernel_name;
    uint64_t argument_offset_bytes = 0;  // in `arguments`
    uint64_t argument_size_bytes = 0;
    uint32_t barrier_group = 0;  // dispatches of one group may run at the same time
  };
  std::vector<Dispatch> dispatches;
  std::vector<std::shared_ptr<const Buffer>> code;  // kept alive
  std::shared_ptr<const Scratch> scratch;           // kept alive; may be null
};

// May be dropped while it runs: the device keeps what it needs. Copies share the same memory.
class CommandBuffer {
 public:
  CommandBuffer() = default;

  bool is_valid() const { return commands_ != nullptr; }
  size_t dispatch_count() const { return commands_->dispatches.size(); }
  uint32_t size_dwords() const { return commands_->packet_count_dwords; }
  // The arguments of a dispatch, in the order of recording, for changing them between submissions. The GPU reads them
  // while it runs: wait for the submission before.
  std::span<std::byte> arguments(size_t dispatch) const;

 private:
  friend class CommandRecorder;
  friend class Device;
  explicit CommandBuffer(std::shared_ptr<const RecordedCommands> commands) : commands_(std::move(commands)) {}
  std::shared_ptr<const RecordedCommands> commands_;
};

class ScratchProvider {
 public:
  virtual ~ScratchProvider() = default;
  // Scratch with at least that much for each lane.
  virtual Result<std::shared_ptr<const Scratch>> scratch(uint32_t bytes_per_lane) = 0;
};

// Writes a CommandBuffer. The first error stands, and finish() returns it. Made by Device::record().
class CommandRecorder {
 public:
  CommandRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch);

  // `workgroup_count` x `workgroup_size` work-items. `arguments` are the bytes of the kernarg segment, explicit
  // arguments first; hidden arguments that are missing at its end are zeros. Dispatches without a barrier between them
  // may run at the same time and in any order.
  void dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                std::span<const std::byte> arguments);
  // What follows starts after all before has ended, and sees what it wrote.
  void barrier();
  // Writes the 64-bit GPU clock (DeviceInfo::clock_hz) once all before has ended. `address` is a multiple of 8.
  void write_timestamp(GpuAddr address);

  // The packets and arguments in GPU memory. The recorder is used up.
  Result<CommandBuffer> finish();

 private:
  struct PendingArguments {
    uint64_t offset_bytes;
    std::vector<std::byte> bytes;
  };

  Status record_dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                         std::span<const std::byte> arguments);
  // Only the registers that the recording has not set to these values already.
  void set_registers(gfx11::RegOffset first, std::span<const uint32_t> values);

  std::shared_ptr<MemoryManager> memory_;
  ScratchProvider& scratch_provider_;
  Status status_;
  Pm4Builder builder_;
  std::map<gfx11::RegOffset, uint32_t> registers_;
  std::shared_ptr<RecordedCommands> commands_;
  std::vector<std::byte> argument_bytes_;
  // Where an address of the arguments, known only at finish(), stands in the packets (low dword) or in the arguments.
  struct AddressPatch {
    uint32_t packet_dword;
    uint64_t argument_offset_bytes;
  };
  std::vector<AddressPatch> patches_;
  std::vector<uint32_t> progress_patches_;
  uint32_t barrier_group_ = 0;
  bool is_work_since_barrier_ = false;
};

}  // namespace bw::amdgpu
