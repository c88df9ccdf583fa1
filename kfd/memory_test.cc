#include "kfd/memory.h"

#include <gmock/gmock.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "base/bits.h"
#include "kfd/testing/open_machine.h"

namespace bw::kfd {
namespace {

using ::testing::HasSubstr;

class MemoryTest : public testing::OpenMachine {
 protected:
  // The flags of the next ALLOC_MEMORY_OF_GPU.
  uint32_t flags_of(MemoryKind kind, uint64_t size_bytes) {
    uint32_t flags = 0;
    fake_.on_ioctl = [&flags](unsigned long request, void* argument) -> std::optional<int> {
      if (request == uapi::kAllocMemory) flags = static_cast<uapi::AllocMemoryArgs*>(argument)->flags;
      return std::nullopt;
    };
    EXPECT_TRUE(Allocation::create(*gpu_, {.kind = kind, .size_bytes = size_bytes}).is_ok());
    fake_.on_ioctl = nullptr;
    return flags;
  }
};

TEST_F(MemoryTest, FlagsAreThoseThatTheRocmRuntimeUses) {
  EXPECT_EQ(flags_of(MemoryKind::kVram, 4096), 0xd0000001u);
  EXPECT_EQ(flags_of(MemoryKind::kVramHostVisible, 4096), 0xf0000001u);
  EXPECT_EQ(flags_of(MemoryKind::kGtt, 4096), 0xd6000002u);
  EXPECT_EQ(flags_of(MemoryKind::kUserptr, 4096), 0xd6000004u);
  EXPECT_EQ(flags_of(MemoryKind::kDoorbell, uapi::kDoorbellAreaBytes), 0x94000008u);
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, HostAndGpuUseTheSameAddress) {
  for (MemoryKind kind : {MemoryKind::kVramHostVisible, MemoryKind::kGtt, MemoryKind::kUserptr}) {
    Allocation memory = Allocation::create(*gpu_, {.kind = kind, .size_bytes = 5000}).value();
    EXPECT_EQ(memory.size_bytes(), 8192u);
    EXPECT_EQ(memory.host().size(), 8192u);
    EXPECT_EQ(reinterpret_cast<uint64_t>(memory.host_data()), memory.gpu_address().value);
    memory.host()[8191] = std::byte{1};
    EXPECT_TRUE(memory.free().is_ok());
    EXPECT_FALSE(memory.is_valid());
  }
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, VramHasNoHostPointer) {
  Allocation memory = Allocation::create(*gpu_, {.kind = MemoryKind::kVram, .size_bytes = 1}).value();
  EXPECT_TRUE(memory.host().empty());
  EXPECT_NE(memory.gpu_address().value, 0u);
}

TEST_F(MemoryTest, AlignsTheAddressAndGivesTheSlackBack) {
  {
    constexpr uint64_t kTwoMiB = 2 << 20;
    std::vector<Allocation> live;  // of odd sizes, so that the ranges that the system offers begin anywhere
    for (uint64_t pages = 1; pages < 9; ++pages) {
      live.push_back(Allocation::create(*gpu_, {.kind = pages % 2 == 0 ? MemoryKind::kVram : MemoryKind::kUserptr,
                                                .size_bytes = pages * kPageBytes,
                                                .alignment_bytes = kTwoMiB})
                         .value());
      EXPECT_TRUE(is_aligned(live.back().gpu_address().value, kTwoMiB));
    }
  }
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, TakesMemoryOfTheCallerAndLeavesItMapped) {
  void* pages = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(pages, MAP_FAILED);
  {
    Allocation memory =
        Allocation::create(*gpu_, {.kind = MemoryKind::kUserptr, .size_bytes = 8192, .userptr = pages}).value();
    EXPECT_EQ(static_cast<void*>(memory.host_data()), pages);
  }
  *static_cast<char*>(pages) = 1;
  auto odd = static_cast<char*>(pages) + 16;
  EXPECT_EQ(
      Allocation::create(*gpu_, {.kind = MemoryKind::kUserptr, .size_bytes = 4096, .userptr = odd}).status().code(),
      StatusCode::kInvalidArgument);
  EXPECT_EQ(Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096, .userptr = pages}).status().code(),
            StatusCode::kInvalidArgument);
  ::munmap(pages, 8192);
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, RefusesSizesAndAlignmentsThatCannotBe) {
  for (MemoryRequest request :
       {MemoryRequest{.size_bytes = 0}, MemoryRequest{.size_bytes = ~uint64_t{0}},
        MemoryRequest{.size_bytes = 1, .alignment_bytes = 3}, MemoryRequest{.size_bytes = 1, .alignment_bytes = 0}}) {
    EXPECT_EQ(Allocation::create(*gpu_, request).status().code(), StatusCode::kInvalidArgument);
  }
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, SaysWhatToDoWhenTheDriverRefuses) {
  int refusal = -ENOMEM;
  fake_.on_ioctl = [&refusal](unsigned long request, void*) -> std::optional<int> {
    if (request == uapi::kAllocMemory) return refusal;
    return std::nullopt;
  };
  Status full = Allocation::create(*gpu_, {.kind = MemoryKind::kVram, .size_bytes = 4096}).status();
  EXPECT_EQ(full.code(), StatusCode::kOutOfMemory);
  EXPECT_EQ(full.sys_errno(), ENOMEM);
  EXPECT_THAT(full.message(), HasSubstr("allocating 4096 bytes of vram"));
  EXPECT_THAT(full.message(), HasSubstr("on gpu 1001: cannot allocate memory (device memory is exhausted"));
  refusal = -EINVAL;
  Status bar = Allocation::create(*gpu_, {.kind = MemoryKind::kVramHostVisible, .size_bytes = 4096}).status();
  EXPECT_THAT(bar.message(), HasSubstr("invalid argument (is resizable BAR enabled"));
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, MapsToSeveralGpusAtOnceOrLater) {
  Gpu* peers[] = {second_.get()};
  {
    Allocation both = Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096}, peers).value();
    Allocation later = Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096}).value();
    EXPECT_TRUE(later.map_to(peers).is_ok());
    EXPECT_TRUE(later.map_to(peers).is_ok());  // is mapped already
  }
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, UndoesAMappingThatOneOfSeveralGpusRefuses) {
  Gpu* peers[] = {second_.get()};
  fake_.refusing_gpu_ids = {second_->id()};
  Status refused = Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096}, peers).status();
  EXPECT_EQ(refused.sys_errno(), ENOMEM);
  EXPECT_THAT(refused.message(), HasSubstr("gpu 1002: mapping 4096 bytes of gtt"));
  fake_.refusal = 0;  // a driver that reports success and a smaller count
  Status silent = Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096}, peers).status();
  EXPECT_EQ(silent.code(), StatusCode::kIo);
  EXPECT_THAT(silent.message(), HasSubstr("success for 1 of 2 gpus"));
  {
    Allocation memory = Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096}).value();
    EXPECT_FALSE(memory.map_to(peers).is_ok());
    EXPECT_TRUE(memory.free().is_ok());  // the mapping to the first GPU is as it was
  }
  close_and_expect_no_leaks();
}

TEST_F(MemoryTest, MovesAndReplacesWithoutLeaks) {
  {
    Allocation first = Allocation::create(*gpu_, {.kind = MemoryKind::kGtt, .size_bytes = 4096}).value();
    Allocation second = Allocation::create(*gpu_, {.kind = MemoryKind::kVram, .size_bytes = 4096}).value();
    const uint64_t handle = second.handle();
    first = std::move(second);
    EXPECT_EQ(first.handle(), handle);
    EXPECT_FALSE(second.is_valid());  // NOLINT: what a moved-from allocation is
    EXPECT_TRUE(second.free().is_ok());
  }
  close_and_expect_no_leaks();
}

}  // namespace
}  // namespace bw::kfd
