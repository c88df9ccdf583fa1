// Deadlines of submissions, devices that hang, and what goes on after Device::recover().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>

#include "amdgpu/device.h"
#include "amdgpu/testing/fake_gpu.h"
#include "base/mapped_file.h"

namespace bw::amdgpu {
namespace {

using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr uint64_t kMs = 1'000'000;

class WatchdogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    // No spinning: the fake GPU works only while the runtime sleeps.
    device_ = Device::open(gpu_.driver(), {.wait_timeout_ns = 50 * kMs, .spin_ns = 0}).value();
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco").value();
    module_ = device_->load(file.bytes()).value();
    add_one_ = module_->kernel("add_one").value();
  }
  void TearDown() override { EXPECT_EQ(gpu_.complaint(), ""); }

  CommandBuffer chain(uint32_t count) {
    CommandRecorder recorder = device_->record();
    for (uint32_t i = 0; i < count; ++i) {
      recorder.dispatch(*add_one_, {1, 1, 1}, {32, 1, 1}, kArguments);
      recorder.barrier();
    }
    return recorder.finish().value();
  }

  const std::vector<std::byte> kArguments{16};
  testing::FakeGpu gpu_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  const Kernel* add_one_ = nullptr;
};

TEST_F(WatchdogTest, ADeadlineThatPassesNamesTheKernel) {
  gpu_.stop_before_dispatch = 1;
  const Submission submission = device_->submit(chain(3)).value();
  ASSERT_TRUE(device_->set_deadline(submission, 5 * kMs).is_ok());
  gpu_.wait_takes_ns = kMs;
  const auto begin = steady_clock::now();
  const Status status = device_->wait(submission, 60'000 * kMs);
  EXPECT_EQ(status.code(), StatusCode::kTimeout);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("submission 1 of the compute queue has not ended 5 ms after it could"),
                                      HasSubstr("kernel add_one (dispatch 2 of 3)")));
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(30));
  // Once; then the time-out without progress is what ends a wait.
  EXPECT_TRUE(device_->check_deadlines().is_ok());
  EXPECT_THAT(device_->wait(submission, 2 * kMs).message(), HasSubstr("no progress for 2 ms"));
}

// A queue that makes progress for ever would never time out.
TEST_F(WatchdogTest, ADeadlineIsPassedInSpiteOfProgress) {
  gpu_.submissions_per_wait = 1;
  gpu_.wait_takes_ns = 2 * kMs;
  const CommandBuffer commands = chain(1);
  const Submission first = device_->submit(commands).value();
  Submission last = first;
  for (int i = 0; i < 20; ++i) last = device_->submit(commands).value();
  // All before it end in time, and it ends 2 ms after them, although that is far more than 20 ms from now.
  ASSERT_TRUE(device_->set_deadline(last, 20 * kMs).is_ok());
  EXPECT_TRUE(device_->wait(last).is_ok());

  gpu_.stop_before_dispatch = gpu_.dispatch_count() + 3;
  for (int i = 0; i < 20; ++i) last = device_->submit(commands).value();
  ASSERT_TRUE(device_->set_deadline({last.queue, last.value - 16}, 1).is_ok());
  // Whoever waits for another submission hears of it too.
  EXPECT_THAT(device_->wait(last).message(), HasSubstr("submission 25 of the compute queue has not ended 0 ms"));
}

TEST_F(WatchdogTest, DeadlinesOfWhatHasEndedAreForgotten) {
  const Submission done = device_->submit(chain(1)).value();
  ASSERT_TRUE(device_->set_deadline(done, 0).code() == StatusCode::kTimeout);
  ASSERT_TRUE(device_->wait(done).is_ok());
  EXPECT_TRUE(device_->set_deadline(done, 0).is_ok());
  EXPECT_TRUE(device_->check_deadlines().is_ok());
  EXPECT_EQ(device_->set_deadline({QueueName::kCompute, 2}, 1).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(device_->set_deadline({QueueName::kSdma2, 0}, 1).is_ok());
}

TEST_F(WatchdogTest, TenThousandReplaysOnADeviceThatHangsWaitOnce) {
  GraphRecorder recorder = device_->record_graph();
  recorder.launch({.kernel = add_one_, .arguments = kArguments, .uses = {}});
  CommandGraph graph = recorder.finish().value();
  gpu_.stop_before_dispatch = 0;
  const auto begin = steady_clock::now();
  int refused = 0;
  Status last;
  for (int i = 0; i < 10'000; ++i) {
    last = device_->submit(graph).status();
    refused += last.is_ok() ? 0 : 1;
  }
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));  // a wait for each would take minutes
  EXPECT_GT(refused, 5'000);
  EXPECT_EQ(last.code(), StatusCode::kTimeout);
  EXPECT_THAT(last.message(), AllOf(HasSubstr("it hangs with earlier work"), HasSubstr("add_one")));

  gpu_.stop_before_dispatch.reset();
  ASSERT_TRUE(device_->recover().is_ok());
  const Submission next = device_->submit(graph).value();
  EXPECT_TRUE(device_->wait(next).is_ok());
  EXPECT_EQ(gpu_.dispatch_count(), 1u);
}

