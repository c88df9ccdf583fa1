// Owns: loads and stores of FLAT, GLOBAL and SCRATCH. Source of the semantics: RDNA3 ISA guide, "Flat memory
// instructions".
#include <immintrin.h>

#include <cstring>

#include "emulator/memory/client_access.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

// What a load makes of its bytes in the destination register.
enum class Fill : uint8_t { kDwords, kZeroExtend, kSignExtend, kLowHalf, kHighHalf, kLowHalfSigned, kHighHalfSigned };

template <unsigned kBytes>
struct Loaded {
  static constexpr unsigned kDwords = (kBytes + 3) / 4;
  Row rows[kDwords];
};

// 16 bytes of each lane to four rows, four lanes at a time.
void load_quads(const LaneAddresses& lanes, const uint32_t* exec, const std::byte* host, uint64_t base, Row* rows) {
  for (unsigned l = 0; l < kLanes; l += 4) {
    __m128 quad[4];
    for (unsigned i = 0; i < 4; ++i) {
      const uint64_t offset = exec[l + i] != 0 ? lanes.address[l + i] - base : 0;
      quad[i] = _mm_loadu_ps(reinterpret_cast<const float*>(host + offset));
    }
    _MM_TRANSPOSE4_PS(quad[0], quad[1], quad[2], quad[3]);
    for (unsigned i = 0; i < 4; ++i) _mm_store_ps(reinterpret_cast<float*>(rows[i].lane + l), quad[i]);
  }
}

// Bytes of all active lanes from one mapping.
template <unsigned kBytes>
void load_span(const Wave& w, const LaneAddresses& lanes, unsigned half, const std::byte* host, uint64_t base,
               Loaded<kBytes>* out) {
  const uint32_t* exec = w.exec_row(half);
  constexpr unsigned kDwords = Loaded<kBytes>::kDwords;
  if constexpr (kBytes == 4) {
    uint64_t apart = 0;
    for (unsigned l = 0; l < kLanes; ++l) apart |= exec[l] != 0 ? (lanes.address[l] - base) ^ (l * 4) : 0;
    if (apart == 0 && exec[kLanes - 1] != 0) {
      std::memcpy(out->rows[0].lane, host, sizeof(Row));
      return;
    }
  }
  if constexpr (kBytes == 16) return load_quads(lanes, exec, host, base, out->rows);
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint64_t offset = exec[l] != 0 ? lanes.address[l] - base : 0;
    uint32_t data[kDwords] = {};
    std::memcpy(data, host + offset, kBytes);
    for (unsigned i = 0; i < kDwords; ++i) out->rows[i].lane[l] = data[i];
  }
}

template <unsigned kBytes>
bool load_each(Wave& w, const Step& s, Space space, const LaneAddresses& lanes, unsigned half, Loaded<kBytes>* out) {
  const uint32_t* exec = w.exec_row(half);
  for (unsigned l = 0; l < kLanes; ++l) {
    if (exec[l] == 0) continue;
    uint32_t data[Loaded<kBytes>::kDwords] = {};
    if (!read_lane(w, s, space, lanes.address[l], half * kLanes + l, data, kBytes)) return false;
    for (unsigned i = 0; i < Loaded<kBytes>::kDwords; ++i) out->rows[i].lane[l] = data[i];
  }
  return true;
}

template <unsigned kBytes, Fill kFill>
void write_back(Wave& w, const Step& s, unsigned half, const Loaded<kBytes>& loaded) {
  if constexpr (kFill == Fill::kDwords) {
    for (unsigned i = 0; i < Loaded<kBytes>::kDwords; ++i) store_lanes(w, s.dst + i, half, loaded.rows[i].lane);
    return;
  }
  const uint32_t* old = w.vgpr(s.dst, half);
  Row out;
  for (unsigned l = 0; l < kLanes; ++l) {
    const uint32_t value = loaded.rows[0].lane[l];
    const uint32_t extended = static_cast<uint32_t>(sign_extend(value, kBytes * 8));
    switch (kFill) {
      case Fill::kZeroExtend:
        out.lane[l] = value;
        break;
      case Fill::kSignExtend:
        out.lane[l] = extended;
        break;
      case Fill::kLowHalf:
        out.lane[l] = (old[l] & 0xffff0000) | value;
        break;
      case Fill::kHighHalf:
        out.lane[l] = (old[l] & 0xffff) | value << 16;
        break;
      case Fill::kLowHalfSigned:
        out.lane[l] = (old[l] & 0xffff0000) | (extended & 0xffff);
        break;
      default:
        out.lane[l] = (old[l] & 0xffff) | extended << 16;
        break;
    }
  }
  store_lanes(w, s.dst, half, out.lane);
}

template <Space kSpace, unsigned kBytes, Fill kFill>
void run_load(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  Loaded<kBytes> loaded[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    if (static_cast<uint32_t>(w.exec() >> (h * kLanes)) == 0) continue;
    LaneAddresses lanes;
    compute_addresses(w, s, kSpace, h, &lanes);
    uint64_t base = 0;
    const bool plain = kSpace == Space::kGlobal || (kSpace == Space::kFlat && !any_in_aperture(w, s, lanes, h));
    const std::byte* host = plain ? translate_span(w, lanes, h, kBytes, Access::kRead, &base) : nullptr;
    if (host != nullptr)
      load_span<kBytes>(w, lanes, h, host, base, &loaded[h]);
    else if (!load_each<kBytes>(w, s, kSpace, lanes, h, &loaded[h]))
      return;
  }
  for (unsigned h = 0; h < w.halves; ++h) write_back<kBytes, kFill>(w, s, h, loaded[h]);
}

