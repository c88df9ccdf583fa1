#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "amdgpu/device.h"
#include "amdgpu/testing/fake_gpu.h"
#include "base/mapped_file.h"

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// No spinning: the fake GPU works only while the runtime sleeps.
const DeviceOptions kOptions{.wait_timeout_ns = 5'000'000, .spin_ns = 0};

struct Arguments {
  uint64_t first = 0;
  uint64_t second = 0;
};

std::span<const std::byte> bytes_of(const Arguments& arguments) {
  return std::as_bytes(std::span(&arguments, 1));
}

class GraphTest : public ::testing::Test {
 protected:
  void SetUp() override {
    device_ = Device::open(gpu_.driver(), kOptions).value();
    auto file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
    module_ = device_->load(file.value().bytes()).value();
    kernel_ = module_->kernel("add_one").value();
    for (Buffer& buffer : buffers_) buffer = device_->allocate(MemoryKind::kVram, 4096).value();
    gpu_.on_dispatch = [this](const auto& dispatch) {
      Arguments arguments;
      std::memcpy(
          &arguments,
          reinterpret_cast<const void*>(dispatch.registers.at(0x2e40) | uint64_t{dispatch.registers.at(0x2e41)} << 32),
          sizeof arguments);
      seen_.push_back(arguments.first);
      seconds_.push_back(arguments.second);
      counts_.push_back(dispatch.workgroup_count);
      entries_.push_back(dispatch.registers.at(0x2e0c) | uint64_t{dispatch.registers.at(0x2e0d)} << 32);
    };
  }
  void TearDown() override { EXPECT_EQ(gpu_.complaint(), ""); }

  // A node that is known by `name`, reads and writes those buffers.
  void node(GraphRecorder& recorder, uint64_t name, std::vector<int> reads, std::vector<int> writes) {
    std::vector<BufferUse> uses;
    for (int i : reads) uses.push_back({&buffers_[i], Access::kRead});
    for (int i : writes) uses.push_back({&buffers_[i], Access::kWrite});
    const Arguments arguments{name, 0};
    recorder.launch({.kernel = kernel_, .arguments = bytes_of(arguments), .uses = uses});
  }

  void run(CommandGraph& graph) {
    auto submitted = device_->submit(graph);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    ASSERT_TRUE(device_->wait(submitted.value()).is_ok());
  }

  testing::FakeGpu gpu_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  const Kernel* kernel_ = nullptr;
  Buffer buffers_[6];
  std::vector<uint64_t> seen_;
  std::vector<uint64_t> seconds_;
  std::vector<Dim3> counts_;
  std::vector<uint64_t> entries_;
};

TEST_F(GraphTest, IndependentChainsShareTheirBarriers) {
  GraphRecorder recorder = device_->record_graph();
  node(recorder, 10, {0}, {1});
  node(recorder, 11, {1}, {2});
  node(recorder, 20, {0}, {3});
  node(recorder, 21, {3}, {4});
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.node_count(), 4u);
  EXPECT_EQ(graph.level_count(), 2u);
  // Their waves fit on the card at once, so each of the second level invalidates for itself.
  EXPECT_EQ(graph.acquire_count(), 0u);
  EXPECT_EQ(graph.acquiring_kernel_count(), 2u);
  run(graph);
  EXPECT_THAT(seen_, ElementsAre(10, 20, 11, 21));
  const auto plain = kernel_->entry.value >> 8;
  const auto acquiring = kernel_->acquiring_entry->value >> 8;
  EXPECT_THAT(entries_, ElementsAre(plain, plain, acquiring, acquiring));
}

TEST_F(GraphTest, WhereWavesFollowEachOtherAPacketInvalidates) {
  for (const bool is_patched : {false, true}) {
    GraphRecorder recorder = device_->record_graph();
    node(recorder, 1, {0}, {1});
    const BufferUse uses[] = {{&buffers_[1], Access::kRead}};
    const Arguments arguments;
    const ParameterUse count[] = {{recorder.parameter(4, 1, 1, 1u << 20), ParameterUse::Place::kWorkgroupCount, 1}};
    recorder.launch({.kernel = kernel_,
                     .workgroup_count = {is_patched ? 1 : 4000u, 1, 1},
                     .workgroup_size = {32, 1, 1},
                     .arguments = bytes_of(arguments),
                     .uses = uses,
                     .parameters = std::span(count).first(is_patched ? 1 : 0)});
    CommandGraph graph = recorder.finish().value();
    EXPECT_EQ(graph.acquire_count(), 1u);
    EXPECT_EQ(graph.acquiring_kernel_count(), 0u);
  }
}

