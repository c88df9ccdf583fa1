// Owns: atomics of MUBUF. Out of range they do nothing and return 0. Source: RDNA3 ISA guide, "Memory buffer
// instructions".
#include "emulator/memory/client_access.h"
#include "emulator/shader/atomics.h"
#include "emulator/shader/buffer_access.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

template <Rmw kWhat, class T>
void run_atomic(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  const FloatAtomicMode mode = memory_float_mode<kWhat, T>(w.mode);
  const ScopeOf<kWhat> scope(mode, w.mode);
  constexpr unsigned kDwords = sizeof(T) / 4;
  constexpr bool kCompares = kWhat == Rmw::kCmpSwap || kWhat == Rmw::kFloatCmpSwap;
  const BufferAccess access(w, s);
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      T old{};
      if (const auto address = access.address(w, h, l, 0, sizeof(T))) {
        bool faulted = false;
        std::byte* target = atomic_target(w, s, Space::kGlobal, *address, h * kLanes + l, sizeof(T), &faulted);
        if (faulted) return;
        const T compare = kCompares ? read_vgprs<T>(w, s.dst + kDwords, h, l) : T{};
        old = atomic_modify<kWhat, T>(target, read_vgprs<T>(w, s.dst, h, l), compare, mode);
      }
      if (s.glc) write_vgprs<T>(w, s.dst, h, l, old);
    }
  }
}

template <class U, class I>
struct OpsOf {
  Op swap, cmpswap, add, sub, min_i, min_u, max_i, max_u, and_, or_, xor_, inc, dec;

  void bind_to(HandlerTable& t) const {
    t.bind(swap, run_atomic<Rmw::kSwap, U>);
    t.bind(cmpswap, run_atomic<Rmw::kCmpSwap, U>);
    t.bind(add, run_atomic<Rmw::kAdd, U>);
    t.bind(sub, run_atomic<Rmw::kSub, U>);
    t.bind(min_i, run_atomic<Rmw::kMin, I>);
    t.bind(min_u, run_atomic<Rmw::kMin, U>);
    t.bind(max_i, run_atomic<Rmw::kMax, I>);
    t.bind(max_u, run_atomic<Rmw::kMax, U>);
    t.bind(and_, run_atomic<Rmw::kAnd, U>);
    t.bind(or_, run_atomic<Rmw::kOr, U>);
    t.bind(xor_, run_atomic<Rmw::kXor, U>);
    t.bind(inc, run_atomic<Rmw::kInc, U>);
    t.bind(dec, run_atomic<Rmw::kDec, U>);
  }
};

}  // namespace

void bind_buffer_atomic(HandlerTable& t) {
  OpsOf<uint32_t, int32_t>{Op::buffer_atomic_swap_b32, Op::buffer_atomic_cmpswap_b32, Op::buffer_atomic_add_u32,
                           Op::buffer_atomic_sub_u32,  Op::buffer_atomic_min_i32,     Op::buffer_atomic_min_u32,
                           Op::buffer_atomic_max_i32,  Op::buffer_atomic_max_u32,     Op::buffer_atomic_and_b32,
                           Op::buffer_atomic_or_b32,   Op::buffer_atomic_xor_b32,     Op::buffer_atomic_inc_u32,
                           Op::buffer_atomic_dec_u32}
      .bind_to(t);
  OpsOf<uint64_t, int64_t>{Op::buffer_atomic_swap_b64, Op::buffer_atomic_cmpswap_b64, Op::buffer_atomic_add_u64,
                           Op::buffer_atomic_sub_u64,  Op::buffer_atomic_min_i64,     Op::buffer_atomic_min_u64,
                           Op::buffer_atomic_max_i64,  Op::buffer_atomic_max_u64,     Op::buffer_atomic_and_b64,
                           Op::buffer_atomic_or_b64,   Op::buffer_atomic_xor_b64,     Op::buffer_atomic_inc_u64,
                           Op::buffer_atomic_dec_u64}
      .bind_to(t);
  t.bind(Op::buffer_atomic_csub_u32, run_atomic<Rmw::kCsub, uint32_t>);
  t.bind(Op::buffer_atomic_cmpswap_f32, run_atomic<Rmw::kFloatCmpSwap, uint32_t>);
  t.bind(Op::buffer_atomic_min_f32, run_atomic<Rmw::kFloatMin, uint32_t>);
  t.bind(Op::buffer_atomic_max_f32, run_atomic<Rmw::kFloatMax, uint32_t>);
  t.bind(Op::buffer_atomic_add_f32, run_atomic<Rmw::kFloatAdd, uint32_t>);
}

}  // namespace bw::emulator
