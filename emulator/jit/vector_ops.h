// Owns: the table of vector instructions that strips translate, by the handler that executes them in the interpreter:
// what a handler does is what is emitted, bit for bit, but for NaNs (strip.h). Not here: what a strip is.
#pragma once

#include <type_traits>
#include <unordered_map>

#include "emulator/jit/strip.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {

struct VectorOp {
  VectorEmit emit = nullptr;
  bool reads_mask = false;  // source 2 is a mask
  uint16_t Step::*mask_to = nullptr;
  bool takes_halves = false;  // sources may be high halves
  bool takes_clamp = false;
};
using VectorOpTable = std::unordered_map<Handler, VectorOp>;

// One for each group, in the file of its name.
void add_integer_ops(VectorOpTable& table, const HandlerTable& handlers);
void add_bit_ops(VectorOpTable& table, const HandlerTable& handlers);
void add_mask_ops(VectorOpTable& table, const HandlerTable& handlers);
void add_float_ops(VectorOpTable& table, const HandlerTable& handlers);
void add_double_ops(VectorOpTable& table, const HandlerTable& handlers);
void add_convert_ops(VectorOpTable& table, const HandlerTable& handlers);
void add_function_ops(VectorOpTable& table, const HandlerTable& handlers);

// Operations without modifiers on dwords: a lambda F(strip, sources...).
template <class F>
requires std::is_class_v<F> VectorOp int1(F) {
  return {[](StripBuilder& b, const Step& s) { b.put_u32(s.dst, F{}(b, b.u32(s, 0))); }};
}
template <class F>
requires std::is_class_v<F> VectorOp int2(F) {
  return {[](StripBuilder& b, const Step& s) {
    llvm::Value* x = b.u32(s, 0);
    b.put_u32(s.dst, F{}(b, x, b.u32(s, 1)));
  }};
}
template <class F>
requires std::is_class_v<F> VectorOp int3(F) {
  return {[](StripBuilder& b, const Step& s) {
    llvm::Value* x = b.u32(s, 0);
    llvm::Value* y = b.u32(s, 1);
    b.put_u32(s.dst, F{}(b, x, y, b.u32(s, 2)));
  }};
}

}  // namespace bw::emulator::jit
