// Owns: additions and subtractions with carry masks, conditional selection, and 64-bit multiply-add.
// Source of the semantics: RDNA3 ISA guide, "VOP2", "VOP3SD".
#include "emulator/shader/handlers.h"
#include "emulator/shader/lane_mask.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

enum class Carry : uint8_t { kAdd, kSub, kSubRev };

// d = a + b (+ carry in), mask of carries out to sdst. Bits of lanes outside EXEC become 0.
template <Carry kWhat, bool kCarryIn>
void run_carry(Wave& w, const Step& s) {
  w.sync_exec();
  const uint64_t carries_in = kCarryIn ? read_mask(w, s.src[2]) : 0;
  uint64_t carries_out = 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    const uint32_t in = static_cast<uint32_t>(carries_in >> (h * kLanes));
    const bool clamp = s.clamp;
    alignas(64) uint32_t out[kLanes];
    alignas(64) uint32_t carry[kLanes];
    BW_FOR_LANES(l) {
      const uint32_t x = kWhat == Carry::kSubRev ? b[l] : a[l];
      const uint32_t y = kWhat == Carry::kSubRev ? a[l] : b[l];
      const uint32_t c = in >> l & 1;
      const uint32_t partial = kWhat == Carry::kAdd ? x + y : x - y;
      const uint32_t result = kWhat == Carry::kAdd ? partial + c : partial - c;
      const bool over = kWhat == Carry::kAdd ? (partial < x || result < partial) : (x < y || partial < c);
      const uint32_t saturated = kWhat == Carry::kAdd ? ~0u : 0u;
      carry[l] = over ? ~0u : 0u;
      out[l] = over && clamp ? saturated : result;
    }
    carries_out |= static_cast<uint64_t>(mask_of_rows(carry, w.exec_row(h))) << (h * kLanes);
    store_lanes(w, s.dst, h, out);
  }
  w.set_mask(s.sdst, carries_out);
}

void run_cndmask(Wave& w, const Step& s) {
  w.sync_exec();
  const uint64_t mask = read_mask(w, s.src[2]);
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    const uint32_t bits = static_cast<uint32_t>(mask >> (h * kLanes));
    alignas(64) uint32_t out[kLanes];
    BW_FOR_LANES(l) out[l] = (bits >> l & 1) != 0 ? b[l] : a[l];
    store_lanes(w, s.dst, h, out);
  }
}

void run_cndmask_b16(Wave& w, const Step& s) {
  w.sync_exec();
  const uint64_t mask = read_mask(w, s.src[2]);
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    const uint32_t bits = static_cast<uint32_t>(mask >> (h * kLanes));
    uint16_t out[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) out[l] = static_cast<uint16_t>((bits >> l & 1) != 0 ? b[l] : a[l]);
    U16::store(w, s, h, out);
  }
}

// d = a * b + c in 64 bits; sdst gets bit 64 of the sum, which for the signed form is its sign. The clamp saturates.
// Source: RDNA3 ISA guide, "VOP3SD", "Output Operand Modifiers".
template <bool kSigned>
void run_mad64(Wave& w, const Step& s) {
  w.sync_exec();
  uint64_t carries = 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b;
    QwordSpare spare_c;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    const QwordView c = U64::fetch_view(w, s.src[2], h, spare_c);
    alignas(64) uint64_t out[kLanes];
    alignas(64) uint32_t carry[kLanes];
    const bool clamp = s.clamp;
    BW_FOR_LANES(l) {
      const uint64_t addend = U64::get(c, l);
      const uint64_t product =
          kSigned ? static_cast<uint64_t>(static_cast<int64_t>(static_cast<int32_t>(a[l])) * static_cast<int32_t>(b[l]))
                  : static_cast<uint64_t>(a[l]) * b[l];
      const uint64_t sum = product + addend;
      const bool overflow = kSigned ? ((product ^ sum) & (addend ^ sum)) >> 63 != 0 : sum < product;
      const bool is_negative = (sum >> 63 != 0) != overflow;
      const uint64_t limit = !kSigned ? ~uint64_t{0} : ~(uint64_t{1} << 63) + (is_negative ? 1 : 0);
      out[l] = clamp && overflow ? limit : sum;
      carry[l] = (kSigned ? is_negative : overflow) ? ~0u : 0u;
    }
    carries |= static_cast<uint64_t>(mask_of_rows(carry, w.exec_row(h))) << (h * kLanes);
    U64::store(w, s, h, out);
  }
  w.set_mask(s.sdst, carries);
}

}  // namespace

void bind_carry(HandlerTable& t) {
  t.bind(Op::v_add_co_ci_u32, run_carry<Carry::kAdd, true>);
  t.bind(Op::v_sub_co_ci_u32, run_carry<Carry::kSub, true>);
  t.bind(Op::v_subrev_co_ci_u32, run_carry<Carry::kSubRev, true>);
  t.bind(Op::v_add_co_u32, run_carry<Carry::kAdd, false>);
  t.bind(Op::v_sub_co_u32, run_carry<Carry::kSub, false>);
  t.bind(Op::v_subrev_co_u32, run_carry<Carry::kSubRev, false>);
  t.bind(Op::v_cndmask_b32, run_cndmask);
  t.bind(Op::v_cndmask_b16, run_cndmask_b16);
  t.bind(Op::v_mad_u64_u32, run_mad64<false>);
  t.bind(Op::v_mad_i64_i32, run_mad64<true>);
}

}  // namespace bw::emulator
