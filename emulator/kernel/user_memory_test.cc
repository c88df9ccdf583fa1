// The client's own memory under the card (USERPTR): taken away with and without the driver's knowledge, while it is
// used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>

#include "base/bits.h"
#include "emulator/testing/machine.h"

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

constexpr uint32_t kFillBytes = 64 * 1024;

class UserMemory : public ::testing::Test {
 protected:
  void TearDown() override {
    if (is_there_) ::munmap(user_.dwords(), user_.size_bytes);
  }
  // SDMA CONST_FILL of the whole of it with dwords.
  std::vector<uint32_t> fill(uint32_t value) const {
    return {11 | 2u << 30, lo32(user_.va), hi32(user_.va), value, kFillBytes - 1};
  }

  Machine machine_;
  TestQueue queue_ = machine_.sdma_queue(65536);
  TestBuffer user_ = machine_.user(kFillBytes);
  bool is_there_ = true;
};

TEST_F(UserMemory, UnmappedBehindTheDriversBackIsAMemoryFault) {
  const uint32_t event = machine_.create_event(8);
  machine_.submit(queue_, fill(1));
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(user_.dword(kFillBytes / 4 - 1), 1u);
  // Its place is kept, for others would move in.
  ASSERT_NE(::mmap(user_.dwords(), kFillBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
  machine_.submit(queue_, fill(2));
  const FaultReport report = machine_.wait_fault();
  EXPECT_EQ(report.kind, FaultKind::kMemory);
  EXPECT_THAT(report.message, HasSubstr("write at"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.memory_exception_data.va, user_.va);
  EXPECT_EQ(data.memory_exception_data.failure.NotPresent, 1u);
  TestQueue other = machine_.compute_queue();
  EXPECT_EQ(machine_.destroy(other), 0) << "the machine lives on";
}

// What is written after the driver has said that it is unmapped would be somebody else's memory.
TEST_F(UserMemory, LeavesTheCardBeforeTheDriverReturns) {
  std::vector<uint32_t> packets;
  for (uint32_t i = 1; i <= 2000; ++i) {
    const auto packet = fill(i);
    packets.insert(packets.end(), packet.begin(), packet.end());
  }
  machine_.submit(queue_, packets);
  ASSERT_TRUE(testing::eventually([&] { return user_.dword(0) != 0; }));
  EXPECT_EQ(machine_.free(user_), -EBUSY) << "it is mapped";
  ASSERT_EQ(machine_.unmap(user_), 0);
  const uint32_t last = user_.dword(0);
  EXPECT_EQ(machine_.free(user_), 0);
  machine_.submit(queue_, fill(0));  // should all of the others be done already
  machine_.wait_fault();
  for (size_t i = 0; i < kFillBytes / 4; i += 64) EXPECT_LE(user_.dword(i), last);
  EXPECT_EQ(user_.dword(0), last);
}

TEST_F(UserMemory, UnmappedThroughTheDriverLeavesTheCard) {
  std::vector<uint32_t> packets;
  for (uint32_t i = 1; i <= 2000; ++i) {
    const auto packet = fill(i);
    packets.insert(packets.end(), packet.begin(), packet.end());
  }
  machine_.submit(queue_, packets);
  ASSERT_TRUE(testing::eventually([&] { return user_.dword(0) != 0; }));
  ASSERT_EQ(machine_.driver().munmap(user_.dwords(), kFillBytes), 0);
  is_there_ = false;
  machine_.submit(queue_, fill(0));
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("no page is mapped there"));
}

}  // namespace
}  // namespace bw::emulator
