#include "base/ring_queue.h"

#include <gtest/gtest.h>

#include <memory>

namespace bw {
namespace {

TEST(RingQueue, GivesBackInOrderWhateverItsPosition) {
  RingQueue<int> queue(3);
  int pushed = 0;
  int popped = 0;
  for (int round = 0; round < 10; ++round) {
    while (!queue.is_full()) queue.push(pushed++);
    for (size_t i = 0; i < queue.size(); ++i) EXPECT_EQ(queue[i], popped + static_cast<int>(i));
    for (int i = 0; i < 1 + round % 3; ++i) {
      EXPECT_EQ(queue.front(), popped++);
      queue.pop();
    }
  }
}

TEST(RingQueue, ReleasesWhatIsPopped) {
  RingQueue<std::shared_ptr<int>> queue(2);
  auto value = std::make_shared<int>(1);
  queue.push(value);
  queue.push(value);
  EXPECT_EQ(value.use_count(), 3);
  queue.pop();
  EXPECT_EQ(value.use_count(), 2);
  queue.clear();
  EXPECT_EQ(value.use_count(), 1);
  EXPECT_TRUE(queue.is_empty());
}

TEST(RingQueue, OfNoLengthIsFullAndEmpty) {
  RingQueue<int> queue;
  EXPECT_TRUE(queue.is_full());
  EXPECT_TRUE(queue.is_empty());
}

}  // namespace
}  // namespace bw
