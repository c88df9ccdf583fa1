// Owns: what a recording became: packets and arguments in GPU memory, and what keeps them usable. Not here: writing
// them (command_buffer.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/graph/pointer_targets.h"
#include "amdgpu/memory.h"
#include "amdgpu/memory_footprint.h"
#include "amdgpu/submission.h"

namespace bw::amdgpu {

using Dim3 = std::array<uint32_t, 3>;

// Scratch memory for kernels with a private segment; shared by all command buffers recorded while it was the largest.
struct Scratch {
  Buffer memory;
  uint32_t tmpring_size = 0;  // COMPUTE_TMPRING_SIZE
  uint32_t bytes_per_lane = 0;
};

// Immutable but for the bytes of the arguments and what pointers stand for. Submissions that are under way keep it.
struct RecordedCommands {
  struct Dispatch {
    std::string kernel_name;
    std::span<std::byte> arguments;
    GpuAddr arguments_address;
    GpuAddr workgroup_count_address;  // of three dwords within the packets
  };

  // What goes into the ring: a call of the first indirect buffer, from which each chains to the next. Or the packets
  // themselves (direct_dispatch.h).
  std::vector<uint32_t> entry;
  std::vector<Buffer> packet_chunks;
  uint64_t packet_count_dwords = 0;
  // The command processor writes here how many steps it has started; 0 at the begin of each submission. May be absent.
  Buffer progress;
  std::vector<size_t> steps;          // the first dispatch of each
  std::vector<size_t> waiting_steps;  // those that wait for other queues or devices, rising
  std::vector<Buffer> argument_chunks;
  std::vector<Dispatch> dispatches;
  std::vector<GpuAddr> value_addresses;             // of the values of signals and waits, within the packets
  std::vector<std::shared_ptr<const Buffer>> code;  // kept alive
  std::vector<std::shared_ptr<const Scratch>> scratch;
  MemoryFootprint footprint;    // of what the kernels and copies use, beside pointers
  std::vector<BufferPin> pins;  // of that memory
  // Of a graph with pointer parameters. Belongs to the thread of the graph, as all that asks for it.
  std::shared_ptr<PointerTargets> pointers;

  // Whether `user`, a submission of these commands, may use memory so that it and `use` must not happen at the same
  // time.
  bool conflicts_with(const AddressUse& use, Submission user) const {
    return footprint.conflicts_with(use) || (pointers != nullptr && pointers->conflicts_with(use, user));
  }
  uint32_t started_step_count() const;
  // The kernels that may be running, by the progress word: "kernel add (dispatch 3 of 60)".
  std::string describe_running() const;

 private:
  std::string describe(size_t first, size_t end) const;
};

}  // namespace bw::amdgpu
