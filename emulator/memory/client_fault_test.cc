// Client memory that goes away under the emulator: faults, no crash; and unmapping waits for those who still use it.
#include "emulator/memory/client_fault.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "emulator/memory/gpu_memory.h"

namespace bw::emulator {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kBytes = 4 * kPage;
constexpr uint64_t kVa = 0x100000;

// kBytes of the client's memory behind the GPU addresses from kVa on.
class ClientMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    host_ = static_cast<std::byte*>(memory);
    ASSERT_EQ(space_.map({.begin = kVa, .end = kVa + kBytes, .host = host_, .writable = true, .executable = false}), 0);
  }
  void TearDown() override { ::munmap(host_, kBytes); }

  // The client takes the page away and tells nobody.
  void protect(uint64_t page, int protection) { ASSERT_EQ(::mprotect(host_ + page * kPage, kPage, protection), 0); }
  void expect_fault(uint64_t address, Access access) const {
    EXPECT_EQ(memory_.fault().address, address);
    EXPECT_EQ(memory_.fault().access, access);
    EXPECT_EQ(memory_.fault().reason, MemoryFaultReason::kNotPresent);
  }

  std::byte* host_ = nullptr;
  AddressSpace space_;
  GpuMemory memory_{space_};
};

TEST_F(ClientMemory, WordsOfALostPageFault) {
  protect(1, PROT_NONE);
  uint32_t word = 0;
  uint64_t pair = 0;
  EXPECT_FALSE(memory_.load_u32(kVa + kPage + 8, &word));
  expect_fault(kVa + kPage + 8, Access::kRead);
  EXPECT_FALSE(memory_.store_u64(kVa + kPage + 16, 1));
  expect_fault(kVa + kPage + 16, Access::kWrite);
  EXPECT_FALSE(memory_.with_word(kVa + kPage, 4, Access::kWrite, [](std::byte* host) { *host = std::byte{1}; }));
  expect_fault(kVa + kPage, Access::kWrite);
  EXPECT_TRUE(memory_.store_u32(kVa + 2 * kPage, 7)) << "the next page is still there";
  EXPECT_TRUE(memory_.load_u64(kVa + 2 * kPage, &pair));
  EXPECT_EQ(pair, 7u);
}

TEST_F(ClientMemory, RunsFaultAtTheFirstByteThatIsLost) {
  protect(2, PROT_NONE);
  std::array<std::byte, kBytes> copy{};
  EXPECT_FALSE(memory_.read(kVa, copy.data(), kBytes));
  EXPECT_GE(memory_.fault().address, kVa + 2 * kPage);  // the host's memcpy need not go upwards
  EXPECT_LT(memory_.fault().address, kVa + 3 * kPage);
  EXPECT_FALSE(memory_.fill(kVa + kPage, 0x01020304, 4, 2 * kPage));
  expect_fault(kVa + 2 * kPage, Access::kWrite);
  EXPECT_EQ(host_[2 * kPage - 1], std::byte{1}) << "what came before is done";
  EXPECT_FALSE(memory_.copy(kVa + 2 * kPage, kVa, 16));
  EXPECT_FALSE(memory_.write(kVa + 2 * kPage, copy.data(), 16));
}

TEST_F(ClientMemory, WritesToAPageThatBecameReadOnlyFault) {
  protect(0, PROT_READ);
  uint32_t word = 1;
  EXPECT_TRUE(memory_.load_u32(kVa, &word));
  EXPECT_FALSE(memory_.store_u32(kVa, 1));
  expect_fault(kVa, Access::kWrite);
}

TEST_F(ClientMemory, AFileThatWasCutOffFaults) {
  const int fd = ::memfd_create("test", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(fd, kPage), 0);
  ASSERT_NE(::mmap(host_, kPage, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0), MAP_FAILED);
  EXPECT_TRUE(memory_.store_u32(kVa, 1));
  ASSERT_EQ(::ftruncate(fd, 0), 0);
  EXPECT_FALSE(memory_.store_u32(kVa, 1)) << "SIGBUS";
  expect_fault(kVa, Access::kWrite);
  ::close(fd);
}

TEST_F(ClientMemory, TouchingNests) {
  Tlb tlb(space_);
  protect(1, PROT_NONE);
  std::array<std::byte, 4> copy{};
  bool went_on = false;
  const auto outer = touch_client_memory(tlb, [&] {
    EXPECT_FALSE(read_client_memory(tlb, kVa + kPage, copy.data(), 4, Access::kRead));
    EXPECT_TRUE(read_client_memory(tlb, kVa, copy.data(), 4, Access::kRead));
    went_on = true;
    *static_cast<volatile std::byte*>(tlb.translate(kVa + kPage, 1, Access::kWrite)) = std::byte{1};
    went_on = false;
  });
  EXPECT_TRUE(went_on);
  ASSERT_TRUE(outer.has_value());
  EXPECT_EQ(outer->address, kVa + kPage);
  EXPECT_EQ(outer->access, Access::kWrite);
}

using ClientMemoryDeathTest = ClientMemory;
TEST_F(ClientMemoryDeathTest, FaultsOutsideOfTheClientsMemoryStayCrashes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        Tlb tlb(space_);
        (void)touch_client_memory(tlb, [] {
          volatile uintptr_t nowhere = 0x1000;
          *reinterpret_cast<volatile int*>(nowhere) = 1;
        });
      },
      "");
}

TEST_F(ClientMemory, UnmappingWaitsForThoseWhoUseIt) {
  std::atomic<bool> is_used = false, shall_end = false, is_unmapped = false;
  std::thread user([&] {
    Tlb tlb(space_);
    const auto fault = touch_client_memory(tlb, [&] {
      auto* host = tlb.translate(kVa, 4, Access::kWrite);
      is_used = true;
      while (!shall_end) std::this_thread::yield();
      EXPECT_FALSE(is_unmapped);
      *host = std::byte{9};
      tlb.renew();
      EXPECT_EQ(tlb.translate(kVa, 4, Access::kWrite), nullptr);
    });
    EXPECT_FALSE(fault.has_value());
  });
  while (!is_used) std::this_thread::yield();
  std::thread remover([&] {
    space_.unmap(kVa, kVa + kBytes);
    is_unmapped = true;
    host_[0] = std::byte{1};  // a race, had it not waited
  });
  Mapping mapping;
  while (space_.find(kVa, &mapping)) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_FALSE(is_unmapped);
  shall_end = true;
  user.join();
  remover.join();
  EXPECT_EQ(host_[0], std::byte{1});
}

}  // namespace
}  // namespace bw::emulator