// src[1] is the data; `kHigh` stores take it from the high half of the dword.
template <Space kSpace, unsigned kBytes, bool kHigh = false>
void run_store(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  constexpr unsigned kDwords = (kBytes + 3) / 4;
  for (unsigned h = 0; h < w.halves; ++h) {
    if (static_cast<uint32_t>(w.exec() >> (h * kLanes)) == 0) continue;
    const uint32_t* exec = w.exec_row(h);
    LaneAddresses lanes;
    compute_addresses(w, s, kSpace, h, &lanes);
    uint64_t base = 0;
    const bool plain = kSpace == Space::kGlobal || (kSpace == Space::kFlat && !any_in_aperture(w, s, lanes, h));
    std::byte* host = plain ? translate_span(w, lanes, h, kBytes, Access::kWrite, &base) : nullptr;
    for (unsigned l = 0; l < kLanes; ++l) {
      if (exec[l] == 0) continue;
      uint32_t data[kDwords];
      for (unsigned i = 0; i < kDwords; ++i) data[i] = w.vgpr(s.src[1].index + i, h)[l] >> (kHigh ? 16 : 0);
      if (host != nullptr)
        std::memcpy(host + (lanes.address[l] - base), data, kBytes);
      else if (!write_lane(w, s, kSpace, lanes.address[l], h * kLanes + l, data, kBytes))
        return;
    }
  }
}

// Dword of lane l at base + 4 * l; the step has no VGPR address.
void addtid_addresses(const Wave& w, const Step& s, unsigned half, LaneAddresses* out) {
  const uint64_t base =
      ((s.extra & 2) != 0 ? read64(w, s.src[2]) : 0) + static_cast<uint64_t>(static_cast<int64_t>(s.imm));
  for (unsigned l = 0; l < kLanes; ++l) out->address[l] = base + (half * kLanes + l) * 4;
}
void run_load_addtid(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  for (unsigned h = 0; h < w.halves; ++h) {
    LaneAddresses lanes;
    Loaded<4> loaded;
    addtid_addresses(w, s, h, &lanes);
    if (!load_each<4>(w, s, Space::kGlobal, lanes, h, &loaded)) return;
    write_back<4, Fill::kDwords>(w, s, h, loaded);
  }
}
void run_store_addtid(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  for (unsigned h = 0; h < w.halves; ++h) {
    LaneAddresses lanes;
    addtid_addresses(w, s, h, &lanes);
    for (unsigned l = 0; l < kLanes; ++l) {
      const uint32_t* data = &w.vgpr(s.src[1].index, h)[l];
      if (w.exec_row(h)[l] != 0 && !write_lane(w, s, Space::kGlobal, lanes.address[l], h * kLanes + l, data, 4)) return;
    }
  }
}

#define BW_BIND_SPACE(prefix, space)                                              \
  t.bind(Op::prefix##_load_u8, run_load<space, 1, Fill::kZeroExtend>);            \
  t.bind(Op::prefix##_load_i8, run_load<space, 1, Fill::kSignExtend>);            \
  t.bind(Op::prefix##_load_u16, run_load<space, 2, Fill::kZeroExtend>);           \
  t.bind(Op::prefix##_load_i16, run_load<space, 2, Fill::kSignExtend>);           \
  t.bind(Op::prefix##_load_b32, run_load<space, 4, Fill::kDwords>);               \
  t.bind(Op::prefix##_load_b64, run_load<space, 8, Fill::kDwords>);               \
  t.bind(Op::prefix##_load_b96, run_load<space, 12, Fill::kDwords>);              \
  t.bind(Op::prefix##_load_b128, run_load<space, 16, Fill::kDwords>);             \
  t.bind(Op::prefix##_load_d16_u8, run_load<space, 1, Fill::kLowHalf>);           \
  t.bind(Op::prefix##_load_d16_i8, run_load<space, 1, Fill::kLowHalfSigned>);     \
  t.bind(Op::prefix##_load_d16_b16, run_load<space, 2, Fill::kLowHalf>);          \
  t.bind(Op::prefix##_load_d16_hi_u8, run_load<space, 1, Fill::kHighHalf>);       \
  t.bind(Op::prefix##_load_d16_hi_i8, run_load<space, 1, Fill::kHighHalfSigned>); \
  t.bind(Op::prefix##_load_d16_hi_b16, run_load<space, 2, Fill::kHighHalf>);      \
  t.bind(Op::prefix##_store_b8, run_store<space, 1>);                             \
  t.bind(Op::prefix##_store_b16, run_store<space, 2>);                            \
  t.bind(Op::prefix##_store_b32, run_store<space, 4>);                            \
  t.bind(Op::prefix##_store_b64, run_store<space, 8>);                            \
  t.bind(Op::prefix##_store_b96, run_store<space, 12>);                           \
  t.bind(Op::prefix##_store_b128, run_store<space, 16>);                          \
  t.bind(Op::prefix##_store_d16_hi_b8, run_store<space, 1, true>);                \
  t.bind(Op::prefix##_store_d16_hi_b16, run_store<space, 2, true>)

}  // namespace

void bind_vmem(HandlerTable& t) {
  BW_BIND_SPACE(global, Space::kGlobal);
  BW_BIND_SPACE(flat, Space::kFlat);
  BW_BIND_SPACE(scratch, Space::kScratch);
  t.bind(Op::global_load_addtid_b32, run_load_addtid);
  t.bind(Op::global_store_addtid_b32, run_store_addtid);
  // Caches hold nothing that memory does not: there is nothing to write back or to drop.
  for (Op op : {Op::buffer_gl0_inv, Op::buffer_gl1_inv}) t.bind(op, [](Wave&, const Step&) {});
}

}  // namespace bw::emulator
