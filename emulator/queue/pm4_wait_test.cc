// The PM4 packets that wait, as literal dwords.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/packet_test.h"

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using testing::Pm4;
using testing::TestQueue;

using WaitRegMem = Pm4;
TEST_F(WaitRegMem, BlocksUntilMaskedValueMatches) {
  submit({0xc0053c00, 0x00000013, lo32(at(0)), hi32(at(0)), 0x34, 0xff, 4});  // (value & 0xff) == 0x34
  submit({0xc0033700, 0x00000500, lo32(at(1)), hi32(at(1)), 1});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(data_.dword(1), 0u);
  data_.dword(0) = 0x1235;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(data_.dword(1), 0u);
  data_.dword(0) = 0x1234;
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(data_.dword(1), 1u);
}

TEST_F(WaitRegMem, ComparesWithoutSignByEachFunction) {
  struct Case {
    uint32_t function, value, reference;
  };
  const Case holding[] = {{0, 5, 9}, {1, 4, 5},          {2, 5, 5},         {3, 5, 5},
                          {4, 4, 5}, {5, 0x80000000, 5}, {6, 0xffffffff, 5}};
  for (const Case& test : holding) {
    data_.dword(0) = test.value;
    run({0xc0053c00, 0x10 | test.function, lo32(at(0)), hi32(at(0)), test.reference, 0xffffffff, 4});
  }
  const Case waiting[] = {{1, 5, 5}, {2, 6, 5}, {3, 4, 5}, {4, 5, 5}, {5, 4, 5}, {6, 5, 5}};
  for (const Case& test : waiting) {
    TestQueue queue = machine_.compute_queue();
    data_.dword(0) = test.value;
    machine_.submit(queue, {0xc0053c00, 0x10 | test.function, lo32(at(0)), hi32(at(0)), test.reference, 0xffffffff, 4});
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    EXPECT_EQ(machine_.read_pointer(queue), 0u) << "function " << test.function;
    EXPECT_EQ(machine_.destroy(queue), 0);
  }
}

TEST_F(WaitRegMem, Of64BitsComparesAllOfThem) {
  data_.qword(0) = 0x100000000;
  run({0xc0079300, 0x00000015, lo32(at(0)), hi32(at(0)), 0xffffffff, 0, 0xffffffff, 0xffffffff, 4});
}

TEST_F(WaitRegMem, TheFlushOfTheHostDataPathIsDoneAtOnce) {
  run({0xc0053c00, 0x00000045, 0xe26, 0xe27, 0xffffffff, 0xffffffff, 0x20});
}

TEST_F(WaitRegMem, ForARegisterThatNobodyWillChangeIsAFault) {
  EXPECT_THAT(fault({0xc0053c00, 0x00000003, 0x2e12, 0, 1, 1, 4}),
              HasSubstr("COMPUTE_PGM_RSRC1 has 0x0 and would never have what is waited for"));
}

TEST_F(WaitRegMem, ABlockedQueueDoesNotHinderAnother) {
  submit({0xc0053c00, 0x00000013, lo32(at(0)), hi32(at(0)), 1, 0xffffffff, 4});
  TestQueue other = machine_.compute_queue();
  machine_.submit(other, {0xc0033700, 0x00000500, lo32(at(0)), hi32(at(0)), 1});
  EXPECT_TRUE(machine_.drain(other));
  EXPECT_TRUE(machine_.drain(queue_)) << "and may be what it waits for";
}

TEST_F(WaitRegMem, AQueueThatWaitsForEverCanBeDestroyed) {
  for (int i = 0; i < 50; ++i) {
    TestQueue queue = machine_.compute_queue();
    machine_.submit(queue, {0xc0053c00, 0x00000013, lo32(at(0)), hi32(at(0)), 1, 0xffffffff, 4});
    EXPECT_EQ(machine_.destroy(queue), 0);
  }
}

TEST_F(WaitRegMem, PreemptableAndCachePoliciesMakeNoDifference) {
  data_.dword(0) = 9;
  run({0xc0053c00, 0x060000d3, lo32(at(0)), hi32(at(0)), 9, 0xffffffff, 0x80000004});  // optimised, as kfdtest has it
}

