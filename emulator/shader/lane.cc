// Owns: instructions that move values across lanes or registers: readlane, permlane, DPP, movrel, swaps, lane counts.
// Source of the semantics: RDNA3 ISA guide, "VOP1", "VOP3", "DPP16", "DPP8".
#include <bit>

#include "emulator/shader/dpp.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

uint32_t lane_of(Wave& w, unsigned vgpr, unsigned lane) {
  return w.vgpr(vgpr, lane / kLanes)[lane % kLanes];
}

void run_readfirstlane(Wave& w, const Step& s) {
  const uint64_t exec = w.exec();
  const unsigned lane = exec == 0 ? 0 : static_cast<unsigned>(std::countr_zero(exec));
  w.s[s.dst] = lane_of(w, s.src[0].index, lane);
}
void run_readlane(Wave& w, const Step& s) {
  w.s[s.dst] = lane_of(w, s.src[0].index, read32(w, s.src[1]) % w.lane_count());
}
void run_writelane(Wave& w, const Step& s) {
  const unsigned lane = read32(w, s.src[1]) % w.lane_count();
  w.vgpr(s.dst, lane / kLanes)[lane % kLanes] = read32(w, s.src[0]);
}

// Rows of 16 lanes; selectors of 4 bits a lane in src[1] (lanes 0..7) and src[2] (8..15). extra: bit 0 fetches inactive
// lanes, bit 1 gives 0 for those not fetched (otherwise the destination stays).
template <bool kCross>
void run_permlane16(Wave& w, const Step& s) {
  w.sync_exec();
  const uint64_t selectors = make_u64(read32(w, s.src[1]), read32(w, s.src[2]));
  const bool fetch_inactive = (s.extra & 1) != 0, bound = (s.extra & 2) != 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* in = w.vgpr(s.src[0].index, h);
    const uint32_t* old = w.vgpr(s.dst, h);
    Row out;
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned row = (l & 16) ^ (kCross ? 16 : 0);
      const unsigned from = row | (selectors >> (l % 16 * 4) & 15);
      const bool fetched = fetch_inactive || w.exec_row(h)[from] != 0;
      out.lane[l] = fetched ? in[from] : bound ? 0 : old[l];
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}

// Swaps the halves of a wave64; in wave32 it does nothing.
void run_permlane64(Wave& w, const Step& s) {
  if (w.halves == 1) return;
  w.sync_exec();
  Row halves[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) halves[h].lane[l] = w.vgpr(s.src[0].index, h)[l];
  }
  for (unsigned h = 0; h < w.halves; ++h) store_lanes(w, s.dst, h, halves[1 - h].lane);
}

void swap_registers(Wave& w, unsigned a, unsigned b) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    uint32_t* x = w.vgpr(a, h);
    uint32_t* y = w.vgpr(b, h);
    const uint32_t* exec = w.exec_row(h);
    for (unsigned l = 0; l < kLanes; ++l) {
      if (exec[l] != 0) std::swap(x[l], y[l]);
    }
  }
}

template <bool kHigh>
void run_mbcnt(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b, out;
    const uint32_t* mask = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* base = fetch(w, s.src[1], 0, h, spare_b);
    for (unsigned l = 0; l < kLanes; ++l) {
      const uint64_t below = (uint64_t{1} << (h * kLanes + l)) - 1;
      const uint32_t part = static_cast<uint32_t>(kHigh ? below >> 32 : below);
      out.lane[l] = static_cast<uint32_t>(std::popcount(mask[l] & part)) + base[l];
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}

// Attribute interpolation: lanes 1, 2 and 0 of each quad hold the differences and the base of a triangle's attribute.
template <bool kSecond>
void run_interpolate(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare_a, spare_b, spare_c;
    const uint32_t* a = fetch(w, s.src[0], 0, h, spare_a);
    const uint32_t* b = fetch(w, s.src[1], 0, h, spare_b);
    const uint32_t* c = fetch(w, s.src[2], 0, h, spare_c);
    alignas(64) float out[kLanes];
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned quad = l & ~3u;
      const float base = float_of(kSecond ? c[l] : c[quad]);
      const float difference = float_of(a[quad + (kSecond ? 2 : 1)]), weight = float_of(b[l]);
      const float r = std::fma(difference, weight, base);
      out[l] = r == r ? r : nan_result<3>(w.mode, difference, weight, base);
    }
    F32::finish(out, w, s);
    F32::store(w, s, h, out);
  }
}

// Register numbers relative to M0. Beyond the register file a source is v0, and a destination is not written. Source:
// RDNA3 ISA guide, "Out-of-Range GPRs". unverified: registers beyond what the wave has allocated count as there.
constexpr unsigned kNoVgpr = kSpareVgpr + 1;
unsigned relative(unsigned base, uint32_t index, unsigned otherwise) {
  const uint64_t r = static_cast<uint64_t>(base) + index;
  return r < amdgpu::gfx11::kVgprCount ? static_cast<unsigned>(r) : otherwise;
}
unsigned relative_destination(const Step& s, uint32_t index) {
  return relative(s.dst, index, kNoVgpr);
}
Source relative_source(const Step& s, uint32_t index) {
  Source source = s.src[0];
  source.index = static_cast<uint16_t>(relative(source.index, index, 0));
  return source;
}
void move_row(Wave& w, unsigned to, const Source& source) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row spare;
    store_lanes(w, to, h, fetch(w, source, 0, h, spare));
  }
}

