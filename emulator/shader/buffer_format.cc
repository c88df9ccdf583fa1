#include "emulator/shader/buffer_format.h"

#include <algorithm>
#include <cstring>

#include "emulator/shader/fp.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::BufferFormatInfo;
using amdgpu::gfx11::BufferNumber;

// Conversions round to nearest whatever MODE says. unverified.
class NearestScope {
 public:
  NearestScope() : before_(_mm_getcsr()) { _mm_setcsr(kDefaultCsr); }
  ~NearestScope() { _mm_setcsr(before_); }
  NearestScope(const NearestScope&) = delete;
  NearestScope& operator=(const NearestScope&) = delete;

 private:
  static constexpr uint32_t kDefaultCsr = 0x1f80;
  const uint32_t before_;
};

uint32_t low_mask(unsigned bits) {
  return bits == 32 ? ~0u : (1u << bits) - 1;
}
int64_t signed_max(unsigned bits) {
  return (int64_t{1} << (bits - 1)) - 1;
}

// Unsigned floats of 10 or 11 bits: the upper bits of an f16 without its sign.
constexpr unsigned kHalfBits = 15;
float small_float(uint32_t raw, unsigned bits) {
  return half_to_float(static_cast<uint16_t>(raw << (kHalfBits - bits)));
}
uint32_t to_small_float(float value, unsigned bits) {
  const uint32_t mantissa_bits = bits - 5, infinity = 31u << mantissa_bits;
  if (value != value) return infinity | 1u << (mantissa_bits - 1);
  if (!(value > 0)) return 0;
  if (std::isinf(value)) return infinity;
  // Towards zero, so that large values become the largest finite one. unverified: the rounding.
  return static_cast<uint32_t>(float_to_half_rtz(value)) >> (kHalfBits - bits);
}

bool is_integer(BufferNumber number) {
  return number == BufferNumber::kUint || number == BufferNumber::kSint;
}

double as_number(BufferNumber number, uint32_t raw, unsigned bits) {
  const int32_t value = sign_extend(raw, bits);
  switch (number) {
    case BufferNumber::kUnorm:
      return static_cast<double>(raw) / low_mask(bits);
    case BufferNumber::kSnorm:
      return std::max(static_cast<double>(value) / static_cast<double>(signed_max(bits)), -1.0);
    case BufferNumber::kUscaled:
      return raw;
    default:
      return value;
  }
}

uint32_t unpack_component(BufferNumber number, RegisterWidth width, uint32_t raw, unsigned bits) {
  if (is_integer(number)) {
    const uint32_t value = number == BufferNumber::kSint ? static_cast<uint32_t>(sign_extend(raw, bits)) : raw;
    return width == RegisterWidth::k16 ? value & 0xffff : value;
  }
  if (number == BufferNumber::kFloat && bits == 32 && width == RegisterWidth::k32) return raw;
  if (number == BufferNumber::kFloat && bits == 16 && width == RegisterWidth::k16) return raw;
  if (number == BufferNumber::kFloat) {
    const float value = bits == 32   ? float_of(raw)
                        : bits == 16 ? half_to_float(static_cast<uint16_t>(raw))
                                     : small_float(raw, bits);
    return width == RegisterWidth::k16 ? float_to_half(value) : bits_of(value);
  }
  const double value = as_number(number, raw, bits);
  return width == RegisterWidth::k16 ? double_to_half(value) : bits_of(static_cast<float>(value));
}

int64_t to_integer(double value, double scale, int64_t low, int64_t high) {
  if (value != value) return 0;
  const double scaled = std::nearbyint(value * scale);
  if (scaled <= static_cast<double>(low)) return low;
  return scaled >= static_cast<double>(high) ? high : static_cast<int64_t>(scaled);
}

