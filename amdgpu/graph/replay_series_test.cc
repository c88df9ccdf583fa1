#include "amdgpu/graph/replay_series.h"

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

// No spinning: the fake GPU works only while the runtime sleeps in the driver.
const DeviceOptions kOptions{.wait_timeout_ns = 5'000'000, .spin_ns = 0, .compute_ring_size_bytes = 4096};

// A graph of one kernel with one argument, which the "kernel" writes to the result word. It writes 0 to the condition
// after the argument `last_`.
class ReplaySeriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    device_ = Device::open(gpu_.driver(), kOptions).value();
    auto file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
    module_ = device_->load(file.value().bytes()).value();
    condition_ = device_->allocate(MemoryKind::kGtt, 4).value();
    result_ = device_->allocate(MemoryKind::kGtt, 4).value();
    set(condition_, 1);
    gpu_.on_dispatch = [this](const auto& dispatch) {
      uint64_t argument = 0;
      std::memcpy(
          &argument,
          reinterpret_cast<const void*>(dispatch.registers.at(0x2e40) | uint64_t{dispatch.registers.at(0x2e41)} << 32),
          sizeof argument);
      seen_.push_back(argument);
      set(result_, static_cast<uint32_t>(argument + 1000));
      if (argument == last_) set(condition_, 0);
    };
    graph_ = make_graph();
  }
  void TearDown() override { EXPECT_EQ(gpu_.complaint(), ""); }

  static void set(Buffer& word, uint32_t value) { std::memcpy(word.host().data(), &value, sizeof value); }

  CommandGraph make_graph() {
    GraphRecorder recorder = device_->record_graph();
    parameter_ = recorder.parameter(8, 7);
    const uint64_t arguments[2] = {};
    const ParameterUse uses[] = {{parameter_, ParameterUse::Place::kArgument, 0}};
    recorder.launch({.kernel = module_->kernel("add_one").value(),
                     .arguments = std::as_bytes(std::span(arguments)),
                     .uses = {},
                     .parameters = uses});
    return recorder.finish().value();
  }

  Status append(uint64_t argument) {
    BW_RETURN_IF_ERROR(graph_.set(parameter_, argument));
    return device_->append(series_, graph_, {.condition = &condition_, .result = &result_});
  }
  // Lets the fake GPU work.
  void submit() {
    auto submitted = device_->submit(series_);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    ASSERT_TRUE(device_->wait(submitted.value()).is_ok());
  }

  testing::FakeGpu gpu_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  Buffer condition_;
  Buffer result_;
  ParameterId parameter_;
  CommandGraph graph_;
  ReplaySeries series_;
  uint64_t last_ = ~0ull;
  std::vector<uint64_t> seen_;
};

TEST_F(ReplaySeriesTest, EachReplayHasItsValuesAndItsResult) {
  series_ = device_->make_series(4).value();
  for (uint64_t i : {3, 1, 4}) ASSERT_TRUE(append(i).is_ok());
  submit();
  EXPECT_THAT(seen_, ElementsAre(3, 1, 4));
  for (size_t i = 0; i < 3; ++i) EXPECT_TRUE(device_->wait_replay(series_, i).value());
  EXPECT_EQ(series_.result(0), 1003u);
  EXPECT_EQ(series_.result(1), 1001u);
  EXPECT_EQ(series_.result(2), 1004u);
  EXPECT_THAT(device_->wait_replay(series_, 3).status().message(), HasSubstr("replay 3 of a series of 3"));
}

