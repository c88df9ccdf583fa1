// The PM4 packets that wait until memory or a register has a value, or write where it has.
#include "base/bits.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace pm4 = amdgpu::gfx11::pm4;

}  // namespace

// POLL_INTERVAL is not looked at: a queue that waits looks again in its next turn, whenever that is.
PacketQueue::Outcome Pm4Queue::wait_reg_mem() {
  using Packet = pm4::WAIT_REG_MEM;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const uint32_t operation = Packet::operation.get(data);
  if (operation != Packet::operation__wait_reg_mem && operation != Packet::operation__wr_wait_wr_reg &&
      operation != Packet::operation__wait_mem_preemptable) {
    return fail("unknown OPERATION {}", operation);
  }
  const uint32_t space = Packet::mem_space.get(data);
  if (space == Packet::mem_space__register_space) return wait_register();
  if (space != Packet::mem_space__memory_space) return fail("unknown MEM_SPACE {}", space);
  if (operation == Packet::operation__wr_wait_wr_reg) return fail("OPERATION is for registers only");
  uint32_t value = 0;
  if (const Outcome loaded = load_polled(true, address_at(2), &value); loaded != Outcome::kDone) return loaded;
  bool holds = false;
  if (!compare(Packet::function.get(data), value & Packet::mask.get(data), Packet::reference.get(data), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  return end_wait(holds, address_at(2), [data](uint64_t stored) {
    bool would_do = false;
    return compare(Packet::function.get(data), lo32(stored) & Packet::mask.get(data), Packet::reference.get(data),
                   &would_do) &&
           would_do;
  });
}

// WR_WAIT_WR_REG writes the reference to one register, then waits for another (Linux gfx_v11_0.c,
// gfx_v11_0_ring_emit_hdp_flush()).
PacketQueue::Outcome Pm4Queue::wait_register() {
  using Packet = pm4::WAIT_REG_MEM;
  const uint32_t* data = packet().data();
  const uint32_t operation = Packet::operation.get(data);
  if (operation == Packet::operation__wait_mem_preemptable) return fail("OPERATION is for memory only");
  RegOffset polled{Packet::reg_poll_addr.get(data)};
  if (operation == Packet::operation__wr_wait_wr_reg) {
    const RegOffset written{Packet::reg_write_addr1.get(data)};
    if (const Outcome done = write_register(written, Packet::reference.get(data)); done != Outcome::kDone) return done;
    polled = {Packet::reg_write_addr2.get(data)};
  }
  uint32_t value = 0;
  if (const Outcome loaded = load_polled(false, polled.dwords, &value); loaded != Outcome::kDone) return loaded;
  bool holds = false;
  if (!compare(Packet::function.get(data), value & Packet::mask.get(data), Packet::reference.get(data), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  if (holds && polled == amdgpu::gfx11::GPU_HDP_FLUSH_DONE::kOffset) flush_host_path();
  if (holds) return Outcome::kDone;
  // No other queue writes it, and this one cannot.
  return fail("register {} has {:#x} and would never have what is waited for", register_name(polled), value);
}

PacketQueue::Outcome Pm4Queue::wait_reg_mem64() {
  using Packet = pm4::WAIT_REG_MEM64;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  if (Packet::mem_space.get(data) != Packet::mem_space__memory_space) {
    return fail("waiting for registers of 64 bits is not implemented");
  }
  const uint32_t operation = Packet::operation.get(data);
  if (operation != Packet::operation__wait_reg_mem && operation != Packet::operation__wait_mem_preemptable) {
    return fail("OPERATION {} is not for memory", operation);
  }
  if (!is_aligned(address_at(2), 8)) return misaligned(address_at(2), 8);
  uint64_t value = 0;
  if (!ordering_memory().load_u64(address_at(2), &value)) return ordering_fault();
  bool holds = false;
  if (!compare(Packet::function.get(data), value & address_at(6), address_at(4), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  return end_wait(holds, address_at(2), [this, data](uint64_t stored) {
    bool would_do = false;
    return compare(Packet::function.get(data), stored & address_at(6), address_at(4), &would_do) && would_do;
  });
}

PacketQueue::Outcome Pm4Queue::load_polled(bool from_memory, uint64_t address, uint32_t* value) {
  if (from_memory) {
    if (!is_aligned(address, 4)) return misaligned(address, 4);
    return ordering_memory().load_u32(address, value) ? Outcome::kDone : ordering_fault();
  }
  const RegOffset offset{lo32(address)};
  return registers_.read(offset, value) ? Outcome::kDone : no_register(offset);
}

// Looks once, and writes if the comparison holds.
PacketQueue::Outcome Pm4Queue::cond_write() {
  using Packet = pm4::COND_WRITE;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  uint32_t value = 0;
  const bool polls_memory = Packet::poll_space.get(data) == Packet::poll_space__memory;
  if (const Outcome loaded = load_polled(polls_memory, address_at(2), &value); loaded != Outcome::kDone) return loaded;
  bool holds = false;
  if (!compare(Packet::function.get(data), value & Packet::mask.get(data), Packet::reference.get(data), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  const uint32_t space = Packet::write_space.get(data);
  if (space != Packet::write_space__register && space != Packet::write_space__memory) {
    return fail("WRITE_SPACE {} is not implemented", space);
  }
  if (!holds) return Outcome::kDone;
  const uint32_t written = Packet::write_data.get(data);
  if (space == Packet::write_space__register) return write_register({dword(6)}, written);
  if (!is_aligned(address_at(6), 4)) return misaligned(address_at(6), 4);
  return memory().store_u32(address_at(6), written) ? Outcome::kDone : memory_fault();
}

}  // namespace bw::emulator
