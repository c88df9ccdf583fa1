// Owns: cutting a program graph into kernels (fusion), and lowering each to a loop nest. Not here: LLVM
// (compiler/lower_llvm.h).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/status.h"
#include "compiler/compiler.h"
#include "ir/kernel.h"

namespace bw::compiler {

struct ScheduledKernel {
  ir::Kernel kernel;            // params renumbered from 0 in argument order, written ones first
  std::array<ir::Dim, 3> grid;  // work-items along x, y, z
  Launch launch;                // launch.kernel is the position in Schedule::kernels
};

struct Schedule {
  std::vector<ScheduledKernel> kernels;  // in an order that obeys all dependencies
  std::vector<BufferPlan> buffers;
  std::vector<size_t> outputs;
};

// Elementwise chains fuse into each other and into reductions; movement costs nothing. A value becomes a buffer where
// it is an output, kContiguous, stored, gathered from, or a reduction whose recomputation in all its uses would cost
// more than a kernel launch.
Result<Schedule> schedule(std::span<const ir::NodePtr> outputs);

}  // namespace bw::compiler
