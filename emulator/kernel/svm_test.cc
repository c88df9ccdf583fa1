// Shared virtual memory: attributes, errnos, and that the card reaches what it has access to.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <vector>

#include "emulator/testing/machine.h"
#include "kfd/uapi_svm.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;
using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

constexpr uint64_t kPage = 4096;

SvmAttribute attribute(SvmAttr type, uint32_t value) {
  return {.type = static_cast<uint32_t>(type), .value = value};
}

class Svm : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(machine_.driver().mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                     0, &memory_),
              0);
  }
  void TearDown() override { machine_.driver().munmap(memory_, kPages * kPage); }

  uint64_t page(uint64_t index) const { return reinterpret_cast<uint64_t>(memory_) + index * kPage; }

  // As libhsakmt makes the call: the number's size grows with the attributes.
  int call(SvmOp op, uint64_t address, uint64_t size, std::vector<SvmAttribute>* attributes) {
    std::vector<std::byte> bytes(sizeof(SvmArgs) + attributes->size() * sizeof(SvmAttribute));
    auto* args = reinterpret_cast<SvmArgs*>(bytes.data());
    *args = {.start_addr = address,
             .size = size,
             .op = static_cast<uint32_t>(op),
             .nattr = static_cast<uint32_t>(attributes->size())};
    auto* list = reinterpret_cast<SvmAttribute*>(args + 1);
    std::copy(attributes->begin(), attributes->end(), list);
    const unsigned long request = kSvm + (attributes->size() * sizeof(SvmAttribute) << _IOC_SIZESHIFT);
    const int result = machine_.driver().ioctl(machine_.kfd(), request, bytes.data());
    std::copy(list, list + attributes->size(), attributes->begin());
    return result;
  }
  int set(uint64_t first, uint64_t count, std::vector<SvmAttribute> attributes) {
    return call(SvmOp::kSetAttr, page(first), count * kPage, &attributes);
  }
  std::vector<SvmAttribute> get(uint64_t first, uint64_t count, std::vector<SvmAttribute> attributes) {
    EXPECT_EQ(call(SvmOp::kGetAttr, page(first), count * kPage, &attributes), 0);
    return attributes;
  }
  uint32_t access_of(uint64_t first, uint64_t count) {
    return get(first, count, {attribute(SvmAttr::kAccess, machine_.gpu_id())})[0].type;
  }
  // Whether the card's page tables know the page: a ring can stand there.
  bool is_mapped(uint64_t address) {
    const TestQueue queue = machine_.sdma_queue();
    UpdateQueueArgs args{};
    args.ring_base_address = address;
    args.ring_size = kPage;
    args.queue_id = queue.id;
    const int result = machine_.ioctl(kUpdateQueue, args);
    EXPECT_EQ(machine_.destroy(queue), 0);
    return result == 0;
  }
  // Whether SDMA can write a dword there. After a fault no other queue goes on.
  bool card_writes(uint64_t address) {
    const size_t faults = machine_.driver().fault_reports().size();
    TestQueue queue = machine_.sdma_queue();
    machine_.submit(queue, {0x00000002, static_cast<uint32_t>(address), static_cast<uint32_t>(address >> 32), 0, 0x51});
    const bool done = testing::eventually([&] {
      return machine_.read_pointer(queue) == queue.written_dwords * 4 ||
             machine_.driver().fault_reports().size() > faults;
    });
    EXPECT_TRUE(done);
    EXPECT_EQ(machine_.destroy(queue), 0);
    return machine_.driver().fault_reports().size() == faults;
  }

  static constexpr uint64_t kPages = 16;
  Machine machine_;
  void* memory_ = nullptr;
};

TEST_F(Svm, MemoryWithAccessIsMappedAndWithoutIsNot) {
  EXPECT_FALSE(is_mapped(page(1)));
  EXPECT_EQ(set(0, 4, {attribute(SvmAttr::kAccess, machine_.gpu_id())}), 0);
  EXPECT_TRUE(card_writes(page(1)));
  EXPECT_EQ(*reinterpret_cast<uint32_t*>(page(1)), 0x51u);
  EXPECT_FALSE(is_mapped(page(4)));
  EXPECT_EQ(set(1, 1, {attribute(SvmAttr::kNoAccess, machine_.gpu_id())}), 0);
  EXPECT_FALSE(is_mapped(page(1)));
  EXPECT_TRUE(card_writes(page(0)));
  EXPECT_TRUE(card_writes(page(2)));
  EXPECT_EQ(set(2, 1, {attribute(SvmAttr::kSetFlags, svm_flag::kGpuReadOnly)}), 0);
  EXPECT_TRUE(card_writes(page(3)));
  EXPECT_FALSE(card_writes(page(2)));
}

