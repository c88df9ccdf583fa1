// Owns: the primitive operations, all there are. A program at every level, from a model to a loop nest, is made of
// these.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace bw::ir {

enum class Op : uint8_t {
  // Leaves
  kConst,     // a number; shape []
  kParam,     // a buffer in memory, row-major, of static shape
  kVariable,  // an integer known when a program is launched, with bounds known now; i32, shape []
  kRange,     // graph: the vector 0, 1 .. n-1 (i32). Kernel: the counter of a loop, scalar
  // Unary; floating point only
  kExp2,
  kLog2,
  kSin,
  kSqrt,
  kRecip,
  kTrunc,  // towards zero
  // Binary; both inputs of one dtype
  kAdd,    // bool: or
  kMul,    // bool: and
  kIDiv,   // integers, truncates; a zero divisor gives 0
  kMod,    // integers, sign of the dividend; a zero divisor gives 0
  kMax,    // floating point: a NaN loses against a number
  kCmpLt,  // -> bool
  kCmpNe,  // -> bool; NaN differs from everything
  kAnd,    // integers and bool
  kOr,
  kXor,
  kShl,  // integers; the count is taken modulo the width
  kShr,  // arithmetic for signed types
  // Ternary
  kWhere,   // (bool, x, y): x where true
  kMulAcc,  // a * b + c; floating point: one rounding
  // Conversions
  kCast,     // float to integer truncates and saturates, NaN gives 0; anything to bool is `!= 0`
  kBitcast,  // same bits; on a kParam also to an element of another size (the last axis scales)
  // Movement; graph level only, no arithmetic
  kReshape,
  kPermute,
  kExpand,
  kPad,  // with zeros
  kShrink,
  kFlip,
  // Reductions: to extent 1, in any order. Floating point is accumulated in f32 or wider and rounded once, at the end
  kReduceAdd,
  kReduceMul,
  kReduceMax,
  // Memory
  kGather,      // graph: (source [n, rest..], index [i..]) -> [i.., rest..]; the index is clamped to 0..n-1
  kLoad,        // kernel: (param, index)
  kStore,       // graph: (view of a param, value) -> the param after the store. Kernel: (param, index, value)
  kContiguous,  // graph: the same value, as a buffer of its own
};

constexpr int kOpCount = 39;

// "exp2", "reduce_add": the names of the text form.
std::string_view name(Op op);
std::optional<Op> op_from_name(std::string_view name);

bool is_unary(Op op);
bool is_binary(Op op);
// Unary, binary, ternary, cast and bitcast: one output element from one element of each input.
bool is_elementwise(Op op);
bool is_movement(Op op);
bool is_reduce(Op op);

}  // namespace bw::ir