// What was left out has not set the parameters either: the next submission sends them again.
TEST_F(ReplaySeriesTest, TheRestIsLeftOutWhenTheConditionFalls) {
  series_ = device_->make_series(8).value();
  last_ = 11;
  for (uint64_t i = 10; i < 16; ++i) ASSERT_TRUE(append(i).is_ok());
  submit();
  EXPECT_THAT(seen_, ElementsAre(10, 11));
  EXPECT_TRUE(device_->wait_replay(series_, 1).value());
  EXPECT_FALSE(device_->wait_replay(series_, 2).value());
  EXPECT_FALSE(device_->wait_replay(series_, 5).value());

  ASSERT_TRUE(graph_.set(parameter_, 15).is_ok());
  ASSERT_TRUE(device_->wait(device_->submit(graph_).value()).is_ok());
  EXPECT_THAT(seen_, ElementsAre(10, 11, 15));

  set(condition_, 1);
  ASSERT_TRUE(append(20).is_ok());
  submit();
  EXPECT_EQ(series_.size(), 1u);
  EXPECT_TRUE(device_->wait_replay(series_, 0).value());
  EXPECT_EQ(series_.result(0), 1020u);
}

TEST_F(ReplaySeriesTest, TheRestIsLeftOutWhenTheHostCancels) {
  series_ = device_->make_series(8).value();
  const auto run = gpu_.on_dispatch;
  gpu_.on_dispatch = [&](const auto& dispatch) {
    run(dispatch);
    if (seen_.size() == 2) series_.cancel();
  };
  for (uint64_t i = 10; i < 16; ++i) ASSERT_TRUE(append(i).is_ok());
  submit();
  EXPECT_THAT(seen_, ElementsAre(10, 11));
  EXPECT_TRUE(device_->wait_replay(series_, 1).value());
  EXPECT_FALSE(device_->wait_replay(series_, 2).value());

  // What comes next is wanted, with or without a condition.
  ASSERT_TRUE(graph_.set(parameter_, 20).is_ok());
  ASSERT_TRUE(device_->append(series_, graph_, {}).is_ok());
  submit();
  EXPECT_THAT(seen_, ElementsAre(10, 11, 20));
}

TEST_F(ReplaySeriesTest, RefusesWhatIsNoSeriesOfOneGraphWithinTheRing) {
  EXPECT_THAT(device_->make_series(0).status().message(), HasSubstr("0 replays"));
  series_ = device_->make_series(2).value();
  EXPECT_THAT(device_->submit(series_).status().message(), HasSubstr("without replays"));
  ASSERT_TRUE(append(1).is_ok());
  CommandGraph other = make_graph();
  EXPECT_THAT(device_->append(series_, other, {}).message(), HasSubstr("of one graph"));
  ASSERT_TRUE(append(2).is_ok());
  EXPECT_THAT(append(3).message(), HasSubstr("replay 3 to a series for 2"));
  const Buffer none;
  EXPECT_THAT(device_->append(series_, graph_, {.condition = &none, .result = nullptr}).message(),
              HasSubstr("series for 2"));

  // A ring of 4 KiB takes some, and those run.
  series_ = device_->make_series(1000).value();
  EXPECT_THAT(device_->append(series_, graph_, {.condition = &none, .result = nullptr}).message(),
              HasSubstr("no memory"));
  size_t count = 0;
  Status status;
  while ((status = append(100 + count)).is_ok()) ++count;
  EXPECT_EQ(status.code(), StatusCode::kUnsupported) << status.message();
  ASSERT_GT(count, 2u);
  EXPECT_EQ(series_.size(), count);
  submit();
  EXPECT_EQ(seen_.size(), count);
  EXPECT_EQ(seen_.back(), 100 + count - 1);
}

TEST_F(ReplaySeriesTest, AGpuThatStopsIsReported) {
  series_ = device_->make_series(4).value();
  gpu_.stop_before_dispatch = 1;
  for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(append(i).is_ok());
  ASSERT_TRUE(device_->submit(series_).is_ok());
  EXPECT_TRUE(device_->wait_replay(series_, 0).value());
  const Status status = device_->wait_replay(series_, 1).status();
  EXPECT_EQ(status.code(), StatusCode::kTimeout) << status.message();
  EXPECT_THAT(status.message(), HasSubstr("add_one"));
}

}  // namespace
}  // namespace bw::amdgpu