TEST_F(Svm, WhatIsSetIsTold) {
  const uint32_t gpu = machine_.gpu_id();
  EXPECT_EQ(set(0, 2,
                {attribute(SvmAttr::kPreferredLoc, gpu), attribute(SvmAttr::kPrefetchLoc, 0),
                 attribute(SvmAttr::kAccessInPlace, gpu), attribute(SvmAttr::kSetFlags, svm_flag::kGpuExec),
                 attribute(SvmAttr::kClearFlags, svm_flag::kCoherent), attribute(SvmAttr::kGranularity, 0x44)}),
            0);
  const auto told =
      get(0, 2,
          {attribute(SvmAttr::kPreferredLoc, 1), attribute(SvmAttr::kPrefetchLoc, 1), attribute(SvmAttr::kAccess, gpu),
           attribute(SvmAttr::kSetFlags, 0), attribute(SvmAttr::kClearFlags, 0), attribute(SvmAttr::kGranularity, 0)});
  EXPECT_EQ(told[0].value, gpu);
  EXPECT_EQ(told[1].value, 0u);
  EXPECT_EQ(told[2].type, 3u) << "access in place";
  EXPECT_EQ(told[3].value, svm_flag::kHostAccess | svm_flag::kGpuExec);
  EXPECT_EQ(told[4].value, ~(svm_flag::kHostAccess | svm_flag::kGpuExec));
  EXPECT_EQ(told[5].value, 0x3fu);
}

TEST_F(Svm, MemoryWithoutAttributesHasThoseOfANewRange) {
  const auto told = get(0, 2,
                        {attribute(SvmAttr::kPreferredLoc, 1), attribute(SvmAttr::kPrefetchLoc, 1),
                         attribute(SvmAttr::kAccess, machine_.gpu_id()), attribute(SvmAttr::kSetFlags, 0),
                         attribute(SvmAttr::kGranularity, 0)});
  EXPECT_EQ(told[0].value, 0xffffffffu);
  EXPECT_EQ(told[1].value, 0xffffffffu);
  EXPECT_EQ(told[2].type, 4u) << "no access";
  EXPECT_EQ(told[3].value, 3u);
  EXPECT_EQ(told[4].value, 9u);
}

TEST_F(Svm, AQueryTellsWhatAllRangesHaveInCommon) {
  const uint32_t gpu = machine_.gpu_id();
  EXPECT_EQ(set(0, 1, {attribute(SvmAttr::kAccess, gpu), attribute(SvmAttr::kPreferredLoc, gpu)}), 0);
  EXPECT_EQ(set(1, 1, {attribute(SvmAttr::kPreferredLoc, 0), attribute(SvmAttr::kSetFlags, svm_flag::kGpuExec)}), 0);
  const auto told = get(0, 2,
                        {attribute(SvmAttr::kPreferredLoc, 0), attribute(SvmAttr::kAccess, gpu),
                         attribute(SvmAttr::kSetFlags, 0), attribute(SvmAttr::kClearFlags, 0)});
  EXPECT_EQ(told[0].value, 0xffffffffu);
  EXPECT_EQ(told[1].type, 4u);
  EXPECT_EQ(told[2].value, 3u);
  EXPECT_EQ(told[3].value, ~0x13u);
}

