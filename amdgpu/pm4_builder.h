// Owns: the PM4 packets of a gfx11 compute queue, one emit_* function each.
// Not here: rings, doorbells and who waits for what (compute_queue.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "amdgpu/gfx11/enums.h"
#include "amdgpu/gfx11/reg_offset.h"
#include "amdgpu/packet_builder.h"

namespace bw::amdgpu {

// Comparisons of WAIT_REG_MEM and of SDMA's POLL_REGMEM: memory (masked) against the reference, unsigned.
enum class Compare : uint8_t { kAlways, kLess, kLessEqual, kEqual, kNotEqual, kGreaterEqual, kGreater };

// Which caches ACQUIRE_MEM makes forget what they hold.
enum class Acquire : uint8_t {
  kFromDevice,  // this device wrote, its kernels or the command processor: shader caches (L0, L1, scalar); L2 stays
  kFromPeer,    // another device wrote data: also L2, which is written back
  kFromHost,    // the host or another device wrote data or code: also the instruction caches
};

// Whether RELEASE_MEM writes L2 back before it signals.
enum class Release : uint8_t { kNoFlush, kFlush };

// Whether the command processor goes on only when the write has arrived.
enum class WriteConfirm : uint8_t { kNone, kWait };

enum class ReleaseData : uint8_t { kNone, k32Bit, k64Bit, kGpuClock };
enum class ReleaseInterrupt : uint8_t { kNone, kAfterWriteConfirm };

// What follows the packets of an indirect buffer: those after the call, or nothing more of the calling buffer.
enum class IndirectCall : uint8_t { kReturns, kChains };

struct ReleaseMem {
  Release release = Release::kFlush;
  ReleaseData data = ReleaseData::kNone;
  ReleaseInterrupt interrupt = ReleaseInterrupt::kNone;
  GpuAddr address;          // multiple of 4, of 8 for 64-bit data and the clock
  uint64_t value = 0;       // for k32Bit it must fit 32 bits
  uint32_t context_id = 0;  // handed to the interrupt handler
};

class Pm4Builder : public PacketBuilder {
 public:
  Pm4Builder() : PacketBuilder("PM4") {}

  // 1 to 16384 dwords.
  void emit_nop(uint32_t count_dwords);
  // Consecutive shader registers from `first` on.
  void emit_set_sh_reg(gfx11::RegOffset first, std::span<const uint32_t> values);
  void emit_set_uconfig_reg(gfx11::RegOffset first, std::span<const uint32_t> values);
  // `initiator`: the bits of COMPUTE_DISPATCH_INITIATOR.
  void emit_dispatch_direct(const std::array<uint32_t, 3>& workgroup_count, uint32_t initiator);
  void emit_event_write(gfx11::VGT_EVENT_TYPE event, uint32_t event_index);
  // Waits until the compute shaders started so far have ended.
  void emit_cs_partial_flush();
  // All addresses.
  void emit_acquire_mem(Acquire acquire);
  void emit_release_mem(const ReleaseMem& release);
  // Blocks the queue until memory & mask compares with `reference`. 32 bits; the address is a multiple of 4.
  void emit_wait_reg_mem(GpuAddr address, Compare compare, uint32_t reference, uint32_t mask);
  // Writes `reference` to register `request` and blocks until register `done` & mask compares with it.
  void emit_write_wait_reg(gfx11::RegOffset request, gfx11::RegOffset done, Compare compare, uint32_t reference,
                           uint32_t mask);
  // Makes what the host wrote through the PCIe BAR visible to the device.
  void emit_hdp_flush();
  void emit_write_data(GpuAddr address, std::span<const uint32_t> values, WriteConfirm confirm);
  // Copies 4 or 8 bytes (size_bytes) of memory when the command processor comes by; no wait for shaders.
  void emit_copy_data(GpuAddr destination, GpuAddr source, uint32_t size_bytes);
  // Adds to a 32-bit word of memory, in L2; what follows begins when that has happened.
  void emit_atomic_add(GpuAddr address, uint32_t addend);
  // Writes the 64-bit GPU clock when the command processor comes by; for the end of all work before, use RELEASE_MEM.
  void emit_copy_clock(GpuAddr destination);
  void emit_indirect_buffer(GpuAddr address, uint32_t count_dwords, IndirectCall call = IndirectCall::kReturns);
  // Goes over the next `count_dwords` if the 32-bit word in memory is 0. At most 16383.
  void emit_cond_exec(GpuAddr condition, uint32_t count_dwords);
  // Through L2, in as many packets as it takes; what follows begins when the data has arrived.
  void emit_dma_copy(GpuAddr destination, GpuAddr source, uint64_t size_bytes);
  // Multiples of 4.
  void emit_dma_fill(GpuAddr destination, uint64_t size_bytes, uint32_t value);

 private:
  template <typename Packet>
  bool begin_packet(uint32_t count_dwords);
  template <typename Packet>
  void set_reg(gfx11::RegOffset base, gfx11::RegOffset first, std::span<const uint32_t> values);
};

}  // namespace bw::amdgpu
