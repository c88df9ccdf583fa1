// The PM4 packets that copy between memory, registers and clocks, and that change memory atomically.
#include "base/bits.h"
#include "emulator/kernel/clock.h"
#include "emulator/queue/memory_atomic.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = amdgpu::gfx11::pm4;

constexpr const char* kNoGds = "the card has no global data share";

}  // namespace

PacketQueue::Outcome Pm4Queue::write_register(RegOffset offset, uint32_t value) {
  return registers_.write(offset, value) ? Outcome::kDone : no_register(offset);
}

PacketQueue::Outcome Pm4Queue::read_register(RegOffset offset, bool is_64_bit, uint64_t* value) {
  uint32_t low = 0, high = 0;
  if (!registers_.read(offset, &low)) return no_register(offset);
  if (is_64_bit && !registers_.read(offset + 1, &high)) return no_register(offset + 1);
  *value = make_u64(low, high);
  return Outcome::kDone;
}

// unverified: that the card's system clock counts like its GPU clock.
PacketQueue::Outcome Pm4Queue::load_copy_source(uint32_t source, bool is_64_bit, uint64_t* value) {
  using Packet = pm4::COPY_DATA;
  switch (source) {
    case Packet::src_sel__mem_mapped_register:
      return read_register({Packet::src_reg_offset.get(packet().data())}, is_64_bit, value);
    case Packet::src_sel__immediate_data:
      *value = address_at(2);
      return Outcome::kDone;
    case Packet::src_sel__atomic_return_data:
      *value = atomic_return_;
      return Outcome::kDone;
    case Packet::src_sel__gpu_clock_count:
    case Packet::src_sel__system_clock_count:
      *value = gpu_clock();
      return Outcome::kDone;
    case Packet::src_sel__tc_l2:
    case Packet::src_sel__tc_l2_obsolete:
      break;
    case Packet::src_sel__gds:
    case Packet::src_sel__gds_atomic_return_data0:
    case Packet::src_sel__gds_atomic_return_data1:
      return fail("SRC_SEL {}: {}", source, kNoGds);
    default:
      return fail("SRC_SEL {} is not implemented", source);
  }
  if (!is_aligned(address_at(2), is_64_bit ? 8 : 4)) return misaligned(address_at(2), is_64_bit ? 8 : 4);
  uint32_t low = 0;
  const bool loaded = is_64_bit ? memory().load_u64(address_at(2), value) : memory().load_u32(address_at(2), &low);
  if (!is_64_bit) *value = low;
  return loaded ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome Pm4Queue::store_copy(uint32_t destination, bool is_64_bit, uint64_t value) {
  using Packet = pm4::COPY_DATA;
  switch (destination) {
    case Packet::dst_sel__mem_mapped_register:
    case Packet::dst_sel__mem_mapped_reg_dc: {
      const RegOffset offset{Packet::dst_reg_offset.get(packet().data())};
      const Outcome low = write_register(offset, lo32(value));
      return is_64_bit && low == Outcome::kDone ? write_register(offset + 1, hi32(value)) : low;
    }
    case Packet::dst_sel__tc_l2:
    case Packet::dst_sel__tc_l2_obsolete:
      break;
    case Packet::dst_sel__gds:
      return fail("DST_SEL {}: {}", destination, kNoGds);
    default:
      return fail("DST_SEL {} is not implemented", destination);
  }
  if (!is_aligned(address_at(4), is_64_bit ? 8 : 4)) return misaligned(address_at(4), is_64_bit ? 8 : 4);
  const bool stored =
      is_64_bit ? memory().store_u64(address_at(4), value) : memory().store_u32(address_at(4), lo32(value));
  return stored ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome Pm4Queue::copy_data() {
  using Packet = pm4::COPY_DATA;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const bool is_64_bit = Packet::count_sel.get(data) == Packet::count_sel__64_bits_of_data;
  uint64_t value = 0;
  const Outcome loaded = load_copy_source(Packet::src_sel.get(data), is_64_bit, &value);
  return loaded == Outcome::kDone ? store_copy(Packet::dst_sel.get(data), is_64_bit, value) : loaded;
}

// A destination of nowhere brings the source into the cache: it is not touched here.
PacketQueue::Outcome Pm4Queue::dma_data() {
  using Packet = pm4::DMA_DATA;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const uint32_t source = Packet::src_sel.get(data), destination = Packet::dst_sel.get(data);
  if (source == Packet::src_sel__gds) return fail("SRC_SEL {}: {}", source, kNoGds);
  if (destination == Packet::dst_sel__gds) return fail("DST_SEL {}: {}", destination, kNoGds);
  if (Packet::sas.get(data) != Packet::sas__memory || Packet::das.get(data) != Packet::das__memory) {
    return fail("a compute queue copies from and to memory only");
  }
  if (Packet::saic.get(data) != Packet::saic__increment || Packet::daic.get(data) != Packet::daic__increment) {
    return fail("addresses that do not increment are not implemented");
  }
  const uint32_t size_bytes = Packet::byte_count.get(data);
  if (size_bytes == 0 || destination == Packet::dst_sel__dst_nowhere) return Outcome::kDone;
  if (source != Packet::src_sel__data) {
    return memory().copy(address_at(4), address_at(2), size_bytes) ? Outcome::kDone : memory_fault();
  }
  if (!is_aligned(address_at(4), 4)) return misaligned(address_at(4), 4);
  if (!is_aligned(size_bytes, 4)) return fail("{} bytes are not a multiple of the data's 4", size_bytes);
  return memory().fill(address_at(4), dword(2), sizeof(uint32_t), size_bytes) ? Outcome::kDone : memory_fault();
}

// unverified: LOOP_UNTIL_COMPARE_SATISFIED means something for compare-and-swap only; and COPY_DATA finds what the last
// operation with return found.
PacketQueue::Outcome Pm4Queue::atomic_mem() {
  using Packet = pm4::ATOMIC_MEM;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  const MemoryAtomic operation = {
      .op = static_cast<gfx11::TC_OP>(Packet::atomic.get(data)), .source = address_at(4), .compare = address_at(6)};
  const uint32_t size_bytes = size_of_atomic(operation.op);
  if (size_bytes == 0) return fail("ATOMIC {} is no atomic operation", Packet::atomic.get(data));
  const uint32_t command = Packet::command.get(data);
  if (command > Packet::command__send_and_continue) return fail("unknown COMMAND {}", command);
  if (!is_aligned(address_at(2), size_bytes)) return misaligned(address_at(2), size_bytes);
  AtomicResult result;
  const auto apply = [&](std::byte* host) { result = apply_atomic(operation, host); };
  if (!memory().with_word(address_at(2), size_bytes, Access::kWrite, apply)) return memory_fault();
  if (returns_old_value(operation.op)) atomic_return_ = result.old;
  const bool repeats = command == Packet::command__loop_until_compare_satisfied;
  return result.stored || !repeats ? Outcome::kDone : Outcome::kBlocked;
}

}  // namespace bw::emulator
