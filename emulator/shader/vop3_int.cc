// Owns: the integer and bit operations that only VOP3 has. Source of the semantics: RDNA3 ISA guide, "VOP3".
#include <algorithm>
#include <bit>

#include "emulator/shader/handlers.h"
#include "emulator/shader/minmax.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

using u16 = uint16_t;
using i16 = int16_t;
using u32 = uint32_t;
using i32 = int32_t;
using u64 = uint64_t;
using i64 = int64_t;

template <class T>
T median(T a, T b, T c) {
  return std::max(std::min(a, b), std::min(std::max(a, b), c));
}
i32 saturate_i32(i64 value) {
  return static_cast<i32>(std::clamp<i64>(value, std::numeric_limits<i32>::min(), std::numeric_limits<i32>::max()));
}
i16 saturate_i16(i32 value) {
  return static_cast<i16>(std::clamp(value, -32768, 32767));
}
u16 saturate_u16(i64 value) {
  return static_cast<u16>(std::clamp<i64>(value, 0, 65535));
}
i32 signed24(i32 value) {
  return static_cast<i32>(static_cast<u32>(value) << 8) >> 8;
}
u32 unsigned24(u32 value) {
  return value & 0xffffff;
}

void bind_add_mul(HandlerTable& t) {
  t.bind(Op::v_add3_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return a + b + c; }));
  t.bind(Op::v_lshl_add_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return (a << (b & 31)) + c; }));
  t.bind(Op::v_add_lshl_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return (a + b) << (c & 31); }));
  t.bind(Op::v_xad_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return (a ^ b) + c; }));
  t.bind(Op::v_mul_lo_u32, valu<U32, U32, U32>([](u32 a, u32 b) { return a * b; }));
  t.bind(Op::v_mul_hi_u32,
         valu<U32, U32, U32>([](u32 a, u32 b) { return static_cast<u32>(static_cast<u64>(a) * b >> 32); }));
  t.bind(Op::v_mul_hi_i32,
         valu<I32, I32, I32>([](i32 a, i32 b) { return static_cast<i32>(static_cast<i64>(a) * b >> 32); }));
  t.bind(Op::v_mad_i32_i24,
         clampable3<I32, I32, I32, I32>(
             [](i32 a, i32 b, i32 c) {
               return static_cast<i32>(static_cast<u32>(signed24(a)) * static_cast<u32>(signed24(b)) +
                                       static_cast<u32>(c));
             },
             [](i32 a, i32 b, i32 c) { return saturate_i32(static_cast<i64>(signed24(a)) * signed24(b) + c); }));
  t.bind(Op::v_mad_u32_u24,
         clampable3<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return unsigned24(a) * unsigned24(b) + c; },
                                        [](u32 a, u32 b, u32 c) {
                                          const u64 r = static_cast<u64>(unsigned24(a)) * unsigned24(b) + c;
                                          return static_cast<u32>(r > 0xffffffff ? 0xffffffff : r);
                                        }));
  t.bind(Op::v_add_nc_i32, clampable<I32, I32, I32>(
                               [](i32 a, i32 b) { return static_cast<i32>(static_cast<u32>(a) + static_cast<u32>(b)); },
                               [](i32 a, i32 b) { return saturate_i32(static_cast<i64>(a) + b); }));
  t.bind(Op::v_sub_nc_i32, clampable<I32, I32, I32>(
                               [](i32 a, i32 b) { return static_cast<i32>(static_cast<u32>(a) - static_cast<u32>(b)); },
                               [](i32 a, i32 b) { return saturate_i32(static_cast<i64>(a) - b); }));
}

