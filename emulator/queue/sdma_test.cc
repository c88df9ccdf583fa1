// SDMA packets as literal dwords, one by one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/packet_test.h"

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using testing::Sdma;
using testing::TestBuffer;
using testing::TestQueue;

std::vector<uint32_t> copy(uint64_t destination, uint64_t source, uint32_t size_bytes) {
  return {1, size_bytes - 1, 0, lo32(source), hi32(source), lo32(destination), hi32(destination)};
}

TEST_F(Sdma, CopiesBetweenBuffersOfEveryKind) {
  const TestBuffer vram = machine_.vram(3 << 20);
  for (size_t i = 0; i < data_.size_bytes / 4; ++i) data_.dwords()[i] = static_cast<uint32_t>(i * 7);
  run(copy(vram.va + (2 << 20) - 4, data_.va, 65536));
  EXPECT_EQ(vram.dword(((2 << 20) - 4) / 4 + 100), 700u);
  run(copy(data_.va, vram.va, 1));
  EXPECT_EQ(data_.dword(0), 0u);
  EXPECT_EQ(data_.dword(1), 7u);
}

TEST_F(Sdma, CopiesAcrossTheBorderOfAdjacentMappings) {
  void* address = nullptr;
  ASSERT_EQ(machine_.driver().mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &address),
            0);
  const auto base = reinterpret_cast<uint64_t>(address);
  const uint32_t gpu_id = machine_.gpu_id();
  for (uint64_t page : {base, base + 4096}) {
    kfd::uapi::AllocMemoryArgs args{};
    args.va_addr = page;
    args.size = 4096;
    args.mmap_offset = page;
    args.gpu_id = gpu_id;
    args.flags = 0xd6000004;
    ASSERT_EQ(machine_.ioctl(kfd::uapi::kAllocMemory, args), 0);
    kfd::uapi::MapMemoryArgs map{args.handle, reinterpret_cast<uint64_t>(&gpu_id), 1, 0};
    ASSERT_EQ(machine_.ioctl(kfd::uapi::kMapMemory, map), 0);
  }
  data_.dwords()[0] = 0x01020304;
  data_.dwords()[1] = 0x05060708;
  run(copy(base + 4092, data_.va, 8));
  EXPECT_EQ(reinterpret_cast<uint32_t*>(base + 4092)[0], 0x01020304u);
  EXPECT_EQ(reinterpret_cast<uint32_t*>(base + 4092)[1], 0x05060708u);

  ASSERT_EQ(machine_.driver().munmap(address, 8192), 0);
  EXPECT_THAT(fault(copy(base, data_.va, 8)), HasSubstr("no page is mapped")) << "user memory left the page tables";
}

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

TEST_F(Sdma, WriteToAReadOnlyPageIsAMemoryFault) {
  const uint32_t event = machine_.create_event(8);
  const TestBuffer readonly = machine_.allocate(4096, 0x56000002);  // without WRITABLE
  submit(copy(readonly.va + 16, data_.va, 8));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.memory_exception_data.va, readonly.va);
  EXPECT_EQ(data.memory_exception_data.failure.ReadOnly, 1u);
  EXPECT_EQ(data.memory_exception_data.failure.NotPresent, 0u);
  EXPECT_THAT(machine_.wait_fault().message, HasSubstr("the page is read-only"));
}

TEST_F(Sdma, UnmappingTakesThePagesAway) {
  const TestBuffer buffer = machine_.vram();
  run(copy(buffer.va, data_.va, 4096));
  EXPECT_EQ(machine_.unmap(buffer), 0);
  EXPECT_THAT(fault(copy(buffer.va, data_.va, 4096)), HasSubstr("no page is mapped"));
}

TEST_F(Sdma, UnknownAndUnbuiltPacketsAreFaults) {
  EXPECT_THAT(fault({0x000000ff, 0, 0}), HasSubstr("there is no such opcode"));
  TestQueue other = machine_.sdma_queue();
  machine_.submit(other, {0x00000401, 0, 0, 0});  // COPY, sub-window
  EXPECT_THAT(machine_.wait_fault(2).message, HasSubstr("COPY with subopcode 4"));
  EXPECT_EQ(machine_.destroy(other), 0);
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
