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

class ScratchProvider {
 public:
  virtual ~ScratchProvider() = default;
  // Scratch with at least that much for each lane.
  virtual Result<std::shared_ptr<const Scratch>> scratch(uint32_t bytes_per_lane) = 0;
};

// What a recording became. Immutable but for the bytes of the arguments.
struct RecordedCommands {
  struct Dispatch {
    std::string kernel_name;
    std::span<std::byte> arguments;
    uint32_t barrier_group = 0;  // dispatches of one group may run at the same time
  };

  Buffer packets;  // the indirect buffer
  uint32_t packet_count_dwords = 0;
  // The command processor writes here how many dispatches it has started; 0 at the begin of each submission.
  Buffer progress;
  std::vector<Buffer> argument_chunks;
  std::vector<Dispatch> dispatches;
  std::vector<std::shared_ptr<const Buffer>> code;  // kept alive
  std::vector<std::shared_ptr<const Scratch>> scratch;

  uint32_t started_count() const;
  // The kernels that may be running, by the progress word: "kernel add (dispatch 3 of 60)".
  std::string describe_running() const;
};

// May be dropped while it runs: the device keeps what it needs. Copies share the same memory.
class CommandBuffer {
 public:
  CommandBuffer() = default;

  bool is_valid() const { return commands_ != nullptr; }
  size_t dispatch_count() const { return commands_->dispatches.size(); }
  uint32_t size_dwords() const { return commands_->packet_count_dwords; }
  // The arguments of a dispatch, in the order of recording, for changing them between submissions. Write only: reading
  // is slow on a real card. The GPU reads them while it runs: wait for the submission before.
  std::span<std::byte> arguments(size_t dispatch) const { return commands_->dispatches.at(dispatch).arguments; }

 private:
  friend class CommandRecorder;
  friend class Device;
  explicit CommandBuffer(std::shared_ptr<const RecordedCommands> commands) : commands_(std::move(commands)) {}
  std::shared_ptr<const RecordedCommands> commands_;
};

// Writes a CommandBuffer. The first error stands, and finish() returns it. Made by Device::record(), which it must not
// outlive.
class CommandRecorder {
 public:
  struct Limits {
    uint32_t lds_size_bytes = 0;
    MemoryKind argument_kind = MemoryKind::kGtt;
  };
  CommandRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch, const Limits& limits);

  // `workgroup_count` x `workgroup_size` work-items. `arguments` are the bytes of the kernarg segment, with all
  // explicit arguments; hidden ones that are missing at its end are filled in (sizes of the grid) or zero. Dispatches
  // without a barrier between them may run at the same time and in any order.
  void dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                std::span<const std::byte> arguments);
  // What follows starts after all before has ended, and sees what it wrote.
  void barrier();
  // Writes the 64-bit GPU clock (DeviceInfo::clock_hz) once all before has ended. `address` is a multiple of 8.
  void write_timestamp(GpuAddr address);

  // The packets and arguments in GPU memory. The recorder is used up.
  Result<CommandBuffer> finish();

 private:
  Status record_dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                         std::span<const std::byte> arguments);
  Status check(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size) const;
  // Memory that the GPU reads and the host has written, beside the other arguments.
  struct Placed {
    GpuAddr address;
    std::span<std::byte> bytes;
  };
  Result<Placed> place(std::span<const std::byte> bytes);
  Result<std::vector<uint32_t>> user_data(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                                          GpuAddr arguments);
  Status set_program(const Kernel& kernel);
  Status set_scratch(const Kernel& kernel);
  Status write_progress(uint32_t started_count);
  // Only if the recording has not set these registers to these values already.
  void set_registers(gfx11::RegOffset first, std::span<const uint32_t> values);

  std::shared_ptr<MemoryManager> memory_;
  ScratchProvider& scratch_provider_;
  const Limits limits_;
  Status status_;
  Pm4Builder builder_;
  std::map<gfx11::RegOffset, uint32_t> registers_;
  std::shared_ptr<RecordedCommands> commands_;
  uint64_t argument_chunk_used_bytes_ = 0;
  uint32_t barrier_group_ = 0;
  bool has_work_since_barrier_ = false;
};

}  // namespace bw::amdgpu
