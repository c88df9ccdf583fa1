// What callers do wrong, or too much of, with graphs and series: an error that says so, and all goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "amdgpu/device.h"
#include "amdgpu/testing/graph_fixture.h"

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class BadGraphs : public testing::GraphFixture {
 protected:
  // So many kernels in a row, which get a pointer and a number.
  CommandGraph chain(size_t kernels, const GraphOptions& options) {
    GraphRecorder recorder = device_->record_graph(options);
    pointer_ = recorder.pointer(kBytes);
    number_ = recorder.parameter(8, 0);
    const std::vector<std::byte> arguments(16);
    const KernelLaunch::PointerUse pointers[] = {{pointer_, Access::kReadWrite}};
    const ParameterUse uses[] = {{pointer_, ParameterUse::Place::kArgument, 0},
                                 {number_, ParameterUse::Place::kArgument, 8}};
    for (size_t i = 0; i < kernels; ++i) {
      recorder.launch(
          {.kernel = kernel_, .arguments = arguments, .uses = {}, .pointers = pointers, .parameters = uses});
    }
    return recorder.finish().value();
  }
  Status append(ReplaySeries& series, CommandGraph& graph, int buffer, uint64_t number) {
    BW_RETURN_IF_ERROR(graph.set(pointer_, buffers_[buffer]));
    BW_RETURN_IF_ERROR(graph.set(number_, number));
    return device_->append(series, graph, {});
  }

  ParameterId pointer_;
  ParameterId number_;
};

TEST_F(BadGraphs, ARecordingThatNeverEndsIsRefused) {
  GraphRecorder recorder = device_->record_graph();
  for (size_t i = 0; i <= GraphRecorder::kMostNodes; ++i) recorder.fill({&buffers_[0], Access::kWrite, 0, 4}, 1);
  const Status status = recorder.finish().status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("at most 1048576 nodes"));
}

// All places of a chain of indirect buffers are patched anew for each replay.
TEST_F(BadGraphs, MoreThanAnIndirectBufferHoldsRepeatsInASeries) {
  constexpr size_t kKernels = 40;
  CommandGraph graph = chain(kKernels, {.chunk_dwords = 100});
  ReplaySeries series = device_->make_series(3).value();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(append(series, graph, i, 100 + static_cast<uint64_t>(i)).is_ok());
  ASSERT_TRUE(device_->wait(device_->submit(series).value()).is_ok());
  ASSERT_EQ(seen_.size(), 3 * kKernels);
  for (size_t i = 0; i < seen_.size(); ++i) {
    const size_t replay = i / kKernels;
    EXPECT_THAT(seen_[i], ElementsAre(address(replay), 100 + replay)) << i;
  }
}

TEST_F(BadGraphs, PatchesOutOfRangeLeaveASeriesAsItWas) {
  CommandGraph graph = chain(1, {});
  Buffer small = device_->allocate(MemoryKind::kVram, 64).value();
  ReplaySeries series = device_->make_series(2).value();
  EXPECT_THAT(device_->append(series, graph, {}).message(), HasSubstr("were not set"));
  ASSERT_TRUE(append(series, graph, 0, 7).is_ok());
  EXPECT_THAT(graph.set(pointer_, small).message(), HasSubstr("it needs 4096 bytes"));
  EXPECT_THAT(graph.set(pointer_, buffers_[1], ~0ull).message(), HasSubstr("it needs 4096 bytes"));
  ASSERT_TRUE(device_->append(series, graph, {}).is_ok());
  ASSERT_TRUE(device_->wait(device_->submit(series).value()).is_ok());
  const auto first = address(0);
  EXPECT_THAT(seen_, ElementsAre(ElementsAre(first, 7), ElementsAre(first, 7)));
}

// Parameters that did not change are not sent with a replay, and the other submission has changed them.
TEST_F(BadGraphs, ASeriesIsNotInterruptedByItsGraph) {
  CommandGraph graph = chain(1, {});
  ReplaySeries series = device_->make_series(2).value(), other = device_->make_series(2).value();
  ASSERT_TRUE(append(series, graph, 0, 5).is_ok());
  ASSERT_TRUE(append(other, graph, 0, 5).is_ok());
  ASSERT_TRUE(graph.set(number_, 6).is_ok());
  ASSERT_TRUE(device_->wait(device_->submit(graph).value()).is_ok());
  for (ReplaySeries* late : {&series, &other}) {
    EXPECT_THAT(device_->submit(*late).status().message(), HasSubstr("submitted otherwise"));
    EXPECT_EQ(late->size(), 0u);
    ASSERT_TRUE(append(*late, graph, 0, 5).is_ok());
    ASSERT_TRUE(device_->wait(device_->submit(*late).value()).is_ok());
    EXPECT_THAT(seen_.back(), ElementsAre(address(0), 5));
  }
}

TEST_F(BadGraphs, ASeriesAfterALossOfTheDeviceIsItsReport) {
  CommandGraph graph = chain(1, {});
  ReplaySeries series = device_->make_series(4).value();
  for (uint64_t i = 0; i < 3; ++i) ASSERT_TRUE(append(series, graph, 0, i).is_ok());
  gpu_.stop_before_dispatch = 1;
  gpu_.fault_address = 0x7000;
  const Status fault = device_->wait(device_->submit(series).value());
  EXPECT_EQ(fault.code(), StatusCode::kDeviceFault);
  EXPECT_EQ(append(series, graph, 1, 9).message(), fault.message());
  EXPECT_EQ(device_->submit(graph).status().message(), fault.message());
  gpu_.stop_before_dispatch.reset();
  gpu_.fault_address.reset();
  ASSERT_TRUE(device_->recover().is_ok());
  ASSERT_TRUE(append(series, graph, 1, 9).is_ok());
  EXPECT_EQ(series.size(), 1u);
  ASSERT_TRUE(device_->wait(device_->submit(series).value()).is_ok());
  EXPECT_THAT(seen_.back(), ElementsAre(address(1), 9));
  EXPECT_TRUE(device_->wait_replay(series, 0).value());
}

}  // namespace
}  // namespace bw::amdgpu