TEST_F(GraphTest, OverwritingWaitsButInvalidatesNothing) {
  GraphRecorder recorder = device_->record_graph();
  node(recorder, 1, {0}, {1});
  node(recorder, 2, {2}, {0});
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.level_count(), 2u);
  EXPECT_EQ(graph.acquire_count(), 0u);
  EXPECT_EQ(graph.acquiring_kernel_count(), 0u);
}

TEST_F(GraphTest, ABarrierOrdersWhatSharesNothing) {
  GraphRecorder recorder = device_->record_graph();
  node(recorder, 1, {}, {0});
  recorder.barrier();
  node(recorder, 2, {}, {1});
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.level_count(), 2u);
}

TEST_F(GraphTest, ReplaysQueuedBackToBackEachHaveTheirValues) {
  GraphRecorder recorder = device_->record_graph();
  const ParameterId scalar = recorder.parameter(4, 7, 0, 100);
  const ParameterId size = recorder.parameter(4, 3, 1, 64);
  const ParameterId wide = recorder.parameter(8, 1ull << 40);
  const Arguments arguments;
  const ParameterUse uses[] = {{scalar, ParameterUse::Place::kArgument, 0},
                               {size, ParameterUse::Place::kWorkgroupCount, 1},
                               {wide, ParameterUse::Place::kArgument, 8}};
  recorder.launch({.kernel = kernel_, .arguments = bytes_of(arguments), .uses = {}, .parameters = uses});
  CommandGraph graph = recorder.finish().value();
  // Nothing of this has run before the wait.
  Submission last = device_->submit(graph).value();
  for (uint64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(graph.set(scalar, i).is_ok());
    ASSERT_TRUE(graph.set(size, i + 10).is_ok());
    ASSERT_TRUE(graph.set(wide, i << 33).is_ok());
    last = device_->submit(graph).value();
  }
  last = device_->submit(graph).value();
  ASSERT_TRUE(device_->wait(last).is_ok());
  EXPECT_THAT(seen_, ElementsAre(7, 0, 1, 2, 3, 4, 4));
  EXPECT_THAT(seconds_, ElementsAre(1ull << 40, 0, 1ull << 33, 2ull << 33, 3ull << 33, 4ull << 33, 4ull << 33));
  EXPECT_EQ(counts_[0], (Dim3{1, 3, 1}));
  EXPECT_EQ(counts_[6], (Dim3{1, 14, 1}));
}

TEST_F(GraphTest, ParametersHaveBounds) {
  GraphRecorder recorder = device_->record_graph();
  const ParameterId scalar = recorder.parameter(4, 7, 5, 9);
  const ParameterId pointer = recorder.pointer(4096);
  const Arguments arguments;
  const ParameterUse uses[] = {{scalar, ParameterUse::Place::kArgument, 0},
                               {pointer, ParameterUse::Place::kArgument, 8}};
  const BufferUse fixed[] = {{&buffers_[0], Access::kRead}};
  const KernelLaunch::PointerUse pointers[] = {{pointer, Access::kWrite}};
  recorder.launch(
      {.kernel = kernel_, .arguments = bytes_of(arguments), .uses = fixed, .pointers = pointers, .parameters = uses});
  CommandGraph graph = recorder.finish().value();
  EXPECT_THAT(device_->submit(graph).status().message(), HasSubstr("1 pointer parameters that were not set"));
  EXPECT_THAT(graph.set(scalar, 10).message(), HasSubstr("to 10: it goes from 5 to 9"));
  EXPECT_THAT(graph.set(scalar, 4).message(), HasSubstr("it goes from 5 to 9"));
  EXPECT_THAT(graph.set(pointer, 5).message(), HasSubstr("no such number"));
  EXPECT_THAT(graph.set(ParameterId{9}, 5).message(), HasSubstr("no such number"));
  EXPECT_THAT(graph.set(pointer, buffers_[1], 1).message(), HasSubstr("it needs 4096 bytes"));
  EXPECT_THAT(graph.set(pointer, buffers_[0]).message(), HasSubstr("which the graph uses otherwise"));
  ASSERT_TRUE(graph.set(pointer, buffers_[1]).is_ok());
  run(graph);
  ASSERT_TRUE(graph.set(pointer, buffers_[2]).is_ok());
  run(graph);
  EXPECT_THAT(seconds_, ElementsAre(buffers_[1].gpu_addr().value, buffers_[2].gpu_addr().value));
}

