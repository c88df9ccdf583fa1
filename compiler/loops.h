// Owns: from one node that is to become a buffer to the kernel that computes it. Not here: which nodes those are
// (compiler/fusion.h), the order of kernels and their buffers (compiler/schedule.h).
#pragma once

#include <array>
#include <vector>

#include "compiler/fusion_graph.h"
#include "compiler/kernel_form.h"
#include "compiler/loops_value.h"
#include "ir/kernel.h"

namespace bw::compiler {

struct LoopNest {
  NodeId root = kNoNode;  // the node that it computes, or the last of them
  ir::Kernel kernel;
  KernelForm form;
  std::array<ir::Dim, 3> grid{1, 1, 1};           // as in ScheduledKernel
  std::array<uint32_t, 3> group_extent{1, 1, 1};  // as in ScheduledKernel
  std::vector<BufferRef> arguments;               // one for each param of the kernel
  size_t written = 1;                             // the first so many arguments are; several are values, no stores
  std::vector<NodeId> reads;                      // values that the kernel loads from buffers of theirs, ascending
  std::vector<NodeId> states;                     // params and stores whose memory the kernel loads from, ascending
};

// A kernel, or the node that must become a buffer before there can be one.
struct LoweredRoot {
  LoopNest nest;
  NodeId cut_first = kNoNode;
};

// How a node is lowered for which there are several ways: by the cost models, or as asked for.
struct LoweringChoice {
  enum class Way : uint8_t {
    kPredicted,
    kTiles,  // as a matrix product through LDS
    kLanes,  // by lanes alone or in groups
  };
  Way way = Way::kPredicted;
  size_t rank = 0;  // kLanes: of all plans of lanes, the first being what the model would take
};

// `root` must have elements. What neither is a kernel nor is to be cut cannot be lowered as asked for: `nest` has no
// root. Errors: kUnsupported for a node that is too much for one kernel and cannot be cut.
Result<LoweredRoot> lower_to_loops(const FlatGraph& graph, const std::vector<bool>& buffers, NodeId root,
                                   const LoweringChoice& choice = {});

}  // namespace bw::compiler
