// The PM4 packets that say which packets come next, as literal dwords: NOP, indirect buffers, conditions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/packet_test.h"

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using testing::Pm4;
using testing::TestBuffer;
using testing::TestQueue;

using Nop = Pm4;
TEST_F(Nop, OfEverySizeIsSkipped) {
  run({0xffff1000});                       // header only
  run({0xc0001000, 0xdeadbeef});           // one dword
  run({0xc0031000, 0xffffffff, 0, 0, 0});  // more
  EXPECT_EQ(machine_.read_pointer(queue_), 8u);
}

TEST_F(Nop, RingWrapsAroundAndTheReadPointerWithIt) {
  // Packets of 7 dwords on a ring of 1024: one of them stands across the end.
  for (int i = 0; i < 400; ++i) run({0xc0051000, 1, 2, 3, 4, 5, 6});
  EXPECT_EQ(machine_.read_pointer(queue_), 400u * 7 % 1024);
}

TEST_F(Nop, PacketThatIsNotAllThereYetWaits) {
  submit({0xc0031000, 1});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(machine_.read_pointer(queue_), 0u);
  run({2, 3, 4});
  EXPECT_EQ(machine_.read_pointer(queue_), 5u);
}

using IndirectBuffer = Pm4;
TEST_F(IndirectBuffer, RunsNestedAndChainedBuffersInOrder) {
  const TestBuffer ib = machine_.gtt(4096);
  uint32_t* dwords = ib.dwords();
  const auto put = [&](size_t index, const std::vector<uint32_t>& packet) {
    for (uint32_t value : packet) dwords[index++] = value;
  };
  // 0: writes 1, calls 64, then writes 3 and chains to 128.
  put(0, {0xc0033700, 0x00000500, lo32(at(0)), hi32(at(0)), 1});
  put(5, indirect_buffer(ib.va + 256, 0x00800005));
  put(9, {0xc0033700, 0x00000500, lo32(at(2)), hi32(at(2)), 3});
  put(14, indirect_buffer(ib.va + 512, 0x00900005));
  // 64: copies what 0 wrote. 128: the end.
  put(64, {0xc0044000, 0x00000202, lo32(at(0)), hi32(at(0)), lo32(at(1))});
  dwords[64] = 0xc0033700;
  put(64, {0xc0033700, 0x00000500, lo32(at(1)), hi32(at(1)), 2});
  put(128, {0xc0033700, 0x00000500, lo32(at(3)), hi32(at(3)), 4});
  run(indirect_buffer(ib.va, 0x00800012));
  EXPECT_EQ(data_.dword(0), 1u);
  EXPECT_EQ(data_.dword(1), 2u);
  EXPECT_EQ(data_.dword(2), 3u);
  EXPECT_EQ(data_.dword(3), 4u);
}

TEST_F(IndirectBuffer, WithoutValidIsAFault) {
  EXPECT_THAT(fault(indirect_buffer(data_.va, 0x00000004)), HasSubstr("VALID is not set"));
}

TEST_F(IndirectBuffer, NestingTooDeepIsAFault) {
  // It calls itself.
  const auto self = indirect_buffer(data_.va, 0x00800004);
  std::copy(self.begin(), self.end(), data_.dwords());
  EXPECT_THAT(fault(self), HasSubstr("nest deeper than 2"));
}

TEST_F(IndirectBuffer, ChainingForEverDoesNotHinderDestruction) {
  const auto chain = indirect_buffer(data_.va, 0x00900004);
  std::copy(chain.begin(), chain.end(), data_.dwords());
  submit(indirect_buffer(data_.va, 0x00800004));
  TestQueue other = machine_.compute_queue();
  machine_.submit(other, {0xffff1000});
  EXPECT_TRUE(machine_.drain(other));
  EXPECT_EQ(machine_.destroy(queue_), 0);
}

TEST_F(IndirectBuffer, PacketAcrossItsEndIsAFault) {
  data_.dwords()[0] = 0xc0051000;
  EXPECT_THAT(fault(indirect_buffer(data_.va, 0x00800003)), HasSubstr("only 3 more"));
}

