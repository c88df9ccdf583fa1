// What the driver does with queues besides making them: updates, priorities, limits, and what a fault means to the
// others. Expectations are Linux's: kfd_process_queue_manager.c, kfd_device_queue_manager.c.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/bits.h"
#include "emulator/testing/aql_client.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;
using testing::AqlClient;
using testing::AqlSignal;
using testing::eventually;
using testing::Machine;
using testing::TestBuffer;
using testing::TestQueue;

constexpr std::chrono::milliseconds kAWhile{5};

class Queues : public ::testing::Test {
 protected:
  static std::vector<uint32_t> write_one(uint64_t at, uint32_t value) {
    return {0xc0033700, 0x00000500, lo32(at), hi32(at), value};
  }
  static std::vector<uint32_t> wait_for_one(uint64_t at) {
    return {0xc0053c00, 0x00000013, lo32(at), hi32(at), 1, 0xffffffff, 4};
  }
  int update(const TestQueue& queue, uint64_t ring, uint32_t ring_bytes, uint32_t percentage, uint32_t priority = 7) {
    UpdateQueueArgs args{};
    args.ring_base_address = ring;
    args.ring_size = ring_bytes;
    args.queue_id = queue.id;
    args.queue_percentage = percentage;
    args.queue_priority = priority;
    return machine_.ioctl(kUpdateQueue, args);
  }

  Machine machine_;
  TestBuffer data_ = machine_.gtt();
};

TEST_F(Queues, GoOnInANewRingWhereTheyWere) {
  TestQueue queue = machine_.compute_queue(4096);
  for (int i = 0; i < 3; ++i) machine_.submit(queue, {0xc0001000, 0});
  ASSERT_TRUE(machine_.drain(queue));
  queue.ring = machine_.gtt(8192);
  EXPECT_EQ(update(queue, queue.ring.va, 8192, 100), 0);
  machine_.submit(queue, write_one(data_.va, 5));
  EXPECT_TRUE(machine_.drain(queue));
  EXPECT_EQ(data_.dword(0), 5u);
  EXPECT_EQ(update(queue, 0x10000, 4096, 100), -EFAULT) << "nothing is mapped there";
}

TEST_F(Queues, AqlGoesOnInANewRing) {
  AqlClient client(machine_);
  const uint64_t kernel = client.load(0x60af0000, 0x84, 0x408, {0xbfb00000});
  const auto packet = testing::dispatch_packet({}, kernel, 0, {});
  ASSERT_TRUE(client.run(packet));
  const TestBuffer ring = machine_.gtt(8192);
  for (size_t i = 0; i < 8192 / 4; i += 16) ring.dwords()[i] = testing::kAqlInvalid;
  EXPECT_EQ(update(client.queue(), ring.va, 8192, 100), 0);
  client.move_ring(ring);
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(client.run(packet));
  EXPECT_EQ(client.read_index(), 201u);
}

TEST_F(Queues, OfHigherPriorityHaveTheirTurnsFirst) {
  TestQueue low = machine_.compute_queue(65536), high = machine_.compute_queue(65536);
  ASSERT_EQ(update(low, low.ring.va, 65536, 100, 1), 0);
  ASSERT_EQ(update(high, high.ring.va, 65536, 100, 15), 0);
  const uint64_t start = data_.va + 64;
  for (TestQueue* queue : {&low, &high}) machine_.submit(*queue, wait_for_one(start));
  for (int i = 0; i < 2000; ++i) machine_.submit(low, write_one(data_.va, 1));
  for (int i = 0; i < 800; ++i) machine_.submit(low, write_one(data_.va, 2));
  for (int i = 0; i < 50; ++i) machine_.submit(high, {0xffff1000});
  // What the low one has written when the high one comes to its end.
  const uint64_t seen = data_.va + 8;
  machine_.submit(high, {0xc0044000, 0x00000202, lo32(data_.va), hi32(data_.va), lo32(seen), hi32(seen)});
  data_.dword(16) = 1;
  ASSERT_TRUE(machine_.drain(high));
  ASSERT_TRUE(machine_.drain(low));
  EXPECT_EQ(data_.dword(0), 2u);
  EXPECT_NE(data_.dword(2), 2u);
}

TEST_F(Queues, BeyondWhatTheHardwareHasAreServedToo) {
  std::vector<TestQueue> queues;
  for (int i = 0; i < 120; ++i) queues.push_back(machine_.compute_queue());
  for (size_t i = 0; i < queues.size(); ++i) machine_.submit(queues[i], write_one(data_.va + 4 * i, 1));
  for (size_t i = 0; i < queues.size(); ++i) {
    ASSERT_TRUE(machine_.drain(queues[i]));
    EXPECT_EQ(data_.dword(i), 1u);
  }
}

