#include "compiler/kernel_part.h"

#include <algorithm>
#include <map>

#include "base/check.h"

namespace bw::compiler {

bool can_resize(const ir::Kernel& kernel, const KernelForm& form, uint32_t group_extent_x, uint32_t lanes) {
  const uint32_t group = ir::group_size(kernel);
  return form == KernelForm(LaneForm{}) && group_extent_x * group == kernel.workgroup_size && lanes % group == 0;
}

bool has_static_grid(const KernelPart& part) {
  return std::all_of(part.grid.begin(), part.grid.end(), [](const ir::Dim& dim) { return dim.is_static(); });
}

std::array<uint32_t, 3> workgroup_counts(const KernelPart& part) {
  std::array<uint32_t, 3> counts{};
  for (size_t axis = 0; axis < counts.size(); ++axis) {
    const int64_t extent = part.group_extent[axis];
    counts[axis] = static_cast<uint32_t>((part.grid[axis].max() + extent - 1) / extent);
  }
  return counts;
}

uint64_t count_workgroups(const KernelPart& part) {
  uint64_t count = 1;
  for (const uint32_t along_axis : workgroup_counts(part)) count *= along_axis;
  return count;
}

size_t count_arguments(std::span<const KernelPart> parts) {
  size_t count = 0;
  for (const KernelPart& part : parts) {
    BW_CHECK(part.arguments.size() == part.kernel.params.size());
    for (const size_t argument : part.arguments) count = std::max(count, argument + 1);
  }
  return count;
}

std::vector<ir::NodePtr> merge_variables(std::span<const KernelPart> parts) {
  std::map<std::string, ir::NodePtr> by_name;
  for (const KernelPart& part : parts) {
    for (const ir::NodePtr& variable : part.kernel.variables) {
      by_name.emplace(variable->attr<ir::VariableAttr>().name, variable);
    }
  }
  std::vector<ir::NodePtr> variables;
  variables.reserve(by_name.size());
  for (auto& [name, variable] : by_name) variables.push_back(std::move(variable));
  return variables;
}

std::string launch_name(std::span<const KernelPart> parts) {
  std::vector<std::pair<std::string, size_t>> names;
  for (const KernelPart& part : parts) {
    const auto known =
        std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.first == part.kernel.name; });
    if (known == names.end()) {
      names.emplace_back(part.kernel.name, 1);
    } else {
      ++known->second;
    }
  }
  std::string text;
  for (const auto& [name, count] : names) {
    if (!text.empty()) text += " + ";
    text += count == 1 ? name : fmt::format("{} x {}", count, name);
  }
  return text;
}

}  // namespace bw::compiler