TEST_F(GraphTest, BuffersOfAGraphAreNotFreed) {
  std::optional<CommandGraph> graph;
  {
    GraphRecorder recorder = device_->record_graph();
    node(recorder, 1, {0}, {1});
    graph = recorder.finish().value();
  }
  const GpuAddr address = buffers_[0].gpu_addr();
  EXPECT_THAT(buffers_[0].free().message(), HasSubstr("command graphs refer to it"));
  EXPECT_EQ(buffers_[0].gpu_addr(), address);
  // Dropped all the same, its memory stays until the graph has gone.
  buffers_[0] = Buffer();
  EXPECT_NE(device_->allocate(MemoryKind::kVram, 4096).value().gpu_addr(), address);
  graph.reset();
  EXPECT_EQ(device_->allocate(MemoryKind::kVram, 4096).value().gpu_addr(), address);
  EXPECT_TRUE(buffers_[1].free().is_ok());
}

TEST_F(GraphTest, MoreThanAnIndirectBufferHoldsIsChained) {
  GraphRecorder recorder = device_->record_graph({.chunk_dwords = 100});
  std::vector<uint64_t> names;
  const ParameterId size = recorder.parameter(4, 1);
  for (uint64_t i = 0; i < 50; ++i) {
    const Arguments arguments{i, 0};
    const BufferUse uses[] = {{&buffers_[0], Access::kReadWrite}};
    const ParameterUse parameters[] = {{size, ParameterUse::Place::kWorkgroupCount, 2}};
    recorder.launch({.kernel = kernel_, .arguments = bytes_of(arguments), .uses = uses, .parameters = parameters});
    names.push_back(i);
  }
  CommandGraph graph = recorder.finish().value();
  ASSERT_TRUE(graph.set(size, 5).is_ok());
  run(graph);
  EXPECT_EQ(seen_, names);
  // Patched in whichever buffer they ended up.
  EXPECT_THAT(counts_, ::testing::Each(Dim3{1, 1, 5}));
}

TEST_F(GraphTest, CopiesAndFillsAreNodes) {
  Buffer host = device_->allocate(MemoryKind::kGtt, 4096).value();
  GraphRecorder recorder = device_->record_graph();
  recorder.fill({&buffers_[0], Access::kWrite, 16, 64}, 0xabcd1234);
  recorder.copy({&host, Access::kWrite, 0, 128}, {&buffers_[0], Access::kRead, 0, 128});
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.level_count(), 2u);
  run(graph);
  uint32_t word = 0;
  std::memcpy(&word, host.host().data() + 76, sizeof word);
  EXPECT_EQ(word, 0xabcd1234u);
}

TEST_F(GraphTest, TimestampsTellOfEachNode) {
  GraphRecorder recorder = device_->record_graph({.has_timestamps = true});
  node(recorder, 1, {}, {0});
  recorder.fill({&buffers_[1], Access::kWrite, 0, 64}, 0);
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.level_count(), 1u);
  run(graph);
  const std::vector<NodeTiming> timings = graph.timings();
  ASSERT_EQ(timings.size(), 2u);
  EXPECT_EQ(timings[0].name, "add_one");
  EXPECT_EQ(timings[1].name, "fill");
  for (const NodeTiming& timing : timings) {
    EXPECT_GT(timing.start_ticks, 0u);
    EXPECT_GE(timing.end_ticks, timing.start_ticks);
  }
}

TEST_F(GraphTest, RunsOnTheSecondQueueToo) {
  GraphRecorder recorder = device_->record_graph();
  node(recorder, 1, {}, {0});
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(gpu_.queues().size(), 2u);
  const Submission done = device_->submit(graph, {}, QueueName::kCompute2).value();
  EXPECT_EQ(gpu_.queues().size(), 3u);
  ASSERT_TRUE(device_->wait(done).is_ok());
  EXPECT_THAT(seen_, ElementsAre(1));
}

