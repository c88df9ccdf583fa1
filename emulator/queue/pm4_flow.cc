// The PM4 packets that say which packets come next: indirect buffers and conditions.
#include "base/bits.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace pm4 = amdgpu::gfx11::pm4;

// The ring calls a buffer, which may call one more; the hardware has no third level.
constexpr size_t kMaxBufferDepth = 2;

}  // namespace

PacketQueue::Outcome Pm4Queue::indirect_buffer() {
  using Packet = pm4::INDIRECT_BUFFER;
  if (has_size_of<pm4::COND_INDIRECT_BUFFER>()) return cond_indirect_buffer();
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  if (Packet::valid.get(data) == 0) return fail("VALID is not set");
  if (Packet::vmid.get(data) != 0) return fail("VMID {} is not the queue's to choose", Packet::vmid.get(data));
  if (!is_aligned(address_at(1), 4)) return fail("the buffer's address {:#x} is not a multiple of 4", address_at(1));
  const uint32_t count = Packet::ib_size.get(data);
  if (count == 0) return fail("the buffer is empty");
  if (Packet::chain.get(data) != 0) {
    if (buffer_depth() == 0) return fail("CHAIN outside of an indirect buffer");
    chain_buffer(address_at(1), count);
    return Outcome::kDone;
  }
  return enter_buffer(address_at(1), count);
}

PacketQueue::Outcome Pm4Queue::enter_buffer(uint64_t address, uint32_t count_dwords) {
  if (!is_aligned(address, 4)) return fail("the buffer's address {:#x} is not a multiple of 4", address);
  if (buffer_depth() >= kMaxBufferDepth) return fail("indirect buffers nest deeper than {}", kMaxBufferDepth);
  call_buffer(address, count_dwords);
  return Outcome::kDone;
}

// One of two buffers, as 64 bits of memory decide; a buffer of no dwords is none.
// unverified: that memory, masked, stands on the left of the comparison.
PacketQueue::Outcome Pm4Queue::cond_indirect_buffer() {
  using Packet = pm4::COND_INDIRECT_BUFFER;
  const uint32_t* data = packet().data();
  const uint32_t mode = Packet::mode.get(data);
  if (mode != Packet::mode__if_then && mode != Packet::mode__if_then_else) return fail("unknown MODE {}", mode);
  if (!is_aligned(address_at(2), 8)) return misaligned(address_at(2), 8);
  uint64_t value = 0;
  if (!memory().load_u64(address_at(2), &value)) return memory_fault();
  bool holds = false;
  if (!compare(Packet::function.get(data), value & address_at(4), address_at(6), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  if (!holds && mode == Packet::mode__if_then) return Outcome::kDone;
  const uint32_t count = holds ? Packet::ib_size1.get(data) : Packet::ib_size2.get(data);
  return count == 0 ? Outcome::kDone : enter_buffer(address_at(holds ? 8 : 11), count);
}

// The packets after it are dropped if 32 bits of memory are zero.
PacketQueue::Outcome Pm4Queue::cond_exec() {
  using Packet = pm4::COND_EXEC;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  if (!is_aligned(address_at(1), 4)) return misaligned(address_at(1), 4);
  uint32_t value = 0;
  if (!memory().load_u32(address_at(1), &value)) return memory_fault();
  return value != 0 ? Outcome::kDone : skip_dwords(Packet::exec_count.get(packet().data()));
}

// Waits until its own VALID is set, in memory. What comes after it is fetched later anyway.
PacketQueue::Outcome Pm4Queue::rewind() {
  using Packet = pm4::REWIND;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  uint32_t control = 0;
  if (!ordering_memory().load_u32(dword_address(Packet::valid.dword), &control)) return ordering_fault();
  return Packet::valid.bits.get(control) != 0 ? Outcome::kDone : Outcome::kBlocked;
}

}  // namespace bw::emulator
