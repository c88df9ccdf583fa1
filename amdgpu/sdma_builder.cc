#include "amdgpu/sdma_builder.h"

#include <algorithm>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/sdma.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

namespace sdma = gfx11::sdma;

// Values of a runtime known to work (tinygrad a9069c1, runtime/ops_amd.py): poll again after this many clocks.
constexpr uint32_t kPollInterval = 4;

// Elements of CONSTANT_FILL; the byte count is in bytes all the same (Mesa, src/amd/vulkan/radv_sdma.c).
constexpr uint32_t kFillDwords = 2;

// The engine takes an indirect buffer from an address of this alignment only (ROCr, tinygrad: 8 dwords).
constexpr uint64_t kIndirectAlignment = 32;

constexpr uint32_t kPayloadLimit = sdma::WRITE_UNTILED::count.bits.max() + 1;

}  // namespace

template <typename Packet>
bool SdmaBuilder::begin_packet(uint32_t count_dwords) {
  if (!begin(Packet::kName, count_dwords)) return false;
  set(sdma::HEADER::op, static_cast<uint32_t>(Packet::kOpcode));
  if constexpr (requires { Packet::sub_op; }) set(sdma::HEADER::sub_op, Packet::kSubOpcode);
  return true;
}

void SdmaBuilder::emit_nop(uint32_t count_dwords) {
  using P = sdma::NOP;
  if (count_dwords == 0 || count_dwords > P::count.bits.max() + 1) {
    if (begin(P::kName, 0)) fail(fmt::format("{} dwords, expected 1 to {}", count_dwords, P::count.bits.max() + 1));
    return;
  }
  if (!begin_packet<P>(count_dwords)) return;
  set(P::count, count_dwords - 1);
}

void SdmaBuilder::emit_copy_linear(GpuAddr destination, GpuAddr source, uint64_t size_bytes) {
  using P = sdma::COPY_LINEAR;
  if (size_bytes == 0) {
    if (begin(P::kName, 0)) fail("a copy of 0 bytes");
    return;
  }
  while (size_bytes > 0) {
    const uint64_t step = std::min(size_bytes, kMaxCopyBytes);
    if (!begin_packet<P>()) return;
    set(P::count, step - 1);
    set_address(P::src_addr_31_0, P::src_addr_63_32, source);
    set_address(P::dst_addr_31_0, P::dst_addr_63_32, destination);
    destination = destination + step;
    source = source + step;
    size_bytes -= step;
  }
}

void SdmaBuilder::emit_const_fill(GpuAddr destination, uint32_t value, uint64_t size_bytes) {
  using P = sdma::CONSTANT_FILL;
  if (size_bytes == 0 || size_bytes % 4 != 0 || destination.value % 4 != 0) {
    if (begin(P::kName, 0)) {
      fail(
          fmt::format("{} bytes at {}, expected a positive multiple of 4 at a multiple of 4", size_bytes, destination));
    }
    return;
  }
  while (size_bytes > 0) {
    const uint64_t step = std::min(size_bytes, kMaxCopyBytes);
    if (!begin_packet<P>()) return;
    set(P::fillsize, kFillDwords);
    set_address(P::dst_addr_31_0, P::dst_addr_63_32, destination);
    set(P::src_data_31_0, value);
    set(P::count, step - 1);
    destination = destination + step;
    size_bytes -= step;
  }
}

void SdmaBuilder::emit_write(GpuAddr destination, std::span<const uint32_t> values) {
  using P = sdma::WRITE_UNTILED;
  if (values.empty() || values.size() > kPayloadLimit || destination.value % 4 != 0) {
    if (begin(P::kName, 0)) {
      fail(fmt::format("{} dwords at {}, expected 1 to {} at a multiple of 4", values.size(), destination,
                       kPayloadLimit));
    }
    return;
  }
  const uint32_t header_dwords = P::data0.dword;
  if (!begin_packet<P>(header_dwords + static_cast<uint32_t>(values.size()))) return;
  set_address(P::dst_addr_31_0, P::dst_addr_63_32, destination);
  set(P::count, values.size() - 1);
  set_payload(header_dwords, values);
}