TEST_F(GraphTest, TenThousandReplaysFitNoRingAndAllRun) {
  GraphRecorder recorder = device_->record_graph();
  node(recorder, 1, {}, {0});
  CommandGraph graph = recorder.finish().value();
  Submission last;
  for (int i = 0; i < 10'000; ++i) {
    auto submitted = device_->submit(graph);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    last = submitted.value();
  }
  ASSERT_TRUE(device_->wait(last).is_ok());
  EXPECT_EQ(seen_.size(), 10'000u);
}

TEST_F(GraphTest, ReplayAfterAFaultIsItsReport) {
  GraphRecorder recorder = device_->record_graph();
  const ParameterId scalar = recorder.parameter(4, 1);
  const Arguments arguments;
  const ParameterUse uses[] = {{scalar, ParameterUse::Place::kArgument, 0}};
  recorder.launch({.kernel = kernel_, .arguments = bytes_of(arguments), .uses = {}, .parameters = uses});
  CommandGraph graph = recorder.finish().value();
  gpu_.stop_before_dispatch = 0;
  gpu_.fault_address = 0x7000;
  const Status fault = device_->wait(device_->submit(graph).value());
  EXPECT_EQ(fault.code(), StatusCode::kDeviceFault);
  ASSERT_TRUE(graph.set(scalar, 2).is_ok());
  EXPECT_EQ(device_->submit(graph).status().message(), fault.message());
  // The change that could not be sent is not lost.
  gpu_.stop_before_dispatch.reset();
  gpu_.fault_address.reset();
  ASSERT_TRUE(device_->recover().is_ok());
  run(graph);
  EXPECT_THAT(seen_, ElementsAre(2));
}

TEST_F(GraphTest, RecordingRefusesWhatCannotBe) {
  const auto message = [&](const std::function<void(GraphRecorder&)>& record) {
    GraphRecorder recorder = device_->record_graph();
    record(recorder);
    return recorder.finish().status().message();
  };
  const BufferUse whole{&buffers_[0], Access::kWrite};
  EXPECT_THAT(message([&](auto& r) {
                r.fill({&buffers_[0], Access::kWrite, 4000, 100}, 0);
              }),
              HasSubstr("recording node 1: it uses 100 bytes at offset 4000 of a buffer of 4096"));
  EXPECT_THAT(message([&](auto& r) {
                r.copy(whole, {&buffers_[1], Access::kRead, 0, 8});
              }),
              HasSubstr("it copies 8 bytes to 4096 bytes"));
  EXPECT_THAT(message([&](auto& r) {
                r.copy({&buffers_[0], Access::kWrite, 0, 8}, {&buffers_[0], Access::kRead, 4, 8});
              }),
              HasSubstr("overlaps"));
  const Buffer none;
  EXPECT_THAT(message([&](auto& r) { r.fill({&none, Access::kWrite}, 0); }), HasSubstr("no memory"));
  EXPECT_THAT(message([&](auto& r) { r.parameter(4, 5, 6, 7); }), HasSubstr("goes from 6 to 7"));
  EXPECT_THAT(message([&](auto& r) { r.parameter(3, 5); }), HasSubstr("of 3 bytes"));
  const Arguments arguments;
  const auto with_use = [&](ParameterUse use) {
    return message([&](auto& r) {
      r.parameter(8, 5);
      const ParameterUse uses[] = {use};
      r.launch({.kernel = kernel_, .arguments = bytes_of(arguments), .uses = {}, .parameters = uses});
    });
  };
  EXPECT_THAT(with_use({ParameterId{3}}), HasSubstr("parameter 3 of 1"));
  EXPECT_THAT(with_use({ParameterId{0}, ParameterUse::Place::kArgument, 12}), HasSubstr("at offset 12 of 16 bytes"));
  EXPECT_THAT(with_use({ParameterId{0}, ParameterUse::Place::kWorkgroupCount, 0}), HasSubstr("along axis 0"));
}

}  // namespace
}  // namespace bw::amdgpu
