// Owns: the SDMA engine's view of one queue: its packets. Fields: amdgpu/gfx11/sdma.h (SDMA 6.0). The handlers stand in
// sdma_queue.cc (which there are, control flow, memory words) and sdma_copy.cc (copies and fills).
#pragma once

#include <string>

#include "amdgpu/gfx11/sdma.h"
#include "emulator/queue/packet_queue.h"

namespace bw::emulator {

class SdmaQueue final : public PacketQueue {
 public:
  SdmaQueue(const QueueSetup& setup, const QueueContext& context) : PacketQueue(setup, context, "sdma", 1) {}

 private:
  uint32_t packet_dwords(const uint32_t* head, uint32_t have) override;
  Outcome execute() override;
  std::string packet_name() const override;
  amdgpu::gfx11::PacketText describe_packet() const override { return amdgpu::gfx11::describe_sdma(packet()); }
  bool publish_read_pointer(uint64_t count_dwords) override;

  Outcome misaligned(uint64_t address, uint32_t unit) {
    return fail("address {:#x} is not a multiple of {}", address, unit);
  }

  // Control flow.
  Outcome indirect();
  Outcome cond_exe();
  Outcome trap();
  Outcome gcr_req();
  Outcome poll_regmem();
  Outcome poll_register();

  // Words of memory.
  Outcome write_untiled();
  Outcome fence();
  Outcome timestamp();
  Outcome atomic();

  // Copies and fills.
  Outcome copy();
  Outcome copy_linear();
  Outcome copy_broadcast_linear();
  Outcome copy_linear_subwin();
  // Of one row of a sub-window, or of several that follow each other in memory.
  Outcome copy_run(uint64_t destination, uint64_t source, uint64_t size_bytes);
  Outcome constant_fill();

  uint64_t clock_offset_ = 0;  // of the engine's own time stamps, which TIMESTAMP_SET sets
};

}  // namespace bw::emulator
