// Owns: memory instructions for the common case - all active lanes in one mapping, within 2 GiB of each other, or in
// LDS - on host vectors. Everything else, faults included, goes to the interpreter's handler.
#include "emulator/jit/fast_handlers.h"

#include <immintrin.h>

#include <bit>
#include <cstring>

#include "emulator/memory/client_access.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

enum class Space : uint8_t { kGlobal, kFlat, kLds };

constexpr unsigned kStep = 8;                   // lanes of a host vector
constexpr uint32_t kMaxSpan = (1u << 31) - 64;  // gathers take signed offsets
constexpr uint32_t kHasSgpr = 2;                // in Step::extra, as resolve.cc sets it
static_assert(kLanes % kStep == 0);
// High dwords of the addresses that FLAT takes for LDS and scratch memory.
constexpr uint32_t kSharedHigh = kSharedApertureHi << 16;
constexpr uint32_t kPrivateHigh = kPrivateApertureHi << 16;

__m256i load8(const uint32_t* row) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
}
void store8(uint32_t* row, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(row), value);
}

// The bytes of the active lanes: host + offset[l]. Lanes that are not active have the offset of one that is.
struct Span {
  std::byte* host;
  uint32_t size_bytes;  // from the lowest offset, 0, to the highest
  alignas(32) uint32_t offset[kLanes];
};

template <class F>
uint32_t reduce(__m256i value, F combine) {
  __m128i r = combine(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
  r = combine(r, _mm_shuffle_epi32(r, 0b01001110));
  r = combine(r, _mm_shuffle_epi32(r, 0b10110001));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(r));
}

// Offsets relative to the lowest, from `row`, for lanes in `exec` (not 0). False: too far apart.
inline bool relative_offsets(const uint32_t* row, const uint32_t* exec, unsigned first, Span* span, uint32_t* lowest) {
  const __m256i filler = _mm256_set1_epi32(static_cast<int>(row[first]));
  __m256i low = filler, high = filler;
  __m256i values[kLanes / kStep];
  for (unsigned l = 0; l < kLanes; l += kStep) {
    const __m256i value = _mm256_blendv_epi8(filler, load8(row + l), load8(exec + l));
    low = _mm256_min_epu32(low, value);
    high = _mm256_max_epu32(high, value);
    values[l / kStep] = value;
  }
  const uint32_t least = reduce(low, [](__m128i a, __m128i b) { return _mm_min_epu32(a, b); });
  const uint32_t most = reduce(high, [](__m128i a, __m128i b) { return _mm_max_epu32(a, b); });
  if (most - least > kMaxSpan) return false;
  const __m256i base = _mm256_set1_epi32(static_cast<int>(least));
  for (unsigned l = 0; l < kLanes; l += kStep) store8(span->offset + l, _mm256_sub_epi32(values[l / kStep], base));
  span->size_bytes = most - least;
  *lowest = least;
  return true;
}

bool is_uniform(const uint32_t* row, const uint32_t* exec, uint32_t value) {
  const __m256i want = _mm256_set1_epi32(static_cast<int>(value));
  __m256i differs = _mm256_setzero_si256();
  for (unsigned l = 0; l < kLanes; l += kStep) {
    const __m256i apart = _mm256_xor_si256(load8(row + l), want);
    differs = _mm256_or_si256(differs, _mm256_and_si256(apart, load8(exec + l)));
  }
  return _mm256_testz_si256(differs, differs) != 0;
}

// False: not the common case. `active` (not 0) are the active lanes of the half.
template <Space kSpace>
bool find_span(Wave& w, const Step& s, unsigned half, uint32_t active, uint32_t bytes, uint32_t lds_offset,
               Access access, Span* span) {
  const uint32_t* row = w.vgpr(s.src[0].index, half);
  const uint32_t* exec = w.exec_row(half);
  const unsigned first = static_cast<unsigned>(std::countr_zero(active));
  uint32_t lowest = 0;
  if (!relative_offsets(row, exec, first, span, &lowest)) return false;
  if constexpr (kSpace == Space::kLds) {
    const uint64_t begin = static_cast<uint64_t>(lowest) + lds_offset;
    if (begin + span->size_bytes + bytes > w.group->lds_bytes) return false;
    span->host = w.group->lds.data() + begin;
    return true;
  }
  uint64_t base = static_cast<uint64_t>(static_cast<int64_t>(s.imm)) + lowest;
  if ((s.extra & kHasSgpr) != 0) {
    base += read64(w, s.src[2]);
  } else {
    const uint32_t* high = w.vgpr(s.src[0].index + 1u, half);
    if (!is_uniform(high, exec, high[first])) return false;
    if (kSpace == Space::kFlat && (high[first] == kSharedHigh || high[first] == kPrivateHigh)) return false;
    base += static_cast<uint64_t>(high[first]) << 32;
  }
  span->host = w.group->tlb->translate(base, span->size_bytes + bytes, access);
  return span->host != nullptr;
}

