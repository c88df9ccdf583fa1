// Owns: the packets of a gfx11 SDMA (copy engine) queue, one emit_* function each.
// Not here: rings, doorbells and who waits for what (sdma_queue.h).
#pragma once

#include <cstdint>
#include <span>

#include "amdgpu/gfx11/enums.h"
#include "amdgpu/packet_builder.h"
#include "amdgpu/pm4_builder.h"

namespace bw::amdgpu {

// What a GCR packet does with L2, through which the engine copies. The shaders' caches are the business of who lets
// them read what was copied. An invalidation writes back, too: lines that other queues are overwriting would stay
// otherwise, with what is out of date in them (Mesa, ac_cmdbuf.c, "The L2 cache ops are"). So does ROCr
// (amd_blit_sdma.cpp, BuildGCRCommand()).
enum class SdmaCache : uint8_t { kWriteBack, kInvalidate };

class SdmaBuilder : public PacketBuilder {
 public:
  SdmaBuilder() : PacketBuilder("SDMA") {}

  // The most that one COPY_LINEAR or CONSTANT_FILL packet moves.
  static constexpr uint64_t kMaxCopyBytes = uint64_t{1} << 30;

  // 1 to 16384 dwords.
  void emit_nop(uint32_t count_dwords);
  // Any size > 0, in as many packets as it takes. The ranges must not overlap.
  void emit_copy_linear(GpuAddr destination, GpuAddr source, uint64_t size_bytes);
  // Address and size are multiples of 4.
  void emit_const_fill(GpuAddr destination, uint32_t value, uint64_t size_bytes);
  void emit_write(GpuAddr destination, std::span<const uint32_t> values);
  // Writes 32 bits once all packets before are done.
  void emit_fence(GpuAddr address, uint32_t value);
  // Interrupt; `context_id` (28 bits) tells the driver which event.
  void emit_trap(uint32_t context_id);
  // Blocks the queue until memory & mask compares with `reference`.
  void emit_poll_regmem(GpuAddr address, Compare compare, uint32_t reference, uint32_t mask);
  // Makes what the host wrote through the PCIe BAR visible to the device.
  void emit_hdp_flush();
  // Writes the 64-bit GPU clock.
  void emit_timestamp(GpuAddr destination);
  // `operand` is the source data of the operation, at a multiple of 8 for 64-bit operations.
  void emit_atomic(gfx11::TC_OP operation, GpuAddr address, uint64_t operand);
  // All addresses.
  void emit_gcr(SdmaCache action);
  // `address` is a multiple of 32. The queue must place the packet so that it ends on a multiple of 8 dwords.
  void emit_indirect(GpuAddr address, uint32_t count_dwords);

 private:
  template <typename Packet>
  bool begin_packet(uint32_t count_dwords = Packet::kDwords);
};

}  // namespace bw::amdgpu
