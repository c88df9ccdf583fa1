#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "amdgpu/queue_set.h"

// Waiting, with time-outs and deadlines, and what is said when they pass. Submitting is in queue_set.cc.

namespace bw::amdgpu {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint64_t kNsPerMs = 1'000'000;
// A sleeper looks at the timeline at least this often, should an interrupt get lost.
constexpr uint64_t kLongestSleepNs = 200 * kNsPerMs;
// No deadline is further away, so that times never overflow.
constexpr uint64_t kLongestDeadlineNs = uint64_t{1} << 60;

// Between two looks at a word that comes without an interrupt.
constexpr uint64_t kShortestNapNs = 50'000;
constexpr uint64_t kLongestNapNs = 1'000'000;
// Without progress for so long the driver is asked for faults.
constexpr uint64_t kFaultCheckNs = 1'000'000'000;

// Between two looks at the clock a wait looks this often at the timeline.
constexpr int kLooksPerClock = 16;

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

// Sleeps in the driver; a fault is recorded with what was running, and returned.
Status QueueSet::sleep(uint64_t timeout_ns) {
  const uint64_t ms = (std::min(timeout_ns, kLongestSleepNs) + kNsPerMs - 1) / kNsPerMs;
  BW_ASSIGN(auto description, monitor_->sleep(static_cast<uint32_t>(ms)));
  if (!description.has_value()) return Status::ok();
  fault_ = error(StatusCode::kDeviceFault, "{}; {}", *description, describe_pending());
  return fault_;
}

Status QueueSet::wait(Submission submission, uint64_t timeout_ns) {
  if (submission.value == 0) return Status::ok();
  Lane& lane = this->lane(submission.queue);
  if (submission.value > lane.queue.submitted()) {
    return error(StatusCode::kInvalidArgument, "waiting for submission {} of the {} queue, but only {} were made",
                 submission.value, name_of(submission.queue), lane.queue.submitted());
  }
  const auto has_ended = [&] {
    if (lane.queue.completed() < submission.value) return false;
    retire(lane);
    return true;
  };
  if (has_ended()) return Status::ok();
  if (!fault_.is_ok()) return fault_;
  const Clock::time_point begin = Clock::now();
  const uint64_t spin_ns = std::min(options_.spin_ns, timeout_ns);
  while (ns_since(begin) < spin_ns) {
    for (int i = 0; i < kLooksPerClock; ++i) {
      if (has_ended()) return Status::ok();
      spin_pause();
    }
  }
  Clock::time_point last_progress_time = begin;
  uint64_t last_progress = progress();
  while (true) {
    const uint64_t waited_ns = ns_since(last_progress_time);
    // Even when the time is over the driver is asked once, so that a fault is not reported as a time-out.
    BW_RETURN_IF_ERROR(sleep(std::min(waited_ns < timeout_ns ? timeout_ns - waited_ns : 0, ns_to_deadline())));
    if (has_ended()) return Status::ok();
    if (!deadlines_.empty()) BW_RETURN_IF_ERROR(check_deadlines());
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

Result<bool> QueueSet::wait_word(const uint32_t& word, uint32_t value, Submission submission) {
  const std::atomic_ref<const uint32_t> seen(word);
  const auto has_value = [&] { return seen.load(std::memory_order_acquire) == value; };
  const Clock::time_point begin = Clock::now();
  Clock::time_point last_progress_time = begin;
  uint64_t last_progress = progress();
  uint64_t checks = 0;
  // Words of a series come at a steady pace: most of the time that the one before took nothing will be there to see.
  uint64_t nap_ns = std::clamp(last_word_ns_ / 8 * 7, kShortestNapNs, kLongestNapNs);
  while (!has_value()) {
    // What is written last before the end may come between two looks.
    if (is_done(submission)) return has_value();
    BW_RETURN_IF_ERROR(fault_);
    // The device goes on by itself: nobody gains by a core that spins here.
    std::this_thread::sleep_for(std::chrono::nanoseconds(nap_ns));
    nap_ns = std::clamp(ns_since(begin) / 4, kShortestNapNs, kLongestNapNs);
    if (const uint64_t now = progress(); now != last_progress) {
      last_progress = now;
      last_progress_time = Clock::now();
      checks = 0;
    }
    if (!deadlines_.empty()) BW_RETURN_IF_ERROR(check_deadlines());
    const uint64_t waited_ns = ns_since(last_progress_time);
    if (waited_ns < (checks + 1) * std::min(kFaultCheckNs, options_.wait_timeout_ns)) continue;
    ++checks;
    BW_RETURN_IF_ERROR(sleep(0));
    if (waited_ns >= options_.wait_timeout_ns && !has_value() && !is_done(submission)) {
      return error(StatusCode::kTimeout,
                   "waiting for a part of submission {} of the {} queue: no progress for {} ms; {}", submission.value,
                   name_of(submission.queue), options_.wait_timeout_ns / kNsPerMs, describe_pending());
    }
  }
  last_word_ns_ = ns_since(begin);
  return true;
}

size_t QueueSet::capacity_dwords(QueueName queue) const {
  constexpr size_t kFrameDwords = 128;  // of waits, invalidation and signals; they are far fewer
  return lane(queue).queue.capacity_dwords() - kFrameDwords;
}

Status QueueSet::wait_idle() {
  for (QueueName name : kQueueNames) BW_RETURN_IF_ERROR(wait(last(name)));
  return Status::ok();
}

Status QueueSet::set_deadline(Submission submission, uint64_t limit_ns) {
  if (submission.value > lane(submission.queue).queue.submitted()) {
    return error(StatusCode::kInvalidArgument, "a deadline for submission {} of the {} queue, but only {} were made",
                 submission.value, name_of(submission.queue), lane(submission.queue).queue.submitted());
  }
  if (is_done(submission)) return Status::ok();
  const auto limit = std::chrono::nanoseconds(std::min<uint64_t>(limit_ns, kLongestDeadlineNs));
  deadlines_.push_back({.submission = submission, .limit = limit, .start = {}});
  return check_deadlines();
}

bool QueueSet::may_start(Submission submission) const {
  const Lane& lane = this->lane(submission.queue);
  if (lane.queue.completed() + 1 < submission.value) return false;
  for (size_t i = 0; i < lane.pending.size(); ++i) {
    if (lane.pending[i].value != submission.value) continue;
    for (QueueName other : kQueueNames) {
      if (!is_done({other, lane.pending[i].after[static_cast<size_t>(other)]})) return false;
    }
  }
  return true;
}

Status QueueSet::check_deadlines() {
  BW_RETURN_IF_ERROR(fault_);
  std::erase_if(deadlines_, [this](const Deadline& deadline) { return is_done(deadline.submission); });
  const Clock::time_point now = Clock::now();
  for (size_t i = 0; i < deadlines_.size(); ++i) {
    Deadline& deadline = deadlines_[i];
    if (!deadline.start && may_start(deadline.submission)) deadline.start = now;
    if (!deadline.start || now - *deadline.start < deadline.limit) continue;
    const Deadline passed = deadline;
    deadlines_.erase(deadlines_.begin() + static_cast<ptrdiff_t>(i));
    return error(StatusCode::kTimeout, "submission {} of the {} queue has not ended {} ms after it could begin; {}",
                 passed.submission.value, name_of(passed.submission.queue),
                 static_cast<uint64_t>(passed.limit.count()) / kNsPerMs, describe_pending());
  }
  return Status::ok();
}

uint64_t QueueSet::ns_to_deadline() const {
  uint64_t least = kLongestSleepNs;
  const Clock::time_point now = Clock::now();
  for (const Deadline& deadline : deadlines_) {
    if (!deadline.start) continue;
    const auto left = std::chrono::nanoseconds(*deadline.start + deadline.limit - now).count();
    least = std::min(least, left > 0 ? static_cast<uint64_t>(left) : 0);
  }
  return least;
}

uint64_t QueueSet::progress() const {
  uint64_t sum = 0;
  for (const Lane& lane : lanes_) {
    if (!lane.queue.exists()) continue;
    // The timeline in the high half, the dispatches of the submission that runs in the low one.
    sum += lane.queue.completed() << 32;
    const Pending* running = first_running(lane);
    if (running != nullptr && running->commands != nullptr) sum += running->commands->started_step_count();
  }
  return sum;
}

const QueueSet::Pending* QueueSet::first_running(const Lane& lane) {
  const uint64_t done = lane.queue.completed();
  for (size_t i = 0; i < lane.pending.size(); ++i) {
    if (lane.pending[i].value > done) return &lane.pending[i];
  }
  return nullptr;
}

// What is known: by each timeline, the first submission that has not ended; within it, how far the command processor
// came.
std::string QueueSet::describe_pending() const {
  std::string text;
  for (QueueName name : kQueueNames) {
    if (!lane(name).queue.exists()) continue;
    const Pending* running = first_running(lane(name));
    if (running == nullptr) continue;
    text += fmt::format("{}running on the {} queue, submission {}: {}", text.empty() ? "" : "; ", name_of(name),
                        running->value, running->describe());
  }
  return text.empty() ? "nothing was running" : text;
}

}  // namespace bw::amdgpu
