// Owns: loads, stores and lane exchanges of LDS instructions. Source of the semantics: RDNA3 ISA guide, "Data share".
#include <cstring>

#include "emulator/shader/handlers.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

enum class Fill : uint8_t { kDwords, kZeroExtend, kSignExtend, kLowHalf, kHighHalf, kLowHalfSigned, kHighHalfSigned };

// Whether the accesses of all active lanes lie in LDS.
bool all_in_lds(const Wave& w, const uint32_t* address, unsigned half, uint32_t offset, uint32_t size_bytes) {
  const uint32_t* exec = w.exec_row(half);
  uint32_t highest = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint32_t a = address[l] & exec[l];
    highest = a > highest ? a : highest;
  }
  return static_cast<uint64_t>(highest) + offset + size_bytes <= w.group->lds_bytes;
}

// `kDwords` dwords (or the low bytes of one) at address + offset, for the registers from `vgpr` on.
template <unsigned kBytes>
void load_rows(Wave& w, const uint32_t* address, unsigned half, uint32_t offset, Row* out) {
  constexpr unsigned kDwords = (kBytes + 3) / 4;
  const uint32_t* exec = w.exec_row(half);
  const bool checked = all_in_lds(w, address, half, offset, kBytes);
  const std::byte* lds = w.group->lds.data();
  for (unsigned l = 0; l < kLanes; ++l) {
    uint32_t data[kDwords] = {};
    const uint64_t a = lds_address(address[l] & exec[l], offset);
    if (checked || a + kBytes <= w.group->lds_bytes) std::memcpy(data, lds + a, kBytes);
    for (unsigned i = 0; i < kDwords; ++i) out[i].lane[l] = data[i];
  }
}

template <unsigned kBytes>
void store_rows(Wave& w, const uint32_t* address, unsigned half, uint32_t offset, unsigned vgpr, unsigned shift) {
  constexpr unsigned kDwords = (kBytes + 3) / 4;
  const uint32_t* exec = w.exec_row(half);
  std::byte* lds = w.group->lds.data();
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint64_t a = lds_address(address[l], offset);
    if (exec[l] == 0 || a + kBytes > w.group->lds_bytes) continue;
    uint32_t data[kDwords];
    for (unsigned i = 0; i < kDwords; ++i) data[i] = w.vgpr(vgpr + i, half)[l] >> shift;
    std::memcpy(lds + a, data, kBytes);
  }
}

template <unsigned kBytes, Fill kFill>
void run_load(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row rows[(kBytes + 3) / 4];
    load_rows<kBytes>(w, w.vgpr(s.src[0].index, h), h, static_cast<uint32_t>(s.imm), rows);
    const uint32_t* old = w.vgpr(s.dst, h);
    for (unsigned l = 0; l < kLanes && kFill != Fill::kDwords; ++l) {
      uint32_t& value = rows[0].lane[l];
      const uint32_t extended = static_cast<uint32_t>(sign_extend(value, kBytes * 8));
      if (kFill == Fill::kSignExtend) value = extended;
      if (kFill == Fill::kLowHalf) value = (old[l] & 0xffff0000) | value;
      if (kFill == Fill::kHighHalf) value = (old[l] & 0xffff) | value << 16;
      if (kFill == Fill::kLowHalfSigned) value = (old[l] & 0xffff0000) | (extended & 0xffff);
      if (kFill == Fill::kHighHalfSigned) value = (old[l] & 0xffff) | extended << 16;
    }
    for (unsigned i = 0; i < (kBytes + 3) / 4; ++i) store_lanes(w, s.dst + i, h, rows[i].lane);
  }
}

template <unsigned kBytes, unsigned kShift = 0>
void run_store(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    store_rows<kBytes>(w, w.vgpr(s.src[0].index, h), h, static_cast<uint32_t>(s.imm), s.src[1].index, kShift);
  }
}

