#include "amdgpu/kernel_arguments.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

namespace bw::amdgpu {
namespace {

constexpr std::string_view kHiddenPrefix = "hidden_";

bool is_hidden(const KernelArgument& argument) {
  return argument.value_kind.starts_with(kHiddenPrefix);
}

// The value of a hidden argument; nullopt for what this runtime does not offer.
std::optional<uint64_t> hidden_value(std::string_view kind, const std::array<uint32_t, 3>& workgroup_count,
                                     const std::array<uint32_t, 3>& workgroup_size) {
  constexpr std::string_view kAxes = "xyz";
  const size_t axis = kAxes.find(kind.back());
  const std::string_view stem = kind.substr(0, kind.size() - 1);
  if (axis != std::string_view::npos) {
    if (stem == "hidden_block_count_") return workgroup_count[axis];
    if (stem == "hidden_group_size_") return workgroup_size[axis];
    // All workgroups are whole.
    if (stem == "hidden_remainder_" || stem == "hidden_global_offset_") return 0;
  }
  if (kind == "hidden_grid_dims") return 3;
  if (kind == "hidden_none") return 0;
  return std::nullopt;
}

}  // namespace

uint64_t explicit_argument_bytes(const KernelInfo& kernel) {
  uint64_t end = kernel.arguments.empty() ? kernel.descriptor.kernarg_size : 0;
  for (const KernelArgument& argument : kernel.arguments) {
    if (!is_hidden(argument)) end = std::max(end, uint64_t{argument.offset_bytes} + argument.size_bytes);
  }
  return end;
}

Result<std::vector<std::byte>> complete_arguments(const KernelInfo& kernel, std::span<const std::byte> arguments,
                                                  const std::array<uint32_t, 3>& workgroup_count,
                                                  const std::array<uint32_t, 3>& workgroup_size) {
  const uint32_t size = kernel.descriptor.kernarg_size;
  const uint64_t explicit_end = explicit_argument_bytes(kernel);
  if (arguments.size() < explicit_end || arguments.size() > size) {
    return error(StatusCode::kInvalidArgument, "{} bytes of arguments, expected {} to {}", arguments.size(),
                 explicit_end, size);
  }
  std::vector<std::byte> bytes(size);
  std::copy(arguments.begin(), arguments.end(), bytes.begin());
  for (const KernelArgument& argument : kernel.arguments) {
    if (!is_hidden(argument) || argument.offset_bytes < arguments.size()) continue;
    const auto value = hidden_value(argument.value_kind, workgroup_count, workgroup_size);
    if (!value.has_value()) {
      return error(StatusCode::kUnsupported, "it takes the argument '{}', which this runtime does not offer",
                   argument.value_kind);
    }
    if (argument.size_bytes > sizeof(*value) || uint64_t{argument.offset_bytes} + argument.size_bytes > size) {
      return error(StatusCode::kInvalidArgument, "argument '{}' of {} bytes at {} of a segment of {} bytes",
                   argument.value_kind, argument.size_bytes, argument.offset_bytes, size);
    }
    std::memcpy(bytes.data() + argument.offset_bytes, &*value, argument.size_bytes);
  }
  return bytes;
}

}  // namespace bw::amdgpu
