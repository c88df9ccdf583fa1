#include "emulator/queue/pm4_queue.h"

#include "base/bits.h"

namespace bw::emulator {
namespace {

namespace pm4 = amdgpu::gfx11::pm4;

constexpr uint32_t kType3 = 3;
// NOP with this count has no payload (Linux nvd.h, pal): the one-dword filler.
constexpr uint32_t kHeaderOnlyCount = 0x3fff;
// The ring calls a buffer, which may call one more; the hardware has no third level.
constexpr size_t kMaxBufferDepth = 2;

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
  return memory().store_u32(setup().read_pointer_address, lo32(count_dwords % ring_dwords()));
}

PacketQueue::Outcome Pm4Queue::execute() {
  using pm4::Opcode;
  const Opcode opcode = opcode_of(dword(0));
  switch (opcode) {
    case Opcode::NOP:
      return Outcome::kDone;
    case Opcode::INDIRECT_BUFFER:
      return indirect_buffer();
    case Opcode::SET_SH_REG:
      return set_sh_reg();
    case Opcode::SET_SH_REG_INDEX:
      return set_sh_reg();
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
    case Opcode::WRITE_DATA:
      return write_data();
    case Opcode::COPY_DATA:
      return copy_data();
    case Opcode::EVENT_WRITE:
      return event_write();
    default:
      break;
  }
  if (pm4::name_of(opcode) == nullptr) return fail("there is no such opcode");
  return fail("not implemented by the emulated command processor");
}

PacketQueue::Outcome Pm4Queue::indirect_buffer() {
  using Packet = pm4::INDIRECT_BUFFER;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  const uint32_t* data = packet().data();
  if (Packet::valid.get(data) == 0) return fail("VALID is not set");
  if (Packet::vmid.get(data) != 0) return fail("VMID {} is not the queue's to choose", Packet::vmid.get(data));
  if ((dword(1) & 3) != 0) return fail("the buffer's address {:#x} is not a multiple of 4", address_at(1));
  const uint32_t count = Packet::ib_size.get(data);
  if (count == 0) return fail("the buffer is empty");
  if (Packet::chain.get(data) != 0) {
    if (buffer_depth() == 0) return fail("CHAIN outside of an indirect buffer");
    chain_buffer(address_at(1), count);
    return Outcome::kDone;
  }
  if (buffer_depth() >= kMaxBufferDepth) return fail("indirect buffers nest deeper than {}", kMaxBufferDepth);
  call_buffer(address_at(1), count);
  return Outcome::kDone;
}

}  // namespace bw::emulator
