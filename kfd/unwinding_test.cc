// Makes each system call of a whole life of this room's objects fail in turn: the error is reported or the object does
// without, and nothing stays open.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "kfd/event.h"
#include "kfd/memory.h"
#include "kfd/process.h"
#include "kfd/queue.h"
#include "kfd/testing/failing_driver.h"
#include "kfd/testing/fake_driver.h"
#include "kfd/topology.h"

namespace bw::kfd {
namespace {

Status live_a_life(KernelDriver& driver) {
  BW_ASSIGN(std::vector<Node> nodes, read_topology(driver));
  if (nodes.size() < 3) return error(StatusCode::kNotFound, "{} nodes", nodes.size());
  BW_ASSIGN(auto process, Process::open(driver));
  BW_ASSIGN(auto gpu, Gpu::open(*process, nodes[1]));
  BW_ASSIGN(auto peer, Gpu::open(*process, nodes[2]));
  const std::array<Gpu*, 1> peers = {peer.get()};
  BW_ASSIGN(EventPage page, EventPage::create(*gpu, peers));
  BW_ASSIGN(Event signal, Event::create(*process, uapi::EventType::kSignal, EventReset::kAuto));
  BW_ASSIGN(Event fault, Event::create(*process, uapi::EventType::kMemory, EventReset::kManual));
  BW_ASSIGN(Allocation ring, Allocation::create(*gpu, {.kind = MemoryKind::kGtt, .size_bytes = 65536}));
  BW_ASSIGN(Allocation vram,
            Allocation::create(*gpu, {.kind = MemoryKind::kVram, .size_bytes = 4096, .alignment_bytes = 2 << 20}));
  BW_ASSIGN(Allocation visible, Allocation::create(*gpu, {.kind = MemoryKind::kVramHostVisible, .size_bytes = 4096}));
  BW_ASSIGN(Allocation staging, Allocation::create(*gpu, {.kind = MemoryKind::kUserptr, .size_bytes = 4096}, peers));
  BW_ASSIGN(
      Queue queue,
      Queue::create(*gpu, {.ring = ring.gpu_address(), .ring_size_bytes = 65536, .read_pointer = ring.gpu_address()}));
  queue.ring_doorbell(1);
  const std::array<const Event*, 2> events = {&signal, &fault};
  EventWaiter waiter(*process, events, WaitFor::kAny);
  BW_ASSIGN([[maybe_unused]] uapi::WaitResult result, waiter.wait(0));
  BW_RETURN_IF_ERROR(queue.destroy());
  BW_RETURN_IF_ERROR(staging.free());
  return vram.free();
}

class EachCallFailing : public ::testing::TestWithParam<int> {};

TEST_P(EachCallFailing, LeavesNothingOpen) {
  uint64_t number = 0;
  for (;; ++number) {
    testing::FakeDriver fake;
    testing::FailingDriver driver(fake);
    driver.fail_call(number, GetParam());
    Status status = live_a_life(driver);
    const std::string failed = driver.failed_call();
    EXPECT_EQ(driver.leaks(), "") << "after call " << number << ", " << failed;
    if (failed.empty()) {
      EXPECT_TRUE(status.is_ok()) << status.message();
      break;
    }
    // What is given back at the end of a scope fails without a report.
    if (!status.is_ok() && status.code() != StatusCode::kNotFound) {
      EXPECT_EQ(status.sys_errno(), GetParam()) << status.message();
    }
  }
  EXPECT_GT(number, 60u);
}

INSTANTIATE_TEST_SUITE_P(Errnos, EachCallFailing, ::testing::Values(EIO, ENOMEM, EPERM, ENOENT));

}  // namespace
}  // namespace bw::kfd
