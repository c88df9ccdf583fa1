// Against literal dwords: those of a runtime known to work on the card, and of AMD's own user space.
#include "amdgpu/sdma_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr GpuAddr kAddress{0x0000'7fff'1234'5678};
constexpr GpuAddr kOther{0x0000'7abc'0000'0000};

std::vector<uint32_t> finish(SdmaBuilder& builder) {
  Result<std::vector<uint32_t>> result = builder.finish();
  EXPECT_TRUE(result.is_ok()) << result.status().message();
  return result.is_ok() ? std::move(result).value() : std::vector<uint32_t>{};
}

std::string failure(SdmaBuilder& builder) {
  return builder.finish().status().message();
}

TEST(SdmaBuilder, CopyCountsFromZeroAndSplitsAtOneGibibyte) {
  SdmaBuilder builder;
  builder.emit_copy_linear(kAddress, kOther, 1);
  EXPECT_THAT(finish(builder), ElementsAre(1, 0, 0, 0, 0x7abc, 0x12345678, 0x7fff));
  builder.emit_copy_linear(kAddress, kOther, SdmaBuilder::kMaxCopyBytes + 1);
  EXPECT_THAT(finish(builder), ElementsAre(1, 0x3fffffff, 0, 0, 0x7abc, 0x12345678, 0x7fff,  //
                                           1, 0, 0, 0x40000000, 0x7abc, 0x52345678, 0x7fff));
}

TEST(SdmaBuilder, FenceTrapPollAndTimestamp) {
  SdmaBuilder builder;
  builder.emit_fence(kAddress, 3);
  builder.emit_trap(5);
  builder.emit_poll_regmem(kAddress, Compare::kGreaterEqual, 9, ~0u);
  builder.emit_timestamp(kAddress);
  EXPECT_THAT(finish(builder), ElementsAre(0x00030005, 0x12345678, 0x7fff, 3,                   //
                                           6, 5,                                                //
                                           0xd0000008, 0x12345678, 0x7fff, 9, ~0u, 0x0fff0004,  //
                                           0x20d, 0x12345678, 0x7fff));
}

TEST(SdmaBuilder, WritesFillsAndAdds) {
  SdmaBuilder builder;
  const uint32_t values[] = {0xaaaa, 0xbbbb};
  builder.emit_write(kAddress, values);
  builder.emit_const_fill(kAddress, 0xdeadbeef, 64);
  builder.emit_atomic(gfx11::TC_OP::TC_OP_ATOMIC_ADD_RTN_64, kAddress, ~uint64_t{0});
  EXPECT_THAT(finish(builder), ElementsAre(2, 0x12345678, 0x7fff, 1, 0xaaaa, 0xbbbb,        //
                                           0x8000000b, 0x12345678, 0x7fff, 0xdeadbeef, 63,  //
                                           0x5e00000a, 0x12345678, 0x7fff, ~0u, ~0u, 0, 0, 0));
}

TEST(SdmaBuilder, CachesNopsAndJumps) {
  SdmaBuilder builder;
  builder.emit_hdp_flush();
  builder.emit_gcr(SdmaCache::kWriteBack);
  builder.emit_gcr(SdmaCache::kInvalidate);
  builder.emit_nop(3);
  builder.emit_indirect(kOther, 8);
  EXPECT_THAT(finish(builder), ElementsAre(8, 0, 0x80000000, 0, 0, 0,   //
                                           0x111, 0, 0x80000000, 0, 0,  //
                                           0x111, 0, 0xc0000000, 0, 0,  //
                                           0x00020000, 0, 0,            //
                                           4, 0, 0x7abc, 8, 0, 0));
}

TEST(SdmaBuilder, RejectsWhatDoesNotFit) {
  SdmaBuilder builder;
  builder.emit_copy_linear(kAddress, kOther, 0);
  EXPECT_THAT(failure(builder), HasSubstr("SDMA packet COPY_LINEAR: a copy of 0 bytes"));
  builder.emit_const_fill(kAddress, 0, 6);
  EXPECT_THAT(failure(builder), HasSubstr("CONSTANT_FILL: 6 bytes"));
  builder.emit_write(kAddress, {});
  EXPECT_THAT(failure(builder), HasSubstr("WRITE_UNTILED: 0 dwords"));
  builder.emit_write(kAddress, std::vector<uint32_t>((1u << 20) + 1));
  EXPECT_THAT(failure(builder), HasSubstr("WRITE_UNTILED"));
  builder.emit_write(kAddress, std::vector<uint32_t>(1u << 20));
  EXPECT_TRUE(builder.finish().is_ok());
  builder.emit_trap(1u << 28);
  EXPECT_THAT(failure(builder), HasSubstr("TRAP: int_context"));
  builder.emit_fence(kAddress + 1, 0);
  EXPECT_THAT(failure(builder), HasSubstr("FENCE"));
  builder.emit_timestamp(kAddress + 4);
  EXPECT_THAT(failure(builder), HasSubstr("TIMESTAMP_GET_GLOBAL"));
  builder.emit_indirect(kAddress, 8);
  EXPECT_THAT(failure(builder), HasSubstr("INDIRECT: address"));
  builder.emit_nop(0);
  EXPECT_THAT(failure(builder), HasSubstr("NOP: 0 dwords"));
}

}  // namespace
}  // namespace bw::amdgpu
