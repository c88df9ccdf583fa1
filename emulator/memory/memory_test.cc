#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <thread>

#include "emulator/memory/address_space.h"
#include "emulator/memory/gpu_memory.h"
#include "emulator/memory/range_allocator.h"

namespace bw::emulator {
namespace {

class Pages : public ::testing::Test {
 protected:
  Mapping mapping(uint64_t begin, uint64_t end, bool writable = true) {
    return {.begin = begin, .end = end, .host = bytes_.data(), .writable = writable, .executable = false};
  }

  alignas(4096) std::array<std::byte, 16384> bytes_{};
  AddressSpace space_;
};

TEST_F(Pages, BadAndOverlappingMappingsAreRefused) {
  EXPECT_EQ(space_.map(mapping(0x1000, 0x3000)), 0);
  EXPECT_EQ(space_.map(mapping(0x2000, 0x4000)), -EINVAL);
  EXPECT_EQ(space_.map(mapping(0x0, 0x2000)), -EINVAL);
  EXPECT_EQ(space_.map(mapping(0x1000, 0x1000)), -EINVAL);
  EXPECT_EQ(space_.map(mapping(0x5001, 0x6000)), -EINVAL);
  EXPECT_EQ(space_.map(mapping(0x3000, 0x4000)), 0);
}

TEST_F(Pages, UnmappingTheMiddleLeavesBothSides) {
  ASSERT_EQ(space_.map(mapping(0x1000, 0x5000)), 0);
  space_.unmap(0x2000, 0x3000);
  Mapping found;
  EXPECT_TRUE(space_.find(0x1fff, &found));
  EXPECT_EQ(found.end, 0x2000u);
  EXPECT_FALSE(space_.find(0x2000, &found));
  EXPECT_TRUE(space_.find(0x3000, &found));
  EXPECT_EQ(found.host, bytes_.data() + 0x2000);
  EXPECT_FALSE(space_.find(0x5000, &found));
}

TEST_F(Pages, TlbForgetsWhatIsUnmappedAndChecksRightsAndEnds) {
  ASSERT_EQ(space_.map(mapping(0x1000, 0x2000, false)), 0);
  Tlb tlb(space_);
  EXPECT_EQ(tlb.translate(0x1010, 4, Access::kRead), bytes_.data() + 0x10);
  EXPECT_EQ(tlb.translate(0x1010, 4, Access::kWrite), nullptr);
  EXPECT_EQ(tlb.translate(0x1010, 4, Access::kExecute), nullptr);
  EXPECT_EQ(tlb.translate(0x1ffe, 4, Access::kRead), nullptr);
  space_.unmap(0x1000, 0x2000);
  EXPECT_EQ(tlb.translate(0x1010, 4, Access::kRead), nullptr);
}

TEST_F(Pages, FaultsSayWhy) {
  ASSERT_EQ(space_.map(mapping(0x1000, 0x2000, false)), 0);
  GpuMemory memory(space_);
  EXPECT_FALSE(memory.store_u32(0x1000, 1));
  EXPECT_EQ(memory.fault().reason, MemoryFaultReason::kReadOnly);
  uint64_t value = 0;
  EXPECT_FALSE(memory.load_u64(0x3000, &value));
  EXPECT_EQ(memory.fault().reason, MemoryFaultReason::kNotPresent);
  EXPECT_EQ(describe(memory.fault()), "read at 0x3000: no page is mapped there");
  std::array<std::byte, 8192> big;
  EXPECT_FALSE(memory.read(0x1800, big.data(), 0x1000));
  EXPECT_EQ(memory.fault().address, 0x2000u) << "the first byte that is missing";
}

TEST_F(Pages, ReadersAndAWriterAgree) {
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) {
      EXPECT_EQ(space_.map(mapping(0x1000, 0x2000)), 0);
      space_.unmap(0x1000, 0x2000);
    }
  });
  Tlb tlb(space_);
  for (int i = 0; i < 20000; ++i) {
    const std::byte* host = tlb.translate(0x1004, 4, Access::kRead);
    EXPECT_TRUE(host == nullptr || host == bytes_.data() + 4);
  }
  writer.join();
}

TEST(RangeAllocator, GivesOutAlignedRunsAndJoinsThemAgain) {
  RangeAllocator ranges(0x1000, 0x10000);
  const auto a = ranges.allocate(0x1000, 0x1000);
  const auto b = ranges.allocate(0x2000, 0x4000);
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, 0x1000u);
  EXPECT_EQ(*b, 0x4000u);
  const auto between = ranges.allocate(0x2000, 0x1000);
  EXPECT_EQ(between.value_or(0), 0x2000u);
  EXPECT_EQ(ranges.free_bytes(), 0x10000u - 0x5000u);
  EXPECT_FALSE(ranges.allocate(0xc000, 0x1000).has_value());
  EXPECT_FALSE(ranges.allocate(0, 0x1000).has_value());
  ranges.release(*a, 0x1000);
  ranges.release(*b, 0x2000);
  ranges.release(*between, 0x2000);
  EXPECT_EQ(ranges.allocate(0x10000, 0x1000).value_or(0), 0x1000u);
}

}  // namespace
}  // namespace bw::emulator
