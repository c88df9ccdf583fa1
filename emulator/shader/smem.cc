// Owns: scalar memory loads. Source of the semantics: RDNA3 ISA guide, "Scalar memory operations".
#include <cstring>

#include "emulator/memory/client_access.h"
#include "emulator/shader/handlers.h"

namespace bw::emulator {
namespace {

// src[0]: base (64 bits, or a buffer descriptor of 128 bits), src[1]: offset register, imm: offset.
void load_dwords(Wave& w, const Step& s, uint64_t address, unsigned count) {
  const ClientAccess client;
  address &= ~uint64_t{3};
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
  const uint64_t base = w.s64(s.src[0].index);
  load_dwords(w, s, base + read32(w, s.src[1]) + static_cast<int64_t>(s.imm), kCount);
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
  const uint64_t offset = (static_cast<uint64_t>(read32(w, s.src[1])) + static_cast<uint32_t>(s.imm)) & ~uint64_t{3};
  for (unsigned i = 0; i < kCount; ++i) {
    if (offset + i * 4 + 4 > size) {
      w.s[s.dst + i] = 0;  // out of range
      continue;
    }
    const uint64_t address = (base & ~uint64_t{3}) + offset + i * 4;
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
