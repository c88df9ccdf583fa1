// Owns: atomics of LDS. All waves of a workgroup run on one host thread, so plain reads and writes are atomic.
// Source of the semantics: RDNA3 ISA guide, "Data share".
#include <cstring>

#include "emulator/shader/atomics.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

// Atomics must be aligned. Source: RDNA3 ISA guide, "Alignment and Errors".
void fail_misaligned(Wave& w, const Step& s, uint64_t address, unsigned lane) {
  w.fail_memory(s, Access::kWrite, address, lane);
  w.group->fault->message = fmt::format("misaligned atomic at address {:#x} of LDS by lane {}", address, lane);
}

// Lanes in order; the old value (0 beyond LDS) goes to dst if kReturn. The compare value of cmpstore is the second
// operand and the new value the first, as in atomic_cmpswap.
template <Rmw kWhat, class T, bool kReturn>
void run_atomic(Wave& w, const Step& s) {
  w.sync_exec();
  const FloatAtomicMode mode = lds_float_mode<T>(w.mode);
  const ScopeOf<kWhat> scope(mode, w.mode);
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      const uint64_t address = lds_address(w.vgpr(s.src[0].index, h)[l], static_cast<uint32_t>(s.imm));
      if (address % sizeof(T) != 0) return fail_misaligned(w, s, address, h * kLanes + l);
      std::byte* target = lds_at(w, address, sizeof(T));
      T old = 0;
      if (target != nullptr) {
        std::memcpy(&old, target, sizeof(T));
        constexpr bool kTwo =
            kWhat == Rmw::kCmpSwap || kWhat == Rmw::kFloatCmpSwap || kWhat == Rmw::kMaskOr || kWhat == Rmw::kWrap;
        const T data1 = kTwo ? read_vgprs<T>(w, s.src[2].index, h, l) : T{};
        const T value = modify<kWhat, T>(old, read_vgprs<T>(w, s.src[1].index, h, l), data1, mode);
        std::memcpy(target, &value, sizeof(T));
      }
      if (kReturn) write_vgprs<T>(w, s.dst, h, l, old);
    }
  }
}

template <class T, unsigned kStride>
void run_exchange2(Wave& w, const Step& s) {
  w.sync_exec();
  constexpr unsigned kDwords = sizeof(T) / 4;
  const uint32_t offsets[2] = {s.offset0 * static_cast<uint32_t>(sizeof(T)) * kStride,
                               s.offset1 * static_cast<uint32_t>(sizeof(T)) * kStride};
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      T old[2] = {};
      for (unsigned i = 0; i < 2; ++i) {
        const uint64_t address = lds_address(w.vgpr(s.src[0].index, h)[l], offsets[i]);
        if (address % sizeof(T) != 0) return fail_misaligned(w, s, address, h * kLanes + l);
        std::byte* target = lds_at(w, address, sizeof(T));
        if (target == nullptr) continue;
        const T value = read_vgprs<T>(w, s.src[1 + i].index, h, l);
        std::memcpy(&old[i], target, sizeof(T));
        std::memcpy(target, &value, sizeof(T));
      }
      write_vgprs<T>(w, s.dst, h, l, old[0]);
      write_vgprs<T>(w, s.dst + kDwords, h, l, old[1]);
    }
  }
}

// Each dword whose bit 31 is set in the data replaces the one in LDS (without that bit); the old pair is returned.
void run_conditional_exchange(Wave& w, const Step& s) {
  w.sync_exec();
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      const uint64_t address = lds_address(w.vgpr(s.src[0].index, h)[l], static_cast<uint32_t>(s.imm));
      std::byte* target = lds_at(w, address & ~uint64_t{7}, 8);
      uint32_t memory[2] = {};
      if (target != nullptr) std::memcpy(memory, target, 8);
      const uint32_t old[2] = {memory[0], memory[1]};
      for (unsigned i = 0; i < 2; ++i) {
        const uint32_t data = w.vgpr(s.src[1].index + i, h)[l];
        if ((data >> 31) != 0) memory[i] = data & 0x7fffffff;
      }
      if (target != nullptr) std::memcpy(target, memory, 8);
      for (unsigned i = 0; i < 2; ++i) w.vgpr(s.dst + i, h)[l] = old[i];
    }
  }
}

// Adds (or subtracts) the number of active lanes to the counter at M0's base + offset; every lane gets the old value.
template <bool kAppend>
void run_append(Wave& w, const Step& s) {
  w.sync_exec();
  const uint64_t address = (w.s[kM0Slot] >> 16) + static_cast<uint32_t>(s.imm);
  std::byte* target = lds_at(w, address & ~uint64_t{3}, 4);
  uint32_t old = 0;
  if (target != nullptr) {
    std::memcpy(&old, target, 4);
    const uint32_t count = static_cast<uint32_t>(__builtin_popcountll(w.exec()));
    const uint32_t value = kAppend ? old + count : old - count;
    std::memcpy(target, &value, 4);
  }
  Row row;
  for (uint32_t& lane : row.lane) lane = old;
  for (unsigned h = 0; h < w.halves; ++h) store_lanes(w, s.dst, h, row.lane);
}

template <Rmw kWhat, class T>
void bind_pair(HandlerTable& t, Op plain, Op returning) {
  t.bind(plain, run_atomic<kWhat, T, false>);
  t.bind(returning, run_atomic<kWhat, T, true>);
}