TEST_F(Queues, AreAtMost127OnACard) {
  TestQueue queue;
  const CreateQueueArgs good = machine_.queue_args(&queue, 0, 4096);
  CreateQueueArgs args;
  for (int i = 0; i < 127; ++i) {
    args = good;
    ASSERT_EQ(machine_.ioctl(kCreateQueue, args), 0) << i;
  }
  args = good;
  EXPECT_EQ(machine_.ioctl(kCreateQueue, args), -ENOSPC);
  DestroyQueueArgs destroy{.queue_id = 5, .pad = 0};
  EXPECT_EQ(machine_.ioctl(kDestroyQueue, destroy), 0);
  args = good;
  EXPECT_EQ(machine_.ioctl(kCreateQueue, args), 0);
  EXPECT_EQ(args.queue_id, 5u);
}

TEST_F(Queues, OfTheProcessAllStopAtAMemoryFault) {
  TestQueue faulty = machine_.compute_queue(), other = machine_.compute_queue(), sdma = machine_.sdma_queue();
  machine_.submit(other, wait_for_one(data_.va));
  machine_.submit(faulty, write_one(0x10000, 1));
  machine_.wait_fault();
  data_.dword(0) = 1;
  machine_.submit(sdma, {0x00000000});
  std::this_thread::sleep_for(kAWhile);
  EXPECT_EQ(machine_.read_pointer(other), 0u);
  EXPECT_EQ(machine_.read_pointer(sdma), 0u);
  EXPECT_EQ(machine_.driver().fault_reports().size(), 1u);
  TestQueue late = machine_.compute_queue();
  machine_.submit(late, write_one(data_.va, 9));
  EXPECT_TRUE(eventually([&] { return data_.dword(0) == 9; }));
  for (const TestQueue* queue : {&faulty, &other, &sdma, &late}) EXPECT_EQ(machine_.destroy(*queue), 0);
}

TEST_F(Queues, OthersGoOnAfterABadPacket) {
  TestQueue faulty = machine_.compute_queue(), other = machine_.compute_queue();
  machine_.submit(faulty, {0x12345678});
  machine_.wait_fault();
  machine_.submit(other, write_one(data_.va, 3));
  EXPECT_TRUE(eventually([&] { return data_.dword(0) == 3; }));
}

TEST_F(Queues, TellTheRuntimeOfErrorsWhereItIsEnabled) {
  RuntimeEnableArgs runtime{};
  runtime.mode_mask = kRuntimeModeEnable;
  ASSERT_EQ(machine_.ioctl(kRuntimeEnable, runtime), 0);
  const uint32_t event = machine_.create_event(0);
  AqlClient client(machine_);
  const AqlSignal inactive = client.watch_inactive(), reason = client.signal(0);
  // The header of the context save area: where the reason goes, and the event.
  auto* header = reinterpret_cast<uint64_t*>(machine_.context_save().va);
  header[3] = reason.handle + 8;
  header[4] = event;
  client.submit(testing::dispatch_packet({}, 0, 0, {}));  // no kernel object
  ASSERT_EQ(machine_.wait_event(event, 10'000), 0u);
  EXPECT_EQ(reason.value(), int64_t{1} << 17);
  EXPECT_EQ(inactive.value(), 0);
}

// Two engines of six queues each; those that name none get one after the other.
TEST(SdmaQueues, AreSixOnAnEngine) {
  EmulatedOptions options;
  options.kfd_minor_version = 17;
  Machine machine(std::move(options));
  std::vector<uint32_t> ids;
  const auto create = [&](uint32_t type, uint32_t engine) {
    TestQueue queue;
    CreateQueueArgs args = machine.queue_args(&queue, type, 4096);
    args.sdma_engine_id = engine;
    const int status = machine.ioctl(kCreateQueue, args);
    if (status == 0) ids.push_back(args.queue_id);
    return status;
  };
  for (int i = 0; i < 6; ++i) EXPECT_EQ(create(4, 1), 0);
  EXPECT_EQ(create(4, 1), -ENOMEM) << "engine 1 is full";
  EXPECT_EQ(create(4, 2), -EINVAL) << "there is no such engine";
  EXPECT_EQ(create(4, 0), 0);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(create(1, 0), 0);
  EXPECT_EQ(create(1, 0), -ENOMEM);
  EXPECT_EQ(create(4, 0), -ENOMEM);
  DestroyQueueArgs destroy{.queue_id = ids[3], .pad = 0};  // of engine 1
  EXPECT_EQ(machine.ioctl(kDestroyQueue, destroy), 0);
  EXPECT_EQ(create(4, 0), -ENOMEM);
  EXPECT_EQ(create(4, 1), 0);
}

}  // namespace
}  // namespace bw::emulator
