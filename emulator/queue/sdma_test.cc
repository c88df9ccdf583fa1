// SDMA packets as literal dwords, one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <chrono>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/packet_test.h"

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using testing::Sdma;
using testing::TestBuffer;
using testing::TestQueue;

TEST_F(Sdma, WritesAndFills) {
  run({2, lo32(at(0)), hi32(at(0)), 2, 10, 20, 30});
  EXPECT_EQ(data_.dword(0), 10u);
  EXPECT_EQ(data_.dword(2), 30u);
  run({0x8000000b, lo32(at(0)), hi32(at(0)), 0xabcd1234, 8});  // three dwords less one
  EXPECT_EQ(data_.dword(2), 0xabcd1234u);
  EXPECT_EQ(data_.dword(3), 0u);
  run({0x0000000b, lo32(at(0)), hi32(at(0)), 0x55, 4});  // five bytes
  EXPECT_EQ(data_.dword(0), 0x55555555u);
  EXPECT_EQ(data_.dword(1), 0xabcd1255u);
}

TEST_F(Sdma, FenceAndTrapRaiseAnEvent) {
  const uint32_t event = machine_.create_event(0);
  const uint64_t mailbox = machine_.mailbox(event);
  run({0x00030005, lo32(at(0)), hi32(at(0)), 77, 0x00030005, lo32(mailbox), hi32(mailbox), event, 6, event});
  EXPECT_EQ(data_.dword(0), 77u);
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
}

TEST_F(Sdma, PollBlocksThisQueueOnly) {
  submit({0xd0000008, lo32(at(0)), hi32(at(0)), 5, 0xffffffff, 0x0fff0004});  // memory, >= 5
  submit({5, lo32(at(1)), hi32(at(1)), 1});
  TestQueue other = machine_.sdma_queue();
  machine_.submit(other, {5, lo32(at(2)), hi32(at(2)), 1});
  EXPECT_TRUE(machine_.drain(other));
  EXPECT_EQ(data_.dword(1), 0u);
  data_.dword(0) = 6;
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(data_.dword(1), 1u);
}

TEST_F(Sdma, FlushOfTheHostDataPathIsDoneAtOnce) {
  run({0x00000008, 0, 0x80000000, 0, 0, 0});
  run({0x04000008, 0, 0, 0, 0, 0});
  run({0x34000008, 0xe27 << 2, 0xe26 << 2, 0x4, 0x4, 0x0fff000a});  // as Linux asks
  run({0x30000008, 0xe27 << 2, 0, 0x4, 0x4, 0x0fff000a});
}

TEST_F(Sdma, TimestampsAndAtomics) {
  run({0x20d, lo32(at(0)), hi32(at(0))});
  EXPECT_NE(data_.qword(0), 0u);
  data_.qword(1) = 5;
  // ADD, 64 bits, of -1: what lowers a signal.
  run({47u << 25 | 10, lo32(at(2)), hi32(at(2)), 0xffffffff, 0xffffffff, 0, 0, 0});
  EXPECT_EQ(data_.qword(1), 4u);
  run({15u << 25 | 10, lo32(at(2)), hi32(at(2)), 3, 0, 0, 0, 0});
  EXPECT_EQ(data_.qword(1), 7u);
  run({40u << 25 | 10, lo32(at(2)), hi32(at(2)), 9, 0, 7, 0, 0});
  EXPECT_EQ(data_.qword(1), 9u);
}

TEST_F(Sdma, NopsCacheRequestsAndTheRingsEnd) {
  for (int i = 0; i < 300; ++i) run({0x00030000, 1, 2, 3, 0x00000111, 0, 0, 0, 0});
  EXPECT_EQ(machine_.read_pointer(queue_), 300u * 9 * 4) << "counts bytes for ever";
}

