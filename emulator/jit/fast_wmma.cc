// Owns: the matrix instructions on host vectors, in the order of additions of emulator/shader/wmma.cc. A product with a
// NaN in it goes to the interpreter's handler, whose payloads count, and so does what MODE makes special: floats are
// rounded to nearest here as MODE has it for f32 in nearly all waves.
#include <immintrin.h>

#include "emulator/jit/fast_handlers.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

constexpr unsigned kSize = 16;
constexpr unsigned kStep = 8;  // elements of a host vector
constexpr unsigned kRowsAtOnce = 4;

enum class Element : uint8_t { kF16, kBf16 };

struct alignas(64) Matrix {
  float row[kSize][kSize];
};

__m256i load8(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}
void store8(void* to, __m256i value) {
  _mm256_storeu_si256(static_cast<__m256i*>(to), value);
}

// The low halves of 8 dwords as floats.
template <Element kElement>
__m256 widen(__m256i dwords) {
  if constexpr (kElement == Element::kBf16) return _mm256_castsi256_ps(_mm256_slli_epi32(dwords, 16));
  const __m256i low = _mm256_and_si256(dwords, _mm256_set1_epi32(0xffff));
  const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(low, low), 0b1000);
  return _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
}

// The halves that 8 floats, none a NaN, round to, a dword each.
template <Element kElement>
__m256i narrow(__m256 value) {
  if constexpr (kElement == Element::kF16) {
    return _mm256_cvtepu16_epi32(_mm256_cvtps_ph(value, _MM_FROUND_CUR_DIRECTION));
  }
  const __m256i bits = _mm256_castps_si256(value);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  return _mm256_srli_epi32(rounded, 16);
}

// Row k: element k of each row of A, or column of B.
template <Element kElement>
void load_operand(Wave& w, const Source& source, Matrix* out) {
  const __m256 flip[2] = {_mm256_set1_ps(source.neg ? -0.0f : 0.0f), _mm256_set1_ps(source.neg_hi ? -0.0f : 0.0f)};
  for (unsigned k = 0; k < kSize; k += 2) {
    const uint32_t* in = w.vgpr(source.index + k / 2, 0);
    for (unsigned i = 0; i < kSize; i += kStep) {
      const __m256i dwords = load8(in + i);
      _mm256_store_ps(&out->row[k][i], _mm256_xor_ps(widen<kElement>(dwords), flip[0]));
      _mm256_store_ps(&out->row[k + 1][i], _mm256_xor_ps(widen<kElement>(_mm256_srli_epi32(dwords, 16)), flip[1]));
    }
  }
}

// 16 dwords: row m of C or D, as place_of() in wmma.cc has it.
uint32_t* accumulator_row(Wave& w, unsigned vgpr, unsigned m) {
  const unsigned rows_per_vgpr = w.lane_count() / kSize;
  const unsigned lane = m % rows_per_vgpr * kSize;
  return w.vgpr(vgpr + m / rows_per_vgpr, lane / kLanes) + lane % kLanes;
}

// Eight dwords of row m of C, from lane n on.
__m256i load_accumulator(Wave& w, const Source& source, unsigned m, unsigned n) {
  if (source.kind == SourceKind::kVgpr) return load8(accumulator_row(w, source.index, m) + n);
  return _mm256_set1_epi32(static_cast<int>(read32(w, source)));
}

__m256 with_signs(const Source& source, __m256 value) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  if (source.neg_hi) value = _mm256_andnot_ps(sign, value);
  return source.neg ? _mm256_xor_ps(sign, value) : value;
}

// Rows m and up of C, four at a time so that their chains of additions overlap. Gives what is all ones where a NaN is.
__m256 multiply_add(const Matrix& a, const Matrix& b, unsigned m, Matrix* c) {
  __m256 sum[kRowsAtOnce][2];
  for (unsigned i = 0; i < kRowsAtOnce; ++i) {
    for (unsigned n = 0; n < 2; ++n) sum[i][n] = _mm256_load_ps(&c->row[m + i][n * kStep]);
  }
  for (unsigned k = 0; k < kSize; ++k) {
    const __m256 column[2] = {_mm256_load_ps(&b.row[k][0]), _mm256_load_ps(&b.row[k][kStep])};
#pragma GCC unroll 4
    for (unsigned i = 0; i < kRowsAtOnce; ++i) {
      const __m256 factor = _mm256_broadcast_ss(&a.row[k][m + i]);
      for (unsigned n = 0; n < 2; ++n) sum[i][n] = _mm256_fmadd_ps(factor, column[n], sum[i][n]);
    }
  }
  __m256 nans = _mm256_setzero_ps();
  for (unsigned i = 0; i < kRowsAtOnce; ++i) {
    for (unsigned n = 0; n < 2; ++n) _mm256_store_ps(&c->row[m + i][n * kStep], sum[i][n]);
    nans = _mm256_or_ps(nans, _mm256_cmp_ps(sum[i][0], sum[i][1], _CMP_UNORD_Q));
  }
  return nans;
}

// C as floats before, the result after. False: there is a NaN in it.
template <Element kElement>
bool multiply(Wave& w, const Step& s, Matrix* c) {
  Matrix a, b;
  load_operand<kElement>(w, s.src[0], &a);
  load_operand<kElement>(w, s.src[1], &b);
  __m256 nans = _mm256_setzero_ps();
  for (unsigned m = 0; m < kSize; m += kRowsAtOnce) nans = _mm256_or_ps(nans, multiply_add(a, b, m, c));
  return _mm256_movemask_ps(nans) == 0;
}