void bind_min_max(HandlerTable& t) {
  t.bind(Op::v_min3_i32, valu<I32, I32, I32, I32>([](i32 a, i32 b, i32 c) { return std::min(std::min(a, b), c); }));
  t.bind(Op::v_min3_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return std::min(std::min(a, b), c); }));
  t.bind(Op::v_max3_i32, valu<I32, I32, I32, I32>([](i32 a, i32 b, i32 c) { return std::max(std::max(a, b), c); }));
  t.bind(Op::v_max3_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return std::max(std::max(a, b), c); }));
  t.bind(Op::v_med3_i32, valu<I32, I32, I32, I32>([](i32 a, i32 b, i32 c) { return median(a, b, c); }));
  t.bind(Op::v_med3_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return median(a, b, c); }));
  t.bind(Op::v_maxmin_i32, valu<I32, I32, I32, I32>([](i32 a, i32 b, i32 c) { return std::min(std::max(a, b), c); }));
  t.bind(Op::v_maxmin_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return std::min(std::max(a, b), c); }));
  t.bind(Op::v_minmax_i32, valu<I32, I32, I32, I32>([](i32 a, i32 b, i32 c) { return std::max(std::min(a, b), c); }));
  t.bind(Op::v_minmax_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return std::max(std::min(a, b), c); }));
  t.bind(Op::v_min3_i16, valu<I16, I16, I16, I16>([](i16 a, i16 b, i16 c) { return std::min(std::min(a, b), c); }));
  t.bind(Op::v_min3_u16, valu<U16, U16, U16, U16>([](u16 a, u16 b, u16 c) { return std::min(std::min(a, b), c); }));
  t.bind(Op::v_max3_i16, valu<I16, I16, I16, I16>([](i16 a, i16 b, i16 c) { return std::max(std::max(a, b), c); }));
  t.bind(Op::v_max3_u16, valu<U16, U16, U16, U16>([](u16 a, u16 b, u16 c) { return std::max(std::max(a, b), c); }));
  t.bind(Op::v_med3_i16, valu<I16, I16, I16, I16>([](i16 a, i16 b, i16 c) { return median(a, b, c); }));
  t.bind(Op::v_med3_u16, valu<U16, U16, U16, U16>([](u16 a, u16 b, u16 c) { return median(a, b, c); }));
}

u32 field_u32(u32 value, u32 offset, u32 width) {
  const u32 w = width & 31;
  return value >> (offset & 31) & ((1u << w) - 1);
}
i32 field_i32(i32 value, u32 offset, u32 width) {
  const u32 w = width & 31, o = offset & 31;
  if (w == 0) return 0;
  const i32 shifted = value >> o;
  return static_cast<i32>(static_cast<u32>(shifted) << (32 - w)) >> (32 - w);
}

// Each byte of the selector picks a byte of {src0, src1} (src1 the low dword), a replicated sign, or a constant.
u32 permute_bytes(u32 high, u32 low, u32 selectors) {
  const u64 data = make_u64(low, high);
  u32 out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const u32 selector = selectors >> (i * 8) & 0xff;
    u32 byte = 0xff;
    if (selector < 8)
      byte = static_cast<u32>(data >> (selector * 8)) & 0xff;
    else if (selector < 12)
      byte = (data >> ((selector - 8) * 16 + 15) & 1) != 0 ? 0xff : 0;
    else if (selector == 12)
      byte = 0;
    out |= byte << (i * 8);
  }
  return out;
}

void bind_bits(HandlerTable& t) {
  t.bind(Op::v_bfe_u32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return field_u32(a, b, c); }));
  t.bind(Op::v_bfe_i32, valu<I32, I32, U32, U32>([](i32 a, u32 b, u32 c) { return field_i32(a, b, c); }));
  t.bind(Op::v_bfi_b32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return (a & b) | (~a & c); }));
  t.bind(Op::v_bfm_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return ((1u << (a & 31)) - 1) << (b & 31); }));
  t.bind(Op::v_bcnt_u32_b32, valu<U32, U32, U32>([](u32 a, u32 b) { return static_cast<u32>(std::popcount(a)) + b; }));
  t.bind(Op::v_alignbit_b32,
         valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return static_cast<u32>(make_u64(b, a) >> (c & 31)); }));
  t.bind(Op::v_alignbyte_b32,
         valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return static_cast<u32>(make_u64(b, a) >> (c & 3) * 8); }));
  t.bind(Op::v_perm_b32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return permute_bytes(a, b, c); }));
  t.bind(Op::v_xor3_b32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return a ^ b ^ c; }));
  t.bind(Op::v_or3_b32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return a | b | c; }));
  t.bind(Op::v_and_or_b32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return (a & b) | c; }));
  t.bind(Op::v_lshl_or_b32, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return (a << (b & 31)) | c; }));
  t.bind(Op::v_lshlrev_b64, valu<U64, U32, U64>([](u32 a, u64 b) { return b << (a & 63); }));
  t.bind(Op::v_lshrrev_b64, valu<U64, U32, U64>([](u32 a, u64 b) { return b >> (a & 63); }));
  t.bind(Op::v_ashrrev_i64, valu<I64, U32, I64>([](u32 a, i64 b) { return b >> (a & 63); }));
}

