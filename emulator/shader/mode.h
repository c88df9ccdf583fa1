// Owns: the MODE register of a wave, and its translation to the floating-point control of the host.
// Ownership of the host's control register: a host thread that executes waves has the f32 setting of the wave loaded;
// code that computes in f64 or f16 with another setting brackets itself with DoubleScope.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "amdgpu/gfx11/isa/isa.h"

namespace bw::emulator {

struct Mode {
  uint32_t bits = 0;
  uint32_t csr32 = 0x1f80;  // MXCSR for f32
  uint32_t csr64 = 0x1f80;  // MXCSR for f64 and f16

  enum Denorm : uint32_t { kAllowInput = 1, kAllowOutput = 2 };

  using Fields = amdgpu::gfx11::MODE;
  uint32_t round32() const { return Fields::round_f32.get(bits); }
  uint32_t round64() const { return Fields::round_f16_f64.get(bits); }
  uint32_t denorm32() const { return Fields::denorm_f32.get(bits); }
  uint32_t denorm64() const { return Fields::denorm_f16_f64.get(bits); }
  bool dx10_clamp() const { return Fields::dx10_clamp.get(bits) != 0; }
  bool ieee() const { return Fields::ieee.get(bits) != 0; }
  // Results that overflow f16 become the largest finite number, and so do the infinities that functions have at zero;
  // those of infinite sources stay. Source: RDNA3 ISA guide, "Mode register", and captures of gfx1100 in
  // ROCm/rocm-systems, emulation/rocjitsu, tests of arithmetic modes.
  bool fp16_ovfl() const { return Fields::fp16_ovfl.get(bits) != 0; }

  bool flush_input32() const { return (denorm32() & kAllowInput) == 0; }
  bool flush_output32() const { return (denorm32() & kAllowOutput) == 0; }
  bool flush_input64() const { return (denorm64() & kAllowInput) == 0; }
  bool flush_output64() const { return (denorm64() & kAllowOutput) == 0; }

  void set(uint32_t value) {
    bits = value;
    csr32 = csr(round32(), denorm32());
    csr64 = csr(round64(), denorm64());
  }

 private:
  static uint32_t csr(uint32_t round, uint32_t denorm) {
    // MODE: 0 nearest even, 1 up, 2 down, 3 to zero. MXCSR bits 14:13: 0 nearest, 1 down, 2 up, 3 to zero.
    constexpr uint32_t kRound[4] = {0, 2, 1, 3};
    constexpr uint32_t kExceptionsMasked = 0x1f80;
    constexpr uint32_t kFlushOutput = 1u << 15;
    constexpr uint32_t kDenormalsAreZero = 1u << 6;
    return kExceptionsMasked | kRound[round] << 13 | ((denorm & kAllowInput) == 0 ? kDenormalsAreZero : 0) |
           ((denorm & kAllowOutput) == 0 ? kFlushOutput : 0);
  }
};

inline void load_csr(uint32_t value) {
  asm volatile("" ::: "memory");
  _mm_setcsr(value);
  asm volatile("" ::: "memory");
}

// Computes under the f64/f16 setting until the end of the scope.
class DoubleScope {
 public:
  explicit DoubleScope(const Mode& mode) : mode_(mode) {
    if (mode_.csr64 != mode_.csr32) load_csr(mode_.csr64);
  }
  ~DoubleScope() {
    if (mode_.csr64 != mode_.csr32) load_csr(mode_.csr32);
  }
  DoubleScope(const DoubleScope&) = delete;
  DoubleScope& operator=(const DoubleScope&) = delete;

 private:
  const Mode& mode_;
};

}  // namespace bw::emulator
