// The PM4 packets that write memory and raise events, as literal dwords.
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

using WriteData = Pm4;
TEST_F(WriteData, StoresItsDwordsInOrder) {
  run({0xc0053700, 0x00100500, lo32(at(0)), hi32(at(0)), 11, 22, 33});
  EXPECT_EQ(data_.dword(0), 11u);
  EXPECT_EQ(data_.dword(1), 22u);
  EXPECT_EQ(data_.dword(2), 33u);
}

TEST_F(WriteData, WithoutIncrementLeavesTheLastOne) {
  run({0xc0053700, 0x00010500, lo32(at(0)), hi32(at(0)), 11, 22, 33});
  EXPECT_EQ(data_.dword(0), 33u);
  EXPECT_EQ(data_.dword(1), 0u);
}

TEST_F(WriteData, ReachesTheL2Too) {
  run({0xc0033700, 0x00000200, lo32(at(3)), hi32(at(3)), 7});
  EXPECT_EQ(data_.dword(3), 7u);
}

TEST_F(WriteData, SetsRegistersThatCanBeReadBack) {
  run({0xc0043700, 0x00000000, 0x2e43, 0, 5, 6});  // COMPUTE_USER_DATA_3 and the next
  run({0xc0044000, 0x00010200, 0x2e43, 0, lo32(at(0)), hi32(at(0))});
  EXPECT_EQ(data_.qword(0), 0x600000005u);
}

TEST_F(WriteData, ToWhatIsNoRegisterOrNoMemoryIsAFault) {
  EXPECT_THAT(fault_alone({0xc0033700, 0x00000000, 0x1234, 0, 1}), HasSubstr("0x1234 is no register"));
  EXPECT_THAT(fault_alone({0xc0033700, 0x00000300, 0, 0, 1}), HasSubstr("no global data share"));
  EXPECT_THAT(fault_alone({0xc0033700, 0x00000600, 0, 0, 1}), HasSubstr("DST_SEL 6 is not implemented"));
  EXPECT_THAT(fault_alone({0xc0033700, 0x00000500, lo32(at(0)) + 2, hi32(at(0)), 1}), HasSubstr("not a multiple of 4"));
  EXPECT_THAT(fault_alone({0xc0023700, 0x00000500, lo32(at(0)), hi32(at(0))}), HasSubstr("has no data"));
}

using ReleaseMem = Pm4;
TEST_F(ReleaseMem, WritesDataOf32And64Bits) {
  run({0xc0064900, 0x0070f514, 0x20000000, lo32(at(0)), hi32(at(0)), 0xaabbccdd, 0x11111111, 0});
  run({0xc0064900, 0x0070f514, 0x40000000, lo32(at(2)), hi32(at(2)), 0xaabbccdd, 0x11111111, 0});
  EXPECT_EQ(data_.qword(0), 0xaabbccddu);
  EXPECT_EQ(data_.qword(1), 0x11111111aabbccddu);
}

TEST_F(ReleaseMem, TimestampsCountAt100MHz) {
  const auto stamp = [&](size_t dword) {
    run({0xc0064900, 0x0070f514, 0x60000000, lo32(at(dword)), hi32(at(dword)), 0, 0, 0});
  };
  stamp(0);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  stamp(2);
  const uint64_t ticks = data_.qword(1) - data_.qword(0);
  EXPECT_GE(ticks, 2'000'000u);
  EXPECT_LT(ticks, 500'000'000u);
}

TEST_F(ReleaseMem, RaisesTheEventWhoseMailboxItWrites) {
  const uint32_t event = machine_.create_event(0);
  EXPECT_EQ(machine_.wait_event(event, 0), 1u);
  const uint64_t mailbox = machine_.mailbox(event);
  run({0xc0064900, 0x00000514, 0x22000000, lo32(mailbox), hi32(mailbox), event, 0, event});
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
  EXPECT_EQ(machine_.wait_event(event, 0), 1u);
}

TEST_F(ReleaseMem, MisalignedIsAFault) {
  EXPECT_THAT(fault({0xc0064900, 0x0070f514, 0x40000000, lo32(at(1)), hi32(at(1)), 0, 0, 0}),
              HasSubstr("not a multiple of 8"));
}

TEST_F(ReleaseMem, AddsToADwordAtomically) {
  data_.qword(0) = 0x1000000ff;
  run({0xc0064900, 0x0000062f, 0xe0000000, lo32(at(0)), hi32(at(0)), 0xffffffff, 0, 0});  // shader done, CS_DONE
  EXPECT_EQ(data_.qword(0), 0x1000000feu);
}

