// Owns: SOP2, SOPC and the arithmetic of SOPK. Source of the semantics: RDNA3 ISA guide, "SOP2", "SOPC", "SOPK".
#include <algorithm>

#include "emulator/shader/handlers.h"
#include "emulator/shader/salu.h"

namespace bw::emulator {
namespace {

using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

// Bit fields as s_bfe encodes them: offset in the low bits, width in bits 22:16.
template <class T>
T bit_field(T value, uint32_t field, unsigned offset_bits) {
  using U = std::make_unsigned_t<T>;
  constexpr unsigned kBits = sizeof(T) * 8;
  const unsigned offset = field & ((1u << offset_bits) - 1);
  const unsigned width = std::min<unsigned>(field >> 16 & 0x7f, kBits);
  if (width == 0) return 0;
  if (std::is_signed_v<T>) {
    const T shifted = value >> offset;
    if (offset + width >= kBits) return shifted;
    return static_cast<T>(static_cast<U>(shifted) << (kBits - width)) >> (kBits - width);
  }
  const U shifted = static_cast<U>(value) >> offset;
  return static_cast<T>(width == kBits ? shifted : shifted & ((U{1} << width) - 1));
}

template <class T>
T bit_mask(uint32_t width, uint32_t offset) {
  constexpr unsigned kWrap = sizeof(T) * 8 - 1;
  return ((T{1} << (width & kWrap)) - 1) << (offset & kWrap);
}

template <unsigned kShift>
Handler shift_add() {
  return salu([](u32 a, u32 b, bool& scc) {
    const u64 sum = (static_cast<u64>(a) << kShift) + b;
    scc = sum >> 32 != 0;
    return static_cast<u32>(sum);
  });
}

void bind_arithmetic(HandlerTable& t) {
  t.bind(Op::s_add_u32, salu([](u32 a, u32 b, bool& scc) { return scc = a + b < a, a + b; }));
  t.bind(Op::s_sub_u32, salu([](u32 a, u32 b, bool& scc) { return scc = b > a, a - b; }));
  t.bind(Op::s_add_i32, salu([](u32 a, u32 b, bool& scc) {
           const u32 r = a + b;
           return scc = ((a ^ r) & (b ^ r)) >> 31, r;
         }));
  t.bind(Op::s_sub_i32, salu([](u32 a, u32 b, bool& scc) {
           const u32 r = a - b;
           return scc = ((a ^ b) & (a ^ r)) >> 31, r;
         }));
  t.bind(Op::s_addc_u32, salu([](u32 a, u32 b, bool& scc) {
           const u64 r = static_cast<u64>(a) + b + scc;
           return scc = r >> 32 != 0, static_cast<u32>(r);
         }));
  t.bind(Op::s_subb_u32, salu([](u32 a, u32 b, bool& scc) {
           const u32 r = a - b - scc;
           return scc = static_cast<u64>(b) + scc > a, r;
         }));
  t.bind(Op::s_absdiff_i32, salu([](u32 a, u32 b, bool& scc) {
           const u32 d = a - b, r = static_cast<i32>(d) < 0 ? 0u - d : d;
           return scc = r != 0, r;
         }));
  t.bind(Op::s_lshl1_add_u32, shift_add<1>());
  t.bind(Op::s_lshl2_add_u32, shift_add<2>());
  t.bind(Op::s_lshl3_add_u32, shift_add<3>());
  t.bind(Op::s_lshl4_add_u32, shift_add<4>());
  t.bind(Op::s_min_i32, salu([](i32 a, i32 b, bool& scc) { return scc = a < b, std::min(a, b); }));
  t.bind(Op::s_min_u32, salu([](u32 a, u32 b, bool& scc) { return scc = a < b, std::min(a, b); }));
  // unverified: SCC of max for equal operands; the ISA guide writes "S0 >= S1".
  t.bind(Op::s_max_i32, salu([](i32 a, i32 b, bool& scc) { return scc = a >= b, std::max(a, b); }));
  t.bind(Op::s_max_u32, salu([](u32 a, u32 b, bool& scc) { return scc = a >= b, std::max(a, b); }));
  t.bind(Op::s_mul_i32, salu([](u32 a, u32 b) { return a * b; }));
  t.bind(Op::s_mul_hi_u32, salu([](u32 a, u32 b) { return static_cast<u32>(static_cast<u64>(a) * b >> 32); }));
  t.bind(Op::s_mul_hi_i32, salu([](i32 a, i32 b) { return static_cast<i32>(static_cast<i64>(a) * b >> 32); }));
  t.bind(Op::s_addk_i32, t[Op::s_add_i32]);
  t.bind(Op::s_mulk_i32, t[Op::s_mul_i32]);
}

void bind_shifts(HandlerTable& t) {
  t.bind(Op::s_lshl_b32, salu([](u32 a, u32 b, bool& scc) {
           const u32 r = a << (b & 31);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_lshl_b64, salu([](u64 a, u32 b, bool& scc) {
           const u64 r = a << (b & 63);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_lshr_b32, salu([](u32 a, u32 b, bool& scc) {
           const u32 r = a >> (b & 31);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_lshr_b64, salu([](u64 a, u32 b, bool& scc) {
           const u64 r = a >> (b & 63);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_ashr_i32, salu([](i32 a, u32 b, bool& scc) {
           const i32 r = a >> (b & 31);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_ashr_i64, salu([](i64 a, u32 b, bool& scc) {
           const i64 r = a >> (b & 63);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bfe_u32, salu([](u32 a, u32 b, bool& scc) {
           const u32 r = bit_field(a, b, 5);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bfe_i32, salu([](i32 a, u32 b, bool& scc) {
           const i32 r = bit_field(a, b, 5);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bfe_u64, salu([](u64 a, u32 b, bool& scc) {
           const u64 r = bit_field(a, b, 6);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bfe_i64, salu([](i64 a, u32 b, bool& scc) {
           const i64 r = bit_field(a, b, 6);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bfm_b32, salu([](u32 a, u32 b) { return bit_mask<u32>(a, b); }));
  t.bind(Op::s_bfm_b64, salu([](u32 a, u32 b) { return bit_mask<u64>(a, b); }));
}

template <class T, class F>
Handler logic(F) {
  return salu([](T a, T b, bool& scc) {
    const T r = F{}(a, b);
    scc = r != 0;
    return r;
  });
}
template <class F>
void bind_logic_pair(HandlerTable& t, Op op32, Op op64, F f) {
  t.bind(op32, logic<u32>(f));
  t.bind(op64, logic<u64>(f));
}

void bind_logic(HandlerTable& t) {
  bind_logic_pair(t, Op::s_and_b32, Op::s_and_b64, [](auto a, auto b) { return a & b; });
  bind_logic_pair(t, Op::s_or_b32, Op::s_or_b64, [](auto a, auto b) { return a | b; });
  bind_logic_pair(t, Op::s_xor_b32, Op::s_xor_b64, [](auto a, auto b) { return a ^ b; });
  bind_logic_pair(t, Op::s_nand_b32, Op::s_nand_b64, [](auto a, auto b) { return ~(a & b); });
  bind_logic_pair(t, Op::s_nor_b32, Op::s_nor_b64, [](auto a, auto b) { return ~(a | b); });
  bind_logic_pair(t, Op::s_xnor_b32, Op::s_xnor_b64, [](auto a, auto b) { return ~(a ^ b); });
  bind_logic_pair(t, Op::s_and_not1_b32, Op::s_and_not1_b64, [](auto a, auto b) { return a & ~b; });
  bind_logic_pair(t, Op::s_or_not1_b32, Op::s_or_not1_b64, [](auto a, auto b) { return a | ~b; });
  t.bind(Op::s_cselect_b32, salu([](u32 a, u32 b, bool& scc) { return scc ? a : b; }));
  t.bind(Op::s_cselect_b64, salu([](u64 a, u64 b, bool& scc) { return scc ? a : b; }));
  t.bind(Op::s_pack_ll_b32_b16, salu([](u32 a, u32 b) { return (a & 0xffff) | b << 16; }));
  t.bind(Op::s_pack_lh_b32_b16, salu([](u32 a, u32 b) { return (a & 0xffff) | (b & 0xffff0000); }));
  t.bind(Op::s_pack_hh_b32_b16, salu([](u32 a, u32 b) { return a >> 16 | (b & 0xffff0000); }));
  t.bind(Op::s_pack_hl_b32_b16, salu([](u32 a, u32 b) { return a >> 16 | b << 16; }));
}

void bind_compares(HandlerTable& t) {
  t.bind(Op::s_cmp_eq_i32, salu_compare<u32>([](u32 a, u32 b) { return a == b; }));
  t.bind(Op::s_cmp_lg_i32, salu_compare<u32>([](u32 a, u32 b) { return a != b; }));
  t.bind(Op::s_cmp_gt_i32, salu_compare<i32>([](i32 a, i32 b) { return a > b; }));
  t.bind(Op::s_cmp_ge_i32, salu_compare<i32>([](i32 a, i32 b) { return a >= b; }));
  t.bind(Op::s_cmp_lt_i32, salu_compare<i32>([](i32 a, i32 b) { return a < b; }));
  t.bind(Op::s_cmp_le_i32, salu_compare<i32>([](i32 a, i32 b) { return a <= b; }));
  t.bind(Op::s_cmp_eq_u32, salu_compare<u32>([](u32 a, u32 b) { return a == b; }));
  t.bind(Op::s_cmp_lg_u32, salu_compare<u32>([](u32 a, u32 b) { return a != b; }));
  t.bind(Op::s_cmp_gt_u32, salu_compare<u32>([](u32 a, u32 b) { return a > b; }));
  t.bind(Op::s_cmp_ge_u32, salu_compare<u32>([](u32 a, u32 b) { return a >= b; }));
  t.bind(Op::s_cmp_lt_u32, salu_compare<u32>([](u32 a, u32 b) { return a < b; }));
  t.bind(Op::s_cmp_le_u32, salu_compare<u32>([](u32 a, u32 b) { return a <= b; }));
  t.bind(Op::s_cmp_eq_u64, salu_compare<u64>([](u64 a, u64 b) { return a == b; }));
  t.bind(Op::s_cmp_lg_u64, salu_compare<u64>([](u64 a, u64 b) { return a != b; }));
  t.bind(Op::s_bitcmp0_b32, salu_compare<u32>([](u32 a, u32 b) { return (a >> (b & 31) & 1) == 0; }));
  t.bind(Op::s_bitcmp1_b32, salu_compare<u32>([](u32 a, u32 b) { return (a >> (b & 31) & 1) == 1; }));
  t.bind(Op::s_bitcmp0_b64,
         [](Wave& w, const Step& s) { w.set_scc((read64(w, s.src[0]) >> (read32(w, s.src[1]) & 63) & 1) == 0); });
  t.bind(Op::s_bitcmp1_b64,
         [](Wave& w, const Step& s) { w.set_scc((read64(w, s.src[0]) >> (read32(w, s.src[1]) & 63) & 1) == 1); });
}

// The SOPK forms read their destination field and the immediate as sources, so they are the compares above.
void bind_immediate_compares(HandlerTable& t) {
  constexpr std::pair<Op, Op> kSame[] = {
      {Op::s_cmpk_eq_i32, Op::s_cmp_eq_i32}, {Op::s_cmpk_lg_i32, Op::s_cmp_lg_i32},
      {Op::s_cmpk_gt_i32, Op::s_cmp_gt_i32}, {Op::s_cmpk_ge_i32, Op::s_cmp_ge_i32},
      {Op::s_cmpk_lt_i32, Op::s_cmp_lt_i32}, {Op::s_cmpk_le_i32, Op::s_cmp_le_i32},
      {Op::s_cmpk_eq_u32, Op::s_cmp_eq_u32}, {Op::s_cmpk_lg_u32, Op::s_cmp_lg_u32},
      {Op::s_cmpk_gt_u32, Op::s_cmp_gt_u32}, {Op::s_cmpk_ge_u32, Op::s_cmp_ge_u32},
      {Op::s_cmpk_lt_u32, Op::s_cmp_lt_u32}, {Op::s_cmpk_le_u32, Op::s_cmp_le_u32},
  };
  for (const auto& [immediate, plain] : kSame) t.bind(immediate, t[plain]);
}

}  // namespace

void bind_sop2(HandlerTable& table) {
  bind_arithmetic(table);
  bind_shifts(table);
  bind_logic(table);
  bind_compares(table);
  bind_immediate_compares(table);
}

}  // namespace bw::emulator
