#include "amdgpu/compute_frame.h"

#include <algorithm>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/pm4_builder.h"
#include "base/bits.h"

namespace bw::amdgpu {

Result<ComputeFrame> ComputeFrame::create(GpuAddr timeline, GpuAddr mailbox, uint32_t event_id) {
  ComputeFrame frame;
  Pm4Builder builder;
  // RELEASE_MEM, with which a submission ends, does not keep the queue from going on while its kernels still run.
  builder.emit_cs_partial_flush();
  frame.wait_dwords_ = builder.size_dwords();
  builder.emit_hdp_flush();
  builder.emit_acquire_mem(Acquire::kFromHost);
  BW_ASSIGN(frame.begin_, builder.finish());
  builder.emit_release_mem({.data = ReleaseData::k64Bit, .address = timeline, .value = 0});
  builder.emit_release_mem({.release = Release::kNoFlush,
                            .data = ReleaseData::k32Bit,
                            .interrupt = ReleaseInterrupt::kAfterWriteConfirm,
                            .address = mailbox,
                            .value = event_id,
                            .context_id = event_id});
  BW_ASSIGN(frame.signal_, builder.finish());
  return frame;
}

void ComputeFrame::put_signal(uint32_t* at, uint64_t value) const {
  std::copy(signal_.begin(), signal_.end(), at);
  set_value(at, value);
}

void ComputeFrame::set_value(uint32_t* signal, uint64_t value) {
  signal[gfx11::pm4::RELEASE_MEM::data_lo.dword] = lo32(value);
  signal[gfx11::pm4::RELEASE_MEM::data_hi.dword] = hi32(value);
}

}  // namespace bw::amdgpu
