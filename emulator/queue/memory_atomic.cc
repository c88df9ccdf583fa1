#include "emulator/queue/memory_atomic.h"

#include <algorithm>
#include <iterator>

#include "emulator/shader/atomics.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::TC_OP;

// A code is that of the operation on 32 bits with return, and these for 64 bits and for none.
constexpr uint32_t kIs64Bit =
    static_cast<uint32_t>(TC_OP::TC_OP_ATOMIC_ADD_RTN_64) ^ static_cast<uint32_t>(TC_OP::TC_OP_ATOMIC_ADD_RTN_32);
constexpr uint32_t kIsWithoutReturn =
    static_cast<uint32_t>(TC_OP::TC_OP_ATOMIC_ADD_32) ^ static_cast<uint32_t>(TC_OP::TC_OP_ATOMIC_ADD_RTN_32);
static_assert((static_cast<uint32_t>(TC_OP::TC_OP_ATOMIC_FMAX_RTN_32) ^ kIs64Bit ^ kIsWithoutReturn) ==
              static_cast<uint32_t>(TC_OP::TC_OP_ATOMIC_FMAX_64));

using Apply = AtomicResult (*)(const MemoryAtomic&, std::byte*);

constexpr FloatAtomicMode kKeepDenormals{false, false};
constexpr FloatAtomicMode kFlushDenormals{true, false};

template <Rmw kWhat, class T>
AtomicResult apply(const MemoryAtomic& operation, std::byte* word, FloatAtomicMode mode) {
  const T source = static_cast<T>(operation.source), compare = static_cast<T>(operation.compare);
  const Mode round_to_nearest;
  const ScopeOf<kWhat> scope(mode, round_to_nearest);
  const T old = atomic_modify<kWhat>(word, source, compare, mode);
  AtomicResult result{.old = static_cast<std::make_unsigned_t<T>>(old)};
  if constexpr (kWhat == Rmw::kCmpSwap) result.stored = old == compare;
  if constexpr (kWhat == Rmw::kFloatCmpSwap) result.stored = float_atomic_equal(old, compare, mode);
  return result;
}

template <Rmw kWhat, class T>
AtomicResult on_integers(const MemoryAtomic& operation, std::byte* word) {
  return apply<kWhat, T>(operation, word, kKeepDenormals);
}

template <Rmw kWhat, class T, bool kFlush>
AtomicResult on_floats(const MemoryAtomic& operation, std::byte* word) {
  return apply<kWhat, T>(operation, word, kFlush ? kFlushDenormals : kKeepDenormals);
}

struct Row {
  TC_OP op;  // on 32 bits, with return
  Apply on_32_bits;
  Apply on_64_bits;  // nullptr if there is none
};

template <Rmw kWhat>
constexpr Row unsigned_row(TC_OP op) {
  return {op, on_integers<kWhat, uint32_t>, on_integers<kWhat, uint64_t>};
}
template <Rmw kWhat>
constexpr Row signed_row(TC_OP op) {
  return {op, on_integers<kWhat, int32_t>, on_integers<kWhat, int64_t>};
}
template <Rmw kWhat, bool kFlush>
constexpr Row float_row(TC_OP op) {
  return {op, on_floats<kWhat, uint32_t, kFlush>, on_floats<kWhat, uint64_t, kFlush>};
}

constexpr Row kRows[] = {
    unsigned_row<Rmw::kSwap>(TC_OP::TC_OP_ATOMIC_SWAP_RTN_32),
    unsigned_row<Rmw::kCmpSwap>(TC_OP::TC_OP_ATOMIC_CMPSWAP_RTN_32),
    unsigned_row<Rmw::kAdd>(TC_OP::TC_OP_ATOMIC_ADD_RTN_32),
    unsigned_row<Rmw::kSub>(TC_OP::TC_OP_ATOMIC_SUB_RTN_32),
    signed_row<Rmw::kMin>(TC_OP::TC_OP_ATOMIC_SMIN_RTN_32),
    unsigned_row<Rmw::kMin>(TC_OP::TC_OP_ATOMIC_UMIN_RTN_32),
    signed_row<Rmw::kMax>(TC_OP::TC_OP_ATOMIC_SMAX_RTN_32),
    unsigned_row<Rmw::kMax>(TC_OP::TC_OP_ATOMIC_UMAX_RTN_32),
    unsigned_row<Rmw::kAnd>(TC_OP::TC_OP_ATOMIC_AND_RTN_32),
    unsigned_row<Rmw::kOr>(TC_OP::TC_OP_ATOMIC_OR_RTN_32),
    unsigned_row<Rmw::kXor>(TC_OP::TC_OP_ATOMIC_XOR_RTN_32),
    unsigned_row<Rmw::kInc>(TC_OP::TC_OP_ATOMIC_INC_RTN_32),
    unsigned_row<Rmw::kDec>(TC_OP::TC_OP_ATOMIC_DEC_RTN_32),
    float_row<Rmw::kFloatCmpSwap, false>(TC_OP::TC_OP_ATOMIC_FCMPSWAP_RTN_32),
    float_row<Rmw::kFloatMin, false>(TC_OP::TC_OP_ATOMIC_FMIN_RTN_32),
    float_row<Rmw::kFloatMax, false>(TC_OP::TC_OP_ATOMIC_FMAX_RTN_32),
    float_row<Rmw::kFloatCmpSwap, true>(TC_OP::TC_OP_ATOMIC_FCMPSWAP_FLUSH_DENORM_RTN_32),
    float_row<Rmw::kFloatMin, true>(TC_OP::TC_OP_ATOMIC_FMIN_FLUSH_DENORM_RTN_32),
    float_row<Rmw::kFloatMax, true>(TC_OP::TC_OP_ATOMIC_FMAX_FLUSH_DENORM_RTN_32),
    {TC_OP::TC_OP_ATOMIC_FADD_FLUSH_DENORM_RTN_32, on_floats<Rmw::kFloatAdd, uint32_t, true>, nullptr},
};

// nullptr for what is no atomic operation.
Apply find(TC_OP op) {
  const auto code = static_cast<uint32_t>(op);
  const auto base = static_cast<TC_OP>(code & ~(kIs64Bit | kIsWithoutReturn));
  const auto* row =
      std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& entry) { return entry.op == base; });
  if (row == std::end(kRows)) return nullptr;
  return (code & kIs64Bit) != 0 ? row->on_64_bits : row->on_32_bits;
}

}  // namespace

uint32_t size_of_atomic(TC_OP op) {
  if (find(op) == nullptr) return 0;
  return (static_cast<uint32_t>(op) & kIs64Bit) != 0 ? sizeof(uint64_t) : sizeof(uint32_t);
}

bool returns_old_value(TC_OP op) {
  return (static_cast<uint32_t>(op) & kIsWithoutReturn) == 0;
}

AtomicResult apply_atomic(const MemoryAtomic& operation, std::byte* word) {
  return find(operation.op)(operation, word);
}

}  // namespace bw::emulator
