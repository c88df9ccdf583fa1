// Owns: recording a command graph: nodes with the memory they use, from which order, barriers and cache invalidations
// follow. Not here: packets (command_buffer.h), hazards (dependencies.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/command_buffer.h"
#include "amdgpu/graph/command_graph.h"
#include "amdgpu/graph/dependencies.h"

namespace bw::amdgpu {

struct GraphOptions {
  // Whether each node's start and end are recorded (CommandGraph::timings()). Costs 14 dwords a node, and no waits.
  bool has_timestamps = false;
  // See CommandRecorder::Limits.
  uint32_t groups_per_step = 1;
  uint32_t chunk_dwords = 0;
};

// A place of a kernel's launch that a parameter fills: bytes of its arguments, or the workgroups along an axis.
struct ParameterUse {
  enum class Place : uint8_t { kArgument, kWorkgroupCount };
  ParameterId parameter;
  Place place = Place::kArgument;
  uint32_t offset = 0;  // in bytes of the arguments, a multiple of 4; or the axis
};

struct KernelLaunch {
  const Kernel* kernel = nullptr;
  Dim3 workgroup_count{1, 1, 1};
  Dim3 workgroup_size{1, 1, 1};
  std::span<const std::byte> arguments;  // as CommandRecorder::dispatch()
  std::span<const BufferUse> uses;
  // Pointer parameters that the kernel reads or writes through, beside `uses`.
  struct PointerUse {
    ParameterId parameter;
    Access access = Access::kRead;
  };
  std::span<const PointerUse> pointers = {};
  std::span<const ParameterUse> parameters = {};
};

// The first error stands, and finish() returns it. Made by Device::record_graph(), which it must not outlive.
class GraphRecorder {
 public:
  // A recording that never ends is stopped here.
  static constexpr size_t kMostNodes = size_t{1} << 20;

  GraphRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch, const CommandRecorder::Limits& limits,
                const GraphOptions& options);

  // A value of `size_bytes` (4 or 8) that can be changed between replays, from `least` to `most`.
  ParameterId parameter(uint32_t size_bytes, uint64_t initial, uint64_t least = 0, uint64_t most = UINT64_MAX);
  // An address of memory of that size that can be changed between replays. It must be set before the first.
  ParameterId pointer(uint64_t size_bytes);

  // A value of 4 bytes in memory, for kernels that are given its address: a change is one packet, whatever their
  // number. Each says in its `uses` that it reads the word, and nobody else writes it.
  ParameterId word(const Buffer& buffer, uint64_t offset_bytes, uint32_t initial, uint32_t least = 0,
                   uint32_t most = UINT32_MAX);
  // At the end of a replay, or as soon as all nodes before that use the word have ended, the command processor adds 1
  // to it: replays one after the other have values one after the other without the host, unless it sets another. Once
  // for each word.
  void advance(ParameterId word);

  void launch(const KernelLaunch& launch);
  void copy(const BufferUse& destination, const BufferUse& source);
  // Size and offset are multiples of 4.
  void fill(const BufferUse& destination, uint32_t value);
  // What follows begins after all before, whether or not they use the same memory.
  void barrier();
  // Signals and waits happen in the order in which they are recorded, so that graphs which wait for each other can be
  // told to signal first.
  void signal(const GraphSignal& signal);
  void wait(const GraphWait& wait);

  // The recorder is used up.
  Result<CommandGraph> finish();

 private:
  struct Node {
    enum class Kind : uint8_t { kLaunch, kCopy, kFill, kAdvance, kSignal, kWait };
    // Where it goes within its level: others are told as early, and waited for as late as can be.
    int phase() const { return kind == Kind::kSignal ? 0 : kind == Kind::kWait ? 2 : 1; }
    const char* name() const;

    Kind kind = Kind::kLaunch;
    uint32_t level = 0;
    std::vector<AddressUse> uses;
    // kLaunch
    const Kernel* kernel = nullptr;
    Dim3 workgroup_count{};
    Dim3 workgroup_size{};
    std::vector<std::byte> arguments;
    std::vector<ParameterUse> parameters;
    // kCopy, kFill, kAdvance: uses[0] is the destination
    uint32_t value = 0;  // also of kSignal and kWait
    // kSignal, kWait: uses[0] is the word
    Compare compare = Compare::kAlways;
    std::optional<uint32_t> reset;
    std::optional<ParameterId> value_parameter;
  };

  std::optional<AddressUse> resolve(const BufferUse& use);
  Status check(const ParameterUse& use, const KernelLaunch& launch) const;
  bool can_add();
  void add(Node node) { add(std::move(node), least_level_); }
  void add(Node node, uint32_t least_level);
  // Of a signal or a wait: its word, its value and what it publishes or lets in.
  bool add_signal_uses(Node& node, const SignalWord& word, std::optional<ParameterId> parameter,
                       std::span<const BufferUse> uses, Access access);
  void fail(Status status);
  // Whether all its waves start at once, whatever its parameters.
  bool fits_at_once(const Node& node) const;
  std::vector<Freshness> find_freshness() const;
  void emit(const Node& node, Freshness freshness);
  void emit_all(std::span<const Freshness> freshness);
  void set_footprint();
  static Status add_site(CommandGraph::Parameter& parameter, GpuAddr place);
  Status make_sites(CommandGraph& graph, const CommandBuffer& commands) const;

  std::shared_ptr<MemoryManager> memory_;
  CommandRecorder recorder_;
  const GraphOptions options_;
  Status status_;
  DependencyTracker dependencies_;
  uint32_t least_level_ = 0;
  uint32_t level_count_ = 0;
  uint32_t least_signal_level_ = 0;
  uint32_t least_wait_level_ = 0;
  std::vector<Node> nodes_;
  std::vector<BufferPin> pins_;  // of all buffers that nodes name
  CommandGraph graph_;
};

}  // namespace bw::amdgpu
