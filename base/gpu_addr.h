// Owns: the type of a virtual address as the GPU sees it, so that it is never mixed up with a host pointer.
#pragma once

#include <fmt/format.h>

#include <compare>
#include <cstdint>

namespace bw {

struct GpuAddr {
  uint64_t value = 0;

  constexpr GpuAddr operator+(uint64_t bytes) const { return {value + bytes}; }
  constexpr uint64_t operator-(GpuAddr other) const { return value - other.value; }
  constexpr auto operator<=>(const GpuAddr&) const = default;
};

}  // namespace bw

template <>
struct fmt::formatter<bw::GpuAddr> : fmt::formatter<std::string_view> {
  template <typename Context>
  auto format(bw::GpuAddr addr, Context& context) const {
    return fmt::format_to(context.out(), "{:#x}", addr.value);
  }
};