void bind_relative(HandlerTable& t) {
  constexpr uint32_t kIndexMask = 0x3ff;
  t.bind(Op::v_movreld_b32,
         [](Wave& w, const Step& s) { move_row(w, relative_destination(s, w.s[kM0Slot]), s.src[0]); });
  t.bind(Op::v_movrels_b32, [](Wave& w, const Step& s) { move_row(w, s.dst, relative_source(s, w.s[kM0Slot])); });
  t.bind(Op::v_movrelsd_b32, [](Wave& w, const Step& s) {
    move_row(w, relative_destination(s, w.s[kM0Slot]), relative_source(s, w.s[kM0Slot]));
  });
  t.bind(Op::v_movrelsd_2_b32, [](Wave& w, const Step& s) {
    const uint32_t m0 = w.s[kM0Slot];
    move_row(w, relative_destination(s, m0 >> 16 & kIndexMask), relative_source(s, m0 & kIndexMask));
  });
  t.bind(Op::v_swaprel_b32, [](Wave& w, const Step& s) {
    const uint32_t m0 = w.s[kM0Slot];
    const unsigned to = relative(s.dst, m0 >> 16 & kIndexMask, kNoVgpr);
    const unsigned from = relative(s.src[0].index, m0 & kIndexMask, kNoVgpr);
    if (to != kNoVgpr && from != kNoVgpr) swap_registers(w, to, from);
  });
}

// Runs the operation with `rows` as source 0 and EXEC narrowed to `enabled`.
void run_inner(Wave& w, const Step& s, const Row* rows, uint64_t enabled) {
  for (unsigned h = 0; h < w.halves; ++h) {
    uint32_t* spare = w.vgpr(kSpareVgpr, h);
    for (unsigned l = 0; l < kLanes; ++l) spare[l] = rows[h].lane[l];
  }
  const uint64_t exec = w.exec();
  w.set_mask(kExecSlot, exec & enabled);
  s.inner(w, s);
  // v_cmpx and carries into EXEC (marked by sdst) keep what they wrote.
  if (s.sdst != kExecSlot) w.set_mask(kExecSlot, exec);
}

}  // namespace

void run_dpp16(Wave& w, const Step& s) {
  const DppControl dpp(s.extra);
  const uint64_t exec = w.exec();
  Row rows[2];
  uint64_t enabled = 0;
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* in = w.vgpr(s.offset0, h);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned lane = h * kLanes + l;
      const int source = dpp16_source(dpp.control, l);
      const unsigned from = (lane & ~15u) + static_cast<unsigned>(source & 15);
      const bool valid = source >= 0 && (dpp.fetch_inactive || (exec >> from & 1) != 0);
      rows[h].lane[l] = valid ? in[from % kLanes] : 0;
      const bool masked = (dpp.row_mask >> lane / 16 & 1) != 0 && (dpp.bank_mask >> lane % 16 / 4 & 1) != 0;
      if (masked && (valid || dpp.bound)) enabled |= uint64_t{1} << lane;
    }
  }
  run_inner(w, s, rows, enabled);
}

void run_dpp8(Wave& w, const Step& s) {
  const uint64_t exec = w.exec();
  Row rows[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* in = w.vgpr(s.offset0, h);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned from = (l & ~7u) | (s.extra >> (l % 8 * 3) & 7);
      const bool valid = s.offset1 != 0 || (exec >> (h * kLanes + from) & 1) != 0;
      rows[h].lane[l] = valid ? in[from] : 0;
    }
  }
  run_inner(w, s, rows, w.all_lanes());
}

void run_copy_vgpr(Wave& w, const Step& s) {
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* in = w.vgpr(s.src[0].index, h);
    uint32_t* out = w.vgpr(s.dst, h);
    for (unsigned l = 0; l < kLanes; ++l) out[l] = in[l];
  }
}

void bind_lane(HandlerTable& t) {
  bind_relative(t);
  t.bind(Op::v_readfirstlane_b32, run_readfirstlane);
  t.bind(Op::v_readlane_b32, run_readlane);
  t.bind(Op::v_writelane_b32, run_writelane);
  t.bind(Op::v_permlane16_b32, run_permlane16<false>);
  t.bind(Op::v_permlanex16_b32, run_permlane16<true>);
  t.bind(Op::v_permlane64_b32, run_permlane64);
  t.bind(Op::v_swap_b32, [](Wave& w, const Step& s) { swap_registers(w, s.dst, s.src[0].index); });
  t.bind(Op::v_interp_p10_f32, run_interpolate<false>);
  t.bind(Op::v_interp_p2_f32, run_interpolate<true>);
  t.bind(Op::v_mbcnt_lo_u32_b32, run_mbcnt<false>);
  t.bind(Op::v_mbcnt_hi_u32_b32, run_mbcnt<true>);
}

}  // namespace bw::emulator
