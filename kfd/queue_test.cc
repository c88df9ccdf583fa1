#include "kfd/queue.h"

#include <gmock/gmock.h>

#include <cerrno>

#include "kfd/testing/open_machine.h"

namespace bw::kfd {
namespace {

using ::testing::HasSubstr;

class QueueTest : public testing::OpenMachine {
 protected:
  static QueueRequest request() {
    return {.type = uapi::QueueType::kCompute,
            .ring = {0x100000},
            .ring_size_bytes = 65536,
            .read_pointer = {0x200000},
            .write_pointer = {0x200008},
            .end_of_pipe = {0x300000},
            .end_of_pipe_size_bytes = 4096,
            .context_save = {0x400000},
            .context_save_size_bytes = 0x2bea000,
            .control_stack_size_bytes = 0xa000};
  }
};

TEST_F(QueueTest, PassesTheRequestOn) {
  uapi::CreateQueueArgs seen{};
  fake_.on_ioctl = [&seen](unsigned long number, void* argument) -> std::optional<int> {
    if (number == uapi::kCreateQueue) seen = *static_cast<uapi::CreateQueueArgs*>(argument);
    return std::nullopt;
  };
  { Queue queue = Queue::create(*gpu_, request()).value(); }
  EXPECT_EQ(seen.gpu_id, 1001u);
  EXPECT_EQ(seen.ring_base_address, 0x100000u);
  EXPECT_EQ(seen.ring_size, 65536u);
  EXPECT_EQ(seen.read_pointer_address, 0x200000u);
  EXPECT_EQ(seen.write_pointer_address, 0x200008u);
  EXPECT_EQ(seen.queue_percentage, 100u);
  EXPECT_EQ(seen.queue_priority, 7u);
  EXPECT_EQ(seen.eop_buffer_address, 0x300000u);
  EXPECT_EQ(seen.ctx_save_restore_size, 0x2bea000u);
  EXPECT_EQ(seen.ctl_stack_size, 0xa000u);
  close_and_expect_no_leaks();
}

TEST_F(QueueTest, EachQueueRingsItsOwnDoorbell) {
  {
    Queue first = Queue::create(*gpu_, request()).value();
    Queue second = Queue::create(*gpu_, request()).value();
    first.ring_doorbell(11);
    second.ring_doorbell(22);
    const uint64_t area = uapi::kMmapTypeDoorbell | uapi::mmap_gpu_id_bits(gpu_->id());
    EXPECT_EQ(*gpu_->map_doorbell(area + first.id() * 8).value(), 11u);
    EXPECT_EQ(*gpu_->map_doorbell(area + second.id() * 8).value(), 22u);
    EXPECT_TRUE(first.update({.ring = {0x100000}, .ring_size_bytes = 65536, .percentage = 0}).is_ok());
    EXPECT_TRUE(first.destroy().is_ok());
    EXPECT_TRUE(first.destroy().is_ok());
    EXPECT_FALSE(first.is_valid());
  }
  close_and_expect_no_leaks();
}

TEST_F(QueueTest, SaysWhatToDoWhenTheDriverRefuses) {
  fake_.on_ioctl = [](unsigned long number, void*) -> std::optional<int> {
    if (number == uapi::kCreateQueue) return -ENOMEM;
    return std::nullopt;
  };
  EXPECT_EQ(
      Queue::create(*gpu_, request()).status().message(),
      "creating a PM4 compute queue of 65536 bytes on gpu 1001: cannot allocate memory (all hardware queues may be "
      "taken)");
  close_and_expect_no_leaks();
}

TEST_F(QueueTest, ChoosingAnSdmaEngineNeedsAKernelThatKnowsOfIt) {
  QueueRequest sdma{.type = uapi::QueueType::kSdmaByEngineId, .ring_size_bytes = 65536, .sdma_engine_id = 1};
  EXPECT_TRUE(Queue::create(*gpu_, sdma).is_ok());
  fake_.minor_version = 14;
  auto old_process = Process::open(driver_).value();
  auto old_gpu = Gpu::open(*old_process, nodes_[1]).value();
  Status status = Queue::create(*old_gpu, sdma).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("the driver is KFD 1.14, needed is 1.17"));
}

}  // namespace
}  // namespace bw::kfd