// Two addresses, each an 8-bit offset in units of kBytes * kStride.
template <unsigned kBytes, unsigned kStride>
void run_load2(Wave& w, const Step& s) {
  w.sync_exec();
  constexpr unsigned kDwords = kBytes / 4;
  for (unsigned h = 0; h < w.halves; ++h) {
    Row rows[2 * kDwords];
    const uint32_t* address = w.vgpr(s.src[0].index, h);
    load_rows<kBytes>(w, address, h, s.offset0 * kBytes * kStride, rows);
    load_rows<kBytes>(w, address, h, s.offset1 * kBytes * kStride, rows + kDwords);
    for (unsigned i = 0; i < 2 * kDwords; ++i) store_lanes(w, s.dst + i, h, rows[i].lane);
  }
}
template <unsigned kBytes, unsigned kStride>
void run_store2(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* address = w.vgpr(s.src[0].index, h);
    store_rows<kBytes>(w, address, h, s.offset0 * kBytes * kStride, s.src[1].index, 0);
    store_rows<kBytes>(w, address, h, s.offset1 * kBytes * kStride, s.src[2].index, 0);
  }
}

// Dword of lane l at M0 + offset + 4 * l.
void addtid_row(const Wave& w, unsigned half, Row* out) {
  for (unsigned l = 0; l < kLanes; ++l) out->lane[l] = (w.s[kM0Slot] & 0xffff) + (half * kLanes + l) * 4;
}
void run_load_addtid(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row address, row;
    addtid_row(w, h, &address);
    load_rows<4>(w, address.lane, h, static_cast<uint32_t>(s.imm), &row);
    store_lanes(w, s.dst, h, row.lane);
  }
}
void run_store_addtid(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row address;
    addtid_row(w, h, &address);
    store_rows<4>(w, address.lane, h, static_cast<uint32_t>(s.imm), s.src[1].index, 0);
  }
}

// One value of LDS for all lanes. M0: the address in bits 15:0, the type in bits 18:16. Source: RDNA3 ISA guide, "LDS
// direct and parameter load". unverified: types that the guide does not list read a dword.
void run_direct_load(Wave& w, const Step& s) {
  w.sync_exec();
  enum Type : uint32_t { kByte = 0, kShort = 1, kSignedByte = 4, kSignedShort = 5 };
  const uint32_t m0 = w.s[kM0Slot], type = m0 >> 16 & 7;
  const unsigned size_bytes = type == kByte || type == kSignedByte ? 1 : type == kShort || type == kSignedShort ? 2 : 4;
  uint32_t value = 0;
  if (const std::byte* host = lds_at(w, m0 & 0xffff, size_bytes)) std::memcpy(&value, host, size_bytes);
  if (type >= kSignedByte && size_bytes < 4) value = static_cast<uint32_t>(sign_extend(value, size_bytes * 8));
  Row row;
  for (uint32_t& lane : row.lane) lane = value;
  for (unsigned h = 0; h < w.halves; ++h) store_lanes(w, s.dst, h, row.lane);
}

// Lane exchange without memory. Inactive source lanes give 0 (bpermute) or nothing (permute). Each half of a wave64
// exchanges among its own 32 lanes, as of addresses only bits 6:2 count. Source: RDNA3 ISA guide, "DS_PERMUTE_B32";
// LLVM's GCNSubtarget::supportsWaveWideBPermute(), which gfx11 does in wave32 only.
unsigned lane_of_address(uint32_t address, const Step& s) {
  return (address + static_cast<uint32_t>(s.imm)) / 4 % kLanes;
}
void run_bpermute(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* address = w.vgpr(s.src[0].index, h);
    const uint32_t* data = w.vgpr(s.src[1].index, h);
    Row out;
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned from = lane_of_address(address[l], s);
      out.lane[l] = data[from] & w.exec_row(h)[from];
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}
void run_permute(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t* address = w.vgpr(s.src[0].index, h);
    const uint32_t* data = w.vgpr(s.src[1].index, h);
    Row out = {};
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] != 0) out.lane[lane_of_address(address[l], s)] = data[l];
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}

// Source lane of a swizzle among 32 lanes. Offsets: bit 15 set and bits 14:8 clear: four 2-bit selectors for quads;
// bits 15:13 all set: FFT mode, 110: rotate; otherwise and/or/xor masks of 5 bits.
unsigned swizzle_source(uint32_t offset, unsigned lane) {
  if (offset >= 0xe000) {
    // FFT: the bits of the lane number are reversed, except as many as the mask keeps.
    const uint32_t mask = offset & 31;
    uint32_t reversed = 0;
    for (unsigned i = 0; i < 5; ++i) reversed |= (lane >> i & 1) << (4 - i);
    const unsigned shift = static_cast<unsigned>(__builtin_popcount(mask));
    return (reversed >> shift | (lane & mask)) & 31;
  }
  if (offset >= 0xc000) {
    const uint32_t rotate = offset >> 5 & 31, mask = offset & 31;
    const bool right = (offset >> 10 & 1) != 0;
    const uint32_t moved = right ? lane - rotate : lane + rotate;
    return ((lane & mask) | (moved & ~mask)) & 31;
  }
  if ((offset & 0x8000) != 0) return (lane & ~3u) | (offset >> (lane % 4 * 2) & 3);
  return ((lane & (offset & 31)) | (offset >> 5 & 31)) ^ (offset >> 10 & 31);
}

