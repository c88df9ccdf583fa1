// The PM4 packets that wait for, write and copy memory, and those that order it. Fields: amdgpu/gfx11/pm4.h.
#include "amdgpu/gfx11/enums.h"
#include "base/bits.h"
#include "emulator/kernel/clock.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = amdgpu::gfx11::pm4;
using gfx11::VGT_EVENT_TYPE;

const char* register_name(uint32_t offset) {
  for (const gfx11::RegisterName& entry : gfx11::kRegisterNames) {
    if (entry.offset.dwords == offset) return entry.name;
  }
  return "no known register";
}

}  // namespace

bool compare(uint32_t function, uint64_t value, uint64_t reference, bool* holds) {
  using Packet = pm4::WAIT_REG_MEM;
  switch (function) {
    case Packet::function__always_pass:
      *holds = true;
      return true;
    case Packet::function__less_than_ref_value:
      *holds = value < reference;
      return true;
    case Packet::function__less_than_equal_to_the_ref_value:
      *holds = value <= reference;
      return true;
    case Packet::function__equal_to_the_reference_value:
      *holds = value == reference;
      return true;
    case Packet::function__not_equal_reference_value:
      *holds = value != reference;
      return true;
    case Packet::function__greater_than_or_equal_reference_value:
      *holds = value >= reference;
      return true;
    case Packet::function__greater_than_reference_value:
      *holds = value > reference;
      return true;
    default:
      return false;
  }
}

