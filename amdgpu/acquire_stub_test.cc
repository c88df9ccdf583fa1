#include "amdgpu/acquire_stub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;

// The dwords are those of LLVM's assembler: buffer_gl1_inv, buffer_gl0_inv, s_dcache_inv, s_waitcnt lgkmcnt(0), and
// s_branch back to the kernel.
TEST(AcquireStub, InvalidatesAndBranchesToTheKernel) {
  std::vector<std::byte> image(600);
  EXPECT_EQ(append_acquire_stub(image, 256), 768u);
  ASSERT_EQ(image.size(), 800u);
  uint32_t dwords[8];
  std::memcpy(dwords, image.data() + 768, sizeof dwords);
  // (256 - 800) / 4 = -136.
  EXPECT_THAT(dwords,
              ElementsAre(0xe0b00000, 0, 0xe0ac0000, 0, 0xf4840000, 0, 0xbf89fc07, 0xbfa00000 | (0x10000 - 136)));
}

TEST(AcquireStub, LeavesOutWhatABranchDoesNotReach) {
  std::vector<std::byte> image(200'000);
  EXPECT_EQ(append_acquire_stub(image, 0), std::nullopt);
  EXPECT_EQ(image.size(), 200'000u);
  EXPECT_TRUE(append_acquire_stub(image, 190'000).has_value());
}

}  // namespace
}  // namespace bw::amdgpu
