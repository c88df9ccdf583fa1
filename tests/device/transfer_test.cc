// Transfers beside kernels and beside one another: what they wait for and what not, on the emulated card. The kernels
// that never end hold their queues, so that whatever waits for one of them shows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using amdgpu::Access;
using amdgpu::Buffer;
using amdgpu::CommandGraph;
using amdgpu::MemoryKind;
using amdgpu::QueueName;
using amdgpu::Submission;

// Several times the staging memory, and no whole number of its parts.
constexpr size_t kSizeBytes = (size_t{17} << 20) + 12345;

std::vector<std::byte> pattern(uint32_t seed, size_t size_bytes = kSizeBytes) {
  std::vector<std::byte> bytes(size_bytes);
  uint32_t state = seed;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

class Transfers : public ::testing::Test {
 protected:
  // The machine that tests may be busy: what ends is given time.
  explicit Transfers(uint64_t wait_timeout_ns = 100'000'000'000) {
    emulator::EmulatedOptions options;
    options.worker_threads = 2;
    options.strictness = emulator::Strictness::kOn;
    driver_ = emulator::EmulatedDriver::create(std::move(options)).value();
    device_ = amdgpu::Device::open(*driver_, {.wait_timeout_ns = wait_timeout_ns}).value();
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/endless.hsaco").value();
    module_ = device_->load(file.bytes()).value();
  }

  Buffer vram(size_t size_bytes = kSizeBytes) { return device_->allocate(MemoryKind::kVram, size_bytes).value(); }
  // A graph of one kernel that uses the buffer and never ends.
  CommandGraph endless(const Buffer& buffer, Access access) {
    auto recorder = device_->record_graph();
    const amdgpu::BufferUse uses[] = {{&buffer, access}};
    recorder.launch(
        {.kernel = module_->kernel("nap").value(), .workgroup_size = {64, 1, 1}, .arguments = {}, .uses = uses});
    return recorder.finish().value();
  }
  void expect_holds(const Buffer& buffer, const std::vector<std::byte>& data) {
    std::vector<std::byte> back(data.size());
    const Status status = device_->read(buffer, 0, back);
    ASSERT_TRUE(status.is_ok()) << status.message();
    EXPECT_TRUE(back == data);
  }

  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::unique_ptr<amdgpu::Device> device_;
  std::unique_ptr<amdgpu::CodeModule> module_;
};

// Transfers that wait for what never ends, for a while. What does end is small here, and takes much less.
class TransfersThatWait : public Transfers {
 protected:
  TransfersThatWait() : Transfers(1'000'000'000) {}
};

TEST_F(Transfers, DoNotWaitForKernelsThatUseOtherMemory) {
  const Buffer used = vram(), other = vram();
  CommandGraph graph = endless(used, Access::kReadWrite);
  const Submission running = device_->submit(graph).value();
  const auto data = pattern(1);
  ASSERT_TRUE(device_->write(other, 0, data).is_ok());
  expect_holds(other, data);
  ASSERT_TRUE(device_->fill(other, 0, 4096, 0).is_ok());
  EXPECT_FALSE(device_->is_done(running));
}

TEST_F(TransfersThatWait, ForKernelsThatUseTheirMemory) {
  const Buffer used = vram(4096), small = device_->allocate(MemoryKind::kVramHostVisible, 16).value();
  CommandGraph graph = endless(used, Access::kRead);
  const auto data = pattern(2, 4096);
  ASSERT_TRUE(device_->write(used, 0, data).is_ok());
  ASSERT_TRUE(device_->submit(graph).is_ok());
  expect_holds(used, data);  // reading what a kernel reads is no conflict
  EXPECT_EQ(device_->write(used, 0, data).code(), StatusCode::kTimeout);
  EXPECT_EQ(device_->fill(used, 0, 4096, 0).code(), StatusCode::kTimeout);

  ASSERT_TRUE(device_->recover().is_ok());
  CommandGraph writer = endless(small, Access::kWrite);
  ASSERT_TRUE(device_->submit(writer).is_ok());
  std::vector<std::byte> back(16);
  EXPECT_EQ(device_->read(small, 0, back).code(), StatusCode::kTimeout);
  EXPECT_EQ(device_->wait_for_users(small).code(), StatusCode::kTimeout);
  EXPECT_TRUE(device_->wait_for_users(used).is_ok());
}

// Memory that stands in for a pointer parameter counts for the replays that have it.
TEST_F(TransfersThatWait, ForWhatPointersStandFor) {
  const Buffer first = vram(1 << 16), second = vram(1 << 16), other = vram(1 << 16);
  auto recorder = device_->record_graph();
  const amdgpu::ParameterId pointer = recorder.pointer(1 << 16);
  const amdgpu::KernelLaunch::PointerUse uses[] = {{pointer, Access::kReadWrite}};
  recorder.launch({.kernel = module_->kernel("nap").value(),
                   .workgroup_size = {64, 1, 1},
                   .arguments = {},
                   .uses = {},
                   .pointers = uses});
  CommandGraph graph = recorder.finish().value();
  ASSERT_TRUE(graph.set(pointer, first).is_ok());
  ASSERT_TRUE(device_->submit(graph).is_ok());
  ASSERT_TRUE(graph.set(pointer, second).is_ok());
  const auto data = pattern(8, 1 << 16);
  ASSERT_TRUE(device_->write(other, 0, data).is_ok());
  expect_holds(other, data);
  ASSERT_TRUE(device_->write(second, 0, data).is_ok());  // no replay has it yet
  EXPECT_EQ(device_->fill(first, 0, 4096, 0).code(), StatusCode::kTimeout);
  ASSERT_TRUE(device_->submit(graph).is_ok());
  EXPECT_EQ(device_->fill(second, 0, 4096, 0).code(), StatusCode::kTimeout);
}

// Of a command buffer it is not known what its kernels use.
TEST_F(TransfersThatWait, ForWorkOfWhichNothingIsKnown) {
  const Buffer other = vram(4096);
  auto recorder = device_->record();
  recorder.dispatch(*module_->kernel("nap").value(), {1, 1, 1}, {64, 1, 1}, {});
  ASSERT_TRUE(device_->submit(recorder.finish().value()).is_ok());
  std::vector<std::byte> back(4096);
  EXPECT_EQ(device_->read(other, 0, back).code(), StatusCode::kTimeout);
}

// A series of replays reads and copies words beside what its graph uses.
TEST_F(TransfersThatWait, ForTheWordsOfASeries) {
  const Buffer used = vram(4096), word = vram(4096);
  CommandGraph graph = endless(used, Access::kRead);
  amdgpu::ReplaySeries series = device_->make_series(1).value();
  ASSERT_TRUE(device_->fill(word, 0, 4096, 1).is_ok());
  ASSERT_TRUE(device_->append(series, graph, {.condition = &word}).is_ok());
  ASSERT_TRUE(device_->submit(series).is_ok());
  EXPECT_EQ(device_->fill(word, 0, 4096, 0).code(), StatusCode::kTimeout);
}

TEST_F(Transfers, GoBothWaysAtOnce) {
  const Buffer used = vram(), other = vram();
  const auto data = pattern(3);
  ASSERT_TRUE(device_->write(other, 0, data).is_ok());
  CommandGraph graph = endless(used, Access::kRead);
  ASSERT_TRUE(device_->submit(graph).is_ok());
  // The engine's queue towards the device waits for the kernel that reads what this overwrites.
  const auto first_part = std::span(data).first(1 << 20);
  const Submission upload = device_->upload(used, 0, first_part).value();
  expect_holds(other, data);
  EXPECT_FALSE(device_->is_done(upload));
}

TEST_F(Transfers, SubmissionsAfterAnUploadSeeIt) {
  const Buffer from = vram(), to = vram();
  auto recorder = device_->record_graph();
  recorder.copy({&to, Access::kWrite}, {&from, Access::kRead});
  CommandGraph graph = recorder.finish().value();
  for (uint32_t round = 0; round < 5; ++round) {
    auto data = pattern(10 + round);
    ASSERT_TRUE(device_->upload(from, 0, data).is_ok());
    const std::vector<std::byte> expected = data;
    std::ranges::fill(data, std::byte{0xee});  // it has been taken
    // The replay may run as soon as the upload has ended, and the next upload only when the replay has.
    ASSERT_TRUE(device_->submit(graph).is_ok());
    ASSERT_TRUE(device_->upload(from, 0, data).is_ok());
    expect_holds(to, expected);
    expect_holds(from, data);
  }
}

TEST_F(Transfers, SmallWritesDoNotOvertakeAnUpload) {
  const Buffer buffer = device_->allocate(MemoryKind::kVramHostVisible, kSizeBytes).value();
  auto data = pattern(4);
  ASSERT_TRUE(device_->upload(buffer, 0, data).is_ok());
  const auto tail = pattern(5, 100);
  ASSERT_TRUE(device_->write(buffer, kSizeBytes - 100, tail).is_ok());
  std::ranges::copy(tail, data.end() - 100);
  expect_holds(buffer, data);
}

// What a kernel computes on other memory does not wait for an upload that waits itself.
TEST_F(Transfers, ComputeOnOtherMemoryDoesNotWaitForAnUpload) {
  const Buffer used = vram(1 << 20), other = vram(1 << 20);
  CommandGraph graph = endless(used, Access::kRead);
  ASSERT_TRUE(device_->submit(graph).is_ok());
  const auto data = pattern(6, 1 << 20);
  ASSERT_TRUE(device_->upload(used, 0, data).is_ok());
  auto recorder = device_->record_graph();
  recorder.fill({&other, Access::kWrite}, 0x01010101);
  CommandGraph fill = recorder.finish().value();
  const Status status = device_->wait(device_->submit(fill, {}, QueueName::kCompute2).value());
  EXPECT_TRUE(status.is_ok()) << status.message();
  expect_holds(other, std::vector<std::byte>(1 << 20, std::byte{1}));
}

TEST_F(Transfers, PinnedMemoryGoesStraight) {
  const Buffer pinned = device_->allocate_host(kSizeBytes).value(), buffer = vram();
  const auto data = pattern(7);
  std::ranges::copy(data, pinned.host().begin());
  ASSERT_TRUE(device_->write(buffer, 0, pinned.host()).is_ok());
  expect_holds(buffer, data);
  std::ranges::fill(pinned.host(), std::byte{0});
  ASSERT_TRUE(device_->read(buffer, 0, pinned.host()).is_ok());
  EXPECT_TRUE(std::ranges::equal(pinned.host(), data));
}

}  // namespace
}  // namespace bw