void run_swizzle(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    Row out;
    const uint32_t* in = w.vgpr(s.src[0].index, h);
    for (unsigned l = 0; l < kLanes; ++l) {
      const unsigned from = swizzle_source(static_cast<uint32_t>(s.imm), l);
      out.lane[l] = w.exec_row(h)[from] != 0 ? in[from] : 0;
    }
    store_lanes(w, s.dst, h, out.lane);
  }
}

void bind_loads(HandlerTable& t) {
  t.bind(Op::ds_load_b32, run_load<4, Fill::kDwords>);
  t.bind(Op::ds_load_b64, run_load<8, Fill::kDwords>);
  t.bind(Op::ds_load_b96, run_load<12, Fill::kDwords>);
  t.bind(Op::ds_load_b128, run_load<16, Fill::kDwords>);
  t.bind(Op::ds_load_u8, run_load<1, Fill::kZeroExtend>);
  t.bind(Op::ds_load_i8, run_load<1, Fill::kSignExtend>);
  t.bind(Op::ds_load_u16, run_load<2, Fill::kZeroExtend>);
  t.bind(Op::ds_load_i16, run_load<2, Fill::kSignExtend>);
  t.bind(Op::ds_load_u8_d16, run_load<1, Fill::kLowHalf>);
  t.bind(Op::ds_load_u8_d16_hi, run_load<1, Fill::kHighHalf>);
  t.bind(Op::ds_load_i8_d16, run_load<1, Fill::kLowHalfSigned>);
  t.bind(Op::ds_load_i8_d16_hi, run_load<1, Fill::kHighHalfSigned>);
  t.bind(Op::ds_load_u16_d16, run_load<2, Fill::kLowHalf>);
  t.bind(Op::ds_load_u16_d16_hi, run_load<2, Fill::kHighHalf>);
  t.bind(Op::ds_load_2addr_b32, run_load2<4, 1>);
  t.bind(Op::ds_load_2addr_b64, run_load2<8, 1>);
  t.bind(Op::ds_load_2addr_stride64_b32, run_load2<4, 64>);
  t.bind(Op::ds_load_2addr_stride64_b64, run_load2<8, 64>);
  t.bind(Op::ds_load_addtid_b32, run_load_addtid);
}

void bind_stores(HandlerTable& t) {
  t.bind(Op::ds_store_b8, run_store<1>);
  t.bind(Op::ds_store_b16, run_store<2>);
  t.bind(Op::ds_store_b8_d16_hi, run_store<1, 16>);
  t.bind(Op::ds_store_b16_d16_hi, run_store<2, 16>);
  t.bind(Op::ds_store_b32, run_store<4>);
  t.bind(Op::ds_store_b64, run_store<8>);
  t.bind(Op::ds_store_b96, run_store<12>);
  t.bind(Op::ds_store_b128, run_store<16>);
  t.bind(Op::ds_store_2addr_b32, run_store2<4, 1>);
  t.bind(Op::ds_store_2addr_b64, run_store2<8, 1>);
  t.bind(Op::ds_store_2addr_stride64_b32, run_store2<4, 64>);
  t.bind(Op::ds_store_2addr_stride64_b64, run_store2<8, 64>);
  t.bind(Op::ds_store_addtid_b32, run_store_addtid);
}

}  // namespace

void bind_ds(HandlerTable& t) {
  bind_loads(t);
  bind_stores(t);
  t.bind(Op::lds_direct_load, run_direct_load);
  t.bind(Op::ds_bpermute_b32, run_bpermute);
  t.bind(Op::ds_permute_b32, run_permute);
  t.bind(Op::ds_swizzle_b32, run_swizzle);
}

}  // namespace bw::emulator