// Whether the lanes' dwords lie side by side, in order.
bool is_contiguous(const Span& span, uint32_t active) {
  if (active != ~0u || span.size_bytes != (kLanes - 1) * 4) return false;
  const __m256i ramp = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  __m256i differs = _mm256_setzero_si256();
  for (unsigned l = 0; l < kLanes; l += kStep) {
    const __m256i want = _mm256_add_epi32(ramp, _mm256_set1_epi32(static_cast<int>(l * 4)));
    differs = _mm256_or_si256(differs, _mm256_xor_si256(load8(span.offset + l), want));
  }
  return _mm256_testz_si256(differs, differs) != 0;
}

void blend_into(uint32_t* row, const uint32_t* exec, unsigned lane, __m256i value) {
  store8(row + lane, _mm256_blendv_epi8(load8(row + lane), value, load8(exec + lane)));
}

// One dword of each lane, `at` bytes behind its address.
void gather_dwords(const Span& span, unsigned at, uint32_t* row) {
  for (unsigned l = 0; l < kLanes; l += kStep) {
    store8(row + l, _mm256_i32gather_epi32(reinterpret_cast<const int*>(span.host + at), load8(span.offset + l), 1));
  }
}

// Rows 0 to 3 of eight lanes from four vectors, each with the four dwords of lane i and of lane i + 4; or the other way
// round: it is its own inverse.
void transpose_quads(__m256 q[4]) {
  const __m256 a = _mm256_unpacklo_ps(q[0], q[1]), b = _mm256_unpackhi_ps(q[0], q[1]);
  const __m256 c = _mm256_unpacklo_ps(q[2], q[3]), d = _mm256_unpackhi_ps(q[2], q[3]);
  const auto low = [](__m256 x, __m256 y) {
    return _mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(x), _mm256_castps_pd(y)));
  };
  const auto high = [](__m256 x, __m256 y) {
    return _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(x), _mm256_castps_pd(y)));
  };
  q[0] = low(a, c);
  q[1] = high(a, c);
  q[2] = low(b, d);
  q[3] = high(b, d);
}

// Four dwords of each lane to four rows, eight lanes at a time.
void load_quads(const Span& span, uint32_t* const* rows) {
  const auto quad = [&](unsigned lane) {
    return _mm_loadu_ps(reinterpret_cast<const float*>(span.host + span.offset[lane]));
  };
  for (unsigned l = 0; l < kLanes; l += kStep) {
    __m256 q[4];
    for (unsigned i = 0; i < 4; ++i)
      q[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(quad(l + i)), quad(l + i + 4), 1);
    transpose_quads(q);
    for (unsigned i = 0; i < 4; ++i) _mm256_storeu_ps(reinterpret_cast<float*>(rows[i] + l), q[i]);
  }
}

// Four rows to four dwords of each lane, all of which are active.
void store_quads(const Span& span, const uint32_t* const* rows) {
  const auto put = [&](unsigned lane, __m128 value) {
    _mm_storeu_ps(reinterpret_cast<float*>(span.host + span.offset[lane]), value);
  };
  for (unsigned l = 0; l < kLanes; l += kStep) {
    __m256 q[4];
    for (unsigned i = 0; i < 4; ++i) q[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(rows[i] + l));
    transpose_quads(q);
    // In the order of the lanes: of two that write the same bytes the last one stays.
    for (unsigned i = 0; i < 4; ++i) put(l + i, _mm256_castps256_ps128(q[i]));
    for (unsigned i = 0; i < 4; ++i) put(l + 4 + i, _mm256_extractf128_ps(q[i], 1));
  }
}

template <unsigned kBytes>
void load_rows(const Span& span, uint32_t active, uint32_t* const* rows) {
  if constexpr (kBytes == 4) {
    if (is_contiguous(span, active)) {
      std::memcpy(rows[0], span.host, sizeof(Row));
    } else {
      gather_dwords(span, 0, rows[0]);
    }
  } else if constexpr (kBytes == 16) {
    load_quads(span, rows);
  } else {
    for (unsigned i = 0; i < kBytes / 4; ++i) gather_dwords(span, i * 4, rows[i]);
  }
}

// To the registers of one half.
template <unsigned kBytes>
void load_half(Wave& w, const Step& s, unsigned half, uint32_t active, const Span& span) {
  constexpr unsigned kDwords = kBytes / 4;
  uint32_t* registers[kDwords];
  for (unsigned i = 0; i < kDwords; ++i) registers[i] = w.vgpr(s.dst + i, half);
  if (active == ~0u) return load_rows<kBytes>(span, active, registers);
  Row loaded[kDwords];
  uint32_t* rows[kDwords];
  for (unsigned i = 0; i < kDwords; ++i) rows[i] = loaded[i].lane;
  load_rows<kBytes>(span, active, rows);
  for (unsigned i = 0; i < kDwords; ++i) {
    for (unsigned l = 0; l < kLanes; l += kStep) blend_into(registers[i], w.exec_row(half), l, load8(rows[i] + l));
  }
}

