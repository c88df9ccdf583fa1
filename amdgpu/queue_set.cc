#include "amdgpu/queue_set.h"

#include <algorithm>

#include "base/bits.h"

namespace bw::amdgpu {
namespace {

// Direct dispatches of a queue whose arguments are there at a time; few enough to stay in the host's caches.
constexpr uint64_t kArgumentPlaces = 128;
constexpr uint64_t kPlaceBytes = DirectDispatch::kMaxArgumentBytes;
// What has ended is let go of when there is that much of it, or somebody waits.
constexpr size_t kRetiredAtOnce = 64;

bool has_same_owner(const std::shared_ptr<const RecordedCommands>& one,
                    const std::shared_ptr<const RecordedCommands>& other) {
  return !one.owner_before(other) && !other.owner_before(one);
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

// To `at`; returns its end.
uint32_t* put(std::span<const uint32_t> packets, uint32_t* at) {
  return std::copy(packets.begin(), packets.end(), at);
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
  lane.image.clear();
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
    while (!old.pending.is_empty()) pop(old);
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

Status QueueSet::make_ready(QueueName queue) {
  if (!fault_.is_ok()) return fault_;
  if (!lane(queue).queue.exists()) BW_RETURN_IF_ERROR(create_queue(queue));
  if (lane(queue).queue.submitted() < HardwareQueue::kLastValue) return Status::ok();
  return error(StatusCode::kUnsupported,
               "the {} queue has made {} submissions, as many as it can: open the device again", name_of(queue),
               HardwareQueue::kLastValue);
}

void QueueSet::retire(Lane& lane) {
  const uint64_t done = lane.queue.completed();
  while (!lane.pending.is_empty() && lane.pending.front().value <= done) pop(lane);
}

void QueueSet::pop(Lane& lane) {
  const Pending& pending = lane.pending.front();
  if (pending.commands != nullptr && pending.commands->pointers != nullptr) {
    const QueueName queue = kQueueNames[static_cast<size_t>(&lane - lanes_)];
    pending.commands->pointers->was_ended({queue, pending.value});
  }
  lane.pending.pop();
}

Result<uint32_t*> QueueSet::wait_for_room(QueueName queue, size_t count_dwords) {
  HardwareQueue& hardware = lane(queue).queue;
  if (count_dwords > hardware.capacity_dwords()) {
    return error(StatusCode::kInvalidArgument, "a submission of {} dwords to the {} queue, whose ring takes {}",
                 count_dwords, name_of(queue), hardware.capacity_dwords());
  }
  while (true) {
    BW_RETURN_IF_ERROR(wait_to_submit({queue, hardware.oldest_pending()}));
    if (uint32_t* const at = hardware.begin(count_dwords)) return at;
  }
}

Status QueueSet::wait_to_submit(Submission earlier) {
  if (is_done(earlier)) return wait(earlier);
  if (stuck_at_ == progress()) {
    return error(StatusCode::kTimeout, "submitting to the {} queue: it hangs with earlier work; {}",
                 name_of(earlier.queue), describe_pending());
  }
  Status status = wait(earlier);
  if (status.code() == StatusCode::kTimeout) stuck_at_ = progress();
  return status;
}

QueueSet::Pending& QueueSet::push(QueueName queue) {
  Lane& lane = this->lane(queue);
  if (lane.pending.size() >= kRetiredAtOnce) retire(lane);
  lane.queue.push();
  Pending& pending = lane.pending.push();
  pending.value = lane.queue.submitted();
  return pending;
}

QueueSet::Pending& QueueSet::push(QueueName queue, const std::shared_ptr<const RecordedCommands>& commands) {
  Pending& pending = push(queue);
  pending.commands = commands.get();
  // What ends last keeps the commands: an atomic count is slow. A series of the same commands keeps more than those.
  Lane& lane = this->lane(queue);
  Pending* const before = lane.pending.size() > 1 ? &lane.pending[lane.pending.size() - 2] : nullptr;
  if (before != nullptr && before->commands == pending.commands && has_same_owner(before->keeper, commands)) {
    pending.keeper = std::move(before->keeper);
  } else {
    pending.keeper = commands;
  }
  return pending;
}

uint32_t* QueueSet::put_image(QueueName queue, uint32_t* at) {
  const Lane& lane = this->lane(queue);
  uint32_t* const end = put(lane.image.packets(), at);
  ComputeFrame::set_value(end - lane.frame.signal().size(), next(queue).value);
  return at + lane.frame.begin().size();
}

Result<Submission> QueueSet::push(QueueName queue, std::span<const uint32_t> packets, OtherWork work,
                                  std::span<const Submission> after) {
  uint32_t* at = lane(queue).queue.begin(packets.size());
  if (at == nullptr) {
    BW_ASSIGN(at, wait_for_room(queue, packets.size()));
  }
  put(packets, at);
  lane(queue).image.clear();
  Pending& pending = push(queue);
  pending.other = std::make_unique<const OtherWork>(std::move(work));
  pending.after = ends_of(after);
  return Submission{queue, pending.value};
}

bool QueueSet::is_repeat(const Work& work) const {
  return work.entry.empty() && work.patches.empty() && work.after.empty() && awaited_copy_.value == 0 &&
         (work.previous.value == 0 || work.previous.queue == work.queue) && is_ready(work.queue) &&
         lane(work.queue).image.is_of(work.commands);
}

Result<Submission> QueueSet::submit(const Work& work) {
  if (!is_repeat(work)) return submit_anew(work);
  Lane& lane = this->lane(work.queue);
  const size_t count_dwords = lane.image.packets().size();
  uint32_t* at = lane.queue.begin(count_dwords);
  if (at == nullptr) {
    BW_ASSIGN(at, wait_for_room(work.queue, count_dwords));
  }
  put_image(work.queue, at);
  return Submission{work.queue, push(work.queue, work.commands).value};
}

Result<Submission> QueueSet::submit_anew(const Work& work) {
  if (!is_ready(work.queue)) BW_RETURN_IF_ERROR(make_ready(work.queue));
  waits_.clear();
  for (const Submission& other : work.after) {
    if (other.queue != work.queue) BW_RETURN_IF_ERROR(append_wait_for(other));
  }
  if (work.previous.queue != work.queue) BW_RETURN_IF_ERROR(append_wait_for(work.previous));
  const bool has_other_packets = !work.entry.empty();
  if (awaited_copy_.value != 0) {
    BW_RETURN_IF_ERROR(append_copy_wait(has_other_packets ? nullptr : work.commands.get(), next(work.queue)));
  }
  const std::span<const uint32_t> entry = has_other_packets ? work.entry : work.commands->entry;

  Lane& lane = this->lane(work.queue);
  const size_t count_dwords = waits_.size() + lane.frame.size_dwords() + work.patches.size() + entry.size();
  uint32_t* at = lane.queue.begin(count_dwords);
  if (at == nullptr) {
    BW_ASSIGN(at, wait_for_room(work.queue, count_dwords));
  }
  at = put(waits_, at);
  at = put(lane.frame.wait(), at);
  at = put(work.patches, at);
  at = put(lane.frame.acquire(), at);
  at = put(entry, at);
  lane.frame.put_signal(at, next(work.queue).value);
  Pending& pending = push(work.queue, work.commands);
  pending.has_other_packets = has_other_packets;
  if (!work.after.empty()) pending.after = ends_of(work.after);
  if (has_other_packets) {
    lane.image.clear();
  } else if (!lane.image.is_of(work.commands)) {
    lane.image.set(work.commands, lane.frame, entry);
  }
  return Submission{work.queue, pending.value};
}

Status QueueSet::make_arguments(Lane& lane) {
  const auto kind = info_.is_vram_host_visible ? kfd::MemoryKind::kVramHostVisible : kfd::MemoryKind::kGtt;
  BW_ASSIGN(lane.arguments, kfd::Allocation::create(gpu_, {.kind = kind, .size_bytes = kArgumentPlaces * kPlaceBytes}));
  return Status::ok();
}

Result<Submission> QueueSet::submit(const DirectDispatch& dispatch, std::span<const std::byte> arguments,
                                    QueueName queue) {
  if (!is_ready(queue)) BW_RETURN_IF_ERROR(make_ready(queue));
  Lane& lane = this->lane(queue);
  if (!lane.arguments.is_valid()) BW_RETURN_IF_ERROR(make_arguments(lane));
  const uint64_t value = next(queue).value;
  if (value > kArgumentPlaces && !lane.queue.has_reached(value - kArgumentPlaces)) {
    BW_RETURN_IF_ERROR(wait_to_submit({queue, value - kArgumentPlaces}));
  }
  const uint64_t place = value % kArgumentPlaces * kPlaceBytes;
  std::byte* const to = lane.arguments.host_data() + place;
  std::copy(arguments.begin(), arguments.end(), to);
  std::copy(dispatch.arguments_.begin() + static_cast<ptrdiff_t>(arguments.size()), dispatch.arguments_.end(),
            to + arguments.size());

  waits_.clear();
  if (awaited_copy_.value != 0) BW_RETURN_IF_ERROR(append_copy_wait(dispatch.commands_.get(), next(queue)));
  // The registers stay as they are between submissions of a queue.
  const std::span<const uint32_t> entry = dispatch.commands_->entry;
  const bool is_again = waits_.empty() && lane.image.is_of(dispatch.commands_);
  const size_t left_out = is_again ? dispatch.again_begin_ : 0;
  const size_t count_dwords = waits_.size() + lane.frame.size_dwords() + entry.size() - left_out;
  uint32_t* at = lane.queue.begin(count_dwords);
  if (at == nullptr) {
    BW_ASSIGN(at, wait_for_room(queue, count_dwords));
  }
  if (is_again) {
    at = put_image(queue, at);
  } else {
    at = put(lane.frame.begin(), put(waits_, at));
    lane.frame.put_signal(put(entry, at), value);
    lane.image.set(dispatch.commands_, lane.frame, entry.subspan(dispatch.again_begin_));
  }
  if (dispatch.address_dword_) {
    const GpuAddr address = lane.arguments.gpu_address() + place;
    at[*dispatch.address_dword_ - left_out] = lo32(address.value);
    at[*dispatch.address_dword_ - left_out + 1] = hi32(address.value);
  }
  return Submission{queue, push(queue, dispatch.commands_).value};
}

void QueueSet::append_signal(SdmaBuilder& builder, Submission submission) const {
  builder.emit_fence(lane(submission.queue).queue.timeline(), lo32(submission.value));
  builder.emit_fence(monitor_->mailbox(), monitor_->event_id());
  builder.emit_trap(monitor_->event_id());
}

Result<Submission> QueueSet::submit(const CopyWork& work, QueueName queue, std::span<const Submission> after) {
  BW_RETURN_IF_ERROR(make_ready(queue));
  SdmaBuilder builder;
  for (const Submission& other : after) {
    if (other.queue == queue || is_done(other)) continue;
    builder.emit_poll_regmem(lane(other.queue).queue.timeline(), Compare::kGreaterEqual, lo32(other.value), ~0u);
  }
  builder.emit_hdp_flush();
  builder.emit_gcr(SdmaCache::kInvalidate);
  work.emit(builder);
  builder.emit_gcr(SdmaCache::kWriteBack);
  append_signal(builder, next(queue));
  BW_ASSIGN(const std::vector<uint32_t> packets, builder.finish());
  return push(queue, packets, {.copy = work}, after);
}

Status QueueSet::append_wait_for(Submission other) {
  if (is_done(other)) return Status::ok();
  Pm4Builder builder;
  builder.emit_wait_reg_mem(lane(other.queue).queue.timeline(), Compare::kGreaterEqual, lo32(other.value), ~0u);
  BW_ASSIGN(const auto waits, builder.finish());
  waits_.insert(waits_.end(), waits.begin(), waits.end());
  return Status::ok();
}

Status QueueSet::append_copy_wait(const RecordedCommands* commands, Submission submission) {
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
    const auto conflicts = [&](const AddressUse& use) { return commands->conflicts_with(use, submission); };
    if (commands == nullptr || std::ranges::any_of(pending.other->copy.uses(), conflicts)) {
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
    if (pending.commands != nullptr && pending.commands == innocent && !pending.has_other_packets) continue;
    if (pending.conflicts_with(use, queue)) return {queue, pending.value};
    // Pointers may stand for other memory each time.
    const bool uses_the_same = pending.commands != nullptr && pending.commands->pointers == nullptr;
    innocent = uses_the_same ? pending.commands : nullptr;
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
  BW_RETURN_IF_ERROR(make_ready(queue));
  std::vector<uint32_t> packets;
  if (!is_compute(queue)) {
    SdmaBuilder builder;
    if (!peer.is_done(of_peer)) {
      builder.emit_poll_regmem(other.timeline(), Compare::kGreaterEqual, lo32(of_peer.value), ~0u);
    }
    append_signal(builder, next(queue));
    BW_ASSIGN(packets, builder.finish());
  } else {
    if (!peer.is_done(of_peer)) {
      Pm4Builder builder;
      builder.emit_wait_reg_mem(other.timeline(), Compare::kGreaterEqual, lo32(of_peer.value), ~0u);
      BW_ASSIGN(packets, builder.finish());
    }
    const ComputeFrame& frame = lane(queue).frame;
    packets.resize(packets.size() + frame.signal().size());
    frame.put_signal(packets.data() + packets.size() - frame.signal().size(), next(queue).value);
  }
  return push(queue, packets,
              {.what = fmt::format("waiting for submission {} of the {} queue of gpu {}", of_peer.value,
                                   name_of(of_peer.queue), peer.gpu_.id())},
              {});
}

bool QueueSet::is_done(Submission submission) const {
  if (submission.value == 0) return true;
  return lane(submission.queue).queue.completed() >= submission.value;
}

Submission QueueSet::last(QueueName queue) const {
  return {queue, lane(queue).queue.submitted()};
}

}  // namespace bw::amdgpu
