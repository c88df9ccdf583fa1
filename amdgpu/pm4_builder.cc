#include "amdgpu/pm4_builder.h"

#include <algorithm>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

namespace pm4 = gfx11::pm4;

// How often the command processor looks again while it waits, in its own clocks; the value of a runtime known to work
// (tinygrad a9069c1, runtime/ops_amd.py).
constexpr uint32_t kPollInterval = 4;

// Of one DMA_DATA packet, whose field holds a little more; a multiple of every cache line.
constexpr uint64_t kMaxDmaBytes = uint64_t{1} << 25;

uint32_t wait_function(Compare compare) {
  using P = pm4::WAIT_REG_MEM;
  switch (compare) {
    case Compare::kAlways:
      return P::function__always_pass;
    case Compare::kLess:
      return P::function__less_than_ref_value;
    case Compare::kLessEqual:
      return P::function__less_than_equal_to_the_ref_value;
    case Compare::kEqual:
      return P::function__equal_to_the_reference_value;
    case Compare::kNotEqual:
      return P::function__not_equal_reference_value;
    case Compare::kGreaterEqual:
      return P::function__greater_than_or_equal_reference_value;
    case Compare::kGreater:
      return P::function__greater_than_reference_value;
  }
  return ~0u;
}

uint32_t data_select(ReleaseData data) {
  using P = pm4::RELEASE_MEM;
  switch (data) {
    case ReleaseData::kNone:
      return P::data_sel__none;
    case ReleaseData::k32Bit:
      return P::data_sel__send_32_bit_low;
    case ReleaseData::k64Bit:
      return P::data_sel__send_64_bit_data;
    case ReleaseData::kGpuClock:
      return P::data_sel__send_gpu_clock_counter;
  }
  return ~0u;
}

}  // namespace

// The shader-type bit of the header stays 0: the MEC's own header has no such bit, and the runtimes known to work leave
// it 0.
template <typename Packet>
bool Pm4Builder::begin_packet(uint32_t count_dwords) {
  if (!begin(Packet::kName, count_dwords)) return false;
  set(pm4::TYPE_3_HEADER::type, 3);
  set(pm4::TYPE_3_HEADER::opcode, static_cast<uint32_t>(Packet::kOpcode));
  set(pm4::TYPE_3_HEADER::count, count_dwords - 2u);
  return status().is_ok();
}

template <typename Packet>
void Pm4Builder::set_reg(gfx11::RegOffset base, gfx11::RegOffset first, std::span<const uint32_t> values) {
  const uint32_t header_dwords = 2;
  if (values.empty() || values.size() > pm4::TYPE_3_HEADER::count.bits.max() - 1) {
    if (begin(Packet::kName, 0)) fail(fmt::format("{} registers, expected 1 to 16382", values.size()));
    return;
  }
  if (!begin_packet<Packet>(header_dwords + static_cast<uint32_t>(values.size()))) return;
  if (first < base) {
    fail(fmt::format("register {:#x} is below {:#x}, where this packet's registers begin", first.dwords, base.dwords));
    return;
  }
  set(Packet::reg_offset, first - base);
  set_payload(header_dwords, values);
}

void Pm4Builder::emit_nop(uint32_t count_dwords) {
  const uint32_t count_field = pm4::TYPE_3_HEADER::count.bits.max();
  if (count_dwords == 0 || count_dwords > count_field + 1) {
    if (begin(pm4::NOP::kName, 0)) fail(fmt::format("{} dwords, expected 1 to {}", count_dwords, count_field + 1));
    return;
  }
  if (!begin(pm4::NOP::kName, count_dwords)) return;
  set(pm4::TYPE_3_HEADER::type, 3);
  set(pm4::TYPE_3_HEADER::opcode, static_cast<uint32_t>(pm4::Opcode::NOP));
  // The largest count means a packet of its header alone.
  set(pm4::TYPE_3_HEADER::count, count_dwords == 1 ? count_field : count_dwords - 2);
}

