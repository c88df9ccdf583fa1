// Owns: stores for the common case - all active lanes in one mapping, within 2 GiB of each other, or in LDS - on host
// vectors. Everything else, faults included, goes to the interpreter's handler. Not here: loads (fast_loads.cc).
#include "emulator/jit/fast_handlers.h"

#include <immintrin.h>

#include <bit>
#include <cstring>

#include "emulator/jit/lane_vectors.h"
#include "emulator/memory/client_access.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator::jit {
namespace {

// The bytes of the active lanes: host + offset[l]. Lanes that are not active have the offset of one that is.
struct Span {
  std::byte* host;
  uint32_t size_bytes;  // from the lowest offset, 0, to the highest
  alignas(32) uint32_t offset[kLanes];
};

// False: not the common case. `active` (not 0) are the active lanes of the half.
template <Space kSpace>
bool find_span(Wave& w, const Step& s, unsigned half, uint32_t active, uint32_t bytes, uint32_t lds_offset,
               Access access, Span* span) {
  const uint32_t* row = w.vgpr(s.src[0].index, half);
  const uint32_t* exec = w.exec_row(half);
  const unsigned first = static_cast<unsigned>(std::countr_zero(active));
  uint32_t lowest = 0;
  if (!relative_offsets(row, exec, first, span->offset, &lowest, &span->size_bytes)) return false;
  if constexpr (kSpace == Space::kLds) {
    const uint64_t begin = static_cast<uint64_t>(lowest) + lds_offset;
    if (begin + span->size_bytes + bytes > w.group->lds_bytes) return false;
    span->host = w.group->lds.data() + begin;
    return true;
  }
  uint64_t base = static_cast<uint64_t>(static_cast<int64_t>(s.imm)) + lowest;
  if ((s.extra & kHasSgpr) != 0) {
    base += read64(w, s.src[2]);
  } else {
    const uint32_t* high = w.vgpr(s.src[0].index + 1u, half);
    if (!is_uniform(high, exec, high[first])) return false;
    if (kSpace == Space::kFlat && (high[first] == kSharedHigh || high[first] == kPrivateHigh)) return false;
    base += static_cast<uint64_t>(high[first]) << 32;
  }
  span->host = w.group->tlb->translate(base, span->size_bytes + bytes, access);
  return span->host != nullptr;
}

// Four rows to four dwords of each lane, all of which are active.
void store_quads(const Span& span, const uint32_t* const* rows) {
  const auto put = [&](unsigned lane, __m128 value) {
    _mm_storeu_ps(reinterpret_cast<float*>(span.host + span.offset[lane]), value);
  };
  for (unsigned l = 0; l < kLanes; l += kStep) {
    __m256 q[4];
    for (unsigned i = 0; i < 4; ++i) q[i] = _mm256_loadu_ps(reinterpret_cast<const float*>(rows[i] + l));
    transpose_quads(q);
    // In the order of the lanes: of two that write the same bytes the last one stays.
    for (unsigned i = 0; i < 4; ++i) put(l + i, _mm256_castps256_ps128(q[i]));
    for (unsigned i = 0; i < 4; ++i) put(l + 4 + i, _mm256_extractf128_ps(q[i], 1));
  }
}

template <Space kSpace, unsigned kBytes>
void store_half(Wave& w, const Step& s, unsigned half, uint32_t active, const Span& span) {
  constexpr unsigned kDwords = (kBytes + 3) / 4;
  const uint32_t* rows[kDwords];
  for (unsigned i = 0; i < kDwords; ++i) rows[i] = w.vgpr(s.src[1].index + i, half);
  if (kBytes == 4 && active == ~0u && span.size_bytes == (kLanes - 1) * 4 && are_dwords_in_order(span.offset)) {
    std::memcpy(span.host, rows[0], sizeof(Row));
    return;
  }
  if constexpr (kBytes == 16) {
    if (active == ~0u) return store_quads(span, rows);
  }
  for (uint32_t left = active; left != 0; left &= left - 1) {
    const unsigned l = static_cast<unsigned>(std::countr_zero(left));
    uint32_t data[kDwords];
    for (unsigned i = 0; i < kDwords; ++i) data[i] = rows[i][l];
    std::memcpy(span.host + span.offset[l], data, kBytes);
  }
}

// Both halves are found before either is written, so that the handler can start over.
template <Space kSpace, unsigned kBytes>
void run_store(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  Span spans[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active == 0) continue;
    if (!find_span<kSpace>(w, s, h, active, kBytes, static_cast<uint32_t>(s.imm), Access::kWrite, &spans[h]))
      return s.run(w, s);
  }
  for (unsigned h = 0; h < w.halves; ++h) {
    const uint32_t active = static_cast<uint32_t>(w.exec() >> (h * kLanes));
    if (active != 0) store_half<kSpace, kBytes>(w, s, h, active, spans[h]);
  }
}

#define BW_ADD_SPACE(prefix, space)                       \
  table[h[Op::prefix##_store_b8]] = run_store<space, 1>;  \
  table[h[Op::prefix##_store_b16]] = run_store<space, 2>; \
  table[h[Op::prefix##_store_b32]] = run_store<space, 4>; \
  table[h[Op::prefix##_store_b64]] = run_store<space, 8>; \
  table[h[Op::prefix##_store_b128]] = run_store<space, 16>

}  // namespace

void add_memory(FastHandlerTable& table) {
  const HandlerTable& h = handlers();
  BW_ADD_SPACE(global, Space::kGlobal);
  BW_ADD_SPACE(flat, Space::kFlat);
  table[h[Op::ds_store_b16]] = run_store<Space::kLds, 2>;
  table[h[Op::ds_store_b32]] = run_store<Space::kLds, 4>;
  table[h[Op::ds_store_b64]] = run_store<Space::kLds, 8>;
  table[h[Op::ds_store_b128]] = run_store<Space::kLds, 16>;
}

}  // namespace bw::emulator::jit
