// Owns: atomics of FLAT and GLOBAL. Source of the semantics: RDNA3 ISA guide, "Flat memory instructions".
#include "emulator/memory/client_access.h"
#include "emulator/shader/atomics.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

template <Space kSpace, Rmw kWhat, class T>
void run_atomic(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  const FloatAtomicMode mode = memory_float_mode<kWhat, T>(w.mode);
  const ScopeOf<kWhat> scope(mode, w.mode);
  constexpr unsigned kDwords = sizeof(T) / 4;
  constexpr bool kCompares = kWhat == Rmw::kCmpSwap || kWhat == Rmw::kFloatCmpSwap;
  for (unsigned h = 0; h < w.halves; ++h) {
    LaneAddresses lanes;
    compute_addresses(w, s, kSpace, h, &lanes);
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      bool faulted = false;
      std::byte* target = atomic_target(w, s, kSpace, lanes.address[l], h * kLanes + l, sizeof(T), &faulted);
      if (faulted) return;
      const T data = read_vgprs<T>(w, s.src[1].index, h, l);
      const T compare = kCompares ? read_vgprs<T>(w, s.src[1].index + kDwords, h, l) : T{};
      const T old = target != nullptr ? atomic_modify<kWhat, T>(target, data, compare, mode) : T{};
      if (s.glc) write_vgprs<T>(w, s.dst, h, l, old);
    }
  }
}

#define BW_BIND_ATOMICS(prefix, space)                                                      \
  t.bind(Op::prefix##_atomic_swap_b32, run_atomic<space, Rmw::kSwap, uint32_t>);            \
  t.bind(Op::prefix##_atomic_cmpswap_b32, run_atomic<space, Rmw::kCmpSwap, uint32_t>);      \
  t.bind(Op::prefix##_atomic_add_u32, run_atomic<space, Rmw::kAdd, uint32_t>);              \
  t.bind(Op::prefix##_atomic_sub_u32, run_atomic<space, Rmw::kSub, uint32_t>);              \
  t.bind(Op::prefix##_atomic_min_i32, run_atomic<space, Rmw::kMin, int32_t>);               \
  t.bind(Op::prefix##_atomic_min_u32, run_atomic<space, Rmw::kMin, uint32_t>);              \
  t.bind(Op::prefix##_atomic_max_i32, run_atomic<space, Rmw::kMax, int32_t>);               \
  t.bind(Op::prefix##_atomic_max_u32, run_atomic<space, Rmw::kMax, uint32_t>);              \
  t.bind(Op::prefix##_atomic_and_b32, run_atomic<space, Rmw::kAnd, uint32_t>);              \
  t.bind(Op::prefix##_atomic_or_b32, run_atomic<space, Rmw::kOr, uint32_t>);                \
  t.bind(Op::prefix##_atomic_xor_b32, run_atomic<space, Rmw::kXor, uint32_t>);              \
  t.bind(Op::prefix##_atomic_inc_u32, run_atomic<space, Rmw::kInc, uint32_t>);              \
  t.bind(Op::prefix##_atomic_dec_u32, run_atomic<space, Rmw::kDec, uint32_t>);              \
  t.bind(Op::prefix##_atomic_swap_b64, run_atomic<space, Rmw::kSwap, uint64_t>);            \
  t.bind(Op::prefix##_atomic_cmpswap_b64, run_atomic<space, Rmw::kCmpSwap, uint64_t>);      \
  t.bind(Op::prefix##_atomic_add_u64, run_atomic<space, Rmw::kAdd, uint64_t>);              \
  t.bind(Op::prefix##_atomic_sub_u64, run_atomic<space, Rmw::kSub, uint64_t>);              \
  t.bind(Op::prefix##_atomic_min_i64, run_atomic<space, Rmw::kMin, int64_t>);               \
  t.bind(Op::prefix##_atomic_min_u64, run_atomic<space, Rmw::kMin, uint64_t>);              \
  t.bind(Op::prefix##_atomic_max_i64, run_atomic<space, Rmw::kMax, int64_t>);               \
  t.bind(Op::prefix##_atomic_max_u64, run_atomic<space, Rmw::kMax, uint64_t>);              \
  t.bind(Op::prefix##_atomic_and_b64, run_atomic<space, Rmw::kAnd, uint64_t>);              \
  t.bind(Op::prefix##_atomic_or_b64, run_atomic<space, Rmw::kOr, uint64_t>);                \
  t.bind(Op::prefix##_atomic_xor_b64, run_atomic<space, Rmw::kXor, uint64_t>);              \
  t.bind(Op::prefix##_atomic_inc_u64, run_atomic<space, Rmw::kInc, uint64_t>);              \
  t.bind(Op::prefix##_atomic_dec_u64, run_atomic<space, Rmw::kDec, uint64_t>);              \
  t.bind(Op::prefix##_atomic_cmpswap_f32, run_atomic<space, Rmw::kFloatCmpSwap, uint32_t>); \
  t.bind(Op::prefix##_atomic_min_f32, run_atomic<space, Rmw::kFloatMin, uint32_t>);         \
  t.bind(Op::prefix##_atomic_max_f32, run_atomic<space, Rmw::kFloatMax, uint32_t>);         \
  t.bind(Op::prefix##_atomic_add_f32, run_atomic<space, Rmw::kFloatAdd, uint32_t>)

}  // namespace

void bind_vmem_atomic(HandlerTable& t) {
  BW_BIND_ATOMICS(global, Space::kGlobal);
  BW_BIND_ATOMICS(flat, Space::kFlat);
  t.bind(Op::global_atomic_csub_u32, run_atomic<Space::kGlobal, Rmw::kCsub, uint32_t>);
}

}  // namespace bw::emulator
