// Owns: the matrix instructions v_wmma_*: D = A * B + C on 16 x 16 matrices spread over the lanes of a wave.
// Source of the layout: RDNA3 ISA guide, "Wave matrix multiply accumulate". EXEC is ignored.
#include <algorithm>

#include "emulator/shader/handlers.h"
#include "emulator/shader/valu.h"

namespace bw::emulator {
namespace {

constexpr unsigned kSize = 16;

enum class Element : uint8_t { kF16, kBf16 };

float widen(Element element, uint32_t bits) {
  const uint16_t half = static_cast<uint16_t>(bits);
  return element == Element::kF16 ? half_to_float(half) : bfloat_to_float(half);
}
uint16_t narrow(Element element, float value, const Mode& mode) {
  if (element == Element::kBf16) return float_to_bfloat(value);
  const uint16_t half = float_to_half(value);
  return mode.fp16_ovfl() ? cut_overflow(half, value) : half;
}

// Floats are rounded to nearest whatever MODE says. Source: RDNA3 ISA guide, "Wave matrix multiply accumulate".
class NearestScope {
 public:
  explicit NearestScope(const Mode& mode) : mode_(mode) {
    if (mode_.round32() != 0) load_csr(mode_.csr32 & ~kRoundMask);
  }
  ~NearestScope() {
    if (mode_.round32() != 0) load_csr(mode_.csr32);
  }
  NearestScope(const NearestScope&) = delete;
  NearestScope& operator=(const NearestScope&) = delete;

 private:
  static constexpr uint32_t kRoundMask = 0x6000;
  const Mode& mode_;
};

// Element k of row (of A) or column (of B) `index`: lane `index` holds them, two halves a VGPR; the other lanes repeat
// them. neg flips the sign of even elements, neg_hi that of odd ones.
void load_operand(Wave& w, const Source& source, Element element, float (&out)[kSize][kSize]) {
  for (unsigned k = 0; k < kSize; ++k) {
    const uint32_t* row = w.vgpr(source.index + k / 2, 0);
    const bool flip = k % 2 == 0 ? source.neg : source.neg_hi;
    for (unsigned index = 0; index < kSize; ++index) {
      const float value = widen(element, row[index] >> (k % 2 * 16));
      out[k][index] = flip ? -value : value;
    }
  }
}

// Where element (m, n) of C and D lives: register and lane.
struct Place {
  unsigned vgpr, half, lane;
};
Place place_of(const Wave& w, unsigned m, unsigned n) {
  const unsigned rows_per_vgpr = w.lane_count() / kSize;
  const unsigned lane = m % rows_per_vgpr * kSize + n;
  return {m / rows_per_vgpr, lane / kLanes, lane % kLanes};
}
uint32_t accumulator_bits(Wave& w, const Source& source, const Place& p) {
  if (source.kind == SourceKind::kVgpr) return w.vgpr(source.index + p.vgpr, p.half)[p.lane];
  return read32(w, source);
}

// unverified: the order of the additions; here k = 0 to 15 onto C, rounded at each.
void multiply_add(const float (&a)[kSize][kSize], const float (&b)[kSize][kSize], float (&c)[kSize][kSize]) {
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned k = 0; k < kSize; ++k) {
      for (unsigned n = 0; n < kSize; ++n) c[m][n] = std::fma(a[k][m], b[k][n], c[m][n]);
    }
  }
}

// abs is neg_hi for C.
float accumulator_signs(const Source& source, float value) {
  const float magnitude = source.neg_hi ? std::fabs(value) : value;
  return source.neg ? -magnitude : magnitude;
}

template <Element kElement>
void run_to_f32(Wave& w, const Step& s) {
  const NearestScope scope(w.mode);
  float a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];
  load_operand(w, s.src[0], kElement, a);
  load_operand(w, s.src[1], kElement, b);
  for (unsigned i = 0; i < kSize * kSize; ++i) {
    const uint32_t bits = accumulator_bits(w, s.src[2], place_of(w, i / kSize, i % kSize));
    c[i / kSize][i % kSize] = accumulator_signs(s.src[2], float_of(bits));
  }
  multiply_add(a, b, c);
  for (unsigned i = 0; i < kSize * kSize; ++i) {
    const Place p = place_of(w, i / kSize, i % kSize);
    const float value = c[i / kSize][i % kSize];
    w.vgpr(s.dst + p.vgpr, p.half)[p.lane] = bits_of(value);
  }
}

