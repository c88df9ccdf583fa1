#include "emulator/jit/fast_loads.h"

#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "emulator/jit/lane_vectors.h"
#include "emulator/memory/client_access.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

constexpr unsigned kShortestPeriod = 8;

// Whether the second half of the first 2 * `period` lanes, and so on, is as the first.
bool repeats_after(const uint32_t* offset, unsigned period) {
  __m256i differs = _mm256_setzero_si256();
  for (unsigned l = period; l < kLanes; l += kStep) {
    differs = _mm256_or_si256(differs, _mm256_xor_si256(load8(offset + l), load8(offset + l - period)));
  }
  return _mm256_testz_si256(differs, differs) != 0;
}

// Lanes relative to the lowest, and what they have in common. `row` is the register, `exec` not all zero.
void find_half(const uint32_t* row, const uint32_t* exec, HalfOffsets* out) {
  const unsigned first = static_cast<unsigned>(std::countr_zero(out->active));
  out->is_usable = relative_offsets(row, exec, first, out->offset, &out->lowest, &out->size_bytes);
  if (!out->is_usable) return;
  out->is_row = out->active == ~0u && out->size_bytes == (kLanes - 1) * 4 && are_dwords_in_order(out->offset);
  out->period = kLanes;
  if (out->is_row || !repeats_after(out->offset, 2 * kShortestPeriod)) return;
  out->period = repeats_after(out->offset, kShortestPeriod) ? kShortestPeriod : 2 * kShortestPeriod;
}

[[gnu::noinline]] void find_offsets(Wave& w, const Step& s, bool is_pair, LaneOffsets* out) {
  w.sync_exec();
  out->exec = w.exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    HalfOffsets& half = out->half[h];
    half.active = static_cast<uint32_t>(out->exec >> (h * kLanes));
    if (half.active == 0) continue;
    find_half(w.vgpr(s.src[0].index, h), w.exec_row(h), &half);
    if (!is_pair || !half.is_usable) continue;
    const uint32_t* high = w.vgpr(s.src[0].index + 1u, h);
    half.high = high[std::countr_zero(half.active)];
    half.is_usable = is_uniform(high, w.exec_row(h), half.high);
  }
}

// Of the lowest address; nullptr if not all lanes have `size_bytes` in one piece of memory.
template <Space kSpace>
const std::byte* find_host(Wave& w, const Step& s, const HalfOffsets& half, uint32_t lds_offset, uint32_t size_bytes) {
  if (!half.is_usable) return nullptr;
  if constexpr (kSpace == Space::kLds) {
    const uint64_t begin = static_cast<uint64_t>(half.lowest) + lds_offset;
    return begin + half.size_bytes + size_bytes > w.group->lds_bytes ? nullptr : w.group->lds.data() + begin;
  }
  uint64_t base = static_cast<uint64_t>(static_cast<int64_t>(s.imm)) + half.lowest;
  if ((s.extra & kHasSgpr) != 0) {
    base += read64(w, s.src[2]);
  } else {
    if (kSpace == Space::kFlat && (half.high == kSharedHigh || half.high == kPrivateHigh)) return nullptr;
    base += static_cast<uint64_t>(half.high) << 32;
  }
  return w.group->tlb->translate(base, half.size_bytes + size_bytes, Access::kRead);
}

// One dword of each of the first `count` lanes.
void gather_dwords(const std::byte* host, const HalfOffsets& half, unsigned count, uint32_t* row) {
  for (unsigned l = 0; l < count; l += kStep) {
    store8(row + l, _mm256_i32gather_epi32(reinterpret_cast<const int*>(host), load8(half.offset + l), 1));
  }
}

// Four dwords of each lane to four rows, eight lanes at a time; what repeats after kPeriod lanes is loaded once.
template <unsigned kPeriod>
void load_quads(const std::byte* host, const HalfOffsets& half, uint32_t* const* rows) {
  const auto quad = [&](unsigned lane) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(host + half.offset[lane]));
  };
  for (unsigned l = 0; l < kPeriod; l += kStep) {
    __m256 q[4];
    for (unsigned i = 0; i < 4; ++i)
      q[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(quad(l + i)), quad(l + i + 4), 1);
    transpose_quads(q);
    for (unsigned i = 0; i < 4; ++i) {
      for (unsigned to = l; to < kLanes; to += kPeriod) _mm256_storeu_ps(reinterpret_cast<float*>(rows[i] + to), q[i]);
    }
  }
}

