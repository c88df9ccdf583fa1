// The SDMA packets that copy and fill, as literal dwords.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/mman.h>
#include <algorithm>

#include "base/bits.h"
#include "emulator/testing/packet_test.h"

namespace bw::emulator {
namespace {

using ::testing::HasSubstr;
using testing::Sdma;
using testing::TestBuffer;

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

TEST_F(Sdma, CopiesToTwoPlacesAtOnce) {
  for (uint32_t i = 0; i < 8; ++i) data_.dword(i) = i + 1;
  run({0x08000001, 16 - 1, 0, lo32(at(0)), hi32(at(0)), lo32(at(100)), hi32(at(100)), lo32(at(200)), hi32(at(200)), 5,
       lo32(at(300)), hi32(at(300)), 9});
  EXPECT_EQ(data_.dword(103), 4u);
  EXPECT_EQ(data_.dword(104), 0u);
  EXPECT_EQ(data_.dword(203), 4u);
  EXPECT_EQ(data_.dword(300), 9u) << "the packet has nine dwords";
}

TEST_F(Sdma, OverlappingRangesAreCopiedWhole) {
  for (uint32_t i = 0; i < 16; ++i) data_.dword(i) = i;
  run(copy(at(1), at(0), 60));
  for (uint32_t i = 1; i < 16; ++i) EXPECT_EQ(data_.dword(i), i - 1);
}

TEST_F(Sdma, CopiesOf256MiBAndAByteArriveWhole) {
  const uint64_t size = (uint64_t{256} << 20) + 1;
  const TestBuffer source = machine_.vram(size + 4095), destination = machine_.vram(size + 4095);
  const uint64_t words = size / 8;
  auto* from = reinterpret_cast<uint64_t*>(source.va);
  auto* to = reinterpret_cast<uint64_t*>(destination.va);
  for (uint64_t i = 0; i < words; ++i) from[i] = i * 0x9e3779b97f4a7c15;
  reinterpret_cast<uint8_t*>(source.va)[size - 1] = 0xa5;
  run(copy(destination.va, source.va, static_cast<uint32_t>(size)));
  EXPECT_TRUE(std::equal(from, from + words, to));
  EXPECT_EQ(reinterpret_cast<uint8_t*>(destination.va)[size - 1], 0xa5);
  EXPECT_EQ(reinterpret_cast<uint8_t*>(destination.va)[size], 0);
}

// A packet for a sub-window; offsets, pitches and sizes in elements.
struct Place {
  uint64_t address;
  uint32_t x, y, z, pitch, slice;
};
std::vector<uint32_t> copy_window(uint32_t element, Place from, Place to, uint32_t width, uint32_t height,
                                  uint32_t depth) {
  return {element << 29 | 0x401,
          lo32(from.address),
          hi32(from.address),
          from.x | from.y << 16,
          from.z | (from.pitch - 1) << 13,
          from.slice - 1,
          lo32(to.address),
          hi32(to.address),
          to.x | to.y << 16,
          to.z | (to.pitch - 1) << 13,
          to.slice - 1,
          (width - 1) | (height - 1) << 16,
          depth - 1};
}

TEST_F(Sdma, SubWindowOfDwordsKeepsItsSurroundings) {
  // A source of 8 x 4 x 2 dwords, a destination of 16 x 3 x 2.
  for (uint32_t i = 0; i < 64; ++i) data_.dword(i) = 1000 + i;
  run(copy_window(2, {at(0), 1, 2, 0, 8, 32}, {at(1024), 5, 0, 0, 16, 48}, 3, 2, 2));
  for (uint32_t z = 0; z < 2; ++z) {
    for (uint32_t y = 0; y < 3; ++y) {
      for (uint32_t x = 0; x < 16; ++x) {
        const bool inside = x >= 5 && x < 8 && y < 2;
        const uint32_t expected = inside ? 1000 + (x - 5 + 1) + (y + 2) * 8 + z * 32 : 0;
        EXPECT_EQ(data_.dword(1024 + x + y * 16 + z * 48), expected) << x << " " << y << " " << z;
      }
    }
  }
}

TEST_F(Sdma, SubWindowsOfEveryElementSize) {
  auto* bytes = reinterpret_cast<uint8_t*>(data_.va);
  for (uint32_t i = 0; i < 4096; ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  for (uint32_t element = 0; element <= 4; ++element) {
    std::fill(bytes + 8192, bytes + 16384, uint8_t{0});
    // Three elements of two rows out of a pitch of seven, at x = 1, into a pitch of three.
    run(copy_window(element, {data_.va, 1, 1, 0, 7, 1}, {data_.va + 8192, 0, 0, 0, 3, 1}, 3, 2, 1));
    const uint32_t size = 1u << element;
    for (uint32_t i = 0; i < 6 * size; ++i) {
      const uint32_t row = i / (3 * size), column = i % (3 * size);
      EXPECT_EQ(bytes[8192 + i], static_cast<uint8_t>(((row + 1) * 7 * size + size + column) * 7)) << element;
    }
    EXPECT_EQ(bytes[8192 + 6 * size], 0);
  }
}

TEST_F(Sdma, FillsOfEverySizeAndAcrossManyPages) {
  run({0x4000000b, lo32(at(0)) + 2, hi32(at(0)), 0x1234abcd, 5});  // two bytes, three times
  EXPECT_EQ(data_.dword(0), 0xabcd0000u);
  EXPECT_EQ(data_.dword(1), 0xabcdabcdu);
  EXPECT_EQ(data_.dword(2), 0u);
  run({0x8000000b, lo32(at(1)), hi32(at(1)), 0x01020304, 40000 - 4});  // as ROCr counts
  EXPECT_EQ(data_.dword(0), 0xabcd0000u);
  for (uint32_t i = 1; i <= 10000; ++i) ASSERT_EQ(data_.dword(i), 0x01020304u) << i;
  EXPECT_EQ(data_.dword(10001), 0u);
}

TEST_F(Sdma, CopiesThatAreNotBuiltAreTold) {
  const auto words = [&](uint32_t header, uint32_t parameter) -> std::vector<uint32_t> {
    return {header, 3, parameter, lo32(at(0)), hi32(at(0)), lo32(at(9)), hi32(at(9))};
  };
  EXPECT_THAT(fault_alone(words(0x02000001, 0)), HasSubstr("BACKWARDS"));
  EXPECT_THAT(fault_alone(words(0x00040001, 0)), HasSubstr("no protected memory"));
  EXPECT_THAT(fault_alone(words(0x00000001, 0x00010000)), HasSubstr("byte swapping"));
  EXPECT_THAT(fault_alone(copy_window(5, {at(0), 0, 0, 0, 1, 1}, {at(9), 0, 0, 0, 1, 1}, 1, 1, 1)),
              HasSubstr("ELEMENTSIZE 5"));
  EXPECT_THAT(fault_alone(copy_window(0, {at(0) + 1, 0, 0, 0, 1, 1}, {at(9), 0, 0, 0, 1, 1}, 1, 1, 1)),
              HasSubstr("not a multiple of 4"));
  EXPECT_THAT(fault_alone({0xc000000b, lo32(at(0)), hi32(at(0)), 0, 7}), HasSubstr("FILLSIZE 3"));
  EXPECT_THAT(fault_alone({0x8000000b, lo32(at(0)) + 2, hi32(at(0)), 0, 7}), HasSubstr("not a multiple of 4"));
}

}  // namespace
}  // namespace bw::emulator
