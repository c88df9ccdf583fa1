// Owns: the text form of programs: printing and parsing, which round-trip.
//
//   graph {
//     %0 = param f32 [4, 8] id=7 "x"
//     %1 = reduce_add f32 [4, 1] (%0) axes=[1]
//     return %1
//   }
// Extents are numbers or a variable and a number ("%2", "%2+1"). A constant is `const f32 [] value=0x1.8p+1`.
// Attributes that the op needs beside: param `id= "name"`, variable `min= max= "name"`, permute, flip and reductions
// `axes=[..]`, pad `before=[..] after=[..]`, shrink `begin=[..] end=[..]`. In a kernel only params show a shape, and a
// range has `extent= id=` and its kind (loop, global_x, global_y, global_z, group, unroll). Names escape with \xNN.
//   kernel sum workgroup=32 {
//     %0 = param f32 [4, 8] id=0 "x"
//     %1 = param f32 [4] id=1 "out"
//     %2 = range i32 extent=4 id=1 global_x
//     ...
//     store (%1, %2, %9)
//   }
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "ir/kernel.h"
#include "ir/node.h"

namespace bw::ir {

// Deterministic: equal programs print equally, whatever their node addresses. Constants print exactly (hexadecimal
// floats).
std::string print_graph(std::span<const NodePtr> outputs);
std::string print_kernel(const Kernel& kernel);
// One node with its inputs as one line, for messages; also of a node that does not verify.
std::string print_node(const Node& node);
// A scalar expression as in C, for messages: "x1*32 + (loop2 + pos)%8". Cut off where it is long.
std::string print_expression(const Node& node);
// "[4, pos+1, 8]": variables by name, for messages.
std::string print_shape(const Shape& shape);
std::string print_dim(const Dim& dim);

// Errors: kInvalidArgument with line and column. The result is verified.
Result<std::vector<NodePtr>> parse_graph(std::string_view text);
Result<Kernel> parse_kernel(std::string_view text);

}  // namespace bw::ir
