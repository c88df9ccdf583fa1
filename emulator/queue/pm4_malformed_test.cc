// What stops a queue of PM4 packets, and how it is reported.
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

using Malformed = Pm4;
TEST_F(Malformed, UnknownOpcodeStopsTheQueueWithAReportAndAnEvent) {
  const uint32_t event = machine_.create_event(3);
  run({0xffff1000});
  submit({0xc0010100, 1, 2, 0xffff1000});
  const FaultReport report = machine_.wait_fault();
  EXPECT_EQ(report.kind, FaultKind::kPacket);
  EXPECT_EQ(report.queue_id, queue_.id);
  EXPECT_EQ(report.ring_offset_dwords, 1u);
  EXPECT_EQ(report.packet_address, queue_.ring.va + 4);
  EXPECT_THAT(report.dwords, ::testing::ElementsAre(0xc0010100, 1, 2));
  EXPECT_THAT(report.message, HasSubstr("there is no such opcode; packet: c0010100 00000001 00000002"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.hw_exception_data.gpu_id, machine_.gpu_id());
  EXPECT_EQ(machine_.read_pointer(queue_), 1u) << "nothing after the fault is done";
  EXPECT_EQ(machine_.destroy(queue_), 0);
}

TEST_F(Malformed, ZeroIsNoPacket) {
  EXPECT_THAT(fault({0, 0, 0, 0}), HasSubstr("0x00000000 is no type-3 packet header"));
}

TEST_F(Malformed, KnownButNotBuiltIsToldSo) {
  EXPECT_THAT(fault({0xc0059a00, 0, 0, 0, 0, 0, 0}), HasSubstr("DMA_DATA_FILL_MULTI at"));
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("not implemented by the emulated command processor"));
}

TEST_F(Malformed, PacketsOfTheGraphicsEnginesAreRefused) {
  EXPECT_THAT(fault_alone({0xc0012d00, 3, 0}), HasSubstr("DRAW_INDEX_AUTO"));
  EXPECT_THAT(fault_alone({0xc0004200, 0}), HasSubstr("PFP_SYNC_ME"));                          // of the PFP
  EXPECT_THAT(fault_alone({0xc0016900, 0, 0}), HasSubstr("a packet of the graphics engines"));  // SET_CONTEXT_REG
}

TEST_F(Malformed, WhatOnlyTheKernelMayIsRefused) {
  EXPECT_THAT(fault_alone({0xc0016800, 0, 0}), HasSubstr("configuration registers are the kernel's"));
  EXPECT_THAT(fault_alone({0xc0017800, 0, 0}), HasSubstr("the registers of queues are the kernel's"));
  EXPECT_THAT(fault_alone({0xc0009800, 0}), HasSubstr("translations are the kernel's"));
  EXPECT_THAT(fault_alone({0xc0035c00, 0, 0, 0, 0}), HasSubstr("not the queue's to choose"));
  EXPECT_THAT(fault_alone({0xc0091d00, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}), HasSubstr("no global data share"));
}

TEST_F(Malformed, WrongSizesAreFaults) {
  EXPECT_THAT(fault({0xc0054900, 0, 0, 0, 0, 0, 0}), HasSubstr("7 dwords instead of 8"));
}

TEST_F(Malformed, DoorbellBeyondTheRingIsAFault) {
  queue_.doorbell->store(5000, std::memory_order_release);
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("not within a ring of 1024 dwords"));
}

// Every opcode, with sizes of packets and random fields, and addresses of memory that is there among them.
TEST_F(Malformed, RandomPacketsOfEveryOpcodeEndInAReportAndNotInACrash) {
  uint32_t state = 12345;
  const auto random = [&] { return state = state * 1664525 + 1013904223; };
  for (uint32_t opcode = 0; opcode < 256; ++opcode) {
    TestQueue queue = machine_.compute_queue();
    std::vector<uint32_t> packet{0xc0000000 | opcode << 8 | (random() >> 8) % 14 << 16};
    while (packet.size() < 32) {
      const uint32_t kind = (random() >> 8) % 8;
      if (kind < 2) {
        packet.push_back(0);
      } else if (kind < 4) {
        packet.push_back(lo32(at(random() >> 8 & 0xffc)));
        packet.push_back(hi32(data_.va));
      } else {
        packet.push_back(kind == 4 ? random() >> 24 : random());
      }
    }
    machine_.submit(queue, packet);
    // Some random packet may wait; most stop the queue.
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    EXPECT_EQ(machine_.destroy(queue), 0);
    EXPECT_EQ(machine_.free(queue.ring), -EBUSY);
  }
}

}  // namespace
}  // namespace bw::emulator
