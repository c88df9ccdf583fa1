#include "emulator/queue/pm4_queue.h"

#include "base/bits.h"

namespace bw::emulator {
namespace {

namespace pm4 = amdgpu::gfx11::pm4;

constexpr uint32_t kType3 = 3;
// NOP with this count has no payload (Linux nvd.h, pal): the one-dword filler.
constexpr uint32_t kHeaderOnlyCount = 0x3fff;

// Packets that a compute queue of user space must not have, or that ask for what the card has not.
struct Refusal {
  pm4::Opcode opcode;
  const char* reason;
};
constexpr Refusal kRefusals[] = {
    {pm4::Opcode::ATOMIC_GDS, "the card has no global data share"},
    {pm4::Opcode::SET_CONFIG_REG, "configuration registers are the kernel's"},
    {pm4::Opcode::SET_QUEUE_REG, "the registers of queues are the kernel's"},
    {pm4::Opcode::INDIRECT_BUFFER_PASID, "the address space is not the queue's to choose"},
    {pm4::Opcode::INVALIDATE_TLBS, "translations are the kernel's"},
    {pm4::Opcode::DISPATCH_DRAW_PREAMBLE_ACE, "a compute queue of KFD does not draw"},
    {pm4::Opcode::DISPATCH_DRAW_ACE, "a compute queue of KFD does not draw"},
    {pm4::Opcode::DISPATCH_TASK_STATE_INIT, "a compute queue of KFD does not draw"},
    {pm4::Opcode::DISPATCH_TASKMESH_DIRECT_ACE, "a compute queue of KFD does not draw"},
    {pm4::Opcode::DISPATCH_TASKMESH_INDIRECT_MULTI_ACE, "a compute queue of KFD does not draw"},
    {pm4::Opcode::WAIT_ON_CE_COUNTER, "the card has no constant engine"},
};

pm4::Opcode opcode_of(uint32_t header) {
  return static_cast<pm4::Opcode>(pm4::TYPE_3_HEADER::opcode.get(&header));
}

}  // namespace

std::unique_ptr<QueueProcessor> make_pm4_queue(const QueueSetup& setup, const QueueContext& context,
                                               ShaderCores& shader_cores) {
  return std::make_unique<Pm4Queue>(setup, context, shader_cores);
}

Pm4Queue::Pm4Queue(const QueueSetup& setup, const QueueContext& context, ShaderCores& shader_cores)
    : PacketQueue(setup, context, "compute", sizeof(uint32_t)), shader_cores_(shader_cores) {}

uint32_t Pm4Queue::packet_dwords(const uint32_t* head, uint32_t) {
  const uint32_t type = pm4::TYPE_3_HEADER::type.get(head);
  if (type != kType3) {
    fail("{:#010x} is no type-3 packet header", *head);
    return 0;
  }
  const uint32_t count = pm4::TYPE_3_HEADER::count.get(head);
  if (count == kHeaderOnlyCount && opcode_of(*head) == pm4::Opcode::NOP) return 1;
  return count + 2;
}

std::string Pm4Queue::packet_name() const {
  const char* name = pm4::name_of(opcode_of(dword(0)));
  if (pm4::TYPE_3_HEADER::type.get(packet().data()) != kType3) return "packet";
  return name != nullptr ? name : fmt::format("packet with opcode {:#x}", static_cast<uint32_t>(opcode_of(dword(0))));
}

// CP_HQD_PQ_RPTR counts dwords within the ring; kfdtest (PM4Queue) compares it so.
bool Pm4Queue::publish_read_pointer(uint64_t count_dwords) {
  return ordering_memory().store_u32(setup().read_pointer_address, lo32(count_dwords % ring_dwords()));
}

PacketQueue::Outcome Pm4Queue::execute() {
  using pm4::Opcode;
  const Opcode opcode = opcode_of(dword(0));
  switch (opcode) {
    case Opcode::NOP:
    case Opcode::PRIME_UTCL2:  // translations need no warming
      return Outcome::kDone;
    case Opcode::HDP_FLUSH:
      flush_host_path();
      return Outcome::kDone;
    case Opcode::INDIRECT_BUFFER:
      return indirect_buffer();
    case Opcode::COND_EXEC:
      return cond_exec();
    case Opcode::REWIND:
      return rewind();
    case Opcode::SET_SH_REG:
    case Opcode::SET_SH_REG_INDEX:
      return set_sh_reg();
    case Opcode::SET_SH_REG_PAIRS_PACKED:
    case Opcode::SET_SH_REG_PAIRS_PACKED_N:
      return set_sh_reg_pairs_packed();
    case Opcode::LOAD_SH_REG_INDEX:
      return load_sh_reg_index();
    case Opcode::SET_UCONFIG_REG:
      return set_uconfig_reg();
    case Opcode::DISPATCH_DIRECT:
      return dispatch_direct();
    case Opcode::DISPATCH_INDIRECT:
      return dispatch_indirect();
    case Opcode::ACQUIRE_MEM:
      return acquire_mem();
    case Opcode::RELEASE_MEM:
      return release_mem();
    case Opcode::WAIT_REG_MEM:
      return wait_reg_mem();
    case Opcode::WAIT_REG_MEM64:
      return wait_reg_mem64();
    case Opcode::COND_WRITE:
      return cond_write();
    case Opcode::WRITE_DATA:
      return write_data();
    case Opcode::COPY_DATA:
      return copy_data();
    case Opcode::DMA_DATA:
      return dma_data();
    case Opcode::ATOMIC_MEM:
      return atomic_mem();
    case Opcode::EVENT_WRITE:
      return event_write();
    case Opcode::TIMESTAMP:
      return timestamp();
    default:
      return refuse(opcode);
  }
}

PacketQueue::Outcome Pm4Queue::refuse(pm4::Opcode opcode) {
  if (pm4::name_of(opcode) == nullptr) return fail("there is no such opcode");
  if (pm4::engines_of(opcode) == pm4::Engines::kGraphicsOnly) {
    return fail("a packet of the graphics engines (PFP, ME), which a compute queue does not take");
  }
  for (const Refusal& refusal : kRefusals) {
    if (refusal.opcode == opcode) return fail("{}", refusal.reason);
  }
  return fail("not implemented by the emulated command processor");
}

}  // namespace bw::emulator
