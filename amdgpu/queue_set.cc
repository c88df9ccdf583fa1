#include "amdgpu/queue_set.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <thread>

#include "base/bits.h"

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

std::string_view name_of(QueueName queue) {
  switch (queue) {
    case QueueName::kCompute:
      return "compute";
    case QueueName::kCompute2:
      return "second compute";
    case QueueName::kSdma:
      return "copy";
    case QueueName::kSdma2:
      return "download";
  }
  return "";
}

uint64_t ns_since(Clock::time_point begin) {
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - begin).count());
}

// How far each queue comes when these submissions end.
std::array<uint64_t, kQueueNames.size()> ends_of(std::span<const Submission> submissions) {
  std::array<uint64_t, kQueueNames.size()> ends{};
  for (const Submission& submission : submissions) {
    uint64_t& end = ends[static_cast<size_t>(submission.queue)];
    end = std::max(end, submission.value);
  }
  return ends;
}

void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  std::this_thread::yield();
#endif
}

}  // namespace

Result<std::unique_ptr<QueueSet>> QueueSet::create(DriverSession& session, kfd::Gpu& gpu, const DeviceInfo& info,
                                                   const Options& options) {
  std::unique_ptr<QueueSet> set(new QueueSet(session, gpu, info, options));  // NOLINT: private
  BW_ASSIGN(set->monitor_, FaultMonitor::create(session.process(), session.events()));
  for (QueueName name : {QueueName::kCompute, QueueName::kSdma}) BW_RETURN_IF_ERROR(set->create_queue(name));
  return set;
}

QueueSet::~QueueSet() {
  for (Lane& lane : lanes_) abandon(lane);
}

void QueueSet::abandon(Lane& lane) {
  if (!lane.queue.exists() || peers_.empty()) return;
  session_.keep(lane.queue.abandon());
}

Status QueueSet::create_queue(QueueName name) {
  Lane& lane = this->lane(name);
  HardwareQueue fresh;
  if (!is_compute(name)) {
    BW_ASSIGN(fresh, HardwareQueue::create_sdma(gpu_, options_.sdma_ring_size_bytes, peers_));
  } else {
    BW_ASSIGN(fresh, HardwareQueue::create_compute(gpu_, info_, options_.compute_ring_size_bytes, peers_));
    BW_ASSIGN(lane.frame, ComputeFrame::create(fresh.timeline(), monitor_->mailbox(), monitor_->event_id()));
  }
  fresh.start_after(lane.queue.submitted());
  abandon(lane);
  lane.queue = std::move(fresh);
  lane.pending = RingQueue<Pending>(lane.queue.max_in_flight());
  return Status::ok();
}

Status QueueSet::recover() {
  // Whatever fails on the way, nothing can be submitted then.
  fault_ = error(StatusCode::kDeviceFault, "the queues could not be created again after a fault");
  for (Lane& old : lanes_) {
    old.queue.stop();
    old.pending.clear();
  }
  awaited_copy_ = {};
  deadlines_.clear();
  stuck_at_.reset();
  ++recovery_count_;
  BW_RETURN_IF_ERROR(monitor_->renew());
  for (QueueName name : kQueueNames) {
    if (lane(name).queue.exists()) BW_RETURN_IF_ERROR(create_queue(name));
  }
  fault_ = Status::ok();
  return Status::ok();
}

Result<Submission> QueueSet::next(QueueName queue) {
  BW_RETURN_IF_ERROR(fault_);
  if (!lane(queue).queue.exists()) BW_RETURN_IF_ERROR(create_queue(queue));
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
  while (!lane.pending.is_empty() && lane.pending.front().value <= done) lane.pending.pop();
}

Status QueueSet::make_room(QueueName queue) {
  HardwareQueue& hardware = lane(queue).queue;
  if (packets_.size() > hardware.capacity_dwords()) {
    return error(StatusCode::kInvalidArgument, "a submission of {} dwords to the {} queue, whose ring takes {}",
                 packets_.size(), name_of(queue), hardware.capacity_dwords());
  }
  while (!hardware.has_room(static_cast<uint32_t>(packets_.size()))) {
    // Whoever submits again and again to a device that hangs waits only once.
    if (stuck_at_ == progress()) {
      return error(StatusCode::kTimeout, "submitting to the {} queue: it is full and hangs; {}", name_of(queue),
                   describe_pending());
    }
    Status status = wait({queue, hardware.oldest_pending()});
    if (status.code() == StatusCode::kTimeout) stuck_at_ = progress();
    BW_RETURN_IF_ERROR(std::move(status));
  }
  return Status::ok();
}

