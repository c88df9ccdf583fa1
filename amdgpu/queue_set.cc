#include "amdgpu/queue_set.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/bits.h"

namespace bw::amdgpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kNsPerMs = 1'000'000;
// A sleeper looks at the timeline at least this often, should an interrupt get lost.
constexpr uint64_t kLongestSleepNs = 200 * kNsPerMs;

std::string_view name_of(QueueName queue) {
  return queue == QueueName::kCompute ? "compute" : "copy";
}

uint64_t ns_since(Clock::time_point begin) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}

void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

Result<std::unique_ptr<QueueSet>> QueueSet::create(kfd::Gpu& gpu, const DeviceInfo& info, const Options& options) {
  std::unique_ptr<QueueSet> set(new QueueSet(gpu, info, options));
  BW_ASSIGN(set->monitor_, FaultMonitor::create(gpu));
  BW_RETURN_IF_ERROR(set->create_queues(0, 0));
  return set;
}

Status QueueSet::create_queues(uint64_t compute_value, uint64_t sdma_value) {
  BW_ASSIGN(lane(QueueName::kCompute).queue,
            HardwareQueue::create_compute(gpu_, info_, options_.compute_ring_size_bytes));
  lane(QueueName::kCompute).queue.start_after(compute_value);
  BW_ASSIGN(lane(QueueName::kSdma).queue, HardwareQueue::create_sdma(gpu_, options_.sdma_ring_size_bytes));
  lane(QueueName::kSdma).queue.start_after(sdma_value);
  return Status::ok();
}

Status QueueSet::recover() {
  // Whatever fails on the way, nothing can be submitted then.
  fault_ = error(StatusCode::kDeviceFault, "the queues could not be created again after a fault");
  for (Lane& old : lanes_) {
    old.queue.stop();
    old.pending.clear();
  }
  BW_RETURN_IF_ERROR(monitor_->renew());
  BW_RETURN_IF_ERROR(create_queues(last(QueueName::kCompute).value, last(QueueName::kSdma).value));
  fault_ = Status::ok();
  return Status::ok();
}

Result<Submission> QueueSet::next(QueueName queue) {
  BW_RETURN_IF_ERROR(fault_);
  const uint64_t value = lane(queue).queue.submitted() + 1;
  if (value > HardwareQueue::kLastValue) {
    return error(StatusCode::kUnsupported,
                 "the {} queue has made {} submissions, as many as it can: open the device again", name_of(queue),
                 HardwareQueue::kLastValue);
  }
  return Submission{queue, value};
}

void QueueSet::retire(Lane& lane) {
  const uint64_t done = lane.queue.completed();
  while (!lane.pending.empty() && lane.pending.front().value <= done) lane.pending.pop_front();
}

Status QueueSet::push(Submission submission, std::span<const uint32_t> packets) {
  HardwareQueue& queue = lane(submission.queue).queue;
  if (packets.size() > queue.capacity_dwords()) {
    return error(StatusCode::kInvalidArgument, "a submission of {} dwords to the {} queue, whose ring takes {}",
                 packets.size(), name_of(submission.queue), queue.capacity_dwords());
  }
  while (!queue.has_room(static_cast<uint32_t>(packets.size()))) {
    BW_RETURN_IF_ERROR(wait({submission.queue, queue.oldest_pending()}));
  }
  retire(lane(submission.queue));
  queue.push(packets);
  return Status::ok();
}

Result<Submission> QueueSet::submit(std::shared_ptr<const RecordedCommands> commands,
                                    std::span<const Submission> after) {
  BW_ASSIGN(Submission submission, next(QueueName::kCompute));
  const HardwareQueue& queue = lane(QueueName::kCompute).queue;
  Pm4Builder builder;
  for (const Submission& other : after) {
    if (other.queue == QueueName::kCompute || is_done(other)) continue;
    builder.emit_wait_reg_mem(lane(other.queue).queue.timeline(), Compare::kGreaterEqual, lo32(other.value), ~0u);
  }
  builder.emit_hdp_flush();
  builder.emit_acquire_mem(Acquire::kFromHost);
  builder.emit_indirect_buffer(commands->packets.gpu_addr(), commands->packet_count_dwords);
  builder.emit_release_mem({.data = ReleaseData::k64Bit, .address = queue.timeline(), .value = submission.value});
  builder.emit_release_mem({.release = Release::kNoFlush,
                            .data = ReleaseData::k32Bit,
                            .interrupt = ReleaseInterrupt::kAfterWriteConfirm,
                            .address = monitor_->mailbox(),
                            .value = monitor_->event_id(),
                            .context_id = monitor_->event_id()});
  BW_ASSIGN(auto packets, builder.finish());
  BW_RETURN_IF_ERROR(push(submission, packets));
  lane(QueueName::kCompute).pending.push_back({submission.value, std::move(commands), {}});
  return submission;
}

