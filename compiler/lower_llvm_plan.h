// Owns: what must be known of a kernel before code is made from it: the order of its nodes, which ranges each one
// depends on, how its params are used, and whether all of it can be lowered. Not here: LLVM.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "amdgpu/gfx11/limits.h"
#include "base/status.h"
#include "compiler/kernel_form.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::compiler {

// Lanes of a wave: kernels are compiled for wave32.
inline constexpr uint32_t kWaveSize = amdgpu::gfx11::kWaveLanes;

// One bit per range of a kernel, in the order of KernelPlan::ranges.
using RangeMask = uint64_t;

struct NodePlan {
  size_t position = 0;  // in KernelPlan::order
  RangeMask free = 0;   // the ranges that the node's value depends on, without those that reductions have consumed
};

struct ParamUse {
  bool read = false;
  bool written = false;
};

struct KernelPlan {
  std::vector<ir::NodePtr> order;  // every node, inputs before users
  std::unordered_map<const ir::Node*, NodePlan> nodes;
  std::vector<const ir::Node*> ranges;
  std::array<const ir::Node*, 3> global{};  // the ranges along x, y, z; null where there is none
  const ir::Node* group = nullptr;          // the range of the lanes of a group, if there is one
  uint32_t group_size = 1;                  // lanes that have one place in the grid; divides the workgroup size
  bool strided_groups = false;              // lanes of a group are workgroup_size / group_size apart
  RangeMask given = 0;                      // global and group ranges: they have a value from the start
  std::vector<ParamUse> params;             // by position

  const NodePlan& of(const ir::Node* node) const { return nodes.at(node); }
  RangeMask bit(const ir::Node* range) const { return nodes.at(range).free; }
};

// Errors: kUnsupported with the node for what cannot be lowered, kInvalidArgument for a kernel that is not well formed
// where the verifier does not look (one range per grid dimension, workgroup sizes that the hardware has).
Result<KernelPlan> plan_kernel(const ir::Kernel& kernel);

// Takes over what the form says of groups. Error: kUnsupported for strided groups whose places are not whole waves.
Status plan_groups(const ir::Kernel& kernel, const LaneForm& form, KernelPlan& plan);

// The ranges of a kernel-level reduction.
std::span<const ir::NodePtr> reduction_ranges(const ir::Node& reduction);
// Whether a kUnroll range is short enough to be carried out without a loop.
bool is_written_out(const ir::RangeAttr& range);
// Whether combining this value with another by the reduction leaves the other as it is.
bool is_identity(const ir::Node& reduction, const ir::Node& value);
// The kParam behind the first input of a kLoad or kStore, which may be seen as another dtype.
const ir::Node& memory_param(const ir::Node& access);
// The dtype that a kLoad or kStore moves.
ir::DType memory_dtype(const ir::Node& access);

}  // namespace bw::compiler