void Pm4Builder::emit_set_sh_reg(gfx11::RegOffset first, std::span<const uint32_t> values) {
  set_reg<pm4::SET_SH_REG>(gfx11::kShRegBase, first, values);
}

void Pm4Builder::emit_set_uconfig_reg(gfx11::RegOffset first, std::span<const uint32_t> values) {
  set_reg<pm4::SET_UCONFIG_REG>(gfx11::kUconfigRegBase, first, values);
}

void Pm4Builder::emit_dispatch_direct(const std::array<uint32_t, 3>& workgroup_count, uint32_t initiator) {
  using P = pm4::DISPATCH_DIRECT;
  if (!begin_packet<P>(P::kDwords)) return;
  set(P::dim_x, workgroup_count[0]);
  set(P::dim_y, workgroup_count[1]);
  set(P::dim_z, workgroup_count[2]);
  set(P::dispatch_initiator, initiator);
}

void Pm4Builder::emit_event_write(gfx11::VGT_EVENT_TYPE event, uint32_t event_index) {
  using P = pm4::EVENT_WRITE;
  // Events that sample nothing have no address dwords.
  if (!begin_packet<P>(2)) return;
  set(P::event_type, static_cast<uint32_t>(event));
  set(P::event_index, event_index);
}

void Pm4Builder::emit_cs_partial_flush() {
  emit_event_write(gfx11::VGT_EVENT_TYPE::CS_PARTIAL_FLUSH, pm4::EVENT_WRITE::event_index__cs_partial_flush);
}

void Pm4Builder::emit_acquire_mem(Acquire acquire) {
  using P = pm4::ACQUIRE_MEM;
  if (!begin_packet<P>(P::kDwords)) return;
  // unverified: the high size field has 8 bits in AMD's MEC headers, while the runtime known to work writes 32 ones.
  set(P::coher_size, P::coher_size.bits.max());
  set(P::coher_size_hi, P::coher_size_hi.bits.max());
  // Not GLM, which keeps metadata of compressed images, and not the write-back of the scalar cache, to which nothing
  // stores on gfx11: compute programs put nothing there. unverified: that nothing else needs GLM, which Mesa
  // invalidates whenever it does L2 (ac_cmdbuf.c, the barriers of GFX10), and the shaders' caches without it.
  set(P::gcr_cntl_glk_inv, 1);
  set(P::gcr_cntl_glv_inv, 1);
  set(P::gcr_cntl_gl1_inv, 1);
  if (acquire == Acquire::kFromHost) set(P::gcr_cntl_gli_inv, P::gcr_cntl_gli_inv__all);
  if (acquire != Acquire::kFromDevice) {
    // Without the write-back, lines that are partly overwritten would stay as they are (ibid., "The L2 cache ops are").
    set(P::gcr_cntl_gl2_inv, 1);
    set(P::gcr_cntl_gl2_wb, 1);
  }
}

void Pm4Builder::emit_release_mem(const ReleaseMem& release) {
  using P = pm4::RELEASE_MEM;
  if (!begin_packet<P>(P::kDwords)) return;
  set(P::event_type, static_cast<uint32_t>(gfx11::VGT_EVENT_TYPE::CACHE_FLUSH_AND_INV_TS_EVENT));
  set(P::event_index, P::event_index__end_of_pipe);
  if (release.release == Release::kFlush) {
    // The caches near the shaders are written through, and what reads next invalidates. Linux writes back L2 here, and
    // GLM with it (gfx_v11_0.c, gfx_v11_0_ring_emit_fence()).
    set(P::gcr_cntl_gl2_wb, 1);
  }
  set(P::data_sel, data_select(release.data));
  set(P::int_sel,
      release.interrupt == ReleaseInterrupt::kNone ? P::int_sel__none : P::int_sel__send_interrupt_after_write_confirm);
  const bool is_64_bit = release.data == ReleaseData::k64Bit || release.data == ReleaseData::kGpuClock;
  set_address(is_64_bit ? P::address_lo_64b : P::address_lo_32b, P::address_hi, release.address);
  if (release.data == ReleaseData::k32Bit && hi32(release.value) != 0) {
    fail(fmt::format("data is {:#x}, but only 32 bits are written", release.value));
    return;
  }
  set(P::data_lo, lo32(release.value));
  set(P::data_hi, hi32(release.value));
  set(P::int_ctxid, release.context_id);
}

