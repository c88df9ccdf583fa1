// Owns: a device's two queues, what is pending on them, waiting for it with time-outs, and the report after a fault.
// Not here: what the commands are (command_buffer.h) and data for the host (transfer.h).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "amdgpu/command_buffer.h"
#include "amdgpu/device_info.h"
#include "amdgpu/fault_monitor.h"
#include "amdgpu/hardware_queue.h"
#include "amdgpu/sdma_builder.h"
#include "amdgpu/submission.h"

namespace bw::amdgpu {

// Stays where it is; for one thread at a time.
class QueueSet {
 public:
  struct Options {
    uint64_t wait_timeout_ns = 0;
    uint64_t spin_ns = 0;
    uint32_t compute_ring_size_bytes = 0;
    uint32_t sdma_ring_size_bytes = 0;
  };
  static Result<std::unique_ptr<QueueSet>> create(kfd::Gpu& gpu, const DeviceInfo& info, const Options& options);

  Result<Submission> submit(std::shared_ptr<const RecordedCommands> commands, std::span<const Submission> after);
  // `emit` writes the packets that do the work; caches, waits and signals are added around it. `what` is for reports.
  Result<Submission> submit_copy(const std::function<void(SdmaBuilder&)>& emit, std::string what,
                                 std::span<const Submission> after);

  bool is_done(Submission submission) const;
  Submission last(QueueName queue) const;
  Status wait(Submission submission) { return wait(submission, options_.wait_timeout_ns); }
  Status wait(Submission submission, uint64_t timeout_ns);
  Status wait_idle();
  const Status& fault() const { return fault_; }
  // New queues for the old ones. What was submitted is abandoned and counts as ended.
  Status recover();

 private:
  struct Pending {
    uint64_t value;
    std::shared_ptr<const RecordedCommands> commands;  // compute
    std::string what;                                  // SDMA
  };
  struct Lane {
    std::deque<Pending> pending;
    HardwareQueue queue;  // goes first, and with it the GPU's use of what is pending
  };

  QueueSet(kfd::Gpu& gpu, const DeviceInfo& info, const Options& options) : gpu_(gpu), info_(info), options_(options) {}

  // Their timelines begin after these values.
  Status create_queues(uint64_t compute_value, uint64_t sdma_value);

  Lane& lane(QueueName queue) { return lanes_[static_cast<size_t>(queue)]; }
  const Lane& lane(QueueName queue) const { return lanes_[static_cast<size_t>(queue)]; }
  // The submission that the next push to a queue will be; fails after a fault and at the end of the timeline.
  Result<Submission> next(QueueName queue);
  Status push(Submission submission, std::span<const uint32_t> packets);
  void retire(Lane& lane);
  Status sleep(uint64_t timeout_ns);
  std::string describe_pending() const;
  // A number that changes whenever a dispatch is started or a submission ends.
  uint64_t progress() const;

  kfd::Gpu& gpu_;
  const DeviceInfo& info_;
  const Options options_;
  std::unique_ptr<FaultMonitor> monitor_;
  Lane lanes_[2];
  Status fault_;
};

}  // namespace bw::amdgpu