void repeat(uint32_t* row, unsigned period) {
  for (unsigned l = period; l < kLanes; l += kStep) store8(row + l, load8(row + l - period));
}

template <unsigned kBytes>
void load_rows(const std::byte* host, const HalfOffsets& half, uint32_t* const* rows) {
  constexpr unsigned kDwords = kBytes / 4;
  if (kBytes == 4 && half.is_row) {
    std::memcpy(rows[0], host, sizeof(Row));
    return;
  }
  if constexpr (kBytes == 16) {
    if (half.period == kShortestPeriod) return load_quads<kShortestPeriod>(host, half, rows);
    if (half.period == 2 * kShortestPeriod) return load_quads<2 * kShortestPeriod>(host, half, rows);
    return load_quads<kLanes>(host, half, rows);
  }
  for (unsigned i = 0; i < kDwords; ++i) gather_dwords(host + i * 4, half, half.period, rows[i]);
  for (unsigned i = 0; i < kDwords; ++i) repeat(rows[i], half.period);
}

// `kDwords` rows to the registers of one half from `vgpr` on, where EXEC is set: F(rows) makes them.
template <unsigned kDwords, class F>
void put_rows(Wave& w, unsigned vgpr, unsigned half, uint32_t active, F make) {
  uint32_t* registers[kDwords];
  for (unsigned i = 0; i < kDwords; ++i) registers[i] = w.vgpr(vgpr + i, half);
  if (active == ~0u) return make(registers);
  Row made[kDwords] = {};
  uint32_t* rows[kDwords];
  for (unsigned i = 0; i < kDwords; ++i) rows[i] = made[i].lane;
  make(rows);
  for (unsigned i = 0; i < kDwords; ++i) {
    for (unsigned l = 0; l < kLanes; l += kStep) blend_into(registers[i], w.exec_row(half), l, load8(rows[i] + l));
  }
}

// What all loads have in common: both halves are found before either is loaded, so that the handler can start over.
// F(half, host) loads one; `lds_offset`, `size_bytes`: what all its accesses lie within.
template <Space kSpace, class F>
void load_halves(Wave& w, const Step& s, LaneOffsets* offsets, bool is_known, uint32_t lds_offset, uint32_t size_bytes,
                 F load) {
  if (!is_known || offsets->exec != w.exec()) {
    find_offsets(w, s, kSpace != Space::kLds && (s.extra & kHasSgpr) == 0, offsets);
  }
  w.sync_exec();
  const std::byte* hosts[2] = {};
  for (unsigned h = 0; h < w.halves; ++h) {
    if (offsets->half[h].active == 0) continue;
    hosts[h] = find_host<kSpace>(w, s, offsets->half[h], lds_offset, size_bytes);
    if (hosts[h] == nullptr) return s.run(w, s);
  }
  const ClientAccess client;
  for (unsigned h = 0; h < w.halves; ++h) {
    if (offsets->half[h].active != 0) load(h, hosts[h]);
  }
}

template <Space kSpace, unsigned kBytes>
void run_load(Wave& w, const Step& s, LaneOffsets* offsets, bool is_known) {
  load_halves<kSpace>(w, s, offsets, is_known, static_cast<uint32_t>(s.imm), kBytes,
                      [&](unsigned h, const std::byte* host) {
                        const HalfOffsets& half = offsets->half[h];
                        put_rows<kBytes / 4>(w, s.dst, h, half.active,
                                             [&](uint32_t* const* rows) { load_rows<kBytes>(host, half, rows); });
                      });
}

