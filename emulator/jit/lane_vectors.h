// Owns: what loads and stores on host vectors have in common: rows of lanes as vectors, and the addresses of lanes.
// Everything here is for files that are built for x86-64-v3.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "emulator/shader/wave.h"

namespace bw::emulator::jit {

enum class Space : uint8_t { kGlobal, kFlat, kLds };

inline constexpr unsigned kStep = 8;                   // lanes of a host vector
inline constexpr uint32_t kMaxSpan = (1u << 31) - 64;  // gathers take signed offsets
inline constexpr uint32_t kHasSgpr = 2;                // in Step::extra, as resolve.cc sets it
static_assert(kLanes % kStep == 0);
// High dwords of the addresses that FLAT takes for LDS and scratch memory.
inline constexpr uint32_t kSharedHigh = kSharedApertureHi << 16;
inline constexpr uint32_t kPrivateHigh = kPrivateApertureHi << 16;

inline __m256i load8(const uint32_t* row) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(row));
}
inline void store8(uint32_t* row, __m256i value) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(row), value);
}

template <class F>
uint32_t reduce(__m256i value, F combine) {
  __m128i r = combine(_mm256_castsi256_si128(value), _mm256_extracti128_si256(value, 1));
  r = combine(r, _mm_shuffle_epi32(r, 0b01001110));
  r = combine(r, _mm_shuffle_epi32(r, 0b10110001));
  return static_cast<uint32_t>(_mm_cvtsi128_si32(r));
}

// Offsets relative to the lowest, from `row`, for lanes in `exec` (of which `first` is one); those of the others are as
// that of `first`. False: too far apart.
inline bool relative_offsets(const uint32_t* row, const uint32_t* exec, unsigned first, uint32_t* offset,
                             uint32_t* lowest, uint32_t* size_bytes) {
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
  for (unsigned l = 0; l < kLanes; l += kStep) store8(offset + l, _mm256_sub_epi32(values[l / kStep], base));
  *size_bytes = most - least;
  *lowest = least;
  return true;
}

inline bool is_uniform(const uint32_t* row, const uint32_t* exec, uint32_t value) {
  const __m256i want = _mm256_set1_epi32(static_cast<int>(value));
  __m256i differs = _mm256_setzero_si256();
  for (unsigned l = 0; l < kLanes; l += kStep) {
    const __m256i apart = _mm256_xor_si256(load8(row + l), want);
    differs = _mm256_or_si256(differs, _mm256_and_si256(apart, load8(exec + l)));
  }
  return _mm256_testz_si256(differs, differs) != 0;
}

// Whether these are 0, 4, 8 and so on.
inline bool are_dwords_in_order(const uint32_t* offset) {
  const __m256i ramp = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
  __m256i differs = _mm256_setzero_si256();
  for (unsigned l = 0; l < kLanes; l += kStep) {
    const __m256i want = _mm256_add_epi32(ramp, _mm256_set1_epi32(static_cast<int>(l * 4)));
    differs = _mm256_or_si256(differs, _mm256_xor_si256(load8(offset + l), want));
  }
  return _mm256_testz_si256(differs, differs) != 0;
}

inline void blend_into(uint32_t* row, const uint32_t* exec, unsigned lane, __m256i value) {
  store8(row + lane, _mm256_blendv_epi8(load8(row + lane), value, load8(exec + lane)));
}

// Rows 0 to 3 of eight lanes from four vectors, each with the four dwords of lane i and of lane i + 4; or the other way
// round: it is its own inverse.
inline void transpose_quads(__m256 q[4]) {
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

}  // namespace bw::emulator::jit