TEST_F(Sdma, IndirectBufferRunsAndReturns) {
  const TestBuffer ib = machine_.gtt(4096);
  const std::vector<uint32_t> body = {5, lo32(at(0)), hi32(at(0)), 1, 0x00030000, 0, 0, 0};
  std::copy(body.begin(), body.end(), ib.dwords());
  run({4, lo32(ib.va), hi32(ib.va), 8, 0, 0, 5, lo32(at(1)), hi32(at(1)), 2});
  EXPECT_EQ(data_.dword(0), 1u);
  EXPECT_EQ(data_.dword(1), 2u);
}

TEST_F(Sdma, UnknownAndUnbuiltPacketsAreFaults) {
  EXPECT_THAT(fault_alone({0x000000ff, 0, 0}), HasSubstr("there is no such opcode"));
  EXPECT_THAT(fault_alone({0x00000101, 0, 0, 0}), HasSubstr("COPY with subopcode 1"));  // tiled
  EXPECT_THAT(fault_alone({0x00000308, 0, 0, 0}), HasSubstr("not implemented by the emulated SDMA engine"));
}

TEST_F(Sdma, WhatOnlyTheKernelMayIsRefused) {
  EXPECT_THAT(fault_alone({0x00000007, 0, 0}), HasSubstr("semaphores"));
  EXPECT_THAT(fault_alone({0x0000000c, 0, 0}), HasSubstr("page tables are the kernel's"));
  EXPECT_THAT(fault_alone({0xf000000e, 0x1234, 0}), HasSubstr("registers are the kernel's"));
  EXPECT_THAT(fault_alone({0x00000010, 0, 0}), HasSubstr("translations are the kernel's"));
  EXPECT_THAT(fault_alone({0x30000008, 0x4000, 0, 1, 1, 0x0fff0004}), HasSubstr("polling register 0x1000"));
}

TEST_F(Sdma, AtomicsOfEveryWidthAndLoop) {
  data_.qword(0) = 0xffffffff00000005;
  run({18u << 25 | 10, lo32(at(0)), hi32(at(0)), 3, 0, 0, 0, 0});  // unsigned minimum, 32 bits
  EXPECT_EQ(data_.qword(0), 0xffffffff00000003u);
  run({115u << 25 | 10, lo32(at(0)), hi32(at(0)), 9, 0, 0, 0, 0});  // signed maximum, 64 bits, without return
  EXPECT_EQ(data_.qword(0), 9u);
  submit({104u << 25 | 0x1000a, lo32(at(0)), hi32(at(0)), 1, 0, 7, 0, 16});  // compare and swap 7 with 1, until it is
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(data_.qword(0), 9u);
  data_.qword(0) = 7;
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(data_.qword(0), 1u);
  EXPECT_THAT(fault_alone({0u << 25 | 10, lo32(at(0)), hi32(at(0)), 0, 0, 0, 0, 0}), HasSubstr("ATOMIC_OP 0"));
  EXPECT_THAT(fault_alone({47u << 25 | 10, lo32(at(1)), hi32(at(1)), 0, 0, 0, 0, 0}), HasSubstr("multiple of 8"));
}

TEST_F(Sdma, TheEnginesOwnClockCanBeSet) {
  run({0x00d, 0x10, 0});                   // to 16
  run({0x10d, lo32(at(0)), hi32(at(0))});  // own
  run({0x20d, lo32(at(2)), hi32(at(2))});  // global
  run({0x20d, lo32(at(4)), hi32(at(4))});
  EXPECT_GE(data_.qword(0), 16u);
  EXPECT_LT(data_.qword(0), 16u + 20 * 100'000'000);
  EXPECT_GT(data_.qword(1), data_.qword(0)) << "the machine has run for longer than this test";
  EXPECT_GE(data_.qword(2), data_.qword(1).load());
  EXPECT_THAT(fault({0x20d, lo32(at(1)), hi32(at(1))}), HasSubstr("not a multiple of 8"));
}

