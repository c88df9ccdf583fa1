// Owns: the arithmetic of float atomics, on bits. Source: RDNA3 ISA guide, "Float Memory Atomics": additions round to
// nearest whatever MODE says; minimum and maximum order -0 before +0, let quiet NaNs lose and signalling ones win,
// quieted, and flush denormals for the comparison only; compare-and-store fails if one of the two is a NaN.
#pragma once

#include "emulator/shader/fp.h"
#include "emulator/shader/mode.h"

namespace bw::emulator {

// Whether denormals count as zero. Memory atomics have no control over outputs; their additions flush inputs always.
struct FloatAtomicMode {
  bool flush_input = false;
  bool flush_output = false;
};

// The host's floating-point control for float_atomic_add(), until the end of the scope.
class FloatAtomicScope {
 public:
  FloatAtomicScope(FloatAtomicMode how, const Mode& mode) : mode_(mode) {
    constexpr uint32_t kNearest = 0x1f80, kFlushOutput = 1u << 15, kDenormalsAreZero = 1u << 6;
    load_csr(kNearest | (how.flush_input ? kDenormalsAreZero : 0) | (how.flush_output ? kFlushOutput : 0));
  }
  ~FloatAtomicScope() { load_csr(mode_.csr32); }
  FloatAtomicScope(const FloatAtomicScope&) = delete;
  FloatAtomicScope& operator=(const FloatAtomicScope&) = delete;

 private:
  const Mode& mode_;
};

// Of an invalid sum; the vector ALU's is negative.
constexpr uint32_t kAtomicDefaultNan32 = 0x7fc00000;

// unverified: of two NaNs the one in memory is kept.
inline uint32_t float_atomic_add(uint32_t memory, uint32_t data) {
  if (is_nan_bits(memory)) return quiet_bits(memory);
  if (is_nan_bits(data)) return quiet_bits(data);
  const uint32_t sum = bits_of(float_of(memory) + float_of(data));
  return is_nan_bits(sum) ? kAtomicDefaultNan32 : sum;
}

template <class U>
constexpr U kFloatSign = U{1} << (sizeof(U) * 8 - 1);
template <class U>
constexpr U kFloatExponent = sizeof(U) == 4 ? U{0x7f800000} : static_cast<U>(0x7ff0000000000000);

template <class U>
U without_denormal(U bits, bool flush) {
  return flush && (bits & kFloatExponent<U>) == 0 ? bits & kFloatSign<U> : bits;
}
// A number in the order of the values, -0 before +0.
template <class U>
U float_order(U bits, bool flush) {
  bits = without_denormal(bits, flush);
  return (bits & kFloatSign<U>) != 0 ? ~bits : bits | kFloatSign<U>;
}

// The one that a NaN among the two decides; false: neither is one.
template <class U>
bool decided_by_nan(U memory, U data, U* result) {
  if (!is_nan_bits(memory) && !is_nan_bits(data)) return false;
  // unverified: of two signalling NaNs the one in memory wins.
  *result = is_signaling_bits(memory) ? quiet_bits(memory)
            : is_signaling_bits(data) ? quiet_bits(data)
            : is_nan_bits(data)       ? memory
                                      : data;
  return true;
}
template <class U>
U float_atomic_min(U memory, U data, FloatAtomicMode mode) {
  U result;
  if (decided_by_nan(memory, data, &result)) return result;
  return float_order(data, mode.flush_input) < float_order(memory, mode.flush_input) ? data : memory;
}
template <class U>
U float_atomic_max(U memory, U data, FloatAtomicMode mode) {
  U result;
  if (decided_by_nan(memory, data, &result)) return result;
  return float_order(data, mode.flush_input) > float_order(memory, mode.flush_input) ? data : memory;
}

// Whether a compare-and-store finds what it looks for.
template <class U>
bool float_atomic_equal(U memory, U compare, FloatAtomicMode mode) {
  const U a = without_denormal(memory, mode.flush_input), b = without_denormal(compare, mode.flush_input);
  const bool are_zeros = ((a | b) & ~kFloatSign<U>) == 0;
  return (a == b || are_zeros) && !is_nan_bits(a) && !is_nan_bits(b);
}

template <class U>
U float_atomic_compare_store(U memory, U data, U compare, FloatAtomicMode mode) {
  // unverified: that the value stored, and not the one kept, is flushed.
  return float_atomic_equal(memory, compare, mode) ? without_denormal(data, mode.flush_input) : memory;
}

}  // namespace bw::emulator
