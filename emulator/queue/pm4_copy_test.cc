// The PM4 packets that copy, and those that change memory atomically, as literal dwords.
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

using CopyData = Pm4;
TEST_F(CopyData, CopiesMemoryImmediatesAndTheClock) {
  data_.qword(0) = 0x1122334455667788;
  run({0xc0044000, 0x00010502, lo32(at(0)), hi32(at(0)), lo32(at(4)), hi32(at(4))});  // 64 bits of memory
  run({0xc0044000, 0x00000202, lo32(at(0)), hi32(at(0)), lo32(at(8)), hi32(at(8))});  // 32 bits
  run({0xc0044000, 0x00010505, 7, 8, lo32(at(12)), hi32(at(12))});                    // immediate
  run({0xc0044000, 0x00010509, 0, 0, lo32(at(16)), hi32(at(16))});                    // clock
  EXPECT_EQ(data_.qword(2), 0x1122334455667788u);
  EXPECT_EQ(data_.qword(4), 0x55667788u);
  EXPECT_EQ(data_.qword(6), 0x0000000800000007u);
  EXPECT_NE(data_.qword(8), 0u);
}

TEST_F(CopyData, MovesRegistersAndTheClocks) {
  run({0xc0044000, 0x00010005, 0x11, 0x22, 0x2e40, 0});                // immediate to COMPUTE_USER_DATA_0 and 1
  run({0xc0044000, 0x00010200, 0x2e40, 0, lo32(at(0)), hi32(at(0))});  // and to memory
  run({0xc0044000, 0x0010050a, 0, 0, lo32(at(2)), hi32(at(2))});       // 32 bits of the system clock
  EXPECT_EQ(data_.qword(0), 0x2200000011u);
  EXPECT_NE(data_.dword(2), 0u);
  EXPECT_EQ(data_.dword(3), 0u);
}

TEST_F(CopyData, WhatItCannotReachIsTold) {
  const auto copy = [&](uint32_t control) {
    return fault_alone({0xc0044000, control, lo32(at(1)), hi32(at(1)), lo32(at(3)), hi32(at(3))});
  };
  EXPECT_THAT(copy(0x00000203), HasSubstr("no global data share"));
  EXPECT_THAT(copy(0x00000302), HasSubstr("no global data share"));
  EXPECT_THAT(copy(0x00000204), HasSubstr("SRC_SEL 4 is not implemented"));
  EXPECT_THAT(copy(0x00000405), HasSubstr("DST_SEL 4 is not implemented"));
  EXPECT_THAT(copy(0x00010202), HasSubstr("not a multiple of 8"));
  EXPECT_THAT(fault_alone({0xc0044000, 0x00000200, 0x1234, 0, lo32(at(0)), hi32(at(0))}), HasSubstr("no register"));
  EXPECT_THAT(fault_alone({0xc0044000, 0x00010200, 0x2e4f, 0, lo32(at(0)), hi32(at(0))}), HasSubstr("0x2e50"));
}

using DmaData = Pm4;
TEST_F(DmaData, CopiesAndFills) {
  for (uint32_t i = 0; i < 64; ++i) data_.dword(i) = i;
  // 13 bytes through the L2, and 8 bytes by plain addresses.
  run({0xc0055000, 0x60300000, lo32(at(1)), hi32(at(1)), lo32(at(100)), hi32(at(100)), 13});
  run({0xc0055000, 0x00000000, lo32(at(8)), hi32(at(8)), lo32(at(110)), hi32(at(110)), 0x40000008});
  EXPECT_EQ(data_.dword(102), 3u);
  EXPECT_EQ(data_.dword(103), 4u);  // its low byte
  EXPECT_EQ(data_.dword(104), 0u);
  EXPECT_EQ(data_.dword(111), 9u);
  // A constant; then into the cache only.
  run({0xc0055000, 0x40300000, 0xabcd1234, 0, lo32(at(200)), hi32(at(200)), 12});
  run({0xc0055000, 0x60200000, lo32(at(1)), hi32(at(1)), 0, 0, 64});
  EXPECT_EQ(data_.dword(202), 0xabcd1234u);
  EXPECT_EQ(data_.dword(203), 0u);
}

TEST_F(DmaData, WhatItCannotCopyIsTold) {
  const auto dma = [&](uint32_t control, uint32_t command) {
    return fault_alone({0xc0055000, control, lo32(at(0)), hi32(at(0)), lo32(at(9)), hi32(at(9)), command});
  };
  EXPECT_THAT(dma(0x20300000, 4), HasSubstr("no global data share"));
  EXPECT_THAT(dma(0x60100000, 4), HasSubstr("no global data share"));
  EXPECT_THAT(dma(0x60300000, 0x04000004), HasSubstr("from and to memory only"));
  EXPECT_THAT(dma(0x60300000, 0x10000004), HasSubstr("not implemented"));
  EXPECT_THAT(dma(0x40300000, 6), HasSubstr("6 bytes"));
}