void bind_16bit(HandlerTable& t) {
  t.bind(Op::v_add_nc_u16, clampable<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(a + b); },
                                                    [](u16 a, u16 b) { return saturate_u16(a + b); }));
  t.bind(Op::v_sub_nc_u16, clampable<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(a - b); },
                                                    [](u16 a, u16 b) { return saturate_u16(a - b); }));
  t.bind(Op::v_add_nc_i16, clampable<I16, I16, I16>([](i16 a, i16 b) { return static_cast<i16>(a + b); },
                                                    [](i16 a, i16 b) { return saturate_i16(a + b); }));
  t.bind(Op::v_sub_nc_i16, clampable<I16, I16, I16>([](i16 a, i16 b) { return static_cast<i16>(a - b); },
                                                    [](i16 a, i16 b) { return saturate_i16(a - b); }));
  t.bind(Op::v_mul_lo_u16, valu<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(static_cast<u32>(a) * b); }));
  t.bind(Op::v_max_u16, valu<U16, U16, U16>([](u16 a, u16 b) { return std::max(a, b); }));
  t.bind(Op::v_max_i16, valu<I16, I16, I16>([](i16 a, i16 b) { return std::max(a, b); }));
  t.bind(Op::v_min_u16, valu<U16, U16, U16>([](u16 a, u16 b) { return std::min(a, b); }));
  t.bind(Op::v_min_i16, valu<I16, I16, I16>([](i16 a, i16 b) { return std::min(a, b); }));
  t.bind(Op::v_lshlrev_b16, valu<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(b << (a & 15)); }));
  t.bind(Op::v_lshrrev_b16, valu<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(b >> (a & 15)); }));
  t.bind(Op::v_ashrrev_i16, valu<I16, U16, I16>([](u16 a, i16 b) { return static_cast<i16>(b >> (a & 15)); }));
  t.bind(Op::v_and_b16, valu<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(a & b); }));
  t.bind(Op::v_or_b16, valu<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(a | b); }));
  t.bind(Op::v_xor_b16, valu<U16, U16, U16>([](u16 a, u16 b) { return static_cast<u16>(a ^ b); }));
  t.bind(Op::v_mad_u16, clampable3<U16, U16, U16, U16>(
                            [](u16 a, u16 b, u16 c) { return static_cast<u16>(static_cast<u32>(a) * b + c); },
                            [](u16 a, u16 b, u16 c) { return saturate_u16(static_cast<i64>(a) * b + c); }));
  t.bind(Op::v_mad_i16, clampable3<I16, I16, I16, I16>([](i16 a, i16 b, i16 c) { return static_cast<i16>(a * b + c); },
                                                       [](i16 a, i16 b, i16 c) { return saturate_i16(a * b + c); }));
  t.bind(Op::v_mad_u32_u16,
         clampable3<U32, U16, U16, U32>([](u16 a, u16 b, u32 c) { return static_cast<u32>(a) * b + c; },
                                        [](u16 a, u16 b, u32 c) {
                                          const u64 r = static_cast<u64>(a) * b + c;
                                          return static_cast<u32>(r > 0xffffffff ? 0xffffffff : r);
                                        }));
  t.bind(Op::v_mad_i32_i16,
         clampable3<I32, I16, I16, I32>(
             [](i16 a, i16 b, i32 c) { return static_cast<i32>(static_cast<u32>(a * b) + static_cast<u32>(c)); },
             [](i16 a, i16 b, i32 c) { return saturate_i32(static_cast<i64>(a) * b + c); }));
}

