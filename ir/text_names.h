// Owns: the words of the text form that the printer and the parser share (beside the names of ops and dtypes).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "ir/node.h"

namespace bw::ir {

// In the order of RangeKind.
constexpr std::array<std::string_view, 6> kRangeKindNames = {"loop",     "global_x", "global_y",
                                                             "global_z", "group",    "unroll"};

// Which of the two forms a node is printed or parsed in.
enum class Level : uint8_t { kGraph, kKernel };

}  // namespace bw::ir