// C and D are halves; op_sel of source 2 says which half of the registers holds them. The other half stays.
template <Element kElement>
void run_to_half(Wave& w, const Step& s) {
  const NearestScope scope(w.mode);
  float a[kSize][kSize], b[kSize][kSize], c[kSize][kSize];
  load_operand(w, s.src[0], kElement, a);
  load_operand(w, s.src[1], kElement, b);
  const unsigned shift = s.src[2].op_sel ? 16 : 0;
  for (unsigned i = 0; i < kSize * kSize; ++i) {
    const uint32_t bits = accumulator_bits(w, s.src[2], place_of(w, i / kSize, i % kSize));
    const unsigned from = s.src[2].kind == SourceKind::kVgpr ? shift : 0;
    c[i / kSize][i % kSize] = accumulator_signs(s.src[2], widen(kElement, bits >> from));
  }
  multiply_add(a, b, c);
  for (unsigned i = 0; i < kSize * kSize; ++i) {
    const Place p = place_of(w, i / kSize, i % kSize);
    const float value = c[i / kSize][i % kSize];
    const uint32_t half = narrow(kElement, value, w.mode);
    uint32_t& dword = w.vgpr(s.dst + p.vgpr, p.half)[p.lane];
    dword = (dword & ~(0xffffu << shift)) | half << shift;
  }
}

// Integers of kBits; neg of a source says that its elements are signed. With clamp the sum saturates.
template <unsigned kBits>
void run_to_i32(Wave& w, const Step& s) {
  constexpr unsigned kPerDword = 32 / kBits;
  const auto element = [&](const Source& source, unsigned index, unsigned k) -> int64_t {
    const uint32_t dword = w.vgpr(source.index + k / kPerDword, 0)[index];
    const uint32_t raw = dword >> (k % kPerDword * kBits) & ((1u << kBits) - 1);
    return source.neg ? sign_extend(raw, kBits) : static_cast<int64_t>(raw);
  };
  uint32_t result[kSize][kSize];
  for (unsigned m = 0; m < kSize; ++m) {
    for (unsigned n = 0; n < kSize; ++n) {
      int64_t sum = static_cast<int32_t>(accumulator_bits(w, s.src[2], place_of(w, m, n)));
      for (unsigned k = 0; k < kSize; ++k) sum += element(s.src[0], m, k) * element(s.src[1], n, k);
      if (s.clamp)
        sum = std::clamp<int64_t>(sum, std::numeric_limits<int32_t>::min(), std::numeric_limits<int32_t>::max());
      result[m][n] = static_cast<uint32_t>(sum);
    }
  }
  for (unsigned i = 0; i < kSize * kSize; ++i) {
    const Place p = place_of(w, i / kSize, i % kSize);
    w.vgpr(s.dst + p.vgpr, p.half)[p.lane] = result[i / kSize][i % kSize];
  }
}

}  // namespace

void bind_wmma(HandlerTable& t) {
  t.bind(Op::v_wmma_f32_16x16x16_f16, run_to_f32<Element::kF16>);
  t.bind(Op::v_wmma_f32_16x16x16_bf16, run_to_f32<Element::kBf16>);
  t.bind(Op::v_wmma_f16_16x16x16_f16, run_to_half<Element::kF16>);
  t.bind(Op::v_wmma_bf16_16x16x16_bf16, run_to_half<Element::kBf16>);
  t.bind(Op::v_wmma_i32_16x16x16_iu8, run_to_i32<8>);
  t.bind(Op::v_wmma_i32_16x16x16_iu4, run_to_i32<4>);
}

}  // namespace bw::emulator