TEST_F(WaitRegMem, WritesOneRegisterAndWaitsForAnother) {
  // COMPUTE_USER_DATA_0 becomes 5; COMPUTE_USER_DATA_1 is 5.
  run({0xc0017600, 0x241, 5});
  run({0xc0053c00, 0x00000043, 0x2e40, 0x2e41, 5, 0xffffffff, 4});
  run({0xc0044000, 0x00000200, 0x2e40, 0, lo32(at(0)), hi32(at(0))});
  EXPECT_EQ(data_.dword(0), 5u);
  // The flush of the host data path, as Linux asks for one client.
  run({0xc0053c00, 0x00000043, 0xe26, 0xe27, 0x4, 0x4, 0x20});
}

TEST_F(WaitRegMem, UnknownSpacesFunctionsAndOperationsAreFaults) {
  const auto wait = [&](uint32_t control) {
    return fault_alone({0xc0053c00, control, lo32(at(0)), hi32(at(0)), 0, 0xffffffff, 4});
  };
  EXPECT_THAT(wait(0x00000017), HasSubstr("unknown FUNCTION 7"));
  EXPECT_THAT(wait(0x00000023), HasSubstr("unknown MEM_SPACE 2"));
  EXPECT_THAT(wait(0x00000093), HasSubstr("unknown OPERATION 2"));
  EXPECT_THAT(wait(0x00000053), HasSubstr("OPERATION is for registers only"));
  EXPECT_THAT(wait(0x000000c3), HasSubstr("OPERATION is for memory only"));
  EXPECT_THAT(fault_alone({0xc0053c00, 0x13, lo32(at(0)) + 1, hi32(at(0)), 0, 0, 4}), HasSubstr("multiple of 4"));
  EXPECT_THAT(fault_alone({0xc0053c00, 0x3, 0x1234, 0, 0, 0, 4}), HasSubstr("0x1234 is no register"));
}

TEST_F(WaitRegMem, Of64BitsTakesMemoryOnly) {
  EXPECT_THAT(fault_alone({0xc0079300, 0x3, 0xe26, 0, 0, 0, 0, 0, 4}), HasSubstr("not implemented"));
  EXPECT_THAT(fault_alone({0xc0079300, 0x13, lo32(at(1)), hi32(at(1)), 0, 0, 0, 0, 4}), HasSubstr("multiple of 8"));
  EXPECT_THAT(fault_alone({0xc0079300, 0x17, lo32(at(0)), hi32(at(0)), 0, 0, 0, 0, 4}), HasSubstr("FUNCTION 7"));
}

using CondWrite = Pm4;
TEST_F(CondWrite, WritesOnlyWhereTheComparisonHolds) {
  data_.dword(0) = 0x105;
  // Memory to memory: (value & 0xff) == 5, then == 6.
  run({0xc0074500, 0x00000113, lo32(at(0)), hi32(at(0)), 5, 0xff, lo32(at(1)), hi32(at(1)), 11});
  run({0xc0074500, 0x00000113, lo32(at(0)), hi32(at(0)), 6, 0xff, lo32(at(2)), hi32(at(2)), 22});
  EXPECT_EQ(data_.dword(1), 11u);
  EXPECT_EQ(data_.dword(2), 0u);
  // Memory to COMPUTE_USER_DATA_0, and that register to memory.
  run({0xc0074500, 0x00000013, lo32(at(0)), hi32(at(0)), 0x105, 0xffffffff, 0x2e40, 0, 33});
  run({0xc0074500, 0x00000103, 0x2e40, 0, 33, 0xffffffff, lo32(at(3)), hi32(at(3)), 44});
  EXPECT_EQ(data_.dword(3), 44u);
  EXPECT_THAT(fault({0xc0074500, 0x00000213, lo32(at(0)), hi32(at(0)), 0, 0, 0, 0, 0}), HasSubstr("WRITE_SPACE 2"));
}

}  // namespace
}  // namespace bw::emulator