// Bytes and halves, extended to a dword.
template <Space kSpace, class Value>
void run_small_load(Wave& w, const Step& s, LaneOffsets* offsets, bool is_known) {
  load_halves<kSpace>(w, s, offsets, is_known, static_cast<uint32_t>(s.imm), sizeof(Value),
                      [&](unsigned h, const std::byte* host) {
                        const HalfOffsets& half = offsets->half[h];
                        put_rows<1>(w, s.dst, h, half.active, [&](uint32_t* const* rows) {
                          for (unsigned l = 0; l < half.period; ++l) {
                            Value value;
                            std::memcpy(&value, host + half.offset[l], sizeof value);
                            rows[0][l] = static_cast<uint32_t>(static_cast<int32_t>(value));
                          }
                          repeat(rows[0], half.period);
                        });
                      });
}

// LDS at two addresses, each an offset in units of kBytes * kStride.
template <unsigned kBytes, unsigned kStride>
void run_load2(Wave& w, const Step& s, LaneOffsets* offsets, bool is_known) {
  constexpr unsigned kDwords = kBytes / 4;
  const uint32_t first = s.offset0 * kBytes * kStride, second = s.offset1 * kBytes * kStride;
  const uint32_t low = std::min(first, second), high = std::max(first, second);
  load_halves<Space::kLds>(w, s, offsets, is_known, low, high - low + kBytes, [&](unsigned h, const std::byte* host) {
    const HalfOffsets& half = offsets->half[h];
    put_rows<2 * kDwords>(w, s.dst, h, half.active, [&](uint32_t* const* rows) {
      load_rows<kBytes>(host + (first - low), half, rows);
      load_rows<kBytes>(host + (second - low), half, rows + kDwords);
    });
  });
}

struct Load {
  LoadHandler run = nullptr;
  unsigned registers = 1;
  bool is_lds = false;
};
using LoadTable = std::unordered_map<Handler, Load>;

#define BW_ADD_SPACE(prefix, space)                                       \
  table[h[Op::prefix##_load_b32]] = {run_load<space, 4>, 1};              \
  table[h[Op::prefix##_load_b64]] = {run_load<space, 8>, 2};              \
  table[h[Op::prefix##_load_b96]] = {run_load<space, 12>, 3};             \
  table[h[Op::prefix##_load_b128]] = {run_load<space, 16>, 4};            \
  table[h[Op::prefix##_load_u8]] = {run_small_load<space, uint8_t>, 1};   \
  table[h[Op::prefix##_load_i8]] = {run_small_load<space, int8_t>, 1};    \
  table[h[Op::prefix##_load_u16]] = {run_small_load<space, uint16_t>, 1}; \
  table[h[Op::prefix##_load_i16]] = {run_small_load<space, int16_t>, 1}

LoadTable make_table() {
  LoadTable table;
  const HandlerTable& h = handlers();
  BW_ADD_SPACE(global, Space::kGlobal);
  BW_ADD_SPACE(flat, Space::kFlat);
  table[h[Op::ds_load_b32]] = {run_load<Space::kLds, 4>, 1, true};
  table[h[Op::ds_load_b64]] = {run_load<Space::kLds, 8>, 2, true};
  table[h[Op::ds_load_b128]] = {run_load<Space::kLds, 16>, 4, true};
  table[h[Op::ds_load_u16]] = {run_small_load<Space::kLds, uint16_t>, 1, true};
  table[h[Op::ds_load_2addr_b32]] = {run_load2<4, 1>, 2, true};
  table[h[Op::ds_load_2addr_stride64_b32]] = {run_load2<4, 64>, 2, true};
  table[h[Op::ds_load_2addr_b64]] = {run_load2<8, 1>, 4, true};
  table[h[Op::ds_load_2addr_stride64_b64]] = {run_load2<8, 64>, 4, true};
  table.erase(nullptr);
  return table;
}

const Load* find_load(Handler handler) {
  static const LoadTable table = make_table();
  const auto it = table.find(handler);
  return it == table.end() ? nullptr : &it->second;
}

}  // namespace

LoadHandler fast_load_of(Handler handler) {
  const Load* load = find_load(handler);
  return load == nullptr ? nullptr : load->run;
}

unsigned loaded_registers(const Step& step) {
  return find_load(step.run)->registers;
}

bool has_address_pair(const Step& step) {
  return !find_load(step.run)->is_lds && (step.extra & kHasSgpr) == 0;
}

}  // namespace bw::emulator::jit
