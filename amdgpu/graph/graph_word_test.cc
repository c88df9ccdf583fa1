// Values of a graph that are in memory: what is sent for them, when they advance, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "amdgpu/testing/graph_fixture.h"

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class GraphWord : public testing::GraphFixture {
 protected:
  GraphWord() : GraphFixture(4096) {}

  void SetUp() override {
    GraphFixture::SetUp();
    words_ = device_->allocate(MemoryKind::kGtt, 64).value();
    condition_ = device_->allocate(MemoryKind::kGtt, sizeof(uint32_t)).value();
    set_condition(1);
    gpu_.on_dispatch = [this](const auto&) {
      values_.push_back(value());
      if (values_.back() == last_) set_condition(0);
    };
  }

  uint32_t value() const {
    uint32_t value = 0;
    std::memcpy(&value, words_.host().data() + kOffset, sizeof value);
    return value;
  }
  void set_condition(uint32_t value) { std::memcpy(condition_.host().data(), &value, sizeof value); }

  void launch(GraphRecorder& recorder) const {
    const Arguments arguments = {words_.gpu_addr().value + kOffset, 0};
    const BufferUse uses[] = {{&words_, Access::kRead, kOffset, sizeof(uint32_t)}};
    recorder.launch({.kernel = kernel_, .arguments = std::as_bytes(std::span(arguments)), .uses = uses});
  }
  // `kernels` of them read the word.
  CommandGraph make(size_t kernels, bool advances) {
    GraphRecorder recorder = device_->record_graph({.groups_per_step = 0});
    word_ = recorder.word(words_, kOffset, 5, 2, 20);
    for (size_t i = 0; i < kernels; ++i) launch(recorder);
    if (advances) recorder.advance(word_);
    return recorder.finish().value();
  }
  void run(CommandGraph& graph) {
    auto submitted = device_->submit(graph);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    ASSERT_TRUE(device_->wait(submitted.value()).is_ok());
  }
  void run(ReplaySeries& series) {
    auto submitted = device_->submit(series);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    ASSERT_TRUE(device_->wait(submitted.value()).is_ok());
  }

  static constexpr uint64_t kOffset = 8;
  Buffer words_;
  Buffer condition_;
  ParameterId word_;
  uint32_t last_ = ~0u;
  std::vector<uint32_t> values_;  // that each kernel found
};

TEST_F(GraphWord, HasItsFirstValueAndThenWhatIsSet) {
  CommandGraph graph = make(2, false);
  run(graph);
  run(graph);
  ASSERT_TRUE(graph.set(word_, 20).is_ok());
  run(graph);
  EXPECT_THAT(values_, ElementsAre(5, 5, 5, 5, 20, 20));
}

TEST_F(GraphWord, AChangeIsOnePacketWhateverTheKernels) {
  std::vector<uint64_t> dwords;
  for (const size_t kernels : {1, 8}) {
    CommandGraph graph = make(kernels, false);
    ReplaySeries series = device_->make_series(3).value();
    for (const uint64_t value : {5, 5, 6}) {
      ASSERT_TRUE(graph.set(word_, value).is_ok());
      const uint64_t before = series.is_valid() ? series.size_dwords() : 0;
      ASSERT_TRUE(device_->append(series, graph, {}).is_ok());
      dwords.push_back(series.size_dwords() - before);
    }
    run(series);
  }
  EXPECT_EQ(dwords[2] - dwords[1], 5u);  // WRITE_DATA of one dword
  EXPECT_THAT(std::vector(dwords.begin() + 3, dwords.end()), ElementsAre(dwords[0], dwords[1], dwords[2]));
}

TEST_F(GraphWord, AdvancesWithEachReplayUnlessItIsSet) {
  CommandGraph graph = make(2, true);
  run(graph);
  run(graph);
  ASSERT_TRUE(graph.set(word_, 7).is_ok());  // which it is
  run(graph);
  ASSERT_TRUE(graph.set(word_, 3).is_ok());
  run(graph);
  run(graph);
  EXPECT_THAT(values_, ElementsAre(5, 5, 6, 6, 7, 7, 3, 3, 4, 4));
  EXPECT_EQ(value(), 5u);
}

TEST_F(GraphWord, ReplaysOfASeriesThatFollowEachOtherSendNothing) {
  CommandGraph graph = make(8, true);
  CommandGraph still = make(8, false);
  std::vector<uint64_t> sizes;
  for (CommandGraph* one : {&graph, &still}) {
    ReplaySeries series = device_->make_series(4).value();
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(device_->append(series, *one, {}).is_ok());
      sizes.push_back(series.size_dwords());
    }
    run(series);
  }
  EXPECT_EQ(sizes[3] - sizes[2], sizes[2] - sizes[1]);
  EXPECT_EQ(sizes[3] - sizes[0], sizes[7] - sizes[4]);
  ASSERT_EQ(values_.size(), 64u);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(values_[i], 5 + i / 8) << i;
}