void Pm4Builder::emit_wait_reg_mem(GpuAddr address, Compare compare, uint32_t reference, uint32_t mask) {
  using P = pm4::WAIT_REG_MEM;
  if (!begin_packet<P>(P::kDwords)) return;
  set(P::function, wait_function(compare));
  set(P::mem_space, P::mem_space__memory_space);
  set(P::operation, P::operation__wait_reg_mem);
  set_address(P::mem_poll_addr_lo, P::mem_poll_addr_hi, address);
  set(P::reference, reference);
  set(P::mask, mask);
  set(P::poll_interval, kPollInterval);
}

void Pm4Builder::emit_write_wait_reg(gfx11::RegOffset request, gfx11::RegOffset done, Compare compare,
                                     uint32_t reference, uint32_t mask) {
  using P = pm4::WAIT_REG_MEM;
  if (!begin_packet<P>(P::kDwords)) return;
  set(P::function, wait_function(compare));
  set(P::mem_space, P::mem_space__register_space);
  set(P::operation, P::operation__wr_wait_wr_reg);
  set(P::reg_write_addr1, request.dwords);
  set(P::reg_write_addr2, done.dwords);
  set(P::reference, reference);
  set(P::mask, mask);
  set(P::poll_interval, kPollInterval);
}

void Pm4Builder::emit_hdp_flush() {
  emit_write_wait_reg(gfx11::GPU_HDP_FLUSH_REQ::kOffset, gfx11::GPU_HDP_FLUSH_DONE::kOffset, Compare::kGreaterEqual,
                      ~0u, ~0u);
}

void Pm4Builder::emit_write_data(GpuAddr address, std::span<const uint32_t> values, WriteConfirm confirm) {
  using P = pm4::WRITE_DATA;
  const uint32_t header_dwords = P::kDwords;
  if (values.empty() || values.size() > pm4::TYPE_3_HEADER::count.bits.max() - 3) {
    if (begin(P::kName, 0)) fail(fmt::format("{} dwords of data, expected 1 to 16380", values.size()));
    return;
  }
  if (!begin_packet<P>(header_dwords + static_cast<uint32_t>(values.size()))) return;
  set(P::dst_sel, P::dst_sel__memory);
  set(P::wr_confirm, confirm == WriteConfirm::kWait ? P::wr_confirm__wait_for_write_confirmation
                                                    : P::wr_confirm__do_not_wait_for_write_confirmation);
  set_address(P::dst_mem_addr_lo, P::dst_mem_addr_hi, address);
  set_payload(header_dwords, values);
}

void Pm4Builder::emit_copy_data(GpuAddr destination, GpuAddr source, uint32_t size_bytes) {
  using P = pm4::COPY_DATA;
  if (!begin_packet<P>(P::kDwords)) return;
  if (size_bytes != 4 && size_bytes != 8) {
    fail(fmt::format("{} bytes, expected 4 or 8", size_bytes));
    return;
  }
  const bool is_64_bit = size_bytes == 8;
  set(P::src_sel, P::src_sel__tc_l2);
  set(P::dst_sel, P::dst_sel__tc_l2);
  set(P::count_sel, is_64_bit ? P::count_sel__64_bits_of_data : P::count_sel__32_bits_of_data);
  set(P::wr_confirm, P::wr_confirm__wait_for_confirmation);
  set_address(is_64_bit ? P::src_64b_addr_lo : P::src_32b_addr_lo, P::src_memtc_addr_hi, source);
  set_address(is_64_bit ? P::dst_64b_addr_lo : P::dst_32b_addr_lo, P::dst_addr_hi, destination);
}

