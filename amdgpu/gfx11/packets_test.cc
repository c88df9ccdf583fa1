// The generated tables against numbers typed by hand from public headers.
#include <gtest/gtest.h>

#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/enums.h"
#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "amdgpu/gfx11/sdma.h"

namespace bw::amdgpu::gfx11 {
namespace {

TEST(Pm4Tables, HoldTheOpcodesOfTheLinuxHeader) {
  EXPECT_EQ(static_cast<int>(pm4::Opcode::NOP), 0x10);
  EXPECT_EQ(static_cast<int>(pm4::Opcode::DISPATCH_DIRECT), 0x15);
  EXPECT_EQ(static_cast<int>(pm4::Opcode::WAIT_REG_MEM), 0x3c);
  EXPECT_EQ(static_cast<int>(pm4::Opcode::INDIRECT_BUFFER), 0x3f);
  EXPECT_EQ(static_cast<int>(pm4::Opcode::RELEASE_MEM), 0x49);
  EXPECT_EQ(static_cast<int>(pm4::Opcode::ACQUIRE_MEM), 0x58);
  EXPECT_EQ(static_cast<int>(pm4::Opcode::SET_SH_REG), 0x76);
  EXPECT_STREQ(pm4::name_of(pm4::Opcode::INDIRECT_BUFFER), "INDIRECT_BUFFER");
  EXPECT_EQ(pm4::name_of(static_cast<pm4::Opcode>(0x00)), nullptr);
}

TEST(Pm4Tables, FieldsReadThePacketsOfAWorkingRuntime) {
  const uint32_t release[] = {0xc0064900, 0x0070f514, 0x20000000, 0, 0, 0, 0, 0};
  EXPECT_EQ(pm4::TYPE_3_HEADER::type.get(release), 3u);
  EXPECT_EQ(pm4::TYPE_3_HEADER::count.get(release) + 2, pm4::RELEASE_MEM::kDwords);
  EXPECT_EQ(pm4::RELEASE_MEM::event_type.get(release),
            static_cast<uint32_t>(VGT_EVENT_TYPE::CACHE_FLUSH_AND_INV_TS_EVENT));
  EXPECT_EQ(pm4::RELEASE_MEM::event_index.get(release), pm4::RELEASE_MEM::event_index__end_of_pipe);
  EXPECT_EQ(pm4::RELEASE_MEM::data_sel.get(release), pm4::RELEASE_MEM::data_sel__send_32_bit_low);
  EXPECT_EQ(pm4::RELEASE_MEM::gcr_cntl_gl2_wb.get(release), 1u);
  EXPECT_EQ(pm4::RELEASE_MEM::gcr_cntl_seq.get(release), 1u);
}

TEST(RegisterTables, GiveTheOffsetsThatSetShRegTakes) {
  EXPECT_EQ(COMPUTE_PGM_LO::kOffset - kShRegBase, 0x20cu);
  EXPECT_EQ(COMPUTE_USER_DATA_0::kOffset - kShRegBase, 0x240u);
  EXPECT_EQ(GPU_HDP_FLUSH_REQ::kOffset, RegOffset{0xe26});
  EXPECT_EQ(GPU_HDP_FLUSH_DONE::kOffset, RegOffset{0xe27});
  EXPECT_EQ(COMPUTE_DISPATCH_INITIATOR::cs_w32_en.mask(), 0x8000u);
}

TEST(SdmaTables, HoldOpcodesAndFields) {
  EXPECT_EQ(static_cast<int>(sdma::TIMESTAMP_GET_GLOBAL::kOpcode) | sdma::TIMESTAMP_GET_GLOBAL::kSubOpcode << 8,
            0x20du);
  EXPECT_EQ(sdma::COPY_LINEAR::kDwords, 7u);
  EXPECT_EQ(sdma::COPY_LINEAR::count.bits.max(), 0x3fffffffu);
  EXPECT_EQ(sdma::POLL_REGMEM::mem_poll.bits.mask(), 0x80000000u);
  EXPECT_EQ(sdma::FENCE::mtype.bits.lo, 16);
}

TEST(AbiTables, LayoutsAgreeWithThePublishedOnes) {
  EXPECT_EQ(offsetof(amd_queue_t, read_dispatch_id), 0x80u);
  EXPECT_EQ(offsetof(amd_queue_t, write_dispatch_id), 0x38u);
  EXPECT_EQ(offsetof(amd_signal_t, event_mailbox_ptr), 0x10u);
  EXPECT_EQ(offsetof(hsa_kernel_dispatch_packet_t, completion_signal), 56u);
  EXPECT_EQ(compute_pgm_rsrc2::granulated_lds_size.lo, 15);
  EXPECT_EQ(static_cast<int>(hsa_packet_type_t::kernel_dispatch), 2);
}

}  // namespace
}  // namespace bw::amdgpu::gfx11
