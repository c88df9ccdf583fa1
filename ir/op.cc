#include "ir/op.h"

#include <array>

namespace bw::ir {
namespace {

constexpr std::array<std::string_view, kOpCount> kNames = {
    "const",  "param", "variable",   "range",      "exp2",       "log2",    "sin",     "sqrt",    "recip",     "trunc",
    "add",    "mul",   "idiv",       "mod",        "max",        "cmplt",   "cmpne",   "and",     "or",        "xor",
    "shl",    "shr",   "where",      "mulacc",     "cast",       "bitcast", "reshape", "permute", "expand",    "pad",
    "shrink", "flip",  "reduce_add", "reduce_mul", "reduce_max", "gather",  "load",    "store",   "contiguous"};
static_assert(static_cast<int>(Op::kContiguous) + 1 == kOpCount);

bool between(Op op, Op first, Op last) {
  return op >= first && op <= last;
}

}  // namespace

std::string_view name(Op op) {
  return kNames[static_cast<size_t>(op)];
}

std::optional<Op> op_from_name(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<Op>(i);
  }
  return std::nullopt;
}

bool is_unary(Op op) {
  return between(op, Op::kExp2, Op::kTrunc);
}
bool is_binary(Op op) {
  return between(op, Op::kAdd, Op::kShr);
}
bool is_elementwise(Op op) {
  return between(op, Op::kExp2, Op::kBitcast);
}
bool is_movement(Op op) {
  return between(op, Op::kReshape, Op::kFlip);
}
bool is_reduce(Op op) {
  return between(op, Op::kReduceAdd, Op::kReduceMax);
}

}  // namespace bw::ir
