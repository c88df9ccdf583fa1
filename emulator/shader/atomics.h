// Owns: the read-modify-write operations that memory and LDS atomics share. Source: RDNA3 ISA guide, "Flat", "LDS".
#pragma once

#include <cstdint>

#include "emulator/memory/client_access.h"
#include "emulator/shader/fp.h"
#include "emulator/shader/wave.h"

namespace bw::emulator {

enum class Rmw : uint8_t {
  kSwap,
  kAdd,
  kSub,
  kRsub,
  kCsub,
  kMin,
  kMax,
  kAnd,
  kOr,
  kXor,
  kInc,
  kDec,
  kCmpSwap,
  kFloatAdd,
  kFloatMin,
  kFloatMax,
  kFloatCmpSwap,
  kMaskOr,
  kWrap,
};

// The new value; `data` is the first data operand, `data1` the second (compare value, mask ...). T: signed for signed
// min and max.
template <Rmw kWhat, class T>
T modify(T old, T data, T data1) {
  using U = std::make_unsigned_t<T>;
  using F = std::conditional_t<sizeof(T) == 4, float, double>;
  const auto as_float = [](T v) { return std::bit_cast<F>(static_cast<U>(v)); };
  const auto as_bits = [](F v) { return static_cast<T>(std::bit_cast<U>(v)); };
  const U o = static_cast<U>(old), d = static_cast<U>(data);
  switch (kWhat) {
    case Rmw::kSwap:
      return data;
    case Rmw::kAdd:
      return static_cast<T>(o + d);
    case Rmw::kSub:
      return static_cast<T>(o - d);
    case Rmw::kRsub:
      return static_cast<T>(d - o);
    case Rmw::kCsub:
      return static_cast<T>(o < d ? 0 : o - d);
    case Rmw::kMin:
      return old < data ? old : data;
    case Rmw::kMax:
      return old > data ? old : data;
    case Rmw::kAnd:
      return old & data;
    case Rmw::kOr:
      return old | data;
    case Rmw::kXor:
      return old ^ data;
    case Rmw::kInc:
      return static_cast<T>(o >= d ? 0 : o + 1);
    case Rmw::kDec:
      return static_cast<T>(o == 0 || o > d ? d : o - 1);
    case Rmw::kCmpSwap:
      return old == data1 ? data : old;
    case Rmw::kFloatAdd:
      return as_bits(as_float(old) + as_float(data));
    case Rmw::kFloatMin:
      return as_bits(min_num<F, U>(as_float(old), as_float(data), true));
    case Rmw::kFloatMax:
      return as_bits(max_num<F, U>(as_float(old), as_float(data), true));
    case Rmw::kFloatCmpSwap:
      return as_float(old) == as_float(data1) ? data : old;
    case Rmw::kMaskOr:
      return static_cast<T>((o & ~d) | static_cast<U>(data1));
    case Rmw::kWrap:
      return static_cast<T>(o >= d ? o - d : o + static_cast<U>(data1));
  }
  return old;
}

// Atomic with respect to every other thread of the host, which includes the other workgroups. Returns the old value.
template <Rmw kWhat, class T>
T atomic_modify(std::byte* target, T data, T data1) {
  ClientAccess::probe_write(target);
  T* memory = reinterpret_cast<T*>(target);
  T old = __atomic_load_n(memory, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(memory, &old, modify<kWhat, T>(old, data, data1), false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
  }
  return old;
}

// Operands of 32 or 64 bits in one lane.
template <class T>
T read_vgprs(Wave& w, unsigned vgpr, unsigned half, unsigned lane) {
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(w.vgpr(vgpr, half)[lane]);
  else
    return static_cast<T>(make_u64(w.vgpr(vgpr, half)[lane], w.vgpr(vgpr + 1, half)[lane]));
}
template <class T>
void write_vgprs(Wave& w, unsigned vgpr, unsigned half, unsigned lane, T value) {
  w.vgpr(vgpr, half)[lane] = static_cast<uint32_t>(value);
  if constexpr (sizeof(T) == 8)
    w.vgpr(vgpr + 1, half)[lane] = static_cast<uint32_t>(static_cast<uint64_t>(value) >> 32);
}

}  // namespace bw::emulator
