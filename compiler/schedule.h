// Owns: cutting a program graph into kernels (fusion), and lowering each to a loop nest. Not here: LLVM
// (compiler/lower_llvm.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/compiler.h"
#include "compiler/kernel_part.h"

namespace bw::compiler {

struct ScheduledKernel {
  // Each by workgroups of its own; one writes nothing that another one reads or writes. All have the same workgroup
  // size; several have static grids, and the launch is as many workgroups along x as they have together.
  std::vector<KernelPart> parts;
  Launch launch;  // launch.kernel is the position in Schedule::kernels

  // For each part: other ways to compute the same from the same arguments, the best by the models first. Those of parts
  // of a shared launch have no symbolic grid and nothing in LDS, but maybe another workgroup size. As many as asked
  // for.
  std::vector<std::vector<KernelPart>> others;

  // Of the launch, as in CompiledKernel.
  std::array<ir::Dim, 3> grid() const;
  std::array<uint32_t, 3> group_extent() const;
};

struct Schedule {
  std::vector<ScheduledKernel> kernels;  // in an order that obeys all dependencies
  std::vector<BufferPlan> buffers;
  std::vector<size_t> outputs;
  // Of all temporary values together, had each a buffer of its own. See planned_bytes().
  uint64_t unshared_bytes = 0;

  // Of the temporary buffers.
  uint64_t planned_bytes() const;
};

struct ScheduleOptions {
  size_t others = 0;  // ways to compute what a kernel does that are shown beside the one that is chosen, at most
};

// Elementwise chains and gathers fuse into each other and into reductions; movement costs nothing. A value becomes a
// buffer where it is an output, kContiguous, stored, or costs more to recompute in all its uses than a kernel launch
// (compiler/fusion.h); what a row's elements share (softmax, norms) is computed once for all of them. Kernels that do
// not depend on each other share a launch. Dead nodes and empty tensors are not computed.
//
// An output that is a kStore is the param's own buffer, as all stores of the program leave it; any other output has a
// temporary buffer, which outputs that only reshape the same value share. A grid with a symbolic extent can be empty.
// Temporary buffers whose lives do not overlap share memory, but for outputs. Errors: kInvalidArgument for a graph that
// does not verify or whose stores have no order, kUnsupported for what is too large.
Result<Schedule> schedule(std::span<const ir::NodePtr> outputs, const ScheduleOptions& options = {});

// For debugging: each launch with its buffers and its kernel.
std::string print_schedule(const Schedule& schedule);

}  // namespace bw::compiler