void SdmaBuilder::emit_fence(GpuAddr address, uint32_t value) {
  using P = sdma::FENCE;
  if (!begin_packet<P>()) return;
  if (address.value % 4 != 0) fail(fmt::format("address {} is not a multiple of 4", address));
  set(P::mtype, static_cast<uint32_t>(gfx11::MTYPE::MTYPE_UC));
  set_address(P::addr_31_0, P::addr_63_32, address);
  set(P::data, value);
}

void SdmaBuilder::emit_trap(uint32_t context_id) {
  using P = sdma::TRAP;
  if (!begin_packet<P>()) return;
  set(P::int_context, context_id);
}

void SdmaBuilder::emit_poll_regmem(GpuAddr address, Compare compare, uint32_t reference, uint32_t mask) {
  using P = sdma::POLL_REGMEM;
  if (!begin_packet<P>()) return;
  if (address.value % 4 != 0) fail(fmt::format("address {} is not a multiple of 4", address));
  // The engine numbers the comparisons as WAIT_REG_MEM does, which Compare lists in that order.
  set(P::func, static_cast<uint32_t>(compare));
  set(P::mem_poll, 1);
  set_address(P::addr_31_0, P::addr_63_32, address);
  set(P::value, reference);
  set(P::mask, mask);
  set(P::interval, kPollInterval);
  set(P::retry_count, P::retry_count.bits.max());  // for ever
}

void SdmaBuilder::emit_hdp_flush() {
  using P = sdma::POLL_REGMEM;
  if (!begin_packet<P>()) return;
  // A register poll with this address and no mask is what AMD's ROCr sends for the flush.
  set(P::addr_63_32, uint64_t{1} << 31);
}

void SdmaBuilder::emit_timestamp(GpuAddr destination) {
  using P = sdma::TIMESTAMP_GET_GLOBAL;
  if (!begin_packet<P>()) return;
  set_address(P::write_addr_31_3, P::write_addr_63_32, destination);
}

void SdmaBuilder::emit_atomic(gfx11::TC_OP operation, GpuAddr address, uint64_t operand) {
  using P = sdma::ATOMIC;
  if (!begin_packet<P>()) return;
  if (address.value % 4 != 0) fail(fmt::format("address {} is not a multiple of 4", address));
  set(P::atomic_op, static_cast<uint32_t>(operation));
  set_address(P::addr_31_0, P::addr_63_32, address);
  set(P::src_data_31_0, lo32(operand));
  set(P::src_data_63_32, hi32(operand));
}

void SdmaBuilder::emit_gcr(SdmaCache action) {
  using P = sdma::GCR_REQ;
  using A = gfx11::pm4::ACQUIRE_MEM;  // its gcr_cntl has the same bits
  uint32_t control = A::gcr_cntl_gl2_wb.bits.mask();
  if (action == SdmaCache::kInvalidate) control |= A::gcr_cntl_gl2_inv.bits.mask();
  if (!begin_packet<P>()) return;
  const uint32_t low_bits = P::gcr_control_15_0.bits.max();
  set(P::gcr_control_15_0, control & low_bits);
  set(P::gcr_control_18_16, control >> P::gcr_control_15_0.bits.width());
}

void SdmaBuilder::emit_indirect(GpuAddr address, uint32_t count_dwords) {
  using P = sdma::INDIRECT;
  if (!begin_packet<P>()) return;
  if (!is_aligned(address.value, kIndirectAlignment)) {
    fail(fmt::format("address {} is not a multiple of {}", address, kIndirectAlignment));
  }
  if (count_dwords == 0) fail("an indirect buffer of 0 dwords");
  set_address(P::ib_base_31_0, P::ib_base_63_32, address);
  set(P::ib_size, count_dwords);
}

}  // namespace bw::amdgpu
