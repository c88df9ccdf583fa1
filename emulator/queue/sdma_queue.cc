#include "emulator/queue/sdma_queue.h"

#include "amdgpu/gfx11/enums.h"
#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "base/bits.h"
#include "emulator/kernel/clock.h"
#include "emulator/queue/compare.h"
#include "emulator/queue/memory_atomic.h"
#include "emulator/queue/register_file.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace sdma = amdgpu::gfx11::sdma;
using sdma::Opcode;

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
    size_of<sdma::COPY_LINEAR_SUBWIN>(),
    size_of<sdma::INDIRECT>(),
    size_of<sdma::FENCE>(),
    size_of<sdma::TRAP>(),
    size_of<sdma::POLL_REGMEM>(),
    size_of<sdma::COND_EXE>(),
    size_of<sdma::ATOMIC>(),
    size_of<sdma::CONSTANT_FILL>(),
    size_of<sdma::TIMESTAMP_SET>(),
    size_of<sdma::TIMESTAMP_GET>(),
    size_of<sdma::TIMESTAMP_GET_GLOBAL>(),
    size_of<sdma::GCR_REQ>(),
};

// Packets that a queue of user space must not have, whatever their subopcode.
struct Refusal {
  Opcode opcode;
  const char* reason;
};
constexpr Refusal kRefusals[] = {
    {Opcode::SEM, "semaphores are not for queues of user space"},
    {Opcode::PTEPDE, "page tables are the kernel's"},
    {Opcode::GPUVM_INV, "translations are the kernel's"},
    {Opcode::SRBM_WRITE, "registers are the kernel's"},
    {Opcode::PRE_EXE, "packets for one of several engines are the kernel's"},
    {Opcode::DUMMY_TRAP, "interrupts of this kind are the kernel's"},
};

Opcode opcode_of(uint32_t header) {
  return static_cast<Opcode>(sdma::HEADER::op.get(&header));
}

}  // namespace

std::unique_ptr<QueueProcessor> make_sdma_queue(const QueueSetup& setup, const QueueContext& context) {
  return std::make_unique<SdmaQueue>(setup, context);
}