TEST_F(WatchdogTest, TenThousandDirectDispatchesOnADeviceThatHangsWaitOnce) {
  const DirectDispatch dispatch = device_->prepare_dispatch(*add_one_, {1, 1, 1}, {32, 1, 1}).value();
  const std::vector<std::byte> arguments(dispatch.argument_bytes());
  gpu_.stop_before_dispatch = 0;
  const auto begin = steady_clock::now();
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) refused += device_->submit(dispatch, arguments).is_ok() ? 0 : 1;
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_GT(refused, 9'000);
}

TEST_F(WatchdogTest, TenThousandSeriesOnADeviceThatHangsWaitOnce) {
  GraphRecorder recorder = device_->record_graph();
  recorder.launch({.kernel = add_one_, .arguments = kArguments, .uses = {}});
  CommandGraph graph = recorder.finish().value();
  ReplaySeries series = device_->make_series(8).value();
  gpu_.stop_before_dispatch = 0;
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(device_->append(series, graph, {}).is_ok());
  ASSERT_TRUE(device_->submit(series).is_ok());
  const auto begin = steady_clock::now();
  for (int i = 0; i < 10'000; ++i) {
    const Status status = device_->append(series, graph, {});
    ASSERT_EQ(status.code(), StatusCode::kTimeout);
    ASSERT_THAT(status.message(), HasSubstr("add_one"));
  }
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(series.size(), 8u);

  gpu_.stop_before_dispatch.reset();
  ASSERT_TRUE(device_->recover().is_ok());
  ASSERT_TRUE(device_->append(series, graph, {}).is_ok());
  EXPECT_TRUE(device_->wait(device_->submit(series).value()).is_ok());
  EXPECT_EQ(gpu_.dispatch_count(), 1u);
}

// The packets that would have changed the parameter were still in the ring of the queue that has gone.
TEST_F(WatchdogTest, AGraphKeepsItsParametersOverRecovery) {
  GraphRecorder recorder = device_->record_graph();
  const ParameterId groups = recorder.parameter(4, 1, 1);
  const ParameterUse uses[] = {{groups, ParameterUse::Place::kWorkgroupCount, 0}};
  recorder.launch({.kernel = add_one_, .arguments = kArguments, .uses = {}, .parameters = uses});
  CommandGraph graph = recorder.finish().value();
  gpu_.stop_before_dispatch = 0;
  ASSERT_TRUE(device_->submit(graph).is_ok());
  ASSERT_TRUE(graph.set(groups, 7).is_ok());
  const Submission stuck = device_->submit(graph).value();
  EXPECT_EQ(device_->wait(stuck).code(), StatusCode::kTimeout);

  gpu_.stop_before_dispatch.reset();
  std::vector<uint32_t> seen;
  gpu_.on_dispatch = [&](const testing::FakeGpu::Dispatch& dispatch) { seen.push_back(dispatch.workgroup_count[0]); };
  ASSERT_TRUE(device_->recover().is_ok());
  EXPECT_TRUE(device_->is_done(stuck));
  ASSERT_TRUE(device_->wait(device_->submit(graph).value()).is_ok());
  EXPECT_THAT(seen, ElementsAre(7));
}

TEST_F(WatchdogTest, ARecordingThatNeverEndsIsRefused) {
  const Buffer buffer = device_->allocate(MemoryKind::kVram, 64).value();
  CommandRecorder recorder = device_->record();
  for (uint32_t i = 0; i <= CommandRecorder::kMostCommands; ++i) recorder.fill(buffer.gpu_addr(), 4, i);
  const Status status = recorder.finish().status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("at most 1048576"));
}

}  // namespace
}  // namespace bw::amdgpu
