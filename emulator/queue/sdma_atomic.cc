#include "emulator/queue/sdma_atomic.h"

#include <atomic>

namespace bw::emulator {
namespace {

using amdgpu::gfx11::TC_OP;

enum class Kind : uint8_t { kNone, kSwap, kCompareSwap, kAdd, kSub, kAnd, kOr, kXor };

// The engine has no use for the old value, so that an operation that returns it and one that does not are the same.
Kind kind_32(TC_OP op) {
  switch (op) {
    case TC_OP::TC_OP_ATOMIC_SWAP_RTN_32:
    case TC_OP::TC_OP_ATOMIC_SWAP_32:
      return Kind::kSwap;
    case TC_OP::TC_OP_ATOMIC_CMPSWAP_RTN_32:
    case TC_OP::TC_OP_ATOMIC_CMPSWAP_32:
      return Kind::kCompareSwap;
    case TC_OP::TC_OP_ATOMIC_ADD_RTN_32:
    case TC_OP::TC_OP_ATOMIC_ADD_32:
      return Kind::kAdd;
    case TC_OP::TC_OP_ATOMIC_SUB_RTN_32:
    case TC_OP::TC_OP_ATOMIC_SUB_32:
      return Kind::kSub;
    case TC_OP::TC_OP_ATOMIC_AND_RTN_32:
    case TC_OP::TC_OP_ATOMIC_AND_32:
      return Kind::kAnd;
    case TC_OP::TC_OP_ATOMIC_OR_RTN_32:
    case TC_OP::TC_OP_ATOMIC_OR_32:
      return Kind::kOr;
    case TC_OP::TC_OP_ATOMIC_XOR_RTN_32:
    case TC_OP::TC_OP_ATOMIC_XOR_32:
      return Kind::kXor;
    default:
      return Kind::kNone;
  }
}

Kind kind_64(TC_OP op) {
  switch (op) {
    case TC_OP::TC_OP_ATOMIC_SWAP_RTN_64:
    case TC_OP::TC_OP_ATOMIC_SWAP_64:
      return Kind::kSwap;
    case TC_OP::TC_OP_ATOMIC_CMPSWAP_RTN_64:
    case TC_OP::TC_OP_ATOMIC_CMPSWAP_64:
      return Kind::kCompareSwap;
    case TC_OP::TC_OP_ATOMIC_ADD_RTN_64:
    case TC_OP::TC_OP_ATOMIC_ADD_64:
      return Kind::kAdd;
    case TC_OP::TC_OP_ATOMIC_SUB_RTN_64:
    case TC_OP::TC_OP_ATOMIC_SUB_64:
      return Kind::kSub;
    case TC_OP::TC_OP_ATOMIC_AND_RTN_64:
    case TC_OP::TC_OP_ATOMIC_AND_64:
      return Kind::kAnd;
    case TC_OP::TC_OP_ATOMIC_OR_RTN_64:
    case TC_OP::TC_OP_ATOMIC_OR_64:
      return Kind::kOr;
    case TC_OP::TC_OP_ATOMIC_XOR_RTN_64:
    case TC_OP::TC_OP_ATOMIC_XOR_64:
      return Kind::kXor;
    default:
      return Kind::kNone;
  }
}

template <typename T>
bool apply(Kind kind, T source, T compare, std::byte* word) {
  std::atomic_ref<T> value(*reinterpret_cast<T*>(word));
  switch (kind) {
    case Kind::kNone:
      return false;
    case Kind::kSwap:
      value.exchange(source);
      return true;
    case Kind::kCompareSwap:
      return value.compare_exchange_strong(compare, source);
    case Kind::kAdd:
      value.fetch_add(source);
      return true;
    case Kind::kSub:
      value.fetch_sub(source);
      return true;
    case Kind::kAnd:
      value.fetch_and(source);
      return true;
    case Kind::kOr:
      value.fetch_or(source);
      return true;
    case Kind::kXor:
      value.fetch_xor(source);
      return true;
  }
  return false;
}

}  // namespace

uint32_t size_of_atomic(TC_OP op) {
  if (kind_32(op) != Kind::kNone) return 4;
  return kind_64(op) != Kind::kNone ? 8 : 0;
}

bool apply_atomic(const SdmaAtomic& operation, std::byte* word) {
  if (size_of_atomic(operation.op) == 8) {
    return apply<uint64_t>(kind_64(operation.op), operation.source, operation.compare, word);
  }
  return apply<uint32_t>(kind_32(operation.op), static_cast<uint32_t>(operation.source),
                         static_cast<uint32_t>(operation.compare), word);
}

}  // namespace bw::emulator