uint32_t SdmaQueue::packet_dwords(const uint32_t* head, uint32_t have) {
  const Opcode opcode = opcode_of(*head);
  const uint32_t sub_opcode = sdma::HEADER::sub_op.get(head);
  if (opcode == Opcode::NOP && sub_opcode == 0) return 1 + sdma::NOP::count.get(head);
  if (opcode == Opcode::COPY && sub_opcode == sdma::COPY_LINEAR::kSubOpcode) {
    const bool has_two = sdma::COPY_LINEAR::broadcast.get(head) != 0;
    return has_two ? sdma::COPY_BROADCAST_LINEAR::kDwords : sdma::COPY_LINEAR::kDwords;
  }
  if (opcode == Opcode::WRITE && sub_opcode == sdma::WRITE_UNTILED::kSubOpcode) {
    constexpr uint32_t kHeadDwords = sdma::WRITE_UNTILED::kDwords - 1;
    return have < kHeadDwords ? kHeadDwords : kHeadDwords + sdma::WRITE_UNTILED::count.get(head) + 1;
  }
  for (const PacketSize& packet : kPackets) {
    if (packet.opcode == opcode && packet.sub_opcode == sub_opcode) return packet.dwords;
  }
  for (const Refusal& refusal : kRefusals) {
    if (refusal.opcode != opcode) continue;
    fail("{}", refusal.reason);
    return 0;
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
  return ordering_memory().store_u64(setup().read_pointer_address, count_dwords * sizeof(uint32_t));
}

PacketQueue::Outcome SdmaQueue::execute() {
  switch (opcode_of(dword(0))) {
    case Opcode::NOP:
      return Outcome::kDone;
    case Opcode::GCR_REQ:
      return gcr_req();
    case Opcode::INDIRECT:
      return indirect();
    case Opcode::COND_EXE:
      return cond_exe();
    case Opcode::COPY:
      return copy();
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
  const uint32_t* data = packet().data();
  if (buffer_depth() != 0) return fail("indirect buffers do not nest");
  if (Packet::vmid.get(data) != 0) return fail("VMID {} is not the queue's to choose", Packet::vmid.get(data));
  if (Packet::priv.get(data) != 0) return fail("privileged buffers are the kernel's");
  if (!is_aligned(address_at(1), 32)) return fail("the buffer's address {:#x} is not a multiple of 32", address_at(1));
  const uint32_t count = Packet::ib_size.get(data);
  if (count == 0) return fail("the buffer is empty");
  call_buffer(address_at(1), count);
  return Outcome::kDone;
}

// The dwords after it are dropped unless memory has the reference (Linux sdma_v6_0_ring_init_cond_exec() writes 1 to
// both). unverified: that others than 0 do not count as true.
PacketQueue::Outcome SdmaQueue::cond_exe() {
  using Packet = sdma::COND_EXE;
  const uint32_t* data = packet().data();
  if (!is_aligned(address_at(1), 4)) return misaligned(address_at(1), 4);
  uint32_t value = 0;
  if (!memory().load_u32(address_at(1), &value)) return memory_fault();
  return value == Packet::reference.get(data) ? Outcome::kDone : skip_dwords(Packet::exec_count.get(data));
}

// Where strict mode follows the caches. unverified: that the engine's request reaches those near the shaders.
PacketQueue::Outcome SdmaQueue::gcr_req() {
  using Packet = sdma::GCR_REQ;
  using Gcr = gfx11::pm4::ACQUIRE_MEM;  // has the same bits
  const uint32_t* data = packet().data();
  const uint32_t control = Packet::gcr_control_15_0.get(data) | Packet::gcr_control_18_16.get(data)
                                                                    << Packet::gcr_control_15_0.bits.width();
  const auto has = [control](gfx11::PacketField field) { return field.bits.get(control) != 0; };
  const bool invalidates_l1 = has(Gcr::gcr_cntl_gl1_inv);
  return acquire({.invalidates_vector = has(Gcr::gcr_cntl_glv_inv) && invalidates_l1,
                  .invalidates_scalar = has(Gcr::gcr_cntl_glk_inv) && invalidates_l1,
                  .invalidates_instructions = has(Gcr::gcr_cntl_gli_inv),
                  .invalidates_l2 = has(Gcr::gcr_cntl_gl2_inv),
                  .writes_back_l2 = has(Gcr::gcr_cntl_gl2_wb)});
}

PacketQueue::Outcome SdmaQueue::trap() {
  interrupt_when_done(sdma::TRAP::int_context.get(packet().data()));
  return signal_at_end({}, {}, MemoryChecker::Queue::Meaning::kWorkHasEnded);
}

// unverified: a RETRY_COUNT other than all ones is taken for "for ever" too.
PacketQueue::Outcome SdmaQueue::poll_regmem() {
  using Packet = sdma::POLL_REGMEM;
  const uint32_t* data = packet().data();
  if (Packet::mem_poll.get(data) == 0) return poll_register();
  if (!is_aligned(address_at(1), 4)) return misaligned(address_at(1), 4);
  uint32_t value = 0;
  if (!ordering_memory().load_u32(address_at(1), &value)) return ordering_fault();
  bool holds = false;
  if (!compare(Packet::func.get(data), value & Packet::mask.get(data), Packet::value.get(data), &holds)) {
    return fail("unknown FUNC {}", Packet::func.get(data));
  }
  return end_wait(holds, address_at(1), [data](uint64_t stored) {
    bool would_do = false;
    return compare(Packet::func.get(data), lo32(stored) & Packet::mask.get(data), Packet::value.get(data), &would_do) &&
           would_do;
  });
}

// The flush of the host data path is all that a queue may wait for, in whatever way it is asked for (Linux
// sdma_v6_0_ring_emit_hdp_flush(); ROCr's packet compares nothing): host and card see the same memory here.
PacketQueue::Outcome SdmaQueue::poll_register() {
  using Packet = sdma::POLL_REGMEM;
  const uint32_t* data = packet().data();
  const gfx11::RegOffset polled{Packet::addr_31_0.get(data) / static_cast<uint32_t>(sizeof(uint32_t))};
  bool always = false;
  const bool is_known = compare(Packet::func.get(data), 0, 0, &always);
  if (Packet::hdp_flush.get(data) != 0 || (is_known && Packet::func.get(data) == 0) ||
      polled == gfx11::GPU_HDP_FLUSH_DONE::kOffset) {
    flush_host_path();
    return Outcome::kDone;
  }
  return fail("polling register {:#x} ({}) is not implemented", polled.dwords, register_name(polled));
}

PacketQueue::Outcome SdmaQueue::write_untiled() {
  using Packet = sdma::WRITE_UNTILED;
  const uint32_t* data = packet().data();
  if (!is_aligned(address_at(1), 4)) return misaligned(address_at(1), 4);
  if (Packet::sw.get(data) != 0) return fail("byte swapping is not implemented");
  if (Packet::tmz.get(data) != 0 || Packet::encrypt.get(data) != 0) return fail("there is no protected memory");
  for (size_t i = Packet::kDwords - 1; i < packet().size(); ++i) {
    const uint64_t address = address_at(1) + (i - (Packet::kDwords - 1)) * sizeof(uint32_t);
    if (!memory().store_u32(address, dword(i))) return memory_fault();
  }
  return Outcome::kDone;
}

PacketQueue::Outcome SdmaQueue::fence() {
  if (!is_aligned(address_at(1), 4)) return misaligned(address_at(1), 4);
  const Outcome told =
      signal_at_end({address_at(1), sizeof(uint32_t), dword(3)}, {}, MemoryChecker::Queue::Meaning::kWorkHasEnded);
  if (told != Outcome::kDone) return told;
  return ordering_memory().store_u32(address_at(1), dword(3)) ? Outcome::kDone : ordering_fault();
}

// The global counter is the card's clock; the engine's own is the same until it is set.
PacketQueue::Outcome SdmaQueue::timestamp() {
  const uint32_t sub_opcode = sdma::HEADER::sub_op.get(packet().data());
  if (sub_opcode == sdma::TIMESTAMP_SET::kSubOpcode) {
    clock_offset_ = address_at(1) - gpu_clock();
    return Outcome::kDone;
  }
  if (!is_aligned(address_at(1), 8)) return misaligned(address_at(1), 8);
  const uint64_t offset = sub_opcode == sdma::TIMESTAMP_GET::kSubOpcode ? clock_offset_ : 0;
  return memory().store_u64(address_at(1), gpu_clock() + offset) ? Outcome::kDone : memory_fault();
}

PacketQueue::Outcome SdmaQueue::atomic() {
  using Packet = sdma::ATOMIC;
  const uint32_t* data = packet().data();
  const MemoryAtomic operation = {
      .op = static_cast<gfx11::TC_OP>(Packet::atomic_op.get(data)), .source = address_at(3), .compare = address_at(5)};
  const uint32_t size_bytes = size_of_atomic(operation.op);
  if (size_bytes == 0) return fail("ATOMIC_OP {} is no atomic operation", Packet::atomic_op.get(data));
  if (!is_aligned(address_at(1), size_bytes)) return misaligned(address_at(1), size_bytes);
  AtomicResult result;
  const auto apply = [&](std::byte* host) { result = apply_atomic(operation, host); };
  if (!memory().with_word(address_at(1), size_bytes, Access::kWrite, apply)) return memory_fault();
  // LOOP repeats a compare-and-swap until it succeeds.
  return result.stored || Packet::loop.get(data) == 0 ? Outcome::kDone : Outcome::kBlocked;
}

}  // namespace bw::emulator