Result<Submission> QueueSet::submit_copy(const std::function<void(SdmaBuilder&)>& emit, std::string what,
                                         std::span<const Submission> after) {
  BW_ASSIGN(Submission submission, next(QueueName::kSdma));
  SdmaBuilder builder;
  for (const Submission& other : after) {
    if (other.queue == QueueName::kSdma || is_done(other)) continue;
    builder.emit_poll_regmem(lane(other.queue).queue.timeline(), Compare::kGreaterEqual, lo32(other.value), ~0u);
  }
  builder.emit_hdp_flush();
  builder.emit_gcr(SdmaCache::kInvalidate);
  emit(builder);
  builder.emit_gcr(SdmaCache::kWriteBack);
  builder.emit_fence(lane(QueueName::kSdma).queue.timeline(), lo32(submission.value));
  builder.emit_fence(monitor_->mailbox(), monitor_->event_id());
  builder.emit_trap(monitor_->event_id());
  BW_ASSIGN(auto packets, builder.finish());
  BW_RETURN_IF_ERROR(push(submission, packets));
  lane(QueueName::kSdma).pending.push_back({submission.value, nullptr, std::move(what)});
  return submission;
}

bool QueueSet::is_done(Submission submission) const {
  return lane(submission.queue).queue.completed() >= submission.value;
}

Submission QueueSet::last(QueueName queue) const {
  return {queue, lane(queue).queue.submitted()};
}

// Sleeps in the driver; a fault is recorded with what was running, and returned.
Status QueueSet::sleep(uint64_t timeout_ns) {
  const uint64_t ms = (std::min(timeout_ns, kLongestSleepNs) + kNsPerMs - 1) / kNsPerMs;
  BW_ASSIGN(auto description, monitor_->sleep(static_cast<uint32_t>(ms)));
  if (!description.has_value()) return Status::ok();
  fault_ = error(StatusCode::kDeviceFault, "{}; {}", *description, describe_pending());
  return fault_;
}

Status QueueSet::wait(Submission submission, uint64_t timeout_ns) {
  if (submission.value > lane(submission.queue).queue.submitted()) {
    return error(StatusCode::kInvalidArgument, "waiting for submission {} of the {} queue, but only {} were made",
                 submission.value, name_of(submission.queue), lane(submission.queue).queue.submitted());
  }
  if (is_done(submission)) return Status::ok();
  BW_RETURN_IF_ERROR(fault_);
  const Clock::time_point begin = Clock::now();
  const uint64_t spin_ns = std::min(options_.spin_ns, timeout_ns);
  while (ns_since(begin) < spin_ns) {
    for (int i = 0; i < 64; ++i) spin_pause();
    if (is_done(submission)) return Status::ok();
  }
  Clock::time_point last_progress_time = begin;
  uint64_t last_progress = progress();
  while (true) {
    const uint64_t waited_ns = ns_since(last_progress_time);
    // Even when the time is over the driver is asked once, so that a fault is not reported as a time-out.
    BW_RETURN_IF_ERROR(sleep(waited_ns < timeout_ns ? timeout_ns - waited_ns : 0));
    if (is_done(submission)) return Status::ok();
    if (const uint64_t now = progress(); now != last_progress) {
      last_progress = now;
      last_progress_time = Clock::now();
    } else if (waited_ns >= timeout_ns) {
      break;
    }
  }
  return error(StatusCode::kTimeout, "waiting for submission {} of the {} queue: no progress for {} ms; {}",
               submission.value, name_of(submission.queue), timeout_ns / kNsPerMs, describe_pending());
}

Status QueueSet::wait_idle() {
  BW_RETURN_IF_ERROR(wait(last(QueueName::kCompute)));
  return wait(last(QueueName::kSdma));
}

uint64_t QueueSet::progress() const {
  uint64_t sum = 0;
  for (const Lane& lane : lanes_) {
    const uint64_t done = lane.queue.completed();
    // The timeline in the high half, the dispatches of the submission that runs in the low one.
    sum += done << 32;
    auto running = std::find_if(lane.pending.begin(), lane.pending.end(),
                                [done](const Pending& pending) { return pending.value > done; });
    if (running != lane.pending.end() && running->commands) sum += running->commands->started_count();
  }
  return sum;
}

// What is known: by each timeline, the first submission that has not ended; within it, how far the command processor
// came.
std::string QueueSet::describe_pending() const {
  std::string text;
  for (QueueName name : {QueueName::kCompute, QueueName::kSdma}) {
    const uint64_t done = lane(name).queue.completed();
    for (const Pending& pending : lane(name).pending) {
      if (pending.value <= done) continue;
      text += fmt::format("{}running on the {} queue, submission {}: {}", text.empty() ? "" : "; ", name_of(name),
                          pending.value, pending.commands ? pending.commands->describe_running() : pending.what);
      break;
    }
  }
  return text.empty() ? "nothing was running" : text;
}

}  // namespace bw::amdgpu