PacketQueue::Outcome Pm4Queue::wait_reg_mem() {
  using Packet = pm4::WAIT_REG_MEM;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  if (Packet::mem_space.get(data) == Packet::mem_space__register_space) return wait_register();
  if (Packet::mem_space.get(data) != Packet::mem_space__memory_space) return fail("unknown MEM_SPACE");
  if (Packet::operation.get(data) == Packet::operation__wr_wait_wr_reg) return fail("OPERATION is for registers only");
  if ((dword(2) & 3) != 0) return fail("address {:#x} is not a multiple of 4", address_at(2));
  uint32_t value = 0;
  if (!memory().load_u32(address_at(2), &value)) return memory_fault();
  bool holds = false;
  if (!compare(Packet::function.get(data), value & Packet::mask.get(data), Packet::reference.get(data), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  return holds ? Outcome::kDone : Outcome::kBlocked;
}

// The flush of the host data path is the one pair of registers that a queue may ask for: it is always done here, for
// host and card see the same memory.
PacketQueue::Outcome Pm4Queue::wait_register() {
  using Packet = pm4::WAIT_REG_MEM;
  const uint32_t* data = packet().data();
  if (Packet::operation.get(data) == Packet::operation__wr_wait_wr_reg &&
      Packet::reg_write_addr1.get(data) == gfx11::GPU_HDP_FLUSH_REQ::kOffset.dwords &&
      Packet::reg_write_addr2.get(data) == gfx11::GPU_HDP_FLUSH_DONE::kOffset.dwords) {
    return Outcome::kDone;
  }
  return fail("waiting for register {:#x} ({}), {:#x} ({}) is not implemented", Packet::reg_write_addr1.get(data),
              register_name(Packet::reg_write_addr1.get(data)), Packet::reg_write_addr2.get(data),
              register_name(Packet::reg_write_addr2.get(data)));
}

PacketQueue::Outcome Pm4Queue::wait_reg_mem64() {
  using Packet = pm4::WAIT_REG_MEM64;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  if (Packet::mem_space.get(data) != Packet::mem_space__memory_space) return fail("only memory is implemented");
  if (Packet::operation.get(data) == Packet::operation__wr_wait_wr_reg) return fail("OPERATION is for registers only");
  if ((dword(2) & 7) != 0) return fail("address {:#x} is not a multiple of 8", address_at(2));
  uint64_t value = 0;
  if (!memory().load_u64(address_at(2), &value)) return memory_fault();
  bool holds = false;
  if (!compare(Packet::function.get(data), value & address_at(6), address_at(4), &holds)) {
    return fail("unknown FUNCTION {}", Packet::function.get(data));
  }
  return holds ? Outcome::kDone : Outcome::kBlocked;
}

// All that a release orders is done by then: this command processor takes one packet at a time and runs a dispatch to
// its end.
PacketQueue::Outcome Pm4Queue::release_mem() {
  using Packet = pm4::RELEASE_MEM;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const uint32_t index = Packet::event_index.get(data);
  if (index != Packet::event_index__end_of_pipe && index != Packet::event_index__shader_done) {
    return fail("EVENT_INDEX {} is neither end of pipe nor shader done", index);
  }
  if (Packet::dst_sel.get(data) > Packet::dst_sel__tc_l2) return fail("DST_SEL {}", Packet::dst_sel.get(data));
  const uint32_t interrupt = Packet::int_sel.get(data);
  if (interrupt > Packet::int_sel__unconditionally_send_int_ctxid) return fail("INT_SEL {}", interrupt);

  Outcome failure = Outcome::kFault;
  if (!store_release_data(Packet::data_sel.get(data), address_at(3), &failure)) return failure;
  if (interrupt == Packet::int_sel__send_interrupt_only ||
      interrupt == Packet::int_sel__send_interrupt_after_write_confirm ||
      interrupt == Packet::int_sel__unconditionally_send_int_ctxid) {
    listener().interrupt(Packet::int_ctxid.get(data));
  }
  return Outcome::kDone;
}

bool Pm4Queue::store_release_data(uint32_t data_sel, uint64_t address, Outcome* failure) {
  using Packet = pm4::RELEASE_MEM;
  if (data_sel == Packet::data_sel__none) return true;
  const bool is_32_bit = data_sel == Packet::data_sel__send_32_bit_low;
  if (!is_aligned(address, is_32_bit ? 4 : 8)) {
    *failure = fail("address {:#x} is not a multiple of {}", address, is_32_bit ? 4 : 8);
    return false;
  }
  bool stored = false;
  switch (data_sel) {
    case Packet::data_sel__send_32_bit_low:
      stored = memory().store_u32(address, dword(5));
      break;
    case Packet::data_sel__send_64_bit_data:
      stored = memory().store_u64(address, address_at(5));
      break;
    case Packet::data_sel__send_gpu_clock_counter:
      stored = memory().store_u64(address, gpu_clock());
      break;
    default:
      *failure = fail("DATA_SEL {} is not implemented", data_sel);
      return false;
  }
  if (!stored) *failure = memory_fault();
  return stored;
}

PacketQueue::Outcome Pm4Queue::write_data() {
  using Packet = pm4::WRITE_DATA;
  const uint32_t* data = packet().data();
  // The header's struct counts no data at all.
  if (packet().size() <= Packet::kDwords) return fail("the packet has no data");
  const uint32_t destination = Packet::dst_sel.get(data);
  if (destination != Packet::dst_sel__tc_l2 && destination != Packet::dst_sel__memory) {
    return fail("DST_SEL {} is not implemented", destination);
  }
  if ((dword(2) & 3) != 0) return fail("address {:#x} is not a multiple of 4", address_at(2));
  const bool increments = Packet::addr_incr.get(data) == Packet::addr_incr__increment_address;
  uint64_t address = address_at(2);
  for (size_t i = Packet::kDwords; i < packet().size(); ++i) {
    if (!memory().store_u32(address, dword(i))) return memory_fault();
    if (increments) address += sizeof(uint32_t);
  }
  return Outcome::kDone;
}

bool Pm4Queue::load_copy_source(uint32_t source, bool is_64_bit, uint64_t* value, Outcome* failure) {
  using Packet = pm4::COPY_DATA;
  switch (source) {
    case Packet::src_sel__immediate_data:
      *value = address_at(2);
      return true;
    case Packet::src_sel__gpu_clock_count:
      *value = gpu_clock();
      return true;
    case Packet::src_sel__tc_l2:
    case Packet::src_sel__tc_l2_obsolete:
      break;
    default:
      *failure = fail("SRC_SEL {} is not implemented", source);
      return false;
  }
  if (!is_aligned(address_at(2), is_64_bit ? 8 : 4)) {
    *failure = fail("source {:#x} is not a multiple of {}", address_at(2), is_64_bit ? 8 : 4);
    return false;
  }
  uint32_t low = 0;
  const bool loaded = is_64_bit ? memory().load_u64(address_at(2), value) : memory().load_u32(address_at(2), &low);
  if (!is_64_bit) *value = low;
  if (!loaded) *failure = memory_fault();
  return loaded;
}

PacketQueue::Outcome Pm4Queue::copy_data() {
  using Packet = pm4::COPY_DATA;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const bool is_64_bit = Packet::count_sel.get(data) == Packet::count_sel__64_bits_of_data;
  uint64_t value = 0;
  Outcome failure = Outcome::kFault;
  if (!load_copy_source(Packet::src_sel.get(data), is_64_bit, &value, &failure)) return failure;
  const uint32_t destination = Packet::dst_sel.get(data);
  if (destination != Packet::dst_sel__tc_l2 && destination != Packet::dst_sel__tc_l2_obsolete) {
    return fail("DST_SEL {} is not implemented", destination);
  }
  if (!is_aligned(address_at(4), is_64_bit ? 8 : 4)) {
    return fail("destination {:#x} is not a multiple of {}", address_at(4), is_64_bit ? 8 : 4);
  }
  const bool stored =
      is_64_bit ? memory().store_u64(address_at(4), value) : memory().store_u32(address_at(4), lo32(value));
  return stored ? Outcome::kDone : memory_fault();
}

// Caches are not modelled: there is nothing to invalidate.
PacketQueue::Outcome Pm4Queue::acquire_mem() {
  return has_size_of<pm4::ACQUIRE_MEM>() ? Outcome::kDone : wrong_size<pm4::ACQUIRE_MEM>();
}

PacketQueue::Outcome Pm4Queue::event_write() {
  using Packet = pm4::EVENT_WRITE;
  const auto type = static_cast<VGT_EVENT_TYPE>(Packet::event_type.get(packet().data()));
  constexpr size_t kDwordsWithoutAddress = 2;
  if (packet().size() != kDwordsWithoutAddress) return fail("events that write memory are not implemented");
  switch (type) {
    // No dispatch is under way when the next packet is read, and there are no caches.
    case VGT_EVENT_TYPE::CS_PARTIAL_FLUSH:
    case VGT_EVENT_TYPE::CACHE_FLUSH:
    case VGT_EVENT_TYPE::CACHE_FLUSH_AND_INV_EVENT:
      return Outcome::kDone;
    default:
      return fail("EVENT_TYPE {} is not implemented", static_cast<uint32_t>(type));
  }
}

}  // namespace bw::emulator