// Both halves are found before either is loaded, so that the handler can start over, and since the registers loaded may
// be those of the addresses.
template <Space kSpace, unsigned kBytes>
void run_load(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  Span spans[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active == 0) continue;
    if (!find_span<kSpace>(w, s, h, active, kBytes, static_cast<uint32_t>(s.imm), Access::kRead, &spans[h]))
      return s.run(w, s);
  }
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active != 0) load_half<kBytes>(w, s, h, active, spans[h]);
  }
}

// Bytes and halves, extended to a dword.
template <Space kSpace, class Value>
void run_small_load(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  Row rows[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active == 0) continue;
    Span span;
    if (!find_span<kSpace>(w, s, h, active, sizeof(Value), static_cast<uint32_t>(s.imm), Access::kRead, &span))
      return s.run(w, s);
    for (unsigned l = 0; l < kLanes; ++l) {
      Value value;
      std::memcpy(&value, span.host + span.offset[l], sizeof value);
      rows[h].lane[l] = static_cast<uint32_t>(static_cast<int32_t>(value));
    }
  }
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active == 0) continue;
    for (unsigned l = 0; l < kLanes; l += kStep)
      blend_into(w.vgpr(s.dst, h), w.exec_row(h), l, load8(rows[h].lane + l));
  }
}

template <Space kSpace, unsigned kBytes>
void store_half(Wave& w, const Step& s, unsigned half, uint32_t active, const Span& span) {
  constexpr unsigned kDwords = (kBytes + 3) / 4;
  const uint32_t* rows[kDwords];
  for (unsigned i = 0; i < kDwords; ++i) rows[i] = w.vgpr(s.src[1].index + i, half);
  if (kBytes == 4 && is_contiguous(span, active)) {
    std::memcpy(span.host, rows[0], sizeof(Row));
    return;
  }
  if constexpr (kBytes == 16) {
    if (active == ~0u) return store_quads(span, rows);
  }
  for (uint32_t left = active; left != 0; left &= left - 1) {
    const unsigned l = static_cast<unsigned>(std::countr_zero(left));
    uint32_t data[kDwords];
    for (unsigned i = 0; i < kDwords; ++i) data[i] = rows[i][l];
    std::memcpy(span.host + span.offset[l], data, kBytes);
  }
}

// Both halves are found before either is written, so that the handler can start over.
template <Space kSpace, unsigned kBytes>
void run_store(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  Span spans[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active == 0) continue;
    if (!find_span<kSpace>(w, s, h, active, kBytes, static_cast<uint32_t>(s.imm), Access::kWrite, &spans[h]))
      return s.run(w, s);
  }
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active != 0) store_half<kSpace, kBytes>(w, s, h, active, spans[h]);
  }
}

#define BW_ADD_SPACE(prefix, space)                                  \
  table[h[Op::prefix##_load_b32]] = run_load<space, 4>;              \
  table[h[Op::prefix##_load_b64]] = run_load<space, 8>;              \
  table[h[Op::prefix##_load_b96]] = run_load<space, 12>;             \
  table[h[Op::prefix##_load_b128]] = run_load<space, 16>;            \
  table[h[Op::prefix##_load_u8]] = run_small_load<space, uint8_t>;   \
  table[h[Op::prefix##_load_i8]] = run_small_load<space, int8_t>;    \
  table[h[Op::prefix##_load_u16]] = run_small_load<space, uint16_t>; \
  table[h[Op::prefix##_load_i16]] = run_small_load<space, int16_t>;  \
  table[h[Op::prefix##_store_b8]] = run_store<space, 1>;             \
  table[h[Op::prefix##_store_b16]] = run_store<space, 2>;            \
  table[h[Op::prefix##_store_b32]] = run_store<space, 4>;            \
  table[h[Op::prefix##_store_b64]] = run_store<space, 8>;            \
  table[h[Op::prefix##_store_b128]] = run_store<space, 16>

}  // namespace

void add_memory(FastHandlerTable& table) {
  const HandlerTable& h = handlers();
  BW_ADD_SPACE(global, Space::kGlobal);
  BW_ADD_SPACE(flat, Space::kFlat);
  table[h[Op::ds_load_b32]] = run_load<Space::kLds, 4>;
  table[h[Op::ds_load_b64]] = run_load<Space::kLds, 8>;
  table[h[Op::ds_load_b128]] = run_load<Space::kLds, 16>;
  table[h[Op::ds_load_u16]] = run_small_load<Space::kLds, uint16_t>;
  table[h[Op::ds_store_b16]] = run_store<Space::kLds, 2>;
  table[h[Op::ds_store_b32]] = run_store<Space::kLds, 4>;
  table[h[Op::ds_store_b64]] = run_store<Space::kLds, 8>;
  table[h[Op::ds_store_b128]] = run_store<Space::kLds, 16>;
}

}  // namespace bw::emulator::jit
