#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

// Output modifiers: 0 none, 1 times 2, 2 times 4, 3 half. IEEE mode and denormal results switch them off; zeros lose
// their sign, results that become too small keep it. Source: RDNA3 ISA guide, "Output Operand Modifiers"; captures of
// gfx1100 in ROCm/rocm-systems, emulation/rocjitsu, tests of arithmetic modes (also for f16, where the result is
// rounded before it is scaled).
constexpr float kOmodFactor[4] = {1.0f, 2.0f, 4.0f, 0.5f};

template <class T>
T clamped(T value, bool dx10_clamp) {
  if (value != value) return dx10_clamp ? T{0} : value;
  return value > T{0} ? (value < T{1} ? value : T{1}) : T{0};
}

template <class T>
void apply_output(T* values, const Mode& mode, bool flushes, uint8_t omod, bool clamp) {
  const bool scales = omod != 0 && flushes && !mode.ieee();
  for (unsigned l = 0; l < kLanes; ++l) {
    T value = values[l];
    if (scales && value == value) value = value == 0 ? T{0} : flush(value * static_cast<T>(kOmodFactor[omod]));
    values[l] = clamp ? clamped(value, mode.dx10_clamp()) : value;
  }
}

// Denormal results are those that are too small after rounding to 11 bits, whatever the exponent: a value that only
// the coarser steps of denormals round up to the smallest normal number is flushed too.
uint16_t flushed_half(uint16_t bits, float value) {
  constexpr uint16_t kSmallestNormal = 0x0400;
  if ((bits & kHalfMagnitude) > kSmallestNormal) return bits;
  constexpr float kUp = 0x1p20f;
  constexpr uint16_t kSmallestNormalUp = 20u << 10 | kSmallestNormal;
  const bool is_normal =
      std::fabs(value) >= 0x1p-14f || (float_to_half(value * kUp) & kHalfMagnitude) >= kSmallestNormalUp;
  return is_normal ? bits : bits & kHalfSign;
}

}  // namespace

void apply_output_f32(float* values, const Mode& mode, uint8_t omod, bool clamp, bool flushes) {
  apply_output(values, mode, flushes, omod, clamp);
}

void apply_output_f64(double* values, const Mode& mode, uint8_t omod, bool clamp) {
  apply_output(values, mode, mode.flush_output64(), omod, clamp);
}

uint16_t apply_output_f16(uint16_t bits, const Mode& mode, uint8_t omod, bool clamp) {
  const bool scales = omod != 0 && mode.flush_output64() && !mode.ieee();
  if (scales && !half_is_nan(bits)) {
    const float value = half_to_float(bits);
    bits = value == 0 ? uint16_t{0} : half_result(mode, value * kOmodFactor[omod]);
  }
  return clamp ? float_to_half(clamped(half_to_float(bits), mode.dx10_clamp())) : bits;
}

uint16_t half_result(const Mode& mode, float value) {
  uint16_t bits = float_to_half(value);
  if (mode.flush_output64()) bits = flushed_half(bits, value);
  return mode.fp16_ovfl() ? cut_overflow(bits, value) : bits;
}

void halves_to_floats(const uint32_t* in, float* out, bool flush_denormals) {
  const __m256i low_words = _mm256_set1_epi32(0xffff);
  for (unsigned l = 0; l < kLanes; l += 8) {
    const __m256i dwords = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + l)), low_words);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(dwords, dwords), 0b1000);
    const __m256 values = _mm256_cvtph_ps(_mm256_castsi256_si128(packed));
    _mm256_store_ps(out + l, values);
    if (_mm256_movemask_ps(_mm256_cmp_ps(values, values, _CMP_UNORD_Q)) == 0) [[likely]]
      continue;
    for (unsigned i = l; i < l + 8; ++i) {
      if (half_is_nan(static_cast<uint16_t>(in[i]))) out[i] = widen_half_nan(static_cast<uint16_t>(in[i]));
    }
  }
  if (!flush_denormals) return;
  constexpr float kSmallestNormalHalf = 0x1p-14f;
  for (unsigned l = 0; l < kLanes; ++l) {
    if (std::fabs(out[l]) < kSmallestNormalHalf) out[l] = std::copysign(0.0f, out[l]);
  }
}

void store_halves(Wave& w, const Step& s, unsigned h, const float* values) {
  alignas(64) uint16_t bits[kLanes];
  for (unsigned l = 0; l < kLanes; l += 8) {
    const __m256 eight = _mm256_load_ps(values + l);
    _mm_store_si128(reinterpret_cast<__m128i*>(bits + l), _mm256_cvtps_ph(eight, _MM_FROUND_CUR_DIRECTION));
    if (_mm256_movemask_ps(_mm256_cmp_ps(eight, eight, _CMP_UNORD_Q)) == 0) [[likely]]
      continue;
    for (unsigned i = l; i < l + 8; ++i) bits[i] = float_to_half(values[i]);
  }
  if (w.mode.flush_output64() || w.mode.fp16_ovfl()) {
    for (unsigned l = 0; l < kLanes; ++l) bits[l] = half_result(w.mode, values[l]);
  }
  if (s.omod != 0 || s.clamp) {
    for (uint16_t& b : bits) b = apply_output_f16(b, w.mode, s.omod, s.clamp);
  }
  HalfBits::store(w, s, h, bits);
}

void F16FromF64::store(Wave& w, const Step& s, unsigned h, const double* out) {
  alignas(64) float floats[kLanes];
  for (unsigned l = 0; l < kLanes; ++l) floats[l] = out[l] == out[l] ? round_to_odd(out[l]) : narrow_nan(out[l]);
  store_halves(w, s, h, floats);
}

}  // namespace bw::emulator