void Pm4Builder::emit_atomic_add(GpuAddr address, uint32_t addend) {
  using P = pm4::ATOMIC_MEM;
  if (!begin_packet<P>(P::kDwords)) return;
  if (address.value % sizeof(uint32_t) != 0) {
    fail(fmt::format("address {:#x} is not a multiple of 4", address.value));
    return;
  }
  set(P::atomic, static_cast<uint32_t>(gfx11::TC_OP::TC_OP_ATOMIC_ADD_32));
  set(P::command, P::command__wait_for_write_confirmation);
  set_address(P::addr_lo, P::addr_hi, address);
  set(P::src_data_lo, addend);
}

void Pm4Builder::emit_copy_clock(GpuAddr destination) {
  using P = pm4::COPY_DATA;
  if (!begin_packet<P>(P::kDwords)) return;
  set(P::src_sel, P::src_sel__gpu_clock_count);
  set(P::dst_sel, P::dst_sel__tc_l2);
  set(P::count_sel, P::count_sel__64_bits_of_data);
  set(P::wr_confirm, P::wr_confirm__wait_for_confirmation);
  set_address(P::dst_64b_addr_lo, P::dst_addr_hi, destination);
}

void Pm4Builder::emit_cond_exec(GpuAddr condition, uint32_t count_dwords) {
  using P = pm4::COND_EXEC;
  if (!begin_packet<P>(P::kDwords)) return;
  set_address(P::addr_lo, P::addr_hi, condition);
  set(P::exec_count, count_dwords);
}

void Pm4Builder::emit_dma_copy(GpuAddr destination, GpuAddr source, uint64_t size_bytes) {
  using P = pm4::DMA_DATA;
  for (uint64_t done = 0; done < size_bytes;) {
    const uint64_t step = std::min(kMaxDmaBytes, size_bytes - done);
    if (!begin_packet<P>(P::kDwords)) return;
    set(P::src_sel, P::src_sel__src_addr_using_l2);
    set(P::dst_sel, P::dst_sel__dst_addr_using_l2);
    set_address(P::src_addr_lo_or_data, P::src_addr_hi, source + done);
    set_address(P::dst_addr_lo, P::dst_addr_hi, destination + done);
    set(P::byte_count, step);
    done += step;
  }
}

void Pm4Builder::emit_dma_fill(GpuAddr destination, uint64_t size_bytes, uint32_t value) {
  using P = pm4::DMA_DATA;
  for (uint64_t done = 0; done < size_bytes;) {
    const uint64_t step = std::min(kMaxDmaBytes, size_bytes - done);
    if (!begin_packet<P>(P::kDwords)) return;
    if (size_bytes % 4 != 0 || destination.value % 4 != 0) {
      fail(fmt::format("filling {} bytes at {}, expected multiples of 4", size_bytes, destination));
      return;
    }
    set(P::src_sel, P::src_sel__data);
    set(P::dst_sel, P::dst_sel__dst_addr_using_l2);
    set(P::src_addr_lo_or_data, value);
    set_address(P::dst_addr_lo, P::dst_addr_hi, destination + done);
    set(P::byte_count, step);
    done += step;
  }
}

void Pm4Builder::emit_indirect_buffer(GpuAddr address, uint32_t count_dwords, IndirectCall call) {
  using P = pm4::INDIRECT_BUFFER;
  if (!begin_packet<P>(P::kDwords)) return;
  set_address(P::ib_base_lo, P::ib_base_hi, address);
  if (count_dwords == 0) fail("an indirect buffer of 0 dwords");
  set(P::ib_size, count_dwords);
  set(P::chain, call == IndirectCall::kChains ? 1 : 0);
  set(P::valid, 1);
}

}  // namespace bw::amdgpu