void QueueSet::push(Submission submission, Pending pending) {
  Lane& lane = this->lane(submission.queue);
  retire(lane);
  lane.queue.push(packets_);
  pending.value = submission.value;
  lane.pending.push(std::move(pending));
}

Result<Submission> QueueSet::submit(Work work) {
  BW_ASSIGN(Submission submission, next(work.queue));
  const Lane& lane = this->lane(work.queue);
  packets_.clear();
  for (const Submission& other : work.after) {
    if (other.queue != work.queue) BW_RETURN_IF_ERROR(append_wait_for(other));
  }
  if (work.previous.queue != work.queue) BW_RETURN_IF_ERROR(append_wait_for(work.previous));
  const bool has_other_packets = !work.entry.empty();
  BW_RETURN_IF_ERROR(append_copy_wait(has_other_packets ? MemoryFootprint() : work.commands->footprint));
  lane.frame.append_wait(packets_);
  packets_.insert(packets_.end(), work.patches.begin(), work.patches.end());
  lane.frame.append_acquire(packets_);
  const std::span<const uint32_t> entry = work.entry.empty() ? work.commands->entry : work.entry;
  packets_.insert(packets_.end(), entry.begin(), entry.end());
  lane.frame.append_signal(packets_, submission.value);
  BW_RETURN_IF_ERROR(make_room(work.queue));
  push(submission,
       {.commands = std::move(work.commands), .has_other_packets = has_other_packets, .after = ends_of(work.after)});
  return submission;
}

Result<Submission> QueueSet::submit(const DirectDispatch& dispatch, std::span<const std::byte> arguments,
                                    QueueName queue) {
  BW_ASSIGN(Submission submission, next(queue));
  Lane& lane = this->lane(queue);
  constexpr uint64_t kPlaceBytes = DirectDispatch::kMaxArgumentBytes;
  const uint64_t places = lane.queue.max_in_flight();
  if (!lane.arguments.is_valid()) {
    const auto kind = info_.is_vram_host_visible ? kfd::MemoryKind::kVramHostVisible : kfd::MemoryKind::kGtt;
    BW_ASSIGN(lane.arguments, kfd::Allocation::create(gpu_, {.kind = kind, .size_bytes = places * kPlaceBytes}));
  }
  // Whoever had the place before has ended when there is room for one more.
  const uint64_t place = submission.value % places * kPlaceBytes;
  packets_.clear();
  BW_RETURN_IF_ERROR(append_copy_wait(dispatch.commands_->footprint));
  lane.frame.append_wait(packets_);
  lane.frame.append_acquire(packets_);
  const size_t begin = packets_.size();
  packets_.insert(packets_.end(), dispatch.commands_->entry.begin(), dispatch.commands_->entry.end());
  if (dispatch.address_dword_) {
    const GpuAddr address = lane.arguments.gpu_address() + place;
    packets_[begin + *dispatch.address_dword_] = lo32(address.value);
    packets_[begin + *dispatch.address_dword_ + 1] = hi32(address.value);
  }
  lane.frame.append_signal(packets_, submission.value);
  BW_RETURN_IF_ERROR(make_room(queue));
  std::byte* to = lane.arguments.host_data() + place;
  std::copy(arguments.begin(), arguments.end(), to);
  std::copy(dispatch.arguments_.begin() + static_cast<ptrdiff_t>(arguments.size()), dispatch.arguments_.end(),
            to + arguments.size());
  push(submission, {.commands = dispatch.commands_});
  return submission;
}

void QueueSet::append_signal(SdmaBuilder& builder, Submission submission) const {
  builder.emit_fence(lane(submission.queue).queue.timeline(), lo32(submission.value));
  builder.emit_fence(monitor_->mailbox(), monitor_->event_id());
  builder.emit_trap(monitor_->event_id());
}

Result<Submission> QueueSet::submit(const CopyWork& work, QueueName queue, std::span<const Submission> after) {
  BW_ASSIGN(Submission submission, next(queue));
  SdmaBuilder builder;
  for (const Submission& other : after) {
    if (other.queue == queue || is_done(other)) continue;
    builder.emit_poll_regmem(lane(other.queue).queue.timeline(), Compare::kGreaterEqual, lo32(other.value), ~0u);
  }
  builder.emit_hdp_flush();
  builder.emit_gcr(SdmaCache::kInvalidate);
  work.emit(builder);
  builder.emit_gcr(SdmaCache::kWriteBack);
  append_signal(builder, submission);
  BW_ASSIGN(packets_, builder.finish());
  BW_RETURN_IF_ERROR(make_room(queue));
  push(submission, {.copy = work, .after = ends_of(after)});
  return submission;
}

