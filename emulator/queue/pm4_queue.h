// Owns: the command processor's view of one compute queue: PM4 packets and the registers they set. The handlers of the
// packets stand in pm4_queue.cc (which there are), pm4_flow.cc (buffers and conditions), pm4_wait.cc, pm4_memory.cc
// (writes and events), pm4_copy.cc (copies and atomics), pm4_registers.cc and pm4_dispatch.cc. Fields and registers:
// amdgpu/gfx11/pm4.h, registers.h.
#pragma once

#include <array>
#include <string>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "emulator/queue/compare.h"
#include "emulator/queue/packet_queue.h"
#include "emulator/queue/register_file.h"

namespace bw::emulator {

class Pm4Queue final : public PacketQueue {
 public:
  Pm4Queue(const QueueSetup& setup, const QueueContext& context, ShaderCores& shader_cores);

  // For who has packets executed that are in no ring.
  using PacketQueue::call_buffer;

 private:
  using RegOffset = amdgpu::gfx11::RegOffset;

  uint32_t packet_dwords(const uint32_t* head, uint32_t have) override;
  Outcome execute() override;
  std::string packet_name() const override;
  amdgpu::gfx11::PacketText describe_packet() const override { return amdgpu::gfx11::describe_pm4(packet()); }
  bool publish_read_pointer(uint64_t count_dwords) override;
  // Why the packet at hand, which has no handler, is not executed.
  Outcome refuse(amdgpu::gfx11::pm4::Opcode opcode);

  template <typename Packet>
  bool has_size_of() const {
    return packet().size() == Packet::kDwords;
  }
  template <typename Packet>
  Outcome wrong_size() {
    return fail("the packet has {} dwords instead of {}", packet().size(), Packet::kDwords);
  }
  Outcome misaligned(uint64_t address, uint32_t unit) {
    return fail("address {:#x} is not a multiple of {}", address, unit);
  }
  Outcome no_register(RegOffset offset) {
    return fail("{:#x} is no register that a compute queue may touch", offset.dwords);
  }

  // Control flow.
  Outcome indirect_buffer();
  Outcome cond_indirect_buffer();
  Outcome enter_buffer(uint64_t address, uint32_t count_dwords);
  Outcome cond_exec();
  Outcome rewind();

  // Waiting.
  Outcome wait_reg_mem();
  Outcome wait_register();
  Outcome wait_reg_mem64();
  Outcome cond_write();
  // Loads from the space that the packet names, a register or memory.
  Outcome load_polled(bool from_memory, uint64_t address, uint32_t* value);

  // Memory and events.
  Outcome release_mem();
  Outcome tell_release();
  Outcome store_release_data(uint32_t data_sel, uint64_t address);
  Outcome add_release_data(uint64_t address);
  Outcome acquire_mem();
  Outcome write_data();
  Outcome write_registers();
  Outcome event_write();
  Outcome timestamp();

  // Copies and atomics.
  Outcome copy_data();
  Outcome load_copy_source(uint32_t source, bool is_64_bit, uint64_t* value);
  Outcome store_copy(uint32_t destination, bool is_64_bit, uint64_t value);
  Outcome dma_data();
  Outcome atomic_mem();
  Outcome read_register(RegOffset offset, bool is_64_bit, uint64_t* value);
  Outcome write_register(RegOffset offset, uint32_t value);

  // Registers and dispatches.
  Outcome set_sh_reg();
  Outcome set_sh_reg_pairs_packed();
  Outcome load_sh_reg_index();
  Outcome set_uconfig_reg();
  Outcome write_sh(uint32_t index, uint32_t value);
  Outcome dispatch_direct();
  Outcome dispatch_indirect();
  Outcome dispatch(std::array<uint32_t, 3> size, uint32_t initiator);
  // Begins, or goes on with what is suspended.
  Outcome run(const Dispatch& dispatch);
  Outcome check_dispatch(uint32_t initiator);
  Dispatch describe_dispatch(std::array<uint32_t, 3> size, uint32_t initiator) const;
  template <typename Register>
  uint32_t sh() const {
    return registers_.sh<Register>();
  }

  ShaderCores& shader_cores_;
  Suspension suspension_;         // of the dispatch at hand
  Accesses shader_accesses_;      // of the same, in strict mode
  uint64_t program_address_ = 0;  // of the same
  RegisterFile registers_;
  uint64_t atomic_return_ = 0;  // what the last ATOMIC_MEM with return found
};

}  // namespace bw::emulator
