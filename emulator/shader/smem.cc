// Owns: scalar memory loads. Source of the semantics: RDNA3 ISA guide, "Scalar memory operations".
#include <cstring>

#include "emulator/memory/client_access.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator {
namespace {

// src[0]: base (64 bits, or a buffer descriptor of 128 bits), src[1]: offset register, imm: offset. Of each the two low
// bits are ignored. Source: RDNA3 ISA guide, "S_LOAD_B32", for the register; unverified: for base and immediate.
constexpr uint64_t kDwordAligned = ~uint64_t{3};

uint64_t offset_of(const Wave& w, const Step& s) {
  const int64_t imm = s.imm;
  return (read32(w, s.src[1]) & kDwordAligned) + (static_cast<uint64_t>(imm) & kDwordAligned);
}

void load_dwords(Wave& w, const Step& s, uint64_t address, unsigned count) {
  const ClientAccess client;
  const std::byte* host = w.group->tlb->translate(address, count * 4, Access::kRead);
  if (host != nullptr) {
    std::memcpy(&w.s[s.dst], host, count * 4);
    return;
  }
  // The dwords may lie in two mappings.
  for (unsigned i = 0; i < count; ++i) {
    host = w.group->tlb->translate(address + i * 4, 4, Access::kRead);
    if (host == nullptr) return w.fail_memory(s, Access::kRead, address + i * 4, 0);
    std::memcpy(&w.s[s.dst + i], host, 4);
  }
}

template <unsigned kCount>
void run_load(Wave& w, const Step& s) {
  load_dwords(w, s, (w.s64(s.src[0].index) & kDwordAligned) + offset_of(w, s), kCount);
}

// Buffer descriptor fields. Source: RDNA3 ISA guide, "Buffer resource descriptor".
constexpr BitField kBaseHi{15, 0};
constexpr BitField kStride{29, 16};

template <unsigned kCount>
void run_buffer_load(Wave& w, const Step& s) {
  const ClientAccess client;
  const uint32_t* descriptor = &w.s[s.src[0].index];
  const uint64_t base = make_u64(descriptor[0], kBaseHi.get(descriptor[1]));
  const uint32_t stride = kStride.get(descriptor[1]);
  const uint64_t size = static_cast<uint64_t>(descriptor[2]) * (stride == 0 ? 1 : stride);
  const uint64_t offset = offset_of(w, s);
  for (unsigned i = 0; i < kCount; ++i) {
    if (offset >= size || offset + i * 4 >= size) {  // as the guide words it: only the first byte counts
      w.s[s.dst + i] = 0;
      continue;
    }
    const uint64_t address = (base & kDwordAligned) + offset + i * 4;
    const std::byte* host = w.group->tlb->translate(address, 4, Access::kRead);
    if (host == nullptr) return w.fail_memory(s, Access::kRead, address, 0);
    std::memcpy(&w.s[s.dst + i], host, 4);
  }
}

}  // namespace

void bind_smem(HandlerTable& t) {
  t.bind(Op::s_load_b32, run_load<1>);
  t.bind(Op::s_load_b64, run_load<2>);
  t.bind(Op::s_load_b128, run_load<4>);
  t.bind(Op::s_load_b256, run_load<8>);
  t.bind(Op::s_load_b512, run_load<16>);
  t.bind(Op::s_buffer_load_b32, run_buffer_load<1>);
  t.bind(Op::s_buffer_load_b64, run_buffer_load<2>);
  t.bind(Op::s_buffer_load_b128, run_buffer_load<4>);
  t.bind(Op::s_buffer_load_b256, run_buffer_load<8>);
  t.bind(Op::s_buffer_load_b512, run_buffer_load<16>);
}

}  // namespace bw::emulator
