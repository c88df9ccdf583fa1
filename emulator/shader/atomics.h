// Owns: the read-modify-write operations that memory and LDS atomics share. Source: RDNA3 ISA guide, "Flat", "LDS".
// Those of floats: float_atomics.h.
#pragma once

#include <cstdint>

#include "emulator/memory/client_access.h"
#include "emulator/shader/float_atomics.h"
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
T modify(T old, T data, T data1, FloatAtomicMode mode) {
  using U = std::make_unsigned_t<T>;
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
      return static_cast<T>(float_atomic_add(static_cast<uint32_t>(o), static_cast<uint32_t>(d)));
    case Rmw::kFloatMin:
      return static_cast<T>(float_atomic_min(o, d, mode));
    case Rmw::kFloatMax:
      return static_cast<T>(float_atomic_max(o, d, mode));
    case Rmw::kFloatCmpSwap:
      return static_cast<T>(float_atomic_compare_store(o, d, static_cast<U>(data1), mode));
    case Rmw::kMaskOr:
      return static_cast<T>((o & ~d) | static_cast<U>(data1));
    case Rmw::kWrap:
      return static_cast<T>(o >= d ? o - d : o + static_cast<U>(data1));
  }
  return old;
}

// Atomic with respect to every other thread of the host, which includes the other workgroups. Returns the old value.
template <Rmw kWhat, class T>
T atomic_modify(std::byte* target, T data, T data1, FloatAtomicMode mode) {
  ClientAccess::probe_write(target);
  T* memory = reinterpret_cast<T*>(target);
  T old = __atomic_load_n(memory, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(memory, &old, modify<kWhat, T>(old, data, data1, mode), false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_RELAXED)) {
  }
  return old;
}

// What additions of floats need while they run; nothing for the other operations.
struct NoFloatScope {
  NoFloatScope(FloatAtomicMode, const Mode&) {}
};
template <Rmw kWhat>
using ScopeOf = std::conditional_t<kWhat == Rmw::kFloatAdd, FloatAtomicScope, NoFloatScope>;

// How memory atomics treat denormals, and how those of LDS do.
template <Rmw kWhat, class T>
FloatAtomicMode memory_float_mode(const Mode& mode) {
  if (kWhat == Rmw::kFloatAdd) return {true, false};
  return {sizeof(T) == 4 ? mode.flush_input32() : mode.flush_input64(), false};
}
template <class T>
FloatAtomicMode lds_float_mode(const Mode& mode) {
  if (sizeof(T) == 4) return {mode.flush_input32(), mode.flush_output32()};
  return {mode.flush_input64(), mode.flush_output64()};
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
