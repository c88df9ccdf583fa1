#include "emulator/queue/engine.h"

#include <gtest/gtest.h>

namespace bw::emulator {
namespace {

using std::chrono::milliseconds;

// A queue whose turn lasts until the test ends it, or until the queue is cancelled.
class SlowQueue : public QueueProcessor {
 public:
  StepResult step(Turn) override {
    most_at_once = std::max(most_at_once.load(), ++at_once);
    ++turns;
    while (!may_end && !is_cancelled()) std::this_thread::yield();
    --at_once;
    return StepResult::kProgress;
  }
  bool has_work() const override { return true; }
  void move_ring(uint64_t, uint64_t) override {}
  void wait_for_turn() const {
    while (turns == 0) std::this_thread::yield();
  }

  std::atomic<bool> may_end{false};
  std::atomic<int> turns{0};
  std::atomic<int> at_once{0};
  std::atomic<int> most_at_once{0};
};

TEST(Engine, AQueueCanBeRemovedAgainWhenItsTurnLastedTooLong) {
  const auto queue = std::make_shared<SlowQueue>();
  Engine engine(2);
  engine.add(queue, 0);
  queue->wait_for_turn();
  EXPECT_FALSE(engine.remove(queue.get(), milliseconds(10)));
  EXPECT_FALSE(engine.remove(queue.get(), milliseconds(10)));
  queue->cancel();
  EXPECT_TRUE(engine.remove(queue.get(), milliseconds(10'000)));
  EXPECT_EQ(queue->at_once, 0);
  EXPECT_EQ(queue->turns, 1);
}

TEST(Engine, AQueueThatComesBackDuringItsTurnHasOneTurnAtATime) {
  const auto queue = std::make_shared<SlowQueue>();
  Engine engine(2);
  engine.add(queue, 0);
  queue->wait_for_turn();
  EXPECT_FALSE(engine.remove(queue.get(), milliseconds(10)));
  engine.add(queue, 0);
  queue->may_end = true;
  while (queue->turns < 100) std::this_thread::yield();
  EXPECT_TRUE(engine.remove(queue.get(), milliseconds(10'000)));
  EXPECT_EQ(queue->most_at_once, 1);
}

TEST(Engine, QueuesWhoseTurnsDoNotEndLeaveTheOthersTheirs) {
  std::vector<std::shared_ptr<SlowQueue>> queues;
  Engine engine(2);
  for (int i = 0; i < 12; ++i) {
    engine.add(queues.emplace_back(std::make_shared<SlowQueue>()), 0);
    queues.back()->wait_for_turn();
  }
  for (const auto& queue : queues) EXPECT_EQ(queue->at_once, 1);
}

TEST(Engine, EndsWhatRunsWhenItGoes) {
  const auto queue = std::make_shared<SlowQueue>();
  Engine engine(2);
  engine.add(queue, 0);
  queue->wait_for_turn();
}

TEST(Engine, EndsWhatWasRemovedButRunsOn) {
  const auto queue = std::make_shared<SlowQueue>();
  Engine engine(2);
  engine.add(queue, 0);
  queue->wait_for_turn();
  EXPECT_FALSE(engine.remove(queue.get(), milliseconds(10)));
}

}  // namespace
}  // namespace bw::emulator
