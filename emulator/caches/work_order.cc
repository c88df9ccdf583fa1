#include "emulator/caches/work_order.h"

#include <algorithm>

namespace bw::emulator {
namespace {

bool conflicts(AccessKind a, AccessKind b) {
  if (!is_write(a) && !is_write(b)) return false;
  return a != AccessKind::kAtomic || b != AccessKind::kAtomic;
}

}  // namespace

void WorkOrder::join(WorkClock& clock, const WorkClock& other) {
  if (clock.size() < other.size()) clock.resize(other.size());
  for (size_t i = 0; i < other.size(); ++i) clock[i] = std::max(clock[i], other[i]);
}

void WorkOrder::raise(WorkClock& clock, size_t lane, WorkNumber number) {
  if (clock.size() <= lane) clock.resize(lane + 1);
  clock[lane] = std::max(clock[lane], number);
}

bool WorkOrder::knows(const WorkClock& clock, const WorkStamp& work) {
  const size_t lane = lane_of(work.queue, work.is_dispatch);
  return lane < clock.size() && clock[lane] >= work.number;
}

QueueNumber WorkOrder::add_queue() {
  const QueueNumber number = next_queue_++;
  queues_[number].known = host_known_;
  return number;
}

// What it was doing has been stopped, and the client knows.
void WorkOrder::remove_queue(QueueNumber queue) {
  queues_.erase(queue);
  std::erase_if(works_, [queue](const Work& work) { return work.queue == queue; });
  forget();
}

void WorkOrder::see_doorbell(QueueNumber queue, uint64_t position) {
  Queue& of = queues_.at(queue);
  of.has_work = true;
  of.doorbells.push_back({position, host_known_});
}

void WorkOrder::begin_at(QueueNumber queue, uint64_t position) {
  Queue& of = queues_.at(queue);
  while (!of.doorbells.empty() && of.doorbells.front().position <= position) of.doorbells.pop_front();
  if (of.doorbells.empty() || of.doorbells.front().known.empty()) return;
  join(of.known, of.doorbells.front().known);
  of.doorbells.front().known.clear();
}

void WorkOrder::drained(QueueNumber queue) {
  Queue& of = queues_.at(queue);
  of.doorbells.clear();
  of.has_work = false;
}

std::optional<Race> WorkOrder::find_race(QueueNumber queue, const Accesses& accesses) const {
  const WorkClock& known = queues_.at(queue).known;
  for (const Work& work : works_) {
    if (knows(known, work)) continue;
    for (size_t mine = 0; mine < kAccessKinds; ++mine) {
      if (accesses.sets[mine].is_empty()) continue;
      for (size_t theirs = 0; theirs < kAccessKinds; ++theirs) {
        const auto kind = static_cast<AccessKind>(mine), earlier = static_cast<AccessKind>(theirs);
        if (!conflicts(kind, earlier) || work.accesses->sets[theirs].is_empty()) continue;
        const auto address = accesses.sets[mine].find_common(work.accesses->sets[theirs]);
        if (address) return Race{*address, kind, earlier, work};
      }
    }
  }
  return std::nullopt;
}

Work WorkOrder::add(QueueNumber queue, bool is_dispatch, std::shared_ptr<const Accesses> accesses) {
  Queue& of = queues_.at(queue);
  const Work work{{next_++, queue, is_dispatch}, std::move(accesses)};
  (is_dispatch ? of.last_dispatch : of.last_packet) = work.number;
  if (!is_dispatch) raise(of.known, lane_of(queue, false), work.number);
  const bool is_known_to_all = !is_dispatch && queues_.size() == 1;
  if (!is_known_to_all) works_.push_back(work);
  return work;
}

void WorkOrder::wait_for_dispatches(QueueNumber queue) {
  Queue& of = queues_.at(queue);
  raise(of.known, lane_of(queue, true), of.last_dispatch);
  forget();
}

void WorkOrder::signal(QueueNumber queue, uint64_t address, std::optional<uint64_t> value, Signal when) {
  const Queue& of = queues_.at(queue);
  WorkClock carried = of.known;
  if (when == Signal::kEndOfPipe) raise(carried, lane_of(queue, true), of.last_dispatch);
  join(host_known_, carried);
  if (address != 0) {
    auto& signals = signals_[address];
    signals.push_back({value, std::move(carried)});
    if (signals.size() > kMostSignals) signals.pop_front();
  }
  forget();
}

// Where no packet has stored it, it was the host. Words are also set back and used again: of equal values the last
// counts, and none from before another value that would not have done.
void WorkOrder::wait_for_value(QueueNumber queue, uint64_t address, const Wanted& wanted) {
  const WorkClock* found = nullptr;
  std::optional<uint64_t> value;
  for (const StoredSignal& signal : signals_[address]) {
    if (signal.value && !wanted(*signal.value)) {
      found = nullptr;
    } else if (found == nullptr || signal.value == value) {
      found = &signal.known;
      value = signal.value;
    }
  }
  join(queues_.at(queue).known, found != nullptr ? *found : host_known_);
  forget();
}

std::vector<Work> WorkOrder::running_for(QueueNumber queue) const {
  std::vector<Work> running;
  const WorkClock& known = queues_.at(queue).known;
  std::copy_if(works_.begin(), works_.end(), std::back_inserter(running),
               [&](const Work& work) { return work.is_dispatch && !knows(known, work); });
  return running;
}

bool WorkOrder::has_ended(QueueNumber queue, Signal when, const WorkStamp& work) const {
  const Queue& of = queues_.at(queue);
  if (knows(of.known, work)) return true;
  return when == Signal::kEndOfPipe && work.queue == queue && work.number <= of.last_dispatch;
}

// What a queue without work gets next, the client gives it later: then it knows at least what it knows now.
void WorkOrder::forget() {
  std::erase_if(works_, [&](const Work& work) {
    const bool host_knows = knows(host_known_, work);
    return std::all_of(queues_.begin(), queues_.end(), [&](const auto& entry) {
      return knows(entry.second.known, work) || (host_knows && !entry.second.has_work);
    });
  });
}

}  // namespace bw::emulator
