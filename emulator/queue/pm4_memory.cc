// The PM4 packets that write memory at a point of the pipeline, order memory, and raise events. All that they wait for
// is done by then: this command processor takes one packet at a time and runs a dispatch to its end; and all memory is
// coherent, so that there is nothing to write back or to invalidate. Strict mode keeps account of what would have been
// (emulator/caches).
#include "amdgpu/gfx11/enums.h"
#include "base/bits.h"
#include "emulator/kernel/clock.h"
#include "emulator/queue/memory_atomic.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = amdgpu::gfx11::pm4;
using gfx11::VGT_EVENT_TYPE;

// The events that a release may wait for, by EVENT_INDEX.
bool is_end_of_pipe(VGT_EVENT_TYPE type) {
  switch (type) {
    case VGT_EVENT_TYPE::CACHE_FLUSH_TS:
    case VGT_EVENT_TYPE::CACHE_FLUSH_AND_INV_TS_EVENT:
    case VGT_EVENT_TYPE::BOTTOM_OF_PIPE_TS:
    case VGT_EVENT_TYPE::FLUSH_SX_TS:
    case VGT_EVENT_TYPE::FLUSH_AND_INV_DB_DATA_TS:
    case VGT_EVENT_TYPE::FLUSH_AND_INV_CB_DATA_TS:
      return true;
    default:
      return false;
  }
}

bool is_shader_done(VGT_EVENT_TYPE type) {
  return type == VGT_EVENT_TYPE::CS_DONE || type == VGT_EVENT_TYPE::PS_DONE;
}

std::string event_name(VGT_EVENT_TYPE type) {
  const char* name = gfx11::name_of(type);
  return name != nullptr ? name : fmt::format("event {}", static_cast<uint32_t>(type));
}

}  // namespace

PacketQueue::Outcome Pm4Queue::release_mem() {
  using Packet = pm4::RELEASE_MEM;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const uint32_t index = Packet::event_index.get(data);
  const auto type = static_cast<VGT_EVENT_TYPE>(Packet::event_type.get(data));
  if (index != Packet::event_index__end_of_pipe && index != Packet::event_index__shader_done) {
    return fail("EVENT_INDEX {} is neither end of pipe nor shader done", index);
  }
  if (index == Packet::event_index__end_of_pipe ? !is_end_of_pipe(type) : !is_shader_done(type)) {
    return fail("EVENT_TYPE {} does not go with EVENT_INDEX {}", event_name(type), index);
  }
  if (Packet::dst_sel.get(data) > Packet::dst_sel__tc_l2) {
    return fail("DST_SEL {}: write pointers are the scheduler's", Packet::dst_sel.get(data));
  }
  if (Packet::mes_action_id.get(data) != Packet::mes_action_id__no_mes_notification) {
    return fail("MES_ACTION_ID {} is not implemented", Packet::mes_action_id.get(data));
  }
  const uint32_t interrupt = Packet::int_sel.get(data);
  if (interrupt > Packet::int_sel__unconditionally_send_int_ctxid) {
    return fail("INT_SEL {} is not implemented", interrupt);
  }
  if (const Outcome told = tell_release(); told != Outcome::kDone) return told;
  const Outcome stored = store_release_data(Packet::data_sel.get(data), address_at(3));
  if (stored != Outcome::kDone) return stored;
  if (interrupt == Packet::int_sel__send_interrupt_only ||
      interrupt == Packet::int_sel__send_interrupt_after_write_confirm ||
      interrupt == Packet::int_sel__unconditionally_send_int_ctxid) {
    interrupt_when_done(Packet::int_ctxid.get(data));
  }
  return Outcome::kDone;
}

