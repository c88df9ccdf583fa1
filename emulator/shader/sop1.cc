// Owns: SOP1 but for branches. Source of the semantics: RDNA3 ISA guide, "SOP1".
#include <bit>

#include "emulator/shader/handlers.h"
#include "emulator/shader/salu.h"

namespace bw::emulator {
namespace {

using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

template <class T>
T reverse_bits(T value) {
  T out = 0;
  for (unsigned i = 0; i < sizeof(T) * 8; ++i) out |= (value >> i & 1) << (sizeof(T) * 8 - 1 - i);
  return out;
}

template <class T>
i32 count_leading_sign_bits(T value) {
  const T flipped = value ^ (value >> (sizeof(T) * 8 - 1));
  return flipped == 0 ? -1 : std::countl_zero(static_cast<std::make_unsigned_t<T>>(flipped));
}

template <class T>
T quad_mask(T value) {
  T out = 0;
  for (unsigned quad = 0; quad < sizeof(T) * 2; ++quad) out |= static_cast<T>((value >> (quad * 4) & 15) != 0) << quad;
  return out;
}
template <class T>
T whole_quads(T value) {
  T out = 0;
  for (unsigned quad = 0; quad < sizeof(T) * 2; ++quad) {
    if ((value >> (quad * 4) & 15) != 0) out |= T{15} << (quad * 4);
  }
  return out;
}

// Copies EXEC to the destination and combines it with the source; SCC tells whether the new EXEC is not zero.
template <class T, class F>
void run_saveexec(Wave& w, const Step& s) {
  const T exec = sizeof(T) == 4 ? static_cast<T>(w.s[kExecSlot]) : static_cast<T>(w.s64(kExecSlot));
  const T result = F{}(read_scalar<T>(w, s.src[0]), exec);
  write_scalar<T>(w, s.dst, exec);
  write_scalar<T>(w, kExecSlot, result);
  w.set_scc(result != 0);
}
// As above, but the destination gets the new EXEC.
template <class T, class F>
void run_wrexec(Wave& w, const Step& s) {
  const T exec = sizeof(T) == 4 ? static_cast<T>(w.s[kExecSlot]) : static_cast<T>(w.s64(kExecSlot));
  const T result = F{}(read_scalar<T>(w, s.src[0]), exec);
  write_scalar<T>(w, kExecSlot, result);
  write_scalar<T>(w, s.dst, result);
  w.set_scc(result != 0);
}

template <class F>
void bind_saveexec(HandlerTable& t, Op op32, Op op64, F) {
  t.bind(op32, &run_saveexec<u32, F>);
  t.bind(op64, &run_saveexec<u64, F>);
}

void bind_exec(HandlerTable& t) {
  bind_saveexec(t, Op::s_and_saveexec_b32, Op::s_and_saveexec_b64, [](auto a, auto e) { return a & e; });
  bind_saveexec(t, Op::s_or_saveexec_b32, Op::s_or_saveexec_b64, [](auto a, auto e) { return a | e; });
  bind_saveexec(t, Op::s_xor_saveexec_b32, Op::s_xor_saveexec_b64, [](auto a, auto e) { return a ^ e; });
  bind_saveexec(t, Op::s_nand_saveexec_b32, Op::s_nand_saveexec_b64, [](auto a, auto e) { return ~(a & e); });
  bind_saveexec(t, Op::s_nor_saveexec_b32, Op::s_nor_saveexec_b64, [](auto a, auto e) { return ~(a | e); });
  bind_saveexec(t, Op::s_xnor_saveexec_b32, Op::s_xnor_saveexec_b64, [](auto a, auto e) { return ~(a ^ e); });
  bind_saveexec(t, Op::s_and_not0_saveexec_b32, Op::s_and_not0_saveexec_b64, [](auto a, auto e) { return ~a & e; });
  bind_saveexec(t, Op::s_or_not0_saveexec_b32, Op::s_or_not0_saveexec_b64, [](auto a, auto e) { return ~a | e; });
  bind_saveexec(t, Op::s_and_not1_saveexec_b32, Op::s_and_not1_saveexec_b64, [](auto a, auto e) { return a & ~e; });
  bind_saveexec(t, Op::s_or_not1_saveexec_b32, Op::s_or_not1_saveexec_b64, [](auto a, auto e) { return a | ~e; });
  auto not0 = [](auto a, auto e) { return ~a & e; };
  auto not1 = [](auto a, auto e) { return a & ~e; };
  t.bind(Op::s_and_not0_wrexec_b32, &run_wrexec<u32, decltype(not0)>);
  t.bind(Op::s_and_not0_wrexec_b64, &run_wrexec<u64, decltype(not0)>);
  t.bind(Op::s_and_not1_wrexec_b32, &run_wrexec<u32, decltype(not1)>);
  t.bind(Op::s_and_not1_wrexec_b64, &run_wrexec<u64, decltype(not1)>);
}

void bind_moves(HandlerTable& t) {
  t.bind(Op::s_mov_b32, salu([](u32 a) { return a; }));
  t.bind(Op::s_mov_b64, salu([](u64 a) { return a; }));
  t.bind(Op::s_movk_i32, t[Op::s_mov_b32]);
  t.bind(Op::s_cmov_b32, [](Wave& w, const Step& s) {
    if (w.scc()) w.s[s.dst] = read32(w, s.src[0]);
  });
  t.bind(Op::s_cmovk_i32, t[Op::s_cmov_b32]);
  t.bind(Op::s_cmov_b64, [](Wave& w, const Step& s) {
    if (w.scc()) w.set_s64(s.dst, read64(w, s.src[0]));
  });
}

void bind_bits(HandlerTable& t) {
  t.bind(Op::s_brev_b32, salu([](u32 a) { return reverse_bits(a); }));
  t.bind(Op::s_brev_b64, salu([](u64 a) { return reverse_bits(a); }));
  t.bind(Op::s_ctz_i32_b32, salu([](u32 a) { return a == 0 ? -1 : std::countr_zero(a); }));
  t.bind(Op::s_ctz_i32_b64, salu([](u64 a) { return a == 0 ? -1 : std::countr_zero(a); }));
  t.bind(Op::s_clz_i32_u32, salu([](u32 a) { return a == 0 ? -1 : std::countl_zero(a); }));
  t.bind(Op::s_clz_i32_u64, salu([](u64 a) { return a == 0 ? -1 : std::countl_zero(a); }));
  t.bind(Op::s_cls_i32, salu([](i32 a) { return count_leading_sign_bits(a); }));
  t.bind(Op::s_cls_i32_i64, salu([](i64 a) { return count_leading_sign_bits(a); }));
  t.bind(Op::s_sext_i32_i8, salu([](u32 a) { return static_cast<i32>(static_cast<int8_t>(a)); }));
  t.bind(Op::s_sext_i32_i16, salu([](u32 a) { return static_cast<i32>(static_cast<int16_t>(a)); }));
  t.bind(Op::s_bitset0_b32, [](Wave& w, const Step& s) { w.s[s.dst] &= ~(1u << (read32(w, s.src[0]) & 31)); });
  t.bind(Op::s_bitset1_b32, [](Wave& w, const Step& s) { w.s[s.dst] |= 1u << (read32(w, s.src[0]) & 31); });
  t.bind(Op::s_bitset0_b64,
         [](Wave& w, const Step& s) { w.set_s64(s.dst, w.s64(s.dst) & ~(u64{1} << (read32(w, s.src[0]) & 63))); });
  t.bind(Op::s_bitset1_b64,
         [](Wave& w, const Step& s) { w.set_s64(s.dst, w.s64(s.dst) | u64{1} << (read32(w, s.src[0]) & 63)); });
  t.bind(Op::s_bitreplicate_b64_b32, salu([](u32 a) {
           u64 out = 0;
           for (unsigned i = 0; i < 32; ++i) out |= (a >> i & 1) * (u64{3} << (i * 2));
           return out;
         }));
  t.bind(Op::s_abs_i32, salu([](u32 a, bool& scc) {
           const u32 r = static_cast<i32>(a) < 0 ? 0u - a : a;
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bcnt0_i32_b32, salu([](u32 a, bool& scc) {
           const i32 r = 32 - std::popcount(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bcnt0_i32_b64, salu([](u64 a, bool& scc) {
           const i32 r = 64 - std::popcount(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bcnt1_i32_b32, salu([](u32 a, bool& scc) {
           const i32 r = std::popcount(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_bcnt1_i32_b64, salu([](u64 a, bool& scc) {
           const i32 r = std::popcount(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_quadmask_b32, salu([](u32 a, bool& scc) {
           const u32 r = quad_mask(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_quadmask_b64, salu([](u64 a, bool& scc) {
           const u64 r = quad_mask(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_wqm_b32, salu([](u32 a, bool& scc) {
           const u32 r = whole_quads(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_wqm_b64, salu([](u64 a, bool& scc) {
           const u64 r = whole_quads(a);
           return scc = r != 0, r;
         }));
  t.bind(Op::s_not_b32, salu([](u32 a, bool& scc) { return scc = ~a != 0, ~a; }));
  t.bind(Op::s_not_b64, salu([](u64 a, bool& scc) { return scc = ~a != 0, ~a; }));
}

// Registers relative to M0. What lies outside the SGPRs (to which VCC counts here) reads as zero and drops the write;
// pairs begin at even numbers. Source: RDNA3 ISA guide, "SGPR Alignment", "SGPR Out of Range Behavior".
constexpr u32 kIndexableSgprs = kVccSlot + 2;
constexpr u32 kEven = ~1u;

bool is_indexable(u32 slot) {
  return slot < kIndexableSgprs;
}

void bind_relative(HandlerTable& t) {
  t.bind(Op::s_movrels_b32, [](Wave& w, const Step& s) {
    const u32 from = s.src[0].index + w.s[kM0Slot];
    w.s[s.dst] = is_indexable(from) ? w.s[from] : 0;
  });
  t.bind(Op::s_movrels_b64, [](Wave& w, const Step& s) {
    const u32 from = (s.src[0].index + w.s[kM0Slot]) & kEven;
    w.set_s64(s.dst, is_indexable(from) ? w.s64(from) : 0);
  });
  t.bind(Op::s_movreld_b32, [](Wave& w, const Step& s) {
    const u32 to = s.dst + w.s[kM0Slot];
    if (is_indexable(to)) w.s[to] = read32(w, s.src[0]);
  });
  t.bind(Op::s_movreld_b64, [](Wave& w, const Step& s) {
    const u32 to = (s.dst + w.s[kM0Slot]) & kEven;
    if (is_indexable(to)) w.set_s64(to, read64(w, s.src[0]));
  });
  t.bind(Op::s_movrelsd_2_b32, [](Wave& w, const Step& s) {
    const u32 from = s.src[0].index + (w.s[kM0Slot] & 0x3ff);
    const u32 to = s.dst + (w.s[kM0Slot] >> 16 & 0x3ff);
    if (is_indexable(to)) w.s[to] = is_indexable(from) ? w.s[from] : 0;
  });
}

}  // namespace

void bind_sop1(HandlerTable& table) {
  bind_moves(table);
  bind_bits(table);
  bind_exec(table);
  bind_relative(table);
}

}  // namespace bw::emulator