template <Element kElement>
void run_to_f32(Wave& w, const Step& s) {
  if (w.mode.round32() != 0) return s.run(w, s);
  Matrix c;
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; n += kStep) {
      const __m256 value = _mm256_castsi256_ps(load_accumulator(w, s.src[2], m, n));
      _mm256_store_ps(&c.row[m][n], with_signs(s.src[2], value));
    }
  }
  if (!multiply<kElement>(w, s, &c)) return s.run(w, s);
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; n += kStep) store8(accumulator_row(w, s.dst, m) + n, load8(&c.row[m][n]));
  }
}

template <Element kElement>
void run_to_half(Wave& w, const Step& s) {
  if (w.mode.round32() != 0 || w.mode.fp16_ovfl()) return s.run(w, s);
  const int shift = s.src[2].op_sel ? 16 : 0;
  const int from = s.src[2].kind == SourceKind::kVgpr ? shift : 0;
  Matrix c;
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; n += kStep) {
      const __m256 value = widen<kElement>(_mm256_srli_epi32(load_accumulator(w, s.src[2], m, n), from));
      _mm256_store_ps(&c.row[m][n], with_signs(s.src[2], value));
    }
  }
  if (!multiply<kElement>(w, s, &c)) return s.run(w, s);
  const __m256i kept = _mm256_set1_epi32(s.src[2].op_sel ? 0x0000ffff : static_cast<int>(0xffff0000));
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; n += kStep) {
      uint32_t* out = accumulator_row(w, s.dst, m) + n;
      const __m256i half = _mm256_slli_epi32(narrow<kElement>(_mm256_load_ps(&c.row[m][n])), shift);
      store8(out, _mm256_or_si256(_mm256_and_si256(load8(out), kept), half));
    }
  }
}

// --- integers ---

// Elements 2 i and 2 i + 1 of each row of A, or column of B, as two 16-bit numbers.
struct alignas(64) Pairs {
  uint32_t row[kSize / 2][kSize];
};

template <unsigned kBits>
__m256i integer_at(__m256i dwords, unsigned bit, bool is_signed) {
  const __m256i left = _mm256_slli_epi32(dwords, static_cast<int>(32 - bit - kBits));
  return is_signed ? _mm256_srai_epi32(left, 32 - kBits) : _mm256_srli_epi32(left, 32 - kBits);
}

template <unsigned kBits>
void load_pairs(Wave& w, const Source& source, Pairs* out) {
  constexpr unsigned kPerDword = 32 / kBits;
  for (unsigned k = 0; k < kSize; k += 2) {
    const uint32_t* in = w.vgpr(source.index + k / kPerDword, 0);
    const unsigned bit = k % kPerDword * kBits;
    for (unsigned i = 0; i < kSize; i += kStep) {
      const __m256i even = integer_at<kBits>(load8(in + i), bit, source.neg);
      const __m256i odd = integer_at<kBits>(load8(in + i), bit + kBits, source.neg);
      store8(&out->row[k / 2][i], _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0b10101010));
    }
  }
}

__m256i add_saturating(__m256i x, __m256i y) {
  const __m256i sum = _mm256_add_epi32(x, y);
  const __m256i overflow = _mm256_andnot_si256(_mm256_xor_si256(x, y), _mm256_xor_si256(x, sum));
  const __m256i limit = _mm256_xor_si256(_mm256_srai_epi32(x, 31), _mm256_set1_epi32(0x7fffffff));
  return _mm256_castps_si256(
      _mm256_blendv_ps(_mm256_castsi256_ps(sum), _mm256_castsi256_ps(limit), _mm256_castsi256_ps(overflow)));
}

// The 16 products of an element add up without overflow; only the sum with C can have one.
template <unsigned kBits>
void run_to_i32(Wave& w, const Step& s) {
  Pairs a, b;
  load_pairs<kBits>(w, s.src[0], &a);
  load_pairs<kBits>(w, s.src[1], &b);
  uint32_t result[kSize][kSize];
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; n += kStep) {
      __m256i sum = _mm256_setzero_si256();
      for (unsigned k = 0; k < kSize / 2; ++k) {
        const __m256i factors = _mm256_set1_epi32(static_cast<int>(a.row[k][m]));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(factors, load8(&b.row[k][n])));
      }
      const __m256i c = load_accumulator(w, s.src[2], m, n);
      store8(&result[m][n], s.clamp ? add_saturating(c, sum) : _mm256_add_epi32(c, sum));
    }
  }
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; n += kStep) store8(accumulator_row(w, s.dst, m) + n, load8(&result[m][n]));
  }
}

}  // namespace

void add_wmma(FastHandlerTable& table) {
  const HandlerTable& h = handlers();
  table[h[Op::v_wmma_f32_16x16x16_f16]] = run_to_f32<Element::kF16>;
  table[h[Op::v_wmma_f32_16x16x16_bf16]] = run_to_f32<Element::kBf16>;
  table[h[Op::v_wmma_f16_16x16x16_f16]] = run_to_half<Element::kF16>;
  table[h[Op::v_wmma_bf16_16x16x16_bf16]] = run_to_half<Element::kBf16>;
  table[h[Op::v_wmma_i32_16x16x16_iu8]] = run_to_i32<8>;
  table[h[Op::v_wmma_i32_16x16x16_iu4]] = run_to_i32<4>;
}

}  // namespace bw::emulator::jit
