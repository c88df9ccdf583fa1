// Owns: a kernel as part of a launch: how its work is dealt out and which buffers of the launch are its arguments. A
// launch has one part, or several that do not depend on each other and go side by side, each in workgroups of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "compiler/kernel_form.h"
#include "ir/kernel.h"

namespace bw::compiler {

struct KernelPart {
  ir::Kernel kernel;  // params renumbered from 0, written ones first
  KernelForm form;
  std::array<ir::Dim, 3> grid{1, 1, 1};           // what there is to do along x, y, z
  std::array<uint32_t, 3> group_extent{1, 1, 1};  // how much of it a workgroup does
  std::vector<size_t> arguments;                  // of the launch, for each param: buffers, those written first
};

// Whether a workgroup of the kernel, which has a LaneForm, can have so many lanes: groups of lanes, or lanes by
// themselves, have nothing to do with each other then.
bool can_resize(const ir::Kernel& kernel, const KernelForm& form, uint32_t group_extent_x, uint32_t lanes);

// Whether the number of workgroups is the same whatever the variables are: what parts of one launch must have.
bool has_static_grid(const KernelPart& part);
// Along x, y, z, at most.
std::array<uint32_t, 3> workgroup_counts(const KernelPart& part);
uint64_t count_workgroups(const KernelPart& part);

// Of all parts together: buffers that the launch has, and variables, by name (each once, ascending).
size_t count_arguments(std::span<const KernelPart> parts);
std::vector<ir::NodePtr> merge_variables(std::span<const KernelPart> parts);

// What a launch is called: its parts' names, those that are alike counted: "reduce_add_256 + 2 x reduce_add_128".
std::string launch_name(std::span<const KernelPart> parts);

}  // namespace bw::compiler
