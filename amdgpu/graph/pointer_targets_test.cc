// What pointer parameters of graphs stand for: which submissions use it, and that it stays as long as they may.
#include "amdgpu/graph/pointer_targets.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "amdgpu/device.h"
#include "amdgpu/testing/graph_fixture.h"

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PointerTargets, BelongToTheSubmissionsBetweenTwoChanges) {
  PointerTargets targets;
  const AddressUse first{0x1000, 0x2000, Access::kRead}, second{0x5000, 0x6000, Access::kRead};
  const auto writes_first = AddressUse{0x1ffc, 0x2000, Access::kWrite};
  const auto writes_second = AddressUse{0x5000, 0x5001, Access::kWrite};
  targets.set(0, first, {}, {QueueName::kCompute, 3});
  EXPECT_FALSE(targets.conflicts_with(writes_first, {QueueName::kCompute, 3}));
  EXPECT_TRUE(targets.conflicts_with(writes_first, {QueueName::kCompute, 4}));
  EXPECT_FALSE(targets.conflicts_with({0x1000, 0x2000, Access::kRead}, {QueueName::kCompute, 4}));
  EXPECT_FALSE(targets.conflicts_with({0x2000, 0x3000, Access::kWrite}, {QueueName::kCompute, 4}));
  targets.set(0, second, {}, {QueueName::kCompute, 5});
  EXPECT_TRUE(targets.conflicts_with(writes_first, {QueueName::kCompute, 5}));
  EXPECT_FALSE(targets.conflicts_with(writes_second, {QueueName::kCompute, 5}));
  EXPECT_FALSE(targets.conflicts_with(writes_first, {QueueName::kCompute, 6}));
  EXPECT_TRUE(targets.conflicts_with(writes_second, {QueueName::kCompute, 6}));
  // Which of two submissions to different queues came first is not known.
  EXPECT_TRUE(targets.conflicts_with(writes_first, {QueueName::kCompute2, 1}));
  EXPECT_TRUE(targets.conflicts_with(writes_second, {QueueName::kCompute2, 1}));
  targets.was_ended({QueueName::kCompute, 5});
  EXPECT_FALSE(targets.conflicts_with(writes_first, {QueueName::kCompute2, 1}));
}

TEST(PointerTargets, OfASeriesBelongToItsSubmission) {
  PointerTargets targets;
  const auto writes_first = AddressUse{0x1000, 0x1001, Access::kWrite};
  targets.set(0, {0x1000, 0x2000, Access::kRead}, {}, {});
  targets.was_appended();
  targets.set(0, {0x5000, 0x6000, Access::kRead}, {}, {});
  targets.was_appended();
  targets.was_ended({QueueName::kCompute, 1});  // of another graph
  EXPECT_TRUE(targets.conflicts_with(writes_first, {QueueName::kCompute, 2}));
  targets.was_submitted({QueueName::kCompute, 2});
  EXPECT_TRUE(targets.conflicts_with(writes_first, {QueueName::kCompute, 2}));
  EXPECT_FALSE(targets.conflicts_with(writes_first, {QueueName::kCompute, 3}));
}

TEST(PointerTargets, OverlapMattersWhereOneIsWritten) {
  PointerTargets targets;
  targets.set(0, {0x1000, 0x2000, Access::kRead}, {}, {});
  targets.set(1, {0x1800, 0x2800, Access::kRead}, {}, {});
  EXPECT_FALSE(targets.find_overlap().has_value());
  targets.set(1, {0x1800, 0x2800, Access::kReadWrite}, {}, {});
  EXPECT_EQ(targets.find_overlap(), std::pair(0u, 1u));
  targets.set(1, {0x2000, 0x3000, Access::kReadWrite}, {}, {});
  EXPECT_FALSE(targets.find_overlap().has_value());
}

// Graphs of one kernel with two pointers: it reads through the first and writes through the second.
class PointersOfGraphs : public testing::GraphFixture {
 protected:
  PointersOfGraphs() : GraphFixture(4096) {}
  void SetUp() override {
    GraphFixture::SetUp();
    graph_ = record();
  }

  CommandGraph record() {
    GraphRecorder recorder = device_->record_graph();
    in_ = recorder.pointer(kBytes);
    out_ = recorder.pointer(kBytes);
    const std::vector<std::byte> arguments(16);
    const KernelLaunch::PointerUse pointers[] = {{in_, Access::kRead}, {out_, Access::kWrite}};
    const ParameterUse uses[] = {{in_, ParameterUse::Place::kArgument, 0}, {out_, ParameterUse::Place::kArgument, 8}};
    recorder.launch({.kernel = kernel_, .arguments = arguments, .uses = {}, .pointers = pointers, .parameters = uses});
    return recorder.finish().value();
  }
  Status set(int in, int out) {
    BW_RETURN_IF_ERROR(graph_->set(in_, buffers_[in]));
    return graph_->set(out_, buffers_[out]);
  }
  Submission submit() { return device_->submit(*graph_).value(); }
  // What the kernels read through, one after the other.
  std::vector<uint64_t> read() const {
    std::vector<uint64_t> read;
    for (const Arguments& arguments : seen_) read.push_back(arguments[0]);
    return read;
  }

  ParameterId in_;
  ParameterId out_;
  std::optional<CommandGraph> graph_;
};