// Then what comes next begins where it would have, or where it is set to.
TEST_F(GraphWord, ReplaysThatAreLeftOutDoNotAdvance) {
  CommandGraph graph = make(1, true);
  const auto append_all = [&](ReplaySeries& series) {
    for (int i = 0; i < 4; ++i) {
      ASSERT_TRUE(device_->append(series, graph, {.condition = &condition_}).is_ok());
    }
  };
  ReplaySeries first = device_->make_series(4).value();
  ReplaySeries second = device_->make_series(4).value();
  append_all(first);
  ASSERT_TRUE(device_->submit(first).is_ok());
  append_all(second);  // before it is known how far the first gets
  last_ = 7;
  run(second);
  EXPECT_THAT(values_, ElementsAre(5, 6, 7));
  EXPECT_EQ(value(), 8u);
  run(graph);
  EXPECT_EQ(values_.back(), 13u);
  ASSERT_TRUE(graph.set(word_, 8).is_ok());
  run(graph);
  EXPECT_EQ(values_.back(), 8u);
  set_condition(1);
  last_ = ~0u;
  append_all(first);
  run(first);
  EXPECT_EQ(values_.back(), 12u);
}

TEST_F(GraphWord, NeverAdvancesBeyondItsBounds) {
  CommandGraph graph = make(1, true);
  ASSERT_TRUE(graph.set(word_, 20).is_ok());
  run(graph);
  for (const Status& status : {device_->submit(graph).status(), [&] {
                                 ReplaySeries series = device_->make_series(1).value();
                                 return device_->append(series, graph, {});
                               }()}) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("word 0 has advanced beyond 20"));
  }
  EXPECT_FALSE(graph.set(word_, 21).is_ok());
  EXPECT_FALSE(graph.set(word_, 1).is_ok());
  ASSERT_TRUE(graph.set(word_, 2).is_ok());
  run(graph);
  EXPECT_THAT(values_, ElementsAre(20, 2));
}

TEST_F(GraphWord, AReplayThatTheRingDoesNotTakeHasNotAdvanced) {
  CommandGraph graph = make(1, true);
  ReplaySeries series = device_->make_series(1000).value();
  uint32_t next = 5;
  const auto append = [&] {
    if (next > 20) next = 5;
    if (Status status = graph.set(word_, next); !status.is_ok()) return status;
    return device_->append(series, graph, {});
  };
  for (; append().is_ok(); ++next) {
  }
  const uint32_t refused = next;
  run(series);
  EXPECT_EQ(values_.back(), refused - 1);
  run(graph);
  EXPECT_EQ(values_.back(), refused);
}

TEST_F(GraphWord, AdvancesBetweenThoseThatReadItBeforeAndAfter) {
  GraphRecorder recorder = device_->record_graph();
  const ParameterId word = recorder.word(words_, kOffset, 5);
  launch(recorder);
  recorder.advance(word);
  launch(recorder);
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.level_count(), 3u);
  run(graph);
  run(graph);
  EXPECT_THAT(values_, ElementsAre(5, 6, 6, 7));
}

TEST_F(GraphWord, RefusesWhatIsNoWordOrTakesItByValue) {
  const auto failure = [&](const auto& record) {
    GraphRecorder recorder = device_->record_graph();
    record(recorder);
    return std::string(recorder.finish().status().message());
  };
  using Recorder = GraphRecorder;
  EXPECT_THAT(failure([&](Recorder& r) { r.word(words_, 2, 0); }), HasSubstr("offset 2, not a multiple of 4"));
  EXPECT_THAT(failure([&](Recorder& r) { r.word(words_, 64, 0); }), HasSubstr("4 bytes at offset 64"));
  EXPECT_THAT(failure([&](Recorder& r) { r.word(words_, 0, 9, 0, 8); }), HasSubstr("is 9, but goes from 0 to 8"));
  EXPECT_THAT(failure([&](Recorder& r) { r.word(Buffer(), 0, 0); }), HasSubstr("no memory"));
  EXPECT_THAT(failure([&](Recorder& r) { r.advance(r.parameter(4, 0)); }), HasSubstr("parameter 0, which is no word"));
  EXPECT_THAT(failure([&](Recorder& r) { r.advance({7}); }), HasSubstr("parameter 7, which is no word"));
  EXPECT_THAT(failure([&](Recorder& r) {
                const ParameterId word = r.word(words_, 0, 0);
                r.advance(word);
                r.advance(word);
              }),
              HasSubstr("advances word 0 once more"));
  for (const auto place : {ParameterUse::Place::kArgument, ParameterUse::Place::kWorkgroupCount}) {
    EXPECT_THAT(
        failure([&](Recorder& r) {
          const Arguments arguments{};
          const ParameterUse uses[] = {{r.word(words_, 0, 1), place, 0}};
          r.launch(
              {.kernel = kernel_, .arguments = std::as_bytes(std::span(arguments)), .uses = {}, .parameters = uses});
        }),
        HasSubstr("it takes word 0 by value, which is in memory"));
  }
}

}  // namespace
}  // namespace bw::amdgpu
