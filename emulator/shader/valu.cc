#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

// Output modifiers: 0 none, 1 times 2, 2 times 4, 3 half. IEEE mode and denormal results switch them off.
// Source: RDNA3 ISA guide, "Output modifiers".
constexpr double kOmodFactor[4] = {1.0, 2.0, 4.0, 0.5};
double omod_factor(const Mode& mode, bool flushes, uint8_t omod) {
  return mode.ieee() || !flushes ? 1.0 : kOmodFactor[omod];
}

template <class T>
void apply_output(T* values, bool dx10_clamp, T factor, bool clamp) {
  for (unsigned l = 0; l < kLanes; ++l) {
    T value = values[l] * factor;
    if (clamp) {
      if (value != value) {
        value = dx10_clamp ? T{0} : value;
      } else {
        value = value > T{0} ? (value < T{1} ? value : T{1}) : T{0};
      }
    }
    values[l] = value;
  }
}

}  // namespace

void apply_output_f32(float* values, const Mode& mode, uint8_t omod, bool clamp) {
  apply_output(values, mode.dx10_clamp(), static_cast<float>(omod_factor(mode, mode.flush_output32(), omod)), clamp);
}

void apply_output_f64(double* values, const Mode& mode, uint8_t omod, bool clamp) {
  apply_output(values, mode.dx10_clamp(), omod_factor(mode, mode.flush_output64(), omod), clamp);
}

void halves_to_floats(const uint32_t* in, float* out, bool flush_denormals) {
  const __m256i low_words = _mm256_set1_epi32(0xffff);
  for (unsigned l = 0; l < kLanes; l += 8) {
    const __m256i dwords = _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(in + l)), low_words);
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(dwords, dwords), 0b1000);
    _mm256_store_ps(out + l, _mm256_cvtph_ps(_mm256_castsi256_si128(packed)));
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
    _mm_store_si128(reinterpret_cast<__m128i*>(bits + l),
                    _mm256_cvtps_ph(_mm256_load_ps(values + l), _MM_FROUND_CUR_DIRECTION));
  }
  if (w.mode.flush_output64()) {
    for (uint16_t& b : bits) b = (b & 0x7c00) == 0 ? b & 0x8000 : b;
  }
  if (w.mode.fp16_ovfl()) {
    for (unsigned l = 0; l < kLanes; ++l) bits[l] = cut_overflow(bits[l], values[l]);
  }
  Word<uint16_t>::store(w, s, h, bits);
}

void F16FromF64::store(Wave& w, const Step& s, unsigned h, const double* out) {
  constexpr float kBeyondHalf = 0x1p20f;
  alignas(64) float floats[kLanes];
  for (unsigned l = 0; l < kLanes; ++l) {
    // Directed modes round alike twice; only nearest needs the step over round-to-odd.
    floats[l] = w.mode.round64() == 0 ? round_to_odd(out[l]) : static_cast<float>(out[l]);
    if (floats[l] != floats[l]) floats[l] = nan_of(floats[l]);
    // What overflows f32 overflows f16, and must not look like an infinity.
    if (std::isinf(floats[l]) && std::isfinite(out[l])) floats[l] = std::copysign(kBeyondHalf, floats[l]);
  }
  if (s.omod != 0 || s.clamp) apply_output_f32(floats, w.mode, s.omod, s.clamp);
  store_halves(w, s, h, floats);
}

}  // namespace bw::emulator