TEST_F(Svm, BadArgumentsAreRefused) {
  const uint32_t gpu = machine_.gpu_id();
  std::vector<SvmAttribute> access = {attribute(SvmAttr::kAccess, gpu)};
  EXPECT_EQ(call(SvmOp::kSetAttr, page(0) + 1, kPage, &access), -EINVAL);
  EXPECT_EQ(call(SvmOp::kSetAttr, page(0), kPage + 1, &access), -EINVAL);
  EXPECT_EQ(call(SvmOp::kSetAttr, 0, kPage, &access), -EINVAL);
  EXPECT_EQ(call(SvmOp::kSetAttr, page(0), 0, &access), -EINVAL);
  EXPECT_EQ(call(SvmOp::kSetAttr, page(0), 0xfffffffffffff000, &access), -EINVAL) << "wraps";
  EXPECT_EQ(call(static_cast<SvmOp>(2), page(0), kPage, &access), -EINVAL);
  EXPECT_EQ(call(SvmOp::kSetAttr, 0x10000, kPage, &access), -EFAULT) << "no memory";
  EXPECT_EQ(call(SvmOp::kGetAttr, 0x10000, kPage, &access), -EINVAL);
  EXPECT_EQ(set(0, 1, {attribute(SvmAttr::kAccess, 1)}), -EINVAL) << "no such card";
  EXPECT_EQ(set(0, 1, {attribute(SvmAttr::kAccess, 0xffffffff)}), -EINVAL);
  EXPECT_EQ(set(0, 1, {attribute(SvmAttr::kPrefetchLoc, 0xffffffff)}), -EINVAL) << "not a place to go to";
  EXPECT_EQ(set(0, 1, {attribute(static_cast<SvmAttr>(8), 0)}), -EINVAL);
  std::vector<SvmAttribute> in_place = {attribute(SvmAttr::kAccessInPlace, gpu)};
  EXPECT_EQ(call(SvmOp::kGetAttr, page(0), kPage, &in_place), -EINVAL);
  std::vector<SvmAttribute> foreign = {attribute(SvmAttr::kAccess, 77)};
  EXPECT_EQ(call(SvmOp::kGetAttr, page(0), kPage, &foreign), -EINVAL);
  SvmArgs more{.start_addr = page(0), .size = kPage, .op = 0, .nattr = 1000};
  EXPECT_EQ(machine_.ioctl(kSvm, more), -EINVAL) << "more attributes than were given";
  EXPECT_EQ(set(0, 1, {}), 0) << "no attribute is no error";
}

TEST_F(Svm, BuffersAndSharedMemoryExcludeEachOther) {
  const uint32_t gpu = machine_.gpu_id();
  const TestBuffer buffer = machine_.vram();
  std::vector<SvmAttribute> access = {attribute(SvmAttr::kAccess, gpu)};
  EXPECT_EQ(call(SvmOp::kSetAttr, buffer.va, kPage, &access), -EADDRINUSE);
  const TestBuffer user = machine_.user();
  EXPECT_EQ(call(SvmOp::kSetAttr, user.va, kPage, &access), -EADDRINUSE);
  EXPECT_EQ(set(0, 2, access), 0);
  AllocMemoryArgs args{};
  args.va_addr = page(1);
  args.size = kPage;
  args.gpu_id = gpu;
  args.flags = alloc_flag::kVram;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EADDRINUSE);
  args.va_addr = 0x700000000000;
  args.flags = alloc_flag::kUserptr;
  args.mmap_offset = page(1);
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), -EADDRINUSE);
  EXPECT_EQ(machine_.unmap(user), 0);
  EXPECT_EQ(machine_.free(user), 0);
  ::munmap(user.dwords(), kPage);
}

TEST_F(Svm, MemoryThatGoesAwayLosesItsAttributes) {
  const uint32_t gpu = machine_.gpu_id();
  EXPECT_EQ(set(0, 8, {attribute(SvmAttr::kAccess, gpu)}), 0);
  void* hole = reinterpret_cast<void*>(page(2));
  EXPECT_EQ(machine_.driver().munmap(hole, 2 * kPage), 0);
  // So that no memory of the queues below comes to stand there: the driver does not hear of it.
  ASSERT_EQ(::mmap(hole, 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), hole);
  EXPECT_FALSE(is_mapped(page(2)));
  EXPECT_TRUE(card_writes(page(4)));
  void* again = nullptr;
  ASSERT_EQ(machine_.driver().mmap(hole, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
                                   0, &again),
            0);
  EXPECT_EQ(access_of(2, 2), 4u);
  EXPECT_EQ(access_of(0, 2), 2u);
  ASSERT_EQ(machine_.driver().mmap(reinterpret_cast<void*>(page(5)), kPage, PROT_READ,
                                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0, &again),
            0);
  EXPECT_EQ(access_of(5, 1), 4u) << "other memory has come in its place";
}

// What runs under a preloaded library may unmap behind the driver's back.
TEST_F(Svm, AddressesOfMemoryThatWentAwayUntoldCanBeAllocated) {
  EXPECT_EQ(set(0, 8, {attribute(SvmAttr::kAccess, machine_.gpu_id())}), 0);
  ::mmap(reinterpret_cast<void*>(page(2)), kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  AllocMemoryArgs args{};
  args.va_addr = page(2);
  args.size = kPage;
  args.gpu_id = machine_.gpu_id();
  args.flags = alloc_flag::kVram | alloc_flag::kWritable;
  EXPECT_EQ(machine_.ioctl(kAllocMemory, args), 0);
  EXPECT_EQ(machine_.map({args.handle, page(2), kPage}), 0);
  EXPECT_TRUE(card_writes(page(2)));
  EXPECT_EQ(access_of(3, 1), 2u);
}

}  // namespace
}  // namespace bw::emulator