void bind_32(HandlerTable& t) {
  bind_pair<Rmw::kAdd, uint32_t>(t, Op::ds_add_u32, Op::ds_add_rtn_u32);
  bind_pair<Rmw::kSub, uint32_t>(t, Op::ds_sub_u32, Op::ds_sub_rtn_u32);
  bind_pair<Rmw::kRsub, uint32_t>(t, Op::ds_rsub_u32, Op::ds_rsub_rtn_u32);
  bind_pair<Rmw::kInc, uint32_t>(t, Op::ds_inc_u32, Op::ds_inc_rtn_u32);
  bind_pair<Rmw::kDec, uint32_t>(t, Op::ds_dec_u32, Op::ds_dec_rtn_u32);
  bind_pair<Rmw::kMin, int32_t>(t, Op::ds_min_i32, Op::ds_min_rtn_i32);
  bind_pair<Rmw::kMax, int32_t>(t, Op::ds_max_i32, Op::ds_max_rtn_i32);
  bind_pair<Rmw::kMin, uint32_t>(t, Op::ds_min_u32, Op::ds_min_rtn_u32);
  bind_pair<Rmw::kMax, uint32_t>(t, Op::ds_max_u32, Op::ds_max_rtn_u32);
  bind_pair<Rmw::kAnd, uint32_t>(t, Op::ds_and_b32, Op::ds_and_rtn_b32);
  bind_pair<Rmw::kOr, uint32_t>(t, Op::ds_or_b32, Op::ds_or_rtn_b32);
  bind_pair<Rmw::kXor, uint32_t>(t, Op::ds_xor_b32, Op::ds_xor_rtn_b32);
  bind_pair<Rmw::kMaskOr, uint32_t>(t, Op::ds_mskor_b32, Op::ds_mskor_rtn_b32);
  bind_pair<Rmw::kCmpSwap, uint32_t>(t, Op::ds_cmpstore_b32, Op::ds_cmpstore_rtn_b32);
  bind_pair<Rmw::kFloatCmpSwap, uint32_t>(t, Op::ds_cmpstore_f32, Op::ds_cmpstore_rtn_f32);
  bind_pair<Rmw::kFloatMin, uint32_t>(t, Op::ds_min_f32, Op::ds_min_rtn_f32);
  bind_pair<Rmw::kFloatMax, uint32_t>(t, Op::ds_max_f32, Op::ds_max_rtn_f32);
  bind_pair<Rmw::kFloatAdd, uint32_t>(t, Op::ds_add_f32, Op::ds_add_rtn_f32);
  t.bind(Op::ds_storexchg_rtn_b32, run_atomic<Rmw::kSwap, uint32_t, true>);
  t.bind(Op::ds_wrap_rtn_b32, run_atomic<Rmw::kWrap, uint32_t, true>);
  t.bind(Op::ds_storexchg_2addr_rtn_b32, run_exchange2<uint32_t, 1>);
  t.bind(Op::ds_storexchg_2addr_stride64_rtn_b32, run_exchange2<uint32_t, 64>);
}

void bind_64(HandlerTable& t) {
  bind_pair<Rmw::kAdd, uint64_t>(t, Op::ds_add_u64, Op::ds_add_rtn_u64);
  bind_pair<Rmw::kSub, uint64_t>(t, Op::ds_sub_u64, Op::ds_sub_rtn_u64);
  bind_pair<Rmw::kRsub, uint64_t>(t, Op::ds_rsub_u64, Op::ds_rsub_rtn_u64);
  bind_pair<Rmw::kInc, uint64_t>(t, Op::ds_inc_u64, Op::ds_inc_rtn_u64);
  bind_pair<Rmw::kDec, uint64_t>(t, Op::ds_dec_u64, Op::ds_dec_rtn_u64);
  bind_pair<Rmw::kMin, int64_t>(t, Op::ds_min_i64, Op::ds_min_rtn_i64);
  bind_pair<Rmw::kMax, int64_t>(t, Op::ds_max_i64, Op::ds_max_rtn_i64);
  bind_pair<Rmw::kMin, uint64_t>(t, Op::ds_min_u64, Op::ds_min_rtn_u64);
  bind_pair<Rmw::kMax, uint64_t>(t, Op::ds_max_u64, Op::ds_max_rtn_u64);
  bind_pair<Rmw::kAnd, uint64_t>(t, Op::ds_and_b64, Op::ds_and_rtn_b64);
  bind_pair<Rmw::kOr, uint64_t>(t, Op::ds_or_b64, Op::ds_or_rtn_b64);
  bind_pair<Rmw::kXor, uint64_t>(t, Op::ds_xor_b64, Op::ds_xor_rtn_b64);
  bind_pair<Rmw::kMaskOr, uint64_t>(t, Op::ds_mskor_b64, Op::ds_mskor_rtn_b64);
  bind_pair<Rmw::kCmpSwap, uint64_t>(t, Op::ds_cmpstore_b64, Op::ds_cmpstore_rtn_b64);
  bind_pair<Rmw::kFloatCmpSwap, uint64_t>(t, Op::ds_cmpstore_f64, Op::ds_cmpstore_rtn_f64);
  bind_pair<Rmw::kFloatMin, uint64_t>(t, Op::ds_min_f64, Op::ds_min_rtn_f64);
  bind_pair<Rmw::kFloatMax, uint64_t>(t, Op::ds_max_f64, Op::ds_max_rtn_f64);
  t.bind(Op::ds_storexchg_rtn_b64, run_atomic<Rmw::kSwap, uint64_t, true>);
  t.bind(Op::ds_storexchg_2addr_rtn_b64, run_exchange2<uint64_t, 1>);
  t.bind(Op::ds_storexchg_2addr_stride64_rtn_b64, run_exchange2<uint64_t, 64>);
}

}  // namespace

void bind_ds_atomic(HandlerTable& t) {
  bind_32(t);
  bind_64(t);
  t.bind(Op::ds_condxchg32_rtn_b64, run_conditional_exchange);
  t.bind(Op::ds_append, run_append<true>);
  t.bind(Op::ds_consume, run_append<false>);
}

}  // namespace bw::emulator