Status QueueSet::append_wait_for(Submission other) {
  if (is_done(other)) return Status::ok();
  Pm4Builder builder;
  builder.emit_wait_reg_mem(lane(other.queue).queue.timeline(), Compare::kGreaterEqual, lo32(other.value), ~0u);
  BW_ASSIGN(const auto waits, builder.finish());
  packets_.insert(packets_.end(), waits.begin(), waits.end());
  return Status::ok();
}

Status QueueSet::append_copy_wait(const MemoryFootprint& footprint) {
  if (awaited_copy_.value == 0) return Status::ok();
  if (is_done(awaited_copy_)) {
    awaited_copy_ = {};
    return Status::ok();
  }
  const Lane& lane = this->lane(awaited_copy_.queue);
  const uint64_t done = lane.queue.completed();
  for (size_t i = lane.pending.size(); i-- > 0;) {
    const Pending& pending = lane.pending[i];
    if (pending.value <= done) break;
    if (pending.value > awaited_copy_.value) continue;
    const auto uses = pending.copy.uses();
    if (std::ranges::any_of(uses, [&](const AddressUse& use) { return footprint.conflicts_with(use); })) {
      return append_wait_for({awaited_copy_.queue, pending.value});
    }
  }
  return Status::ok();
}

Submission QueueSet::last_conflict(QueueName queue, const AddressUse& use) const {
  const Lane& lane = this->lane(queue);
  if (!lane.queue.exists()) return {queue, 0};
  const uint64_t done = lane.queue.completed();
  const RecordedCommands* innocent = nullptr;  // the same commands are often submitted again and again
  for (size_t i = lane.pending.size(); i-- > 0;) {
    const Pending& pending = lane.pending[i];
    if (pending.value <= done) break;
    if (pending.commands && pending.commands.get() == innocent && !pending.has_other_packets) continue;
    if (pending.conflicts_with(use)) return {queue, pending.value};
    innocent = pending.commands.get();
  }
  return {queue, 0};
}

QueueSet::Conflicts QueueSet::conflicts_with(const AddressUse& use) const {
  Conflicts conflicts;
  for (size_t i = 0; i < conflicts.size(); ++i) conflicts[i] = last_conflict(kQueueNames[i], use);
  return conflicts;
}

Result<Submission> QueueSet::submit_wait(QueueName queue, const QueueSet& peer, Submission of_peer) {
  const HardwareQueue& other = peer.lane(of_peer.queue).queue;
  if (of_peer.value > other.submitted()) {
    return error(StatusCode::kInvalidArgument,
                 "waiting for submission {} of the {} queue of gpu {}, but only {} were made", of_peer.value,
                 name_of(of_peer.queue), peer.gpu_.id(), other.submitted());
  }
  BW_ASSIGN(Submission submission, next(queue));
  packets_.clear();
  if (!is_compute(queue)) {
    SdmaBuilder builder;
    if (!peer.is_done(of_peer)) {
      builder.emit_poll_regmem(other.timeline(), Compare::kGreaterEqual, lo32(of_peer.value), ~0u);
    }
    append_signal(builder, submission);
    BW_ASSIGN(packets_, builder.finish());
  } else {
    if (!peer.is_done(of_peer)) {
      Pm4Builder builder;
      builder.emit_wait_reg_mem(other.timeline(), Compare::kGreaterEqual, lo32(of_peer.value), ~0u);
      BW_ASSIGN(packets_, builder.finish());
    }
    lane(queue).frame.append_signal(packets_, submission.value);
  }
  BW_RETURN_IF_ERROR(make_room(queue));
  push(submission, {.what = fmt::format("waiting for submission {} of the {} queue of gpu {}", of_peer.value,
                                        name_of(of_peer.queue), peer.gpu_.id())});
  return submission;
}

bool QueueSet::is_done(Submission submission) const {
  if (submission.value == 0) return true;
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
    BW_RETURN_IF_ERROR(sleep(std::min(waited_ns < timeout_ns ? timeout_ns - waited_ns : 0, ns_to_deadline())));
    if (is_done(submission)) return Status::ok();
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
  while (!has_value()) {
    // What is written last before the end may come between two looks.
    if (is_done(submission)) return has_value();
    BW_RETURN_IF_ERROR(fault_);
    // The device goes on by itself: nobody gains by a core that spins here.
    std::this_thread::sleep_for(
        std::chrono::nanoseconds(std::clamp(ns_since(begin) / 4, kShortestNapNs, kLongestNapNs)));
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
    if (running != nullptr && running->commands) sum += running->commands->started_step_count();
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