// Sums of absolute differences of four bytes; the masked form skips bytes that are zero in the second operand.
template <bool kMasked>
u32 sad_bytes(u32 a, u32 b) {
  u32 sum = 0;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    const i32 x = a >> shift & 0xff, y = b >> shift & 0xff;
    if (!kMasked || y != 0) sum += static_cast<u32>(x > y ? x - y : y - x);
  }
  return sum;
}
u32 saturating_add(u32 a, u32 b) {
  return a + b < a ? ~0u : a + b;
}
u32 average_bytes(u32 a, u32 b, u32 rounding) {
  u32 out = 0;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out |= ((a >> shift & 0xff) + (b >> shift & 0xff) + (rounding >> shift & 1)) >> 1 << shift;
  }
  return out;
}
u32 absolute_difference(u32 a, u32 b) {
  return a > b ? a - b : b - a;
}

template <bool kMasked, bool kSaturates>
u64 quad_sad(u64 a, u32 b, u64 c) {
  u64 out = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const u32 sum = sad_bytes<kMasked>(static_cast<u32>(a >> (i * 8)), b) + (static_cast<u32>(c >> (i * 16)) & 0xffff);
    out |= static_cast<u64>(kSaturates ? std::min<u32>(sum, 0xffff) : sum & 0xffff) << (i * 16);
  }
  return out;
}
template <bool kMasked>
Handler quad_sad_handler() {
  return clampable3<U64, U64, U32, U64>([](u64 a, u32 b, u64 c) { return quad_sad<kMasked, false>(a, b, c); },
                                        [](u64 a, u32 b, u64 c) { return quad_sad<kMasked, true>(a, b, c); });
}

// Four sums, each over the four bytes of src0 from byte i on, added to dword i of src2; bytes of src1 that are zero are
// left out. The destination may overlap the sources.
void run_mqsad_u32(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare[7], out[4];
    const u32* lo = fetch(w, s.src[0], 0, h, spare[0]);
    const u32* hi = fetch(w, s.src[0], 1, h, spare[1]);
    const u32* reference = fetch(w, s.src[1], 0, h, spare[2]);
    for (unsigned i = 0; i < 4; ++i) {
      const u32* sum = fetch(w, s.src[2], i, h, spare[3 + i]);
      for (unsigned l = 0; l < kLanes; ++l) {
        const u32 bytes = static_cast<u32>(make_u64(lo[l], hi[l]) >> (i * 8));
        const u64 total = static_cast<u64>(sad_bytes<true>(bytes, reference[l])) + sum[l];
        out[i].lane[l] = s.clamp && total > ~u32{0} ? ~u32{0} : static_cast<u32>(total);
      }
    }
    for (unsigned i = 0; i < 4; ++i) store_lanes(w, s.dst + i, h, out[i].lane);
  }
}

void bind_sad(HandlerTable& t) {
  const auto with_clamp = [&t](Op op, auto sad) {
    using Sad = decltype(sad);
    t.bind(op, clampable3<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return Sad{}(a, b) + c; },
                                              [](u32 a, u32 b, u32 c) { return saturating_add(Sad{}(a, b), c); }));
  };
  with_clamp(Op::v_sad_u8, [](u32 a, u32 b) { return sad_bytes<false>(a, b); });
  with_clamp(Op::v_sad_hi_u8, [](u32 a, u32 b) { return sad_bytes<false>(a, b) << 16; });
  with_clamp(Op::v_msad_u8, [](u32 a, u32 b) { return sad_bytes<true>(a, b); });
  with_clamp(Op::v_sad_u16, [](u32 a, u32 b) {
    return absolute_difference(a & 0xffff, b & 0xffff) + absolute_difference(a >> 16, b >> 16);
  });
  with_clamp(Op::v_sad_u32, [](u32 a, u32 b) { return absolute_difference(a, b); });
  t.bind(Op::v_lerp_u8, valu<U32, U32, U32, U32>([](u32 a, u32 b, u32 c) { return average_bytes(a, b, c); }));
  t.bind(Op::v_qsad_pk_u16_u8, quad_sad_handler<false>());
  t.bind(Op::v_mqsad_u32_u8, run_mqsad_u32);
  t.bind(Op::v_mqsad_pk_u16_u8, quad_sad_handler<true>());
}

}  // namespace

void bind_vop3_int(HandlerTable& table) {
  bind_add_mul(table);
  bind_min_max(table);
  bind_bits(table);
  bind_16bit(table);
  bind_sad(table);
}

}  // namespace bw::emulator