TEST_F(IndirectBuffer, OutsideOfMappedMemoryIsAMemoryFault) {
  const uint32_t event = machine_.create_event(8);
  const std::string message = fault(indirect_buffer(0x10000000, 0x00800004));
  EXPECT_THAT(message, HasSubstr("read at 0x10000000: no page is mapped there"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.memory_exception_data.va, 0x10000000u);
  EXPECT_EQ(data.memory_exception_data.gpu_id, machine_.gpu_id());
  EXPECT_EQ(data.memory_exception_data.failure.NotPresent, 1u);
}

TEST_F(IndirectBuffer, OneOfTwoIsChosenByMemory) {
  const TestBuffer ib = machine_.gtt(4096);
  const std::vector<uint32_t> first = {0xc0033700, 0x00000500, lo32(at(0)), hi32(at(0)), 1};
  const std::vector<uint32_t> second = {0xc0033700, 0x00000500, lo32(at(1)), hi32(at(1)), 2};
  std::copy(first.begin(), first.end(), ib.dwords());
  std::copy(second.begin(), second.end(), ib.dwords() + 16);
  const auto choose = [&](uint32_t mode) {
    run({0xc00c3f00, 0x300 | mode, lo32(at(8)), hi32(at(8)), 0xff, 0, 7, 0, lo32(ib.va), hi32(ib.va), 5,
         lo32(ib.va + 64), hi32(ib.va + 64), 5});
    return std::array{data_.dword(0).exchange(0), data_.dword(1).exchange(0)};
  };
  data_.qword(4) = 0x107;
  EXPECT_EQ(choose(2), (std::array{1u, 0u}));
  data_.qword(4) = 0x108;
  EXPECT_EQ(choose(2), (std::array{0u, 2u}));
  EXPECT_EQ(choose(1), (std::array{0u, 0u}));
}

using CondExec = Pm4;
TEST_F(CondExec, SkipsWhatFollowsInTheRingIfMemoryIsZero) {
  const std::vector<uint32_t> packets = {0xc0032200, lo32(at(0)), hi32(at(0)), 0,           5,  // the next 5 dwords
                                         0xc0033700, 0x00000500,  lo32(at(1)), hi32(at(1)), 1,  //
                                         0xc0033700, 0x00000500,  lo32(at(2)), hi32(at(2)), 1};
  run(packets);
  EXPECT_EQ(data_.dword(1), 0u);
  EXPECT_EQ(data_.dword(2), 1u);
  EXPECT_EQ(machine_.read_pointer(queue_), 15u);
  data_.dword(0) = 2;
  run(packets);
  EXPECT_EQ(data_.dword(1), 1u);
}

TEST_F(CondExec, SkipsWhatIsWrittenLater) {
  run({0xc0032200, lo32(at(0)), hi32(at(0)), 0, 7});
  run({0xffffffff, 0, 0});  // no packet, but skipped
  EXPECT_EQ(machine_.read_pointer(queue_), 8u);
  run({0, 0, 0, 0, 0xc0033700, 0x00000500, lo32(at(2)), hi32(at(2)), 3});
  EXPECT_EQ(data_.dword(2), 3u);
}

TEST_F(CondExec, StaysInsideOfAnIndirectBuffer) {
  const TestBuffer ib = machine_.gtt(4096);
  std::vector<uint32_t> body = {0xc0032200, lo32(at(0)), hi32(at(0)), 0,           5,
                                0xc0033700, 0x00000500,  lo32(at(1)), hi32(at(1)), 1};
  std::copy(body.begin(), body.end(), ib.dwords());
  run(indirect_buffer(ib.va, 0x0080000a));
  EXPECT_EQ(data_.dword(1), 0u);
  ib.dwords()[4] = 6;
  EXPECT_THAT(fault(indirect_buffer(ib.va, 0x0080000a)), HasSubstr("6 dwords are to be skipped"));
}

using Rewind = Pm4;
TEST_F(Rewind, WaitsForItsOwnValid) {
  const TestBuffer ib = machine_.gtt(4096);
  const std::vector<uint32_t> body = {0xc0005900, 0, 0xc0033700, 0x00000500, lo32(at(0)), hi32(at(0)), 1};
  std::copy(body.begin(), body.end(), ib.dwords());
  submit(indirect_buffer(ib.va, 0x00800007));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(data_.dword(0), 0u);
  ib.dword(1) = 0x80000000;
  EXPECT_TRUE(machine_.drain(queue_));
  EXPECT_EQ(data_.dword(0), 1u);
  run({0xc0005900, 0x80000000});  // in the ring
}

using Hints = Pm4;
TEST_F(Hints, OfTranslationsAndOfTheHostDataPathAreTaken) {
  run({0xc0009500, 0, 0xc0035d00, 0, lo32(at(0)), hi32(at(0)), 1});  // HDP_FLUSH, PRIME_UTCL2
}

}  // namespace
}  // namespace bw::emulator