using AtomicMem = Pm4;
TEST_F(AtomicMem, EachOperationOf32And64Bits) {
  struct Case {
    uint32_t op;  // on 32 bits, with return
    uint64_t memory, source, compare;
    uint64_t result_32, result_64;
  };
  constexpr uint64_t kMinusOne = ~uint64_t{0};
  const Case cases[] = {
      {7, 5, 9, 0, 9, 9},                            // swap
      {8, 5, 9, 5, 9, 9},                            // compare and swap: equal
      {8, 5, 9, 6, 5, 5},                            // not equal
      {15, 0xffffffff, 2, 0, 1, 0x100000001},        // add
      {16, 1, 2, 0, 0xffffffff, kMinusOne},          // sub
      {17, kMinusOne, 3, 0, 0xffffffff, kMinusOne},  // minimum with sign
      {18, kMinusOne, 3, 0, 3, 3},                   // without
      {19, kMinusOne, 3, 0, 3, 3},                   // maximum with sign
      {20, kMinusOne, 3, 0, 0xffffffff, kMinusOne},  // without
      {21, 0xc, 0xa, 0, 0x8, 0x8},                   // and
      {22, 0xc, 0xa, 0, 0xe, 0xe},                   // or
      {23, 0xc, 0xa, 0, 0x6, 0x6},                   // xor
      {24, 7, 7, 0, 0, 0},
      {24, 6, 7, 0, 7, 7},  // increment up to
      {25, 0, 7, 0, 7, 7},
      {25, 9, 7, 0, 7, 7},
      {25, 3, 7, 0, 2, 2},  // decrement from
  };
  for (const Case& test : cases) {
    for (uint32_t no_return : {0u, 64u}) {
      data_.qword(0) = test.memory & 0xffffffff;
      run({0xc0071e00, test.op | no_return, lo32(at(0)), hi32(at(0)), lo32(test.source), hi32(test.source),
           lo32(test.compare), hi32(test.compare), 0});
      EXPECT_EQ(data_.qword(0), test.result_32) << "operation " << (test.op | no_return);
      data_.qword(0) = test.memory;
      run({0xc0071e00, test.op | no_return | 32, lo32(at(0)), hi32(at(0)), lo32(test.source), hi32(test.source),
           lo32(test.compare), hi32(test.compare), 0});
      EXPECT_EQ(data_.qword(0), test.result_64) << "operation " << (test.op | no_return | 32);
    }
  }
}

TEST_F(AtomicMem, FloatsAddAndCompare) {
  const auto atomic = [&](uint32_t op, uint32_t memory, uint32_t source, uint32_t compare) {
    data_.dword(0) = memory;
    run({0xc0071e00, op, lo32(at(0)), hi32(at(0)), source, 0, compare, 0, 0});
    return data_.dword(0).load();
  };
  EXPECT_EQ(atomic(13, 0x3f800000, 0x40000000, 0), 0x40400000u);          // 1 + 2
  EXPECT_EQ(atomic(2, 0x3f800000, 0xbf800000, 0), 0xbf800000u);           // minimum of 1 and -1
  EXPECT_EQ(atomic(3, 0x3f800000, 0xbf800000, 0), 0x3f800000u);           // maximum
  EXPECT_EQ(atomic(1, 0x80000000, 0x40000000, 0x00000000), 0x40000000u);  // -0 equals 0
  EXPECT_EQ(atomic(1, 0x7fc00000, 0x40000000, 0x7fc00000), 0x7fc00000u);  // a NaN equals nothing
  EXPECT_EQ(atomic(9, 0x00000001, 0x40000000, 0x00000000), 0x40000000u);  // a denormal, flushed
  data_.qword(0) = 0x3ff0000000000000;
  run({0xc0071e00, 35, lo32(at(0)), hi32(at(0)), 0, 0x40000000, 0, 0, 0});  // maximum of 1.0 and 2.0
  EXPECT_EQ(data_.qword(0), 0x4000000000000000u);
}

TEST_F(AtomicMem, LoopsUntilTheComparisonHolds) {
  submit({0xc0071e00, 0x108, lo32(at(0)), hi32(at(0)), 9, 0, 5, 0, 64});  // compare and swap 5 with 9
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(machine_.read_pointer(queue_), 0u);
  data_.dword(0) = 5;
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(data_.dword(0), 9u);
  run({0xc0071e00, 0x008, lo32(at(0)), hi32(at(0)), 1, 0, 5, 0, 64});  // a single pass does not wait
  EXPECT_EQ(data_.dword(0), 9u);
}

TEST_F(AtomicMem, CopyDataFindsTheValueFromBefore) {
  data_.qword(0) = 0x500000007;
  run({0xc0071e00, 47, lo32(at(0)), hi32(at(0)), 1, 0, 0, 0, 0});
  run({0xc0044000, 0x00010206, 0, 0, lo32(at(2)), hi32(at(2))});
  EXPECT_EQ(data_.qword(1), 0x500000007u);
}

TEST_F(AtomicMem, OtherOperationsAndMisalignedWordsAreFaults) {
  const auto atomic = [&](uint32_t control, uint64_t address) {
    return fault_alone({0xc0071e00, control, lo32(address), hi32(address), 0, 0, 0, 0, 0});
  };
  EXPECT_THAT(atomic(0, at(0)), HasSubstr("ATOMIC 0 is no atomic operation"));    // a read
  EXPECT_THAT(atomic(26, at(0)), HasSubstr("ATOMIC 26 is no atomic operation"));  // a cache operation
  EXPECT_THAT(atomic(45, at(0)), HasSubstr("ATOMIC 45 is no atomic operation"));  // no addition of doubles
  EXPECT_THAT(atomic(0x40f, at(0)), HasSubstr("unknown COMMAND 4"));
  EXPECT_THAT(atomic(47, at(1)), HasSubstr("not a multiple of 8"));
  EXPECT_THAT(atomic(15, 0x10000000), HasSubstr("no page is mapped"));
}

}  // namespace
}  // namespace bw::emulator
