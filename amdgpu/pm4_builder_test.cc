// Against literal dwords: those of a runtime known to work on the card, and of AMD's own user space.
#include "amdgpu/pm4_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "amdgpu/gfx11/registers.h"

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr GpuAddr kAddress{0x0000'7fff'1234'5678};

std::vector<uint32_t> finish(Pm4Builder& builder) {
  Result<std::vector<uint32_t>> result = builder.finish();
  EXPECT_TRUE(result.is_ok()) << result.status().message();
  return result.is_ok() ? std::move(result).value() : std::vector<uint32_t>{};
}

std::string failure(Pm4Builder& builder) {
  return builder.finish().status().message();
}

TEST(Pm4Builder, ReleaseMemWritesBackAnd32Bits) {
  Pm4Builder builder;
  builder.emit_release_mem({.data = ReleaseData::k32Bit, .address = kAddress, .value = 7});
  EXPECT_THAT(finish(builder), ElementsAre(0xc0064900, 0x00200514, 0x20000000, 0x12345678, 0x7fff, 7, 0, 0));
}

TEST(Pm4Builder, ReleaseMemToAnEventMailboxInterrupts) {
  Pm4Builder builder;
  builder.emit_release_mem({.release = Release::kNoFlush,
                            .data = ReleaseData::k32Bit,
                            .interrupt = ReleaseInterrupt::kAfterWriteConfirm,
                            .address = kAddress,
                            .value = 5,
                            .context_id = 5});
  EXPECT_THAT(finish(builder), ElementsAre(0xc0064900, 0x514, 0x22000000, 0x12345678, 0x7fff, 5, 0, 5));
}

TEST(Pm4Builder, ReleaseMemWrites64BitsAndTheClock) {
  Pm4Builder builder;
  builder.emit_release_mem({.data = ReleaseData::k64Bit, .address = kAddress, .value = 0x1'0000'0002});
  builder.emit_release_mem({.release = Release::kNoFlush, .data = ReleaseData::kGpuClock, .address = kAddress});
  EXPECT_THAT(finish(builder), ElementsAre(0xc0064900, 0x00200514, 0x40000000, 0x12345678, 0x7fff, 2, 1, 0,  //
                                           0xc0064900, 0x514, 0x60000000, 0x12345678, 0x7fff, 0, 0, 0));
}

TEST(Pm4Builder, AcquireMemCoversAllAddresses) {
  Pm4Builder builder;
  builder.emit_acquire_mem(Acquire::kFromDevice);
  builder.emit_acquire_mem(Acquire::kFromPeer);
  builder.emit_acquire_mem(Acquire::kFromHost);
  EXPECT_THAT(finish(builder), ElementsAre(0xc0065800, 0, ~0u, 0xff, 0, 0, 0, 0x380,   //
                                           0xc0065800, 0, ~0u, 0xff, 0, 0, 0, 0xc380,  //
                                           0xc0065800, 0, ~0u, 0xff, 0, 0, 0, 0xc381));
}

TEST(Pm4Builder, DispatchAndPartialFlush) {
  Pm4Builder builder;
  builder.emit_dispatch_direct({1, 2, 3}, 0x8005);
  builder.emit_cs_partial_flush();
  EXPECT_THAT(finish(builder), ElementsAre(0xc0031500, 1, 2, 3, 0x8005, 0xc0004600, 0x407));
}

TEST(Pm4Builder, SetShRegTakesRegistersInARow) {
  Pm4Builder builder;
  const uint32_t values[] = {0x11, 0x22};
  builder.emit_set_sh_reg(gfx11::COMPUTE_PGM_LO::kOffset, values);
  EXPECT_THAT(finish(builder), ElementsAre(0xc0027600, 0x20c, 0x11, 0x22));
}

TEST(Pm4Builder, WaitsOnMemoryAndRegisters) {
  Pm4Builder builder;
  builder.emit_wait_reg_mem(kAddress, Compare::kGreaterEqual, 9, ~0u);
  builder.emit_hdp_flush();
  EXPECT_THAT(finish(builder), ElementsAre(0xc0053c00, 0x15, 0x12345678, 0x7fff, 9, ~0u, 4,  //
                                           0xc0053c00, 0x45, 0xe26, 0xe27, ~0u, ~0u, 4));
}

TEST(Pm4Builder, CopiesWritesAndJumps) {
  Pm4Builder builder;
  const uint32_t values[] = {0xaaaa, 0xbbbb};
  builder.emit_write_data(kAddress, values, WriteConfirm::kWait);
  builder.emit_copy_clock(kAddress);
  builder.emit_copy_data(kAddress, kAddress + 4, 4);
  builder.emit_indirect_buffer(kAddress, 0x123);
  EXPECT_THAT(finish(builder), ElementsAre(0xc0043700, 0x00100500, 0x12345678, 0x7fff, 0xaaaa, 0xbbbb,  //
                                           0xc0044000, 0x00110209, 0, 0, 0x12345678, 0x7fff,            //
                                           0xc0044000, 0x00100202, 0x1234567c, 0x7fff, 0x12345678, 0x7fff, 0xc0023f00,
                                           0x12345678, 0x7fff, 0x00800123));
}

TEST(Pm4Builder, AddsToAWordAndWaitsForIt) {
  Pm4Builder builder;
  builder.emit_atomic_add(kAddress, 3);
  EXPECT_THAT(finish(builder), ElementsAre(0xc0071e00, 0x24f, 0x12345678, 0x7fff, 3, 0, 0, 0, 0));
  builder.emit_atomic_add(kAddress + 2, 3);
  EXPECT_THAT(failure(builder), HasSubstr("ATOMIC_MEM: address 0x7fff1234567a is not a multiple of 4"));
}

TEST(Pm4Builder, ChainsSkipsAndMovesMemory) {
  Pm4Builder builder;
  builder.emit_indirect_buffer(kAddress, 0x123, IndirectCall::kChains);
  builder.emit_cond_exec(kAddress, 4);
  builder.emit_dma_copy(kAddress, kAddress + 0x1000, (1 << 25) + 3);
  builder.emit_dma_fill(kAddress, 16, 0xabcd);
  EXPECT_THAT(finish(builder),
              ElementsAre(0xc0023f00, 0x12345678, 0x7fff, 0x00900123,                                  //
                          0xc0032200, 0x12345678, 0x7fff, 0, 4,                                        //
                          0xc0055000, 0x60300000, 0x12346678, 0x7fff, 0x12345678, 0x7fff, 0x02000000,  //
                          0xc0055000, 0x60300000, 0x14346678, 0x7fff, 0x14345678, 0x7fff, 0x00000003,  //
                          0xc0055000, 0x40300000, 0x0000abcd, 0, 0x12345678, 0x7fff, 0x00000010));
  builder.emit_dma_fill(kAddress, 6, 0);
  EXPECT_THAT(failure(builder), HasSubstr("filling 6 bytes"));
  builder.emit_cond_exec(kAddress, 1 << 14);
  EXPECT_THAT(failure(builder), HasSubstr("exec_count"));
}

TEST(Pm4Builder, NopHasEveryLength) {
  Pm4Builder builder;
  builder.emit_nop(1);
  EXPECT_THAT(finish(builder), ElementsAre(0xffff1000));
  builder.emit_nop(2);
  EXPECT_THAT(finish(builder), ElementsAre(0xc0001000, 0));
  builder.emit_nop(16384);
  EXPECT_EQ(finish(builder).size(), 16384u);
  builder.emit_nop(16385);
  EXPECT_THAT(failure(builder), HasSubstr("PM4 packet NOP"));
}

TEST(Pm4Builder, TheFirstErrorStandsAndNamesItsPacket) {
  Pm4Builder builder;
  builder.emit_cs_partial_flush();
  builder.emit_wait_reg_mem(GpuAddr{2}, Compare::kEqual, 0, 0);
  builder.emit_indirect_buffer(GpuAddr{1}, 0);
  EXPECT_EQ(failure(builder), "building PM4 packet WAIT_REG_MEM: address 0x2 is not a multiple of 4");
  // Fresh again afterwards.
  builder.emit_cs_partial_flush();
  EXPECT_EQ(finish(builder).size(), 2u);
}

TEST(Pm4Builder, RejectsWhatDoesNotFit) {
  Pm4Builder builder;
  builder.emit_indirect_buffer(kAddress, 1u << 20);
  EXPECT_THAT(failure(builder), HasSubstr("INDIRECT_BUFFER: ib_size is 0x100000, but has 20 bits"));
  builder.emit_indirect_buffer(kAddress, (1u << 20) - 1);
  EXPECT_TRUE(builder.finish().is_ok());
  builder.emit_indirect_buffer(kAddress, 0);
  EXPECT_THAT(failure(builder), HasSubstr("INDIRECT_BUFFER"));
  builder.emit_release_mem({.data = ReleaseData::k64Bit, .address = kAddress + 4});
  EXPECT_THAT(failure(builder), HasSubstr("RELEASE_MEM"));
  builder.emit_release_mem({.data = ReleaseData::k32Bit, .address = kAddress, .value = uint64_t{1} << 32});
  EXPECT_THAT(failure(builder), HasSubstr("RELEASE_MEM: data is 0x100000000"));
  builder.emit_event_write(gfx11::VGT_EVENT_TYPE::CS_DONE, 16);
  EXPECT_THAT(failure(builder), HasSubstr("EVENT_WRITE: event_index is 0x10"));
  builder.emit_set_sh_reg(gfx11::RegOffset{0x10}, std::vector<uint32_t>{1});
  EXPECT_THAT(failure(builder), HasSubstr("SET_SH_REG: register 0x10 is below"));
  builder.emit_set_sh_reg(gfx11::COMPUTE_PGM_LO::kOffset, {});
  EXPECT_THAT(failure(builder), HasSubstr("SET_SH_REG: 0 registers"));
  builder.emit_set_sh_reg(gfx11::COMPUTE_PGM_LO::kOffset + 0x20000, std::vector<uint32_t>{1});
  EXPECT_THAT(failure(builder), HasSubstr("reg_offset"));
  builder.emit_write_data(kAddress, std::vector<uint32_t>(16381), WriteConfirm::kNone);
  EXPECT_THAT(failure(builder), HasSubstr("WRITE_DATA: 16381 dwords"));
  builder.emit_copy_data(kAddress, kAddress, 3);
  EXPECT_THAT(failure(builder), HasSubstr("COPY_DATA: 3 bytes"));
}

}  // namespace
}  // namespace bw::amdgpu