TEST_F(ReleaseMem, WithoutDataOnlyInterrupts) {
  const uint32_t event = machine_.create_event(0);
  *reinterpret_cast<uint64_t*>(machine_.mailbox(event)) = event;
  run({0xc0064900, 0x00000514, 0x00000000, 0, 0, 0, 0, event});  // neither
  EXPECT_EQ(machine_.wait_event(event, 0), 1u);
  run({0xc0064900, 0x00000528, 0x01000000, 0, 0, 0, 0, event});  // bottom of pipe, interrupt only
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
}

TEST_F(ReleaseMem, DataAndWriteConfirmWithoutInterruptIsWhatKfdtestPollsFor) {
  run({0xc0064902, 0x0070c514, 0x23000000, lo32(at(0)), hi32(at(0)), 0x42, 0, 0x42});
  EXPECT_EQ(data_.qword(0), 0x42u);
}

TEST_F(ReleaseMem, TheSystemClockCountsToo) {
  run({0xc0064900, 0x00000514, 0x80000000, lo32(at(0)), hi32(at(0)), 0, 0, 0});
  EXPECT_NE(data_.qword(0), 0u);
}

TEST_F(ReleaseMem, WhatItCannotSendIsTold) {
  const auto release = [&](uint32_t event, uint32_t select) {
    return fault_alone({0xc0064900, event, select, lo32(at(0)), hi32(at(0)), 0, 0, 0});
  };
  EXPECT_THAT(release(0x00000714, 0x20000000), HasSubstr("EVENT_INDEX 7"));
  EXPECT_THAT(release(0x00000507, 0x20000000), HasSubstr("CS_PARTIAL_FLUSH does not go with EVENT_INDEX 5"));
  EXPECT_THAT(release(0x00000614, 0x20000000),
              HasSubstr("CACHE_FLUSH_AND_INV_TS_EVENT does not go with EVENT_INDEX 6"));
  EXPECT_THAT(release(0x00000514, 0x20020000), HasSubstr("DST_SEL 2"));
  EXPECT_THAT(release(0x00000514, 0x20400000), HasSubstr("MES_ACTION_ID 1"));
  EXPECT_THAT(release(0x00000514, 0x25000000), HasSubstr("INT_SEL 5"));
  EXPECT_THAT(release(0x00000514, 0xa0000000), HasSubstr("no global data share"));
  EXPECT_THAT(release(0x00000514, 0xc0000000), HasSubstr("unknown DATA_SEL 6"));
}

using AcquireMem = Pm4;
TEST_F(AcquireMem, OfAnyRangeAndCachesIsDoneAtOnce) {
  run({0xc0065800, 0, 0xffffffff, 0xff, 0, 0, 0xa, 0xc3f1});
  run({0xc0065802, 0, 0x1000, 0, lo32(at(0)) >> 8, 0, 4, 0x4381});  // what ROCr and kfdtest send
  EXPECT_THAT(fault({0xc0055800, 0, 0, 0, 0, 0, 0}), HasSubstr("7 dwords instead of 8"));
}

using EventWrite = Pm4;
TEST_F(EventWrite, FlushesAreDoneAtOnce) {
  run({0xc0004600, 0x00000407, 0xc0004602, 0x00000407, 0xc0004600, 0x00000006, 0xc0004600, 0x00000016});
}

TEST_F(EventWrite, OthersAreTold) {
  EXPECT_THAT(fault_alone({0xc0004600, 0x00000007}), HasSubstr("CS_PARTIAL_FLUSH has EVENT_INDEX 0, not 4"));
  EXPECT_THAT(fault_alone({0xc0004600, 0x0000011e}), HasSubstr("SAMPLE_PIPELINESTAT is not implemented"));
  EXPECT_THAT(fault_alone({0xc0024600, 0x00000407, lo32(at(0)), hi32(at(0))}), HasSubstr("writes no memory"));
  EXPECT_THAT(fault_alone({0xc0014600, 0x00000407, 0}), HasSubstr("3 dwords instead of 2 or 4"));
}

using Timestamp = Pm4;
TEST_F(Timestamp, WritesTheClockBeforeAndAfter) {
  run({0xc004b200, 0x3, lo32(at(0)), hi32(at(0)), lo32(at(2)), hi32(at(2))});
  EXPECT_NE(data_.qword(1), 0u);
  EXPECT_GE(data_.qword(0).load(), data_.qword(1).load());
  run({0xc004b200, 0x2, 0, 0, lo32(at(4)), hi32(at(4))});
  EXPECT_GE(data_.qword(2).load(), data_.qword(0).load());
  EXPECT_THAT(fault({0xc004b200, 0x1, lo32(at(1)), hi32(at(1)), 0, 0}), HasSubstr("not a multiple of 8"));
}

}  // namespace
}  // namespace bw::emulator