TEST_F(Sdma, ConditionDropsTheDwordsAfterIt) {
  const std::vector<uint32_t> packets = {9, lo32(at(0)), hi32(at(0)), 1, 4,  //
                                         5, lo32(at(1)), hi32(at(1)), 1,     //
                                         5, lo32(at(2)), hi32(at(2)), 1};
  run(packets);
  EXPECT_EQ(data_.dword(1), 0u);
  EXPECT_EQ(data_.dword(2), 1u);
  data_.dword(0) = 1;
  run(packets);
  EXPECT_EQ(data_.dword(1), 1u);
}

TEST_F(Sdma, PollComparesByEachFunction) {
  data_.dword(0) = 0x105;
  for (uint32_t function : {0u, 2u, 3u, 5u}) {  // always, <=, ==, >=
    run({0x80000008 | function << 28, lo32(at(0)), hi32(at(0)), 5, 0xff, 0x0fff0004});
  }
  run({0x90000008, lo32(at(0)), hi32(at(0)), 6, 0xff, 0x0fff0004});  // <
  run({0xc0000008, lo32(at(0)), hi32(at(0)), 6, 0xff, 0x0fff0004});  // !=
  run({0xe0000008, lo32(at(0)), hi32(at(0)), 4, 0xff, 0x0fff0004});  // >
  EXPECT_THAT(fault({0xf0000008, lo32(at(0)), hi32(at(0)), 4, 0xff, 0x0fff0004}), HasSubstr("unknown FUNC 7"));
}

TEST_F(Sdma, IndirectBuffersDoNotNestAndAreAligned) {
  const TestBuffer ib = machine_.gtt(4096);
  const std::vector<uint32_t> self = {4, lo32(ib.va), hi32(ib.va), 6, 0, 0};
  std::copy(self.begin(), self.end(), ib.dwords());
  EXPECT_THAT(fault_alone(self), HasSubstr("do not nest"));
  EXPECT_THAT(fault_alone({4, lo32(ib.va) + 4, hi32(ib.va), 6, 0, 0}), HasSubstr("not a multiple of 32"));
  EXPECT_THAT(fault_alone({4, lo32(ib.va), hi32(ib.va), 0, 0, 0}), HasSubstr("the buffer is empty"));
  EXPECT_THAT(fault_alone({0x80000004, lo32(ib.va), hi32(ib.va), 6, 0, 0}), HasSubstr("privileged"));
  EXPECT_THAT(fault_alone({0x00010004, lo32(ib.va), hi32(ib.va), 6, 0, 0}), HasSubstr("VMID 1"));
}

TEST_F(Sdma, RandomPacketsOfEveryOpcodeEndInAReportAndNotInACrash) {
  uint32_t state = 54321;
  const auto random = [&] { return state = state * 1664525 + 1013904223; };
  for (uint32_t i = 0; i < 20 * 12; ++i) {
    TestQueue queue = machine_.sdma_queue();
    std::vector<uint32_t> packet{(random() & 0xffff0000) | i / 20 % 12 << 8 | i % 20};
    while (packet.size() < 32) {
      if ((random() >> 8) % 3 == 0) {
        packet.push_back(lo32(at(random() >> 8 & 0xffc)));
        packet.push_back(hi32(data_.va));
      } else {
        packet.push_back(random() >> (random() >> 27));
      }
    }
    machine_.submit(queue, packet);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    EXPECT_EQ(machine_.destroy(queue), 0);
  }
}

TEST_F(Sdma, ManyQueuesInALoop) {
  for (int i = 0; i < 200; ++i) {
    TestQueue queue = machine_.sdma_queue(1024);
    machine_.submit(queue, {5, lo32(at(0)), hi32(at(0)), static_cast<uint32_t>(i)});
    EXPECT_TRUE(machine_.drain(queue));
    EXPECT_EQ(data_.dword(0), static_cast<uint32_t>(i));
    EXPECT_EQ(machine_.destroy(queue), 0);
  }
}

}  // namespace
}  // namespace bw::emulator