// A packet without data and interrupt only writes back.
PacketQueue::Outcome Pm4Queue::tell_release() {
  using Packet = pm4::RELEASE_MEM;
  using Meaning = MemoryChecker::Queue::Meaning;
  const uint32_t* data = packet().data();
  const uint32_t select = Packet::data_sel.get(data);
  const bool has_data = select != Packet::data_sel__none;
  const bool interrupts = Packet::int_sel.get(data) != Packet::int_sel__none;
  const bool is_time =
      select == Packet::data_sel__send_gpu_clock_counter || select == Packet::data_sel__send_system_clock_counter;
  const bool is_32_bit = select == Packet::data_sel__send_32_bit_low || select == Packet::data_sel__atomic_add32bit_low;
  StoredSignal signal;
  if (has_data) signal = {.address = address_at(3), .size_bytes = is_32_bit ? 4u : 8u, .value = std::nullopt};
  if (select == Packet::data_sel__send_32_bit_low) signal.value = dword(5);
  if (select == Packet::data_sel__send_64_bit_data) signal.value = address_at(5);
  return signal_at_end(signal, {.writes_back_l2 = Packet::gcr_cntl_gl2_wb.get(data) != 0},
                       interrupts || (has_data && !is_time) ? Meaning::kWorkHasEnded : Meaning::kTime);
}

// unverified: that the card's system clock counts like its GPU clock.
PacketQueue::Outcome Pm4Queue::store_release_data(uint32_t data_sel, uint64_t address) {
  using Packet = pm4::RELEASE_MEM;
  const bool is_32_bit =
      data_sel == Packet::data_sel__send_32_bit_low || data_sel == Packet::data_sel__atomic_add32bit_low;
  if (data_sel != Packet::data_sel__none && !is_aligned(address, is_32_bit ? 4 : 8)) {
    return misaligned(address, is_32_bit ? 4 : 8);
  }
  switch (data_sel) {
    case Packet::data_sel__none:
      return Outcome::kDone;
    case Packet::data_sel__send_32_bit_low:
      return ordering_memory().store_u32(address, dword(5)) ? Outcome::kDone : ordering_fault();
    case Packet::data_sel__send_64_bit_data:
      return ordering_memory().store_u64(address, address_at(5)) ? Outcome::kDone : ordering_fault();
    case Packet::data_sel__send_gpu_clock_counter:
    case Packet::data_sel__send_system_clock_counter:
      return ordering_memory().store_u64(address, gpu_clock()) ? Outcome::kDone : ordering_fault();
    case Packet::data_sel__store_gds_data_to_memory:
      return fail("DATA_SEL {}: the card has no global data share", data_sel);
    case Packet::data_sel__atomic_add32bit_low:
      return add_release_data(address);
    default:
      return fail("unknown DATA_SEL {}", data_sel);
  }
}

PacketQueue::Outcome Pm4Queue::add_release_data(uint64_t address) {
  const MemoryAtomic add{.op = gfx11::TC_OP::TC_OP_ATOMIC_ADD_32, .source = dword(5)};
  const auto apply = [&](std::byte* host) { apply_atomic(add, host); };
  return ordering_memory().with_word(address, sizeof(uint32_t), Access::kWrite, apply) ? Outcome::kDone
                                                                                       : ordering_fault();
}

PacketQueue::Outcome Pm4Queue::acquire_mem() {
  using Packet = pm4::ACQUIRE_MEM;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const bool invalidates_l1 = Packet::gcr_cntl_gl1_inv.get(data) != 0;
  return acquire({.invalidates_vector = Packet::gcr_cntl_glv_inv.get(data) != 0 && invalidates_l1,
                  .invalidates_scalar = Packet::gcr_cntl_glk_inv.get(data) != 0 && invalidates_l1,
                  .invalidates_instructions = Packet::gcr_cntl_gli_inv.get(data) != Packet::gcr_cntl_gli_inv__none,
                  .invalidates_l2 = Packet::gcr_cntl_gl2_inv.get(data) != 0,
                  .writes_back_l2 = Packet::gcr_cntl_gl2_wb.get(data) != 0});
}

