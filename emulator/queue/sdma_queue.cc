// Owns: the SDMA engine's view of one queue: its packets. Fields: amdgpu/gfx11/sdma.h (SDMA 6.0).
#include <array>
#include <atomic>

#include "amdgpu/gfx11/enums.h"
#include "amdgpu/gfx11/sdma.h"
#include "base/bits.h"
#include "emulator/kernel/clock.h"
#include "emulator/queue/compare.h"
#include "emulator/queue/memory_atomic.h"
#include "emulator/queue/packet_queue.h"

namespace bw::emulator {
namespace {

namespace sdma = amdgpu::gfx11::sdma;
using sdma::Opcode;

class SdmaQueue final : public PacketQueue {
 public:
  SdmaQueue(const QueueSetup& setup, const QueueContext& context) : PacketQueue(setup, context, "sdma", 1) {}

 private:
  uint32_t packet_dwords(const uint32_t* head, uint32_t have) override;
  Outcome execute() override;
  std::string packet_name() const override;
  bool publish_read_pointer(uint64_t count_dwords) override;

  Outcome indirect();
  Outcome copy_linear();
  Outcome write_untiled();
  Outcome constant_fill();
  Outcome fence();
  Outcome trap();
  Outcome poll_regmem();
  Outcome timestamp();
  Outcome atomic();
};

struct PacketSize {
  Opcode opcode;
  uint32_t sub_opcode;
  uint32_t dwords;
};

template <typename Packet>
constexpr PacketSize size_of() {
  return {Packet::kOpcode, Packet::kSubOpcode, Packet::kDwords};
}

constexpr PacketSize kPackets[] = {
    size_of<sdma::COPY_LINEAR>(),   size_of<sdma::INDIRECT>(),      size_of<sdma::FENCE>(),
    size_of<sdma::TRAP>(),          size_of<sdma::POLL_REGMEM>(),   size_of<sdma::ATOMIC>(),
    size_of<sdma::CONSTANT_FILL>(), size_of<sdma::TIMESTAMP_GET>(), size_of<sdma::TIMESTAMP_GET_GLOBAL>(),
    size_of<sdma::GCR_REQ>(),
};

Opcode opcode_of(uint32_t header) {
  return static_cast<Opcode>(sdma::HEADER::op.get(&header));
}

uint32_t SdmaQueue::packet_dwords(const uint32_t* head, uint32_t have) {
  const Opcode opcode = opcode_of(*head);
  const uint32_t sub_opcode = sdma::HEADER::sub_op.get(head);
  if (opcode == Opcode::NOP && sub_opcode == 0) return 1 + sdma::NOP::count.get(head);
  if (opcode == Opcode::WRITE && sub_opcode == sdma::WRITE_UNTILED::kSubOpcode) {
    constexpr uint32_t kHeadDwords = sdma::WRITE_UNTILED::kDwords - 1;
    return have < kHeadDwords ? kHeadDwords : kHeadDwords + sdma::WRITE_UNTILED::count.get(head) + 1;
  }
  for (const PacketSize& packet : kPackets) {
    if (packet.opcode == opcode && packet.sub_opcode == sub_opcode) return packet.dwords;
  }
  fail("{}",
       sdma::name_of(opcode) == nullptr ? "there is no such opcode" : "not implemented by the emulated SDMA engine");
  return 0;
}

std::string SdmaQueue::packet_name() const {
  const char* name = sdma::name_of(opcode_of(dword(0)));
  const uint32_t sub_opcode = sdma::HEADER::sub_op.get(packet().data());
  if (name == nullptr) return fmt::format("packet with opcode {}", static_cast<uint32_t>(opcode_of(dword(0))));
  return sub_opcode == 0 ? name : fmt::format("{} with subopcode {}", name, sub_opcode);
}

bool SdmaQueue::publish_read_pointer(uint64_t count_dwords) {
  return memory().store_u64(setup().read_pointer_address, count_dwords * sizeof(uint32_t));
}

PacketQueue::Outcome SdmaQueue::execute() {
  switch (opcode_of(dword(0))) {
    case Opcode::NOP:
      return Outcome::kDone;
    case Opcode::GCR_REQ:
      return Outcome::kDone;  // caches are not modelled
    case Opcode::INDIRECT:
      return indirect();
    case Opcode::COPY:
      return copy_linear();
    case Opcode::WRITE:
      return write_untiled();
    case Opcode::CONST_FILL:
      return constant_fill();
    case Opcode::FENCE:
      return fence();
    case Opcode::TRAP:
      return trap();
    case Opcode::POLL_REGMEM:
      return poll_regmem();
    case Opcode::TIMESTAMP:
      return timestamp();
    case Opcode::ATOMIC:
      return atomic();
    default:
      return fail("not implemented by the emulated SDMA engine");
  }
}

PacketQueue::Outcome SdmaQueue::indirect() {
  using Packet = sdma::INDIRECT;
  if (buffer_depth() != 0) return fail("indirect buffers do not nest");
  if (!is_aligned(address_at(1), 32)) return fail("the buffer's address {:#x} is not a multiple of 32", address_at(1));
  const uint32_t count = Packet::ib_size.get(packet().data());
  if (count == 0) return fail("the buffer is empty");
  call_buffer(address_at(1), count);
  return Outcome::kDone;
}

PacketQueue::Outcome SdmaQueue::copy_linear() {
  using Packet = sdma::COPY_LINEAR;
  const uint32_t* data = packet().data();
  if (Packet::broadcast.get(data) != 0) return fail("BROADCAST is not implemented");
  if (Packet::backwards.get(data) != 0) return fail("BACKWARDS is not implemented");
  if (Packet::dst_sw.get(data) != 0 || Packet::src_sw.get(data) != 0) return fail("byte swapping is not implemented");
  const uint64_t size_bytes = uint64_t{Packet::count.get(data)} + 1;
  return memory().copy(address_at(5), address_at(3), size_bytes) ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome SdmaQueue::write_untiled() {
  using Packet = sdma::WRITE_UNTILED;
  if (!is_aligned(address_at(1), 4)) return fail("address {:#x} is not a multiple of 4", address_at(1));
  if (Packet::sw.get(packet().data()) != 0) return fail("byte swapping is not implemented");
  for (size_t i = Packet::kDwords - 1; i < packet().size(); ++i) {
    const uint64_t address = address_at(1) + (i - (Packet::kDwords - 1)) * sizeof(uint32_t);
    if (!memory().store_u32(address, dword(i))) return memory_fault();
  }
  return Outcome::kDone;
}

// COUNT is the size in bytes less one; FILLSIZE says how many bytes of the value repeat, 1 << FILLSIZE, and thereby the
// granularity (Linux sdma_v6_0_emit_fill_buffer(); ROCr's blit_sdma uses 2 with COUNT in bytes). unverified:
// FILLSIZE 1.
PacketQueue::Outcome SdmaQueue::constant_fill() {
  using Packet = sdma::CONSTANT_FILL;
  const uint32_t* data = packet().data();
  const uint32_t fill_size = Packet::fillsize.get(data);
  constexpr uint32_t kLargestFillSize = 2;
  if (fill_size > kLargestFillSize) return fail("FILLSIZE {}", fill_size);
  if (Packet::sw.get(data) != 0) return fail("byte swapping is not implemented");
  const uint32_t unit_bytes = 1u << fill_size;
  if (!is_aligned(address_at(1), unit_bytes)) {
    return fail("address {:#x} is not a multiple of {}", address_at(1), unit_bytes);
  }
  const uint64_t size_bytes = align_down(Packet::count.get(data), unit_bytes) + unit_bytes;
  return memory().fill(address_at(1), dword(3), unit_bytes, size_bytes) ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome SdmaQueue::fence() {
  if (!is_aligned(address_at(1), 4)) return fail("address {:#x} is not a multiple of 4", address_at(1));
  return memory().store_u32(address_at(1), dword(3)) ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome SdmaQueue::trap() {
  listener().interrupt(sdma::TRAP::int_context.get(packet().data()));
  return Outcome::kDone;
}

// unverified: a RETRY_COUNT other than all ones is taken for "for ever" too.
PacketQueue::Outcome SdmaQueue::poll_regmem() {
  using Packet = sdma::POLL_REGMEM;
  const uint32_t* data = packet().data();
  bool holds = false;
  uint32_t value = 0;
  if (Packet::mem_poll.get(data) == 0) {
    // The flush of the host data path: host and card see the same memory here.
    const bool passes = compare(Packet::func.get(data), 0, 0, &holds) && Packet::func.get(data) == 0;
    if (Packet::hdp_flush.get(data) != 0 || passes) return Outcome::kDone;
    return fail("polling registers is not implemented");
  }
  if (!is_aligned(address_at(1), 4)) return fail("address {:#x} is not a multiple of 4", address_at(1));
  if (!memory().load_u32(address_at(1), &value)) return memory_fault();
  if (!compare(Packet::func.get(data), value & Packet::mask.get(data), Packet::value.get(data), &holds)) {
    return fail("unknown FUNC {}", Packet::func.get(data));
  }
  return holds ? Outcome::kDone : Outcome::kBlocked;
}

PacketQueue::Outcome SdmaQueue::timestamp() {
  if (!is_aligned(address_at(1), 8)) return fail("address {:#x} is not a multiple of 8", address_at(1));
  return memory().store_u64(address_at(1), gpu_clock()) ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome SdmaQueue::atomic() {
  using Packet = sdma::ATOMIC;
  const uint32_t* data = packet().data();
  const MemoryAtomic operation = {.op = static_cast<amdgpu::gfx11::TC_OP>(Packet::atomic_op.get(data)),
                                  .source = address_at(3),
                                  .compare = address_at(5)};
  const uint32_t size_bytes = size_of_atomic(operation.op);
  if (size_bytes == 0) return fail("ATOMIC_OP {} is not implemented", Packet::atomic_op.get(data));
  if (!is_aligned(address_at(1), size_bytes)) {
    return fail("address {:#x} is not a multiple of {}", address_at(1), size_bytes);
  }
  AtomicResult result;
  const auto apply = [&](std::byte* host) { result = apply_atomic(operation, host); };
  if (!memory().with_word(address_at(1), size_bytes, Access::kWrite, apply)) return memory_fault();
  // LOOP repeats a compare-and-swap until it succeeds.
  return result.stored || Packet::loop.get(data) == 0 ? Outcome::kDone : Outcome::kBlocked;
}

}  // namespace

std::unique_ptr<QueueProcessor> make_sdma_queue(const QueueSetup& setup, const QueueContext& context) {
  return std::make_unique<SdmaQueue>(setup, context);
}

}  // namespace bw::emulator
