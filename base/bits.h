// Owns: bit fields of hardware words, alignment, and splitting 64-bit addresses into dwords.
#pragma once

#include <bit>
#include <cstdint>

namespace bw {

// Bits hi..lo (inclusive, as AMD's documents write them) of a 32-bit word.
struct BitField {
  uint8_t hi;
  uint8_t lo;

  constexpr uint32_t width() const { return hi - lo + 1u; }
  constexpr uint32_t max() const { return width() == 32 ? 0xffffffffu : (1u << width()) - 1u; }
  constexpr uint32_t mask() const { return max() << lo; }
  constexpr bool fits(uint64_t value) const { return value <= max(); }
  constexpr uint32_t get(uint32_t word) const { return (word >> lo) & max(); }
  // The word with the field set; `value` must fit (see fits()).
  constexpr uint32_t set(uint32_t word, uint32_t value) const { return (word & ~mask()) | ((value & max()) << lo); }
};

// `value` sign-extended from its low `bits` bits.
constexpr int32_t sign_extend(uint32_t value, unsigned bits) {
  return static_cast<int32_t>(value << (32 - bits)) >> (32 - bits);
}

// Rounded down and up, also for a negative `a`; `b` must be positive.
constexpr int64_t floor_div(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}
constexpr int64_t ceil_div(int64_t a, int64_t b) {
  return a / b + (a % b > 0 ? 1 : 0);
}

// Alignment must be a power of two.
constexpr uint64_t align_up(uint64_t value, uint64_t alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}
constexpr uint64_t align_down(uint64_t value, uint64_t alignment) {
  return value & ~(alignment - 1);
}
constexpr bool is_aligned(uint64_t value, uint64_t alignment) {
  return (value & (alignment - 1)) == 0;
}

constexpr uint32_t lo32(uint64_t value) {
  return static_cast<uint32_t>(value);
}
constexpr uint32_t hi32(uint64_t value) {
  return static_cast<uint32_t>(value >> 32);
}
constexpr uint64_t make_u64(uint32_t lo, uint32_t hi) {
  return (static_cast<uint64_t>(hi) << 32) | lo;
}

}  // namespace bw