TEST_F(PointersOfGraphs, StayWhileReplaysUseThem) {
  ASSERT_TRUE(set(0, 5).is_ok());
  const Submission first = submit();
  ASSERT_TRUE(set(1, 5).is_ok());
  ASSERT_TRUE(set(2, 5).is_ok());
  EXPECT_TRUE(buffers_[1].free().is_ok());  // nothing was submitted with it
  const Submission second = submit();
  EXPECT_THAT(buffers_[0].free().message(), HasSubstr("refer to it 1 times"));
  EXPECT_THAT(buffers_[2].free().message(), HasSubstr("refer to it 1 times"));
  ASSERT_TRUE(device_->wait(first).is_ok());
  ASSERT_TRUE(device_->wait(second).is_ok());
  EXPECT_THAT(read(), ElementsAre(address(0), address(2)));
  EXPECT_TRUE(buffers_[0].free().is_ok());
  EXPECT_FALSE(buffers_[2].free().is_ok());
  // Where all has ended a new address lets go of the old one.
  ASSERT_TRUE(set(3, 5).is_ok());
  EXPECT_TRUE(buffers_[2].free().is_ok());
}

TEST_F(PointersOfGraphs, MayNotOverlapWhereOneIsWritten) {
  ASSERT_TRUE(set(1, 1).is_ok());
  EXPECT_THAT(device_->submit(*graph_).status().message(), HasSubstr("parameters 0 and 1 overlap"));
  ReplaySeries series = device_->make_series(2).value();
  EXPECT_EQ(device_->append(series, *graph_, {}).code(), StatusCode::kInvalidArgument);
  // Two may be exchanged one after the other.
  ASSERT_TRUE(set(1, 2).is_ok());
  ASSERT_TRUE(device_->wait(submit()).is_ok());
  ASSERT_TRUE(set(2, 1).is_ok());
  ASSERT_TRUE(device_->wait(submit()).is_ok());
}

TEST_F(PointersOfGraphs, StayWhenTheGraphGoes) {
  ASSERT_TRUE(set(0, 1).is_ok());
  const Submission done = submit();
  graph_.reset();
  EXPECT_FALSE(buffers_[1].free().is_ok());
  ASSERT_TRUE(device_->wait(done).is_ok());
  EXPECT_TRUE(buffers_[1].free().is_ok());
}

// What the GPU still writes for the host, it does not write into somebody else's memory.
TEST_F(PointersOfGraphs, AndWordsStayWhenTheSeriesGoes) {
  Buffer word = device_->allocate(MemoryKind::kGtt, 4).value();
  ASSERT_TRUE(set(3, 1).is_ok());
  submit();  // of the same commands
  Submission done;
  {
    ReplaySeries series = device_->make_series(2).value();
    for (int in : {0, 2}) {
      ASSERT_TRUE(set(in, 1).is_ok());
      ASSERT_TRUE(device_->append(series, *graph_, {.result = &word}).is_ok());
    }
    done = device_->submit(series).value();
  }
  ASSERT_TRUE(set(3, 1).is_ok());
  graph_.reset();
  EXPECT_FALSE(word.free().is_ok());
  const GpuAddr last = device_->allocate(MemoryKind::kGtt, 4).value().gpu_addr();
  for (int buffer : {0, 1, 2}) EXPECT_FALSE(buffers_[buffer].free().is_ok());
  ASSERT_TRUE(device_->wait(done).is_ok());
  EXPECT_EQ(read().size(), 3u);
  EXPECT_TRUE(word.free().is_ok());
  EXPECT_LT(device_->allocate(MemoryKind::kGtt, 4).value().gpu_addr().value, last.value);
  for (int buffer : {0, 1, 2}) EXPECT_TRUE(buffers_[buffer].free().is_ok());
}

TEST_F(PointersOfGraphs, TenThousandReplaysEachWithMemoryOfItsOwn) {
  ASSERT_TRUE(set(0, 5).is_ok());
  Submission last;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(set(i % 3, 3 + i % 2).is_ok());
    last = submit();
  }
  ASSERT_TRUE(device_->wait(last).is_ok());
  ASSERT_EQ(seen_.size(), 10'000u);
  for (size_t i = 0; i < seen_.size(); ++i) ASSERT_EQ(seen_[i][0], address(i % 3)) << i;
}

TEST_F(PointersOfGraphs, OfADeviceThatHangsAreFreeAfterRecovery) {
  ASSERT_TRUE(set(0, 5).is_ok());
  gpu_.stop_before_dispatch = 0;
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_TRUE(set(i % 3, 3 + i % 2).is_ok());
    refused += device_->submit(*graph_).is_ok() ? 0 : 1;
  }
  EXPECT_GT(refused, 5'000);
  EXPECT_FALSE(buffers_[1].free().is_ok());
  gpu_.stop_before_dispatch.reset();
  ASSERT_TRUE(device_->recover().is_ok());
  ASSERT_TRUE(set(0, 5).is_ok());
  for (int buffer : {1, 2, 3, 4}) EXPECT_TRUE(buffers_[buffer].free().is_ok()) << buffer;
  ASSERT_TRUE(device_->wait(submit()).is_ok());
  EXPECT_THAT(read(), ElementsAre(address(0)));
}

TEST_F(PointersOfGraphs, MustBeDeclared) {
  GraphRecorder recorder = device_->record_graph();
  const ParameterUse uses[] = {{recorder.pointer(kBytes), ParameterUse::Place::kArgument, 0}};
  const std::vector<std::byte> arguments(16);
  recorder.launch({.kernel = kernel_, .arguments = arguments, .uses = {}, .parameters = uses});
  EXPECT_THAT(recorder.finish().status().message(), HasSubstr("without saying how it uses the memory"));
}

}  // namespace
}  // namespace bw::amdgpu
