// Owns: vector compares. v_cmp writes a mask, v_cmpx the same to EXEC: the step's destination tells them apart.
// Source of the semantics: RDNA3 ISA guide, "VOPC".
#include "emulator/shader/handlers.h"
#include "emulator/shader/lane_mask.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

template <class F, class A, class B>
void run_compare(Wave& w, const Step& s) {
  std::conditional_t<kNeedsDoubleScope<A, B>, DoubleScope, NoScope> scope(w.mode);
  w.sync_exec();
  uint64_t mask = 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    typename A::Spare spare_a;
    typename B::Spare spare_b;
    const auto a = A::fetch_view(w, s.src[0], h, spare_a);
    const auto b = B::fetch_view(w, s.src[1], h, spare_b);
    alignas(64) uint32_t truth[kLanes];
    BW_FOR_LANES(l) truth[l] = F{}(A::get(a, l), B::get(b, l)) ? ~0u : 0u;
    mask |= static_cast<uint64_t>(mask_of_rows(truth, w.exec_row(h))) << (h * kLanes);
  }
  w.set_mask(s.dst, mask);
}

template <class A, class B = A, class F>
Handler compare(F) {
  return &run_compare<F, A, B>;
}

void bind_both(HandlerTable& t, Op cmp, Op cmpx, Handler handler) {
  t.bind(cmp, handler);
  t.bind(cmpx, handler);
}

// The sixteen predicates of a float type.
#define BW_FLOAT_COMPARES(type, V)                                                                                    \
  bind_both(t, Op::v_cmp_f_##type, Op::v_cmpx_f_##type, compare<V>([](auto, auto) { return false; }));                \
  bind_both(t, Op::v_cmp_lt_##type, Op::v_cmpx_lt_##type, compare<V>([](auto a, auto b) { return a < b; }));          \
  bind_both(t, Op::v_cmp_eq_##type, Op::v_cmpx_eq_##type, compare<V>([](auto a, auto b) { return a == b; }));         \
  bind_both(t, Op::v_cmp_le_##type, Op::v_cmpx_le_##type, compare<V>([](auto a, auto b) { return a <= b; }));         \
  bind_both(t, Op::v_cmp_gt_##type, Op::v_cmpx_gt_##type, compare<V>([](auto a, auto b) { return a > b; }));          \
  bind_both(t, Op::v_cmp_lg_##type, Op::v_cmpx_lg_##type, compare<V>([](auto a, auto b) { return a < b || a > b; })); \
  bind_both(t, Op::v_cmp_ge_##type, Op::v_cmpx_ge_##type, compare<V>([](auto a, auto b) { return a >= b; }));         \
  bind_both(t, Op::v_cmp_o_##type, Op::v_cmpx_o_##type, compare<V>([](auto a, auto b) { return a == a && b == b; })); \
  bind_both(t, Op::v_cmp_u_##type, Op::v_cmpx_u_##type, compare<V>([](auto a, auto b) { return a != a || b != b; })); \
  bind_both(t, Op::v_cmp_nge_##type, Op::v_cmpx_nge_##type, compare<V>([](auto a, auto b) { return !(a >= b); }));    \
  bind_both(t, Op::v_cmp_nlg_##type, Op::v_cmpx_nlg_##type,                                                           \
            compare<V>([](auto a, auto b) { return !(a < b || a > b); }));                                            \
  bind_both(t, Op::v_cmp_ngt_##type, Op::v_cmpx_ngt_##type, compare<V>([](auto a, auto b) { return !(a > b); }));     \
  bind_both(t, Op::v_cmp_nle_##type, Op::v_cmpx_nle_##type, compare<V>([](auto a, auto b) { return !(a <= b); }));    \
  bind_both(t, Op::v_cmp_neq_##type, Op::v_cmpx_neq_##type, compare<V>([](auto a, auto b) { return a != b; }));       \
  bind_both(t, Op::v_cmp_nlt_##type, Op::v_cmpx_nlt_##type, compare<V>([](auto a, auto b) { return !(a < b); }));     \
  bind_both(t, Op::v_cmp_t_##type, Op::v_cmpx_t_##type, compare<V>([](auto, auto) { return true; }))

// The six predicates that every integer type has.
#define BW_INTEGER_COMPARES(type, V)                                                                          \
  bind_both(t, Op::v_cmp_lt_##type, Op::v_cmpx_lt_##type, compare<V>([](auto a, auto b) { return a < b; }));  \
  bind_both(t, Op::v_cmp_eq_##type, Op::v_cmpx_eq_##type, compare<V>([](auto a, auto b) { return a == b; })); \
  bind_both(t, Op::v_cmp_le_##type, Op::v_cmpx_le_##type, compare<V>([](auto a, auto b) { return a <= b; })); \
  bind_both(t, Op::v_cmp_gt_##type, Op::v_cmpx_gt_##type, compare<V>([](auto a, auto b) { return a > b; }));  \
  bind_both(t, Op::v_cmp_ne_##type, Op::v_cmpx_ne_##type, compare<V>([](auto a, auto b) { return a != b; })); \
  bind_both(t, Op::v_cmp_ge_##type, Op::v_cmpx_ge_##type, compare<V>([](auto a, auto b) { return a >= b; }))

// The constant predicates, which 16-bit integers lack.
#define BW_CONSTANT_COMPARES(type, V)                                                                  \
  bind_both(t, Op::v_cmp_f_##type, Op::v_cmpx_f_##type, compare<V>([](auto, auto) { return false; })); \
  bind_both(t, Op::v_cmp_t_##type, Op::v_cmpx_t_##type, compare<V>([](auto, auto) { return true; }))

void bind_classes(HandlerTable& t) {
  bind_both(t, Op::v_cmp_class_f32, Op::v_cmpx_class_f32,
            compare<U32, U32>([](uint32_t a, uint32_t mask) { return (float_class(a, 23, 32) & mask) != 0; }));
  bind_both(t, Op::v_cmp_class_f64, Op::v_cmpx_class_f64,
            compare<U64, U32>([](uint64_t a, uint32_t mask) { return (float_class(a, 52, 64) & mask) != 0; }));
  bind_both(t, Op::v_cmp_class_f16, Op::v_cmpx_class_f16, compare<U16, U16>([](uint16_t a, uint16_t mask) {
              return (float_class<uint32_t>(a, 10, 16) & mask) != 0;
            }));
}

}  // namespace

void bind_vopc(HandlerTable& t) {
  BW_FLOAT_COMPARES(f16, F16);
  BW_FLOAT_COMPARES(f32, F32);
  BW_FLOAT_COMPARES(f64, F64);
  BW_INTEGER_COMPARES(i16, I16);
  BW_INTEGER_COMPARES(u16, U16);
  BW_INTEGER_COMPARES(i32, I32);
  BW_INTEGER_COMPARES(u32, U32);
  BW_INTEGER_COMPARES(i64, I64);
  BW_INTEGER_COMPARES(u64, U64);
  BW_CONSTANT_COMPARES(i32, I32);
  BW_CONSTANT_COMPARES(u32, U32);
  BW_CONSTANT_COMPARES(i64, I64);
  BW_CONSTANT_COMPARES(u64, U64);
  bind_classes(t);
}

}  // namespace bw::emulator