PacketQueue::Outcome Pm4Queue::write_data() {
  using Packet = pm4::WRITE_DATA;
  const uint32_t* data = packet().data();
  // The header's struct counts no data at all.
  if (packet().size() <= Packet::kDwords) return fail("the packet has no data");
  const uint32_t destination = Packet::dst_sel.get(data);
  if (destination == Packet::dst_sel__mem_mapped_register) return write_registers();
  if (destination == Packet::dst_sel__gds) return fail("DST_SEL {}: the card has no global data share", destination);
  if (destination != Packet::dst_sel__tc_l2 && destination != Packet::dst_sel__memory) {
    return fail("DST_SEL {} is not implemented", destination);
  }
  if (!is_aligned(address_at(2), 4)) return misaligned(address_at(2), 4);
  const bool increments = Packet::addr_incr.get(data) == Packet::addr_incr__increment_address;
  uint64_t address = address_at(2);
  signal(address, dword(Packet::kDwords));
  for (size_t i = Packet::kDwords; i < packet().size(); ++i) {
    if (!memory().store_u32(address, dword(i))) return memory_fault();
    if (increments) address += sizeof(uint32_t);
  }
  return Outcome::kDone;
}

PacketQueue::Outcome Pm4Queue::write_registers() {
  using Packet = pm4::WRITE_DATA;
  const uint32_t* data = packet().data();
  RegOffset offset{Packet::dst_mmreg_addr.get(data)};
  for (size_t i = Packet::kDwords; i < packet().size(); ++i) {
    if (const Outcome done = write_register(offset, dword(i)); done != Outcome::kDone) return done;
    if (Packet::addr_incr.get(data) == Packet::addr_incr__increment_address) offset = offset + 1;
  }
  return Outcome::kDone;
}

PacketQueue::Outcome Pm4Queue::event_write() {
  using Packet = pm4::EVENT_WRITE;
  const uint32_t* data = packet().data();
  const auto type = static_cast<VGT_EVENT_TYPE>(Packet::event_type.get(data));
  const uint32_t index = Packet::event_index.get(data);
  constexpr size_t kDwordsWithoutAddress = 2;
  if (packet().size() != kDwordsWithoutAddress && packet().size() != Packet::kDwords) {
    return fail("the packet has {} dwords instead of {} or {}", packet().size(), kDwordsWithoutAddress,
                Packet::kDwords);
  }
  switch (type) {
    case VGT_EVENT_TYPE::CS_PARTIAL_FLUSH:
      if (index == Packet::event_index__cs_partial_flush) break;
      return fail("{} has EVENT_INDEX {}, not {}", event_name(type), index, Packet::event_index__cs_partial_flush);
    case VGT_EVENT_TYPE::CACHE_FLUSH:
    case VGT_EVENT_TYPE::CACHE_FLUSH_AND_INV_EVENT:
      if (index == Packet::event_index__other) break;
      return fail("{} has EVENT_INDEX {}, not {}", event_name(type), index, Packet::event_index__other);
    default:
      return fail("EVENT_TYPE {} is not implemented", event_name(type));
  }
  if (packet().size() != kDwordsWithoutAddress) return fail("{} writes no memory", event_name(type));
  if (type == VGT_EVENT_TYPE::CS_PARTIAL_FLUSH && order() != nullptr) order()->wait_for_dispatches();
  return Outcome::kDone;
}

// The clock when the packet is taken (top) and when all before it is done (bottom).
PacketQueue::Outcome Pm4Queue::timestamp() {
  using Packet = pm4::TIMESTAMP;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const struct {
    uint32_t enabled;
    uint64_t address;
  } stamps[] = {{Packet::enable_top.get(data), address_at(4)}, {Packet::enable_bottom.get(data), address_at(2)}};
  for (const auto& [enabled, address] : stamps) {
    if (enabled == 0) continue;
    if (!is_aligned(address, 8)) return misaligned(address, 8);
    if (!memory().store_u64(address, gpu_clock())) return memory_fault();
  }
  return Outcome::kDone;
}

}  // namespace bw::emulator