uint32_t pack_component(BufferNumber number, RegisterWidth width, uint32_t value, unsigned bits) {
  const int64_t unsigned_max = low_mask(bits), top = signed_max(bits);
  if (number == BufferNumber::kUint) {
    const uint32_t in = width == RegisterWidth::k16 ? value & 0xffff : value;
    return std::min(in, low_mask(bits));
  }
  if (number == BufferNumber::kSint) {
    const int32_t in = width == RegisterWidth::k16 ? sign_extend(value, 16) : static_cast<int32_t>(value);
    return static_cast<uint32_t>(std::clamp<int64_t>(in, -top - 1, top)) & low_mask(bits);
  }
  if (number == BufferNumber::kFloat && bits == 32 && width == RegisterWidth::k32) return value;
  if (number == BufferNumber::kFloat && bits == 16 && width == RegisterWidth::k16) return value & 0xffff;
  const float in = width == RegisterWidth::k16 ? half_to_float(static_cast<uint16_t>(value)) : float_of(value);
  switch (number) {
    case BufferNumber::kFloat:
      return bits == 32 ? bits_of(in) : bits == 16 ? float_to_half(in) : to_small_float(in, bits);
    case BufferNumber::kUnorm:
      return static_cast<uint32_t>(to_integer(in, static_cast<double>(unsigned_max), 0, unsigned_max));
    case BufferNumber::kSnorm:
      return static_cast<uint32_t>(to_integer(in, static_cast<double>(top), -top, top)) & low_mask(bits);
    case BufferNumber::kUscaled:
      return static_cast<uint32_t>(to_integer(in, 1.0, 0, unsigned_max));
    default:
      return static_cast<uint32_t>(to_integer(in, 1.0, -top - 1, top)) & low_mask(bits);
  }
}

}  // namespace

const BufferFormatInfo* find_buffer_format(uint32_t number) {
  const auto formats = amdgpu::gfx11::buffer_formats();
  if (number >= formats.size() || formats[number].number == BufferNumber::kInvalid) return nullptr;
  return &formats[number];
}

uint32_t size_bytes(const BufferFormatInfo& format) {
  uint32_t bits = 0;
  for (uint8_t component : format.bits) bits += component;
  return bits / 8;
}

uint32_t one_of(const BufferFormatInfo& format, RegisterWidth width) {
  constexpr uint32_t kOne32 = 0x3f800000, kOne16 = 0x3c00;
  if (is_integer(format.number)) return 1;
  return width == RegisterWidth::k16 ? kOne16 : kOne32;
}

std::array<uint32_t, 4> unpack_element(const BufferFormatInfo& format, RegisterWidth width, const std::byte* bytes) {
  const NearestScope scope;
  std::array<uint32_t, 4> out = {0, 0, 0, one_of(format, width)};
  unsigned at = 0;
  for (unsigned i = 0; i < format.component_count; ++i) {
    const unsigned bits = format.bits[i];
    // Components of up to 32 bits never cross more than one dword: they start at its bits or fill it.
    uint64_t data = 0;
    std::memcpy(&data, bytes + at / 8, std::min<size_t>(sizeof(data), size_bytes(format) - at / 8));
    const uint32_t raw = static_cast<uint32_t>(data >> (at % 8)) & low_mask(bits);
    out[i] = unpack_component(format.number, width, raw, bits);
    at += bits;
  }
  return out;
}

void pack_element(const BufferFormatInfo& format, RegisterWidth width, const std::array<uint32_t, 4>& components,
                  std::byte* bytes) {
  const NearestScope scope;
  std::memset(bytes, 0, size_bytes(format));
  unsigned at = 0;
  for (unsigned i = 0; i < format.component_count; ++i) {
    const unsigned bits = format.bits[i];
    const uint64_t raw = static_cast<uint64_t>(pack_component(format.number, width, components[i], bits)) << (at % 8);
    for (unsigned byte = 0; byte < (at % 8 + bits + 7) / 8; ++byte) {
      bytes[at / 8 + byte] |= static_cast<std::byte>(raw >> (byte * 8) & 0xff);
    }
    at += bits;
  }
}

}  // namespace bw::emulator
