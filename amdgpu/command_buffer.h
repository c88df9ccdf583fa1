// Owns: writing kernels and copies as packets into GPU memory, once, with the kernels' arguments beside them, to be
// submitted any number of times: order, barriers and caches as the caller says. Not here: finding out what must wait
// for what (graph/graph_recorder.h), and queues (device.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "amdgpu/code_module.h"
#include "amdgpu/memory.h"
#include "amdgpu/pm4_builder.h"
#include "amdgpu/recorded_commands.h"

namespace bw::amdgpu {

class DirectDispatch;

class ScratchProvider {
 public:
  virtual ~ScratchProvider() = default;
  // Scratch with at least that much for each lane.
  virtual Result<std::shared_ptr<const Scratch>> scratch(uint32_t bytes_per_lane) = 0;
};

// May be dropped while it runs: the device keeps what it needs. Copies share the same memory.
class CommandBuffer {
 public:
  CommandBuffer() = default;

  bool is_valid() const { return commands_ != nullptr; }
  size_t dispatch_count() const { return commands_->dispatches.size(); }
  uint64_t size_dwords() const { return commands_->packet_count_dwords; }
  // The arguments of a dispatch, in the order of recording, for changing them between submissions. Write only: reading
  // is slow on a real card. The GPU reads them while it runs: wait for the submission before.
  std::span<std::byte> arguments(size_t dispatch) const { return commands_->dispatches.at(dispatch).arguments; }

 private:
  friend class CommandRecorder;
  friend class CommandGraph;
  friend class GraphRecorder;
  friend class Device;
  explicit CommandBuffer(std::shared_ptr<const RecordedCommands> commands) : commands_(std::move(commands)) {}
  std::shared_ptr<const RecordedCommands> commands_;
};

// What follows a barrier starts when all before it has ended ...
enum class Barrier : uint8_t {
  kOrder,    // ... and only overwrites what was read or written before
  kVisible,  // ... and sees what was written before; after a wait_for(), also what others had written before they
             // signalled
};

// Where a kernel begins: at its first instruction, or before it with an invalidation of the near caches of its waves
// (Kernel::acquiring_entry).
enum class Entry : uint8_t { kPlain, kAcquiring };

// Writes a CommandBuffer. The first error stands, and finish() returns it. Made by Device::record(), which it must not
// outlive.
class CommandRecorder {
 public:
  struct Limits {
    uint32_t lds_size_bytes = 0;
    MemoryKind argument_kind = MemoryKind::kGtt;
    // Of an indirect buffer; recordings that are larger become a chain of them. 0: what the hardware allows.
    uint32_t chunk_dwords = 0;
    // After how many barriers the command processor says how far it has come. Costs 5 dwords each time; a report after
    // a time-out names the kernels of that many groups. 0: never.
    uint32_t groups_per_step = 1;
  };
  // Dispatches, copies and fills. A recording that never ends is stopped here.
  static constexpr uint32_t kMostCommands = 1u << 20;
  CommandRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch, const Limits& limits);

  // `workgroup_count` x `workgroup_size` work-items. `arguments` are the bytes of the kernarg segment, with all
  // explicit arguments; hidden ones that are missing at its end are filled in (sizes of the grid) or zero. Dispatches
  // without a barrier between them may run at the same time and in any order.
  void dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                std::span<const std::byte> arguments, Entry entry = Entry::kPlain);
  void barrier(Barrier barrier = Barrier::kVisible);
  // By the command processor, one after the other: for what is small, or not worth another queue. Sizes and addresses
  // of fill() are multiples of 4.
  void copy(GpuAddr destination, GpuAddr source, uint64_t size_bytes);
  void fill(GpuAddr destination, uint64_t size_bytes, uint32_t value);
  // To a word of 32 bits.
  void add(GpuAddr word, uint32_t addend);
  // Stores `value` in a word of memory once all before has ended and can be seen by other queues and devices.
  void signal(GpuAddr word, uint32_t value);
  // What follows begins when the word compares with `value`; barrier() in between lets it see what others wrote before.
  void wait_for(GpuAddr word, Compare compare, uint32_t value);
  // By the command processor; what follows begins when it has arrived.
  void store(GpuAddr word, uint32_t value);
  // Writes the 64-bit GPU clock (DeviceInfo::clock_hz) once all before has ended. `address` is a multiple of 8.
  void write_timestamp(GpuAddr address);
  // Writes it when the command processor comes by.
  void write_timestamp_now(GpuAddr address);

  // What the recording reads and writes, where the caller knows all of it, and what keeps that memory.
  void set_footprint(MemoryFootprint footprint, std::vector<BufferPin> pins) {
    commands_->footprint = std::move(footprint);
    commands_->pins = std::move(pins);
  }
  // What pointers stand for, beside the footprint.
  void set_pointers(std::shared_ptr<PointerTargets> pointers) { commands_->pointers = std::move(pointers); }

  size_t dispatch_count() const { return commands_->dispatches.size(); }
  // The packets and arguments in GPU memory. The recorder is used up.
  Result<CommandBuffer> finish();
  // A recording of one dispatch, as packets for the ring itself. kUnsupported for a kernel that wants more than the
  // address of its arguments. The recorder is used up.
  Result<DirectDispatch> finish_direct(size_t explicit_bytes);

 private:
  Status record_dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                         std::span<const std::byte> arguments, Entry entry);
  Status check(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size) const;
  // Memory that the GPU reads and the host has written, beside the other arguments.
  struct Placed {
    GpuAddr address;
    std::span<std::byte> bytes;
  };
  Result<Placed> place(std::span<const std::byte> bytes);
  Result<std::vector<uint32_t>> user_data(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                                          GpuAddr arguments);
  Status set_program(const Kernel& kernel, Entry entry);
  Status set_scratch(const Kernel& kernel);
  // False, with an error, if the recording has as many commands as it can.
  bool count_command();
  void begin_work();
  // What follows belongs to a step of the progress word.
  void begin_step();
  void write_progress(uint32_t started_count);
  // Only those that the recording has not set to these values already.
  void set_registers(gfx11::RegOffset first, std::span<const uint32_t> values);
  // Splits the packets into a chain of indirect buffers.
  Status place_packets(std::span<const uint32_t> packets);
  // A packet ends here, so an indirect buffer may.
  void mark_boundary();

  std::shared_ptr<MemoryManager> memory_;
  ScratchProvider& scratch_provider_;
  const Limits limits_;
  Status status_;
  Pm4Builder builder_;
  std::map<gfx11::RegOffset, uint32_t> registers_;
  std::shared_ptr<RecordedCommands> commands_;
  std::vector<uint32_t> boundaries_;                 // in dwords, rising
  std::vector<uint32_t> workgroup_count_positions_;  // of each dispatch, in dwords
  std::vector<uint32_t> value_positions_;            // of each signal and wait, in dwords
  std::vector<std::byte> last_arguments_;            // of the last dispatch, whole
  uint32_t user_data_begin_ = 0;                     // of the last dispatch, in dwords
  uint64_t argument_chunk_used_bytes_ = 0;
  uint32_t groups_in_step_ = 0;
  uint32_t command_count_ = 0;
  bool begins_group_ = true;
  bool has_work_since_barrier_ = false;
  bool has_dispatches_since_wait_ = false;  // of shaders
  bool has_waited_since_barrier_ = false;   // for others
};

}  // namespace bw::amdgpu
