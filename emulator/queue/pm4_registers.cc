// The PM4 packets that set registers.
#include "base/bits.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = amdgpu::gfx11::pm4;

}  // namespace

// `index`: of a shader register. COMPUTE_DISPATCH_INITIATOR would start a program.
PacketQueue::Outcome Pm4Queue::write_sh(uint32_t index, uint32_t value) {
  const RegOffset offset = gfx11::kShRegBase + index;
  if (offset == gfx11::COMPUTE_DISPATCH_INITIATOR::kOffset) {
    return fail("starting a program by COMPUTE_DISPATCH_INITIATOR is not implemented (DISPATCH_DIRECT is)");
  }
  if (registers_.write(offset, value)) return Outcome::kDone;
  return fail("{:#x} (offset {:#x}) is no register that a compute queue may set", offset.dwords, index);
}

PacketQueue::Outcome Pm4Queue::set_sh_reg() {
  using Packet = pm4::SET_SH_REG;
  if (packet().size() <= Packet::kDwords) return fail("the packet has no values");
  const uint32_t* data = packet().data();
  if (Packet::index.get(data) == Packet::index__insert_vmid) return fail("INDEX {}", Packet::index.get(data));
  const uint32_t first = Packet::reg_offset.get(data);
  for (uint32_t i = 0; i < packet().size() - Packet::kDwords; ++i) {
    if (write_sh(first + i, dword(Packet::kDwords + i)) == Outcome::kFault) return Outcome::kFault;
  }
  return Outcome::kDone;
}

// Pairs of registers: a dword with two offsets, and their values.
// unverified: that REG_WRITES_COUNT counts registers, and so is even (PAL pads with a register that is set twice).
PacketQueue::Outcome Pm4Queue::set_sh_reg_pairs_packed() {
  using Packet = pm4::SET_SH_REG_PAIRS_PACKED;
  constexpr size_t kFirst = Packet::reg_offset0.dword, kDwordsPerPair = 3;
  const uint32_t count = Packet::reg_writes_count.get(packet().data());
  if (count == 0 || count % 2 != 0 || packet().size() != kFirst + count / 2 * kDwordsPerPair) {
    return fail("REG_WRITES_COUNT {} in a packet of {} dwords", count, packet().size());
  }
  for (size_t at = kFirst; at < packet().size(); at += kDwordsPerPair) {
    const uint32_t offsets = dword(at);
    if (write_sh(Packet::reg_offset0.bits.get(offsets), dword(at + 1)) == Outcome::kFault) return Outcome::kFault;
    if (write_sh(Packet::reg_offset1.bits.get(offsets), dword(at + 2)) == Outcome::kFault) return Outcome::kFault;
  }
  return Outcome::kDone;
}

// Registers in a row, from memory.
PacketQueue::Outcome Pm4Queue::load_sh_reg_index() {
  using Packet = pm4::LOAD_SH_REG_INDEX;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  if (Packet::index.get(data) != Packet::index__direct_addr) return fail("indirect addresses are not implemented");
  if (Packet::data_format.get(data) != Packet::data_format__offset_and_size) {
    return fail("registers with offsets in memory are not implemented");
  }
  const uint64_t address = align_down(address_at(1), sizeof(uint32_t));
  const uint32_t first = Packet::reg_offset.get(data);
  for (uint32_t i = 0; i < Packet::num_dwords.get(data); ++i) {
    uint32_t value = 0;
    if (!memory().load_u32(address + i * sizeof(uint32_t), &value)) return memory_fault();
    if (write_sh(first + i, value) == Outcome::kFault) return Outcome::kFault;
  }
  return Outcome::kDone;
}

// None that this command processor acts upon; they can be read back. What is no register at all is told.
PacketQueue::Outcome Pm4Queue::set_uconfig_reg() {
  using Packet = pm4::SET_UCONFIG_REG;
  if (packet().size() <= Packet::kDwords) return fail("the packet has no values");
  const uint32_t first = Packet::reg_offset.get(packet().data());
  for (uint32_t i = 0; i < packet().size() - Packet::kDwords; ++i) {
    const RegOffset offset = gfx11::kUconfigRegBase + (first + i);
    if (write_register(offset, dword(Packet::kDwords + i)) == Outcome::kFault) return Outcome::kFault;
  }
  return Outcome::kDone;
}

}  // namespace bw::emulator
