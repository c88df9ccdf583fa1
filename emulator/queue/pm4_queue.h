// Owns: the command processor's view of one compute queue: PM4 packets and the registers they set. The handlers of the
// packets stand in pm4_queue.cc (control flow), pm4_memory.cc and pm4_dispatch.cc.
#pragma once

#include <array>
#include <string>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "emulator/queue/packet_queue.h"

namespace bw::emulator {

class Pm4Queue final : public PacketQueue {
 public:
  Pm4Queue(const QueueSetup& setup, const QueueContext& context, ShaderCores& shader_cores);

  // For who has packets executed that are in no ring.
  using PacketQueue::call_buffer;

 private:
  uint32_t packet_dwords(const uint32_t* head, uint32_t have) override;
  Outcome execute() override;
  std::string packet_name() const override;
  bool publish_read_pointer(uint64_t count_dwords) override;

  template <typename Packet>
  bool has_size_of() const {
    return packet().size() == Packet::kDwords;
  }
  template <typename Packet>
  Outcome wrong_size() {
    return fail("the packet has {} dwords instead of {}", packet().size(), Packet::kDwords);
  }

  // Control flow.
  Outcome indirect_buffer();

  // Memory.
  Outcome wait_reg_mem();
  Outcome wait_reg_mem64();
  Outcome wait_register();
  Outcome release_mem();
  Outcome write_data();
  Outcome copy_data();
  Outcome acquire_mem();
  Outcome event_write();
  bool load_copy_source(uint32_t source, bool is_64_bit, uint64_t* value, Outcome* failure);
  bool store_release_data(uint32_t data_sel, uint64_t address, Outcome* failure);

  // Registers and dispatches.
  Outcome set_sh_reg();
  Outcome set_uconfig_reg();
  Outcome dispatch_direct();
  Outcome dispatch_indirect();
  Outcome dispatch(std::array<uint32_t, 3> size, uint32_t initiator);
  Outcome check_dispatch(uint32_t initiator);
  Dispatch describe_dispatch(std::array<uint32_t, 3> size, uint32_t initiator) const;
  template <typename Register>
  uint32_t sh() const {
    return sh_registers_[Register::kOffset - amdgpu::gfx11::kShRegBase];
  }

  static constexpr uint32_t kShRegisters = 0x400;
  ShaderCores& shader_cores_;
  std::array<uint32_t, kShRegisters> sh_registers_{};
};

// How WAIT_REG_MEM and POLL_REGMEM compare; false for codes that do not exist. `holds` is the result.
bool compare(uint32_t function, uint64_t value, uint64_t reference, bool* holds);

}  // namespace bw::emulator
