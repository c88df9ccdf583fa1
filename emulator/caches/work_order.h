// Owns: which work of a card's queues is known to have ended when other work begins, and whether work that may overlap
// touches the same bytes. Not here: caches (near_caches.h), which packets wait and signal (emulator/queue).
//
// Each queue has two lanes: the shaders, whose dispatches run side by side until the queue waits for them, and its
// packets, which are done one by one. What is known is a number for each lane, up to which its work has ended (a vector
// clock). A value that a packet stores in memory carries what the queue knew, a packet at the end of the pipe all that
// its queue had begun; a queue that waits for the value knows that too, and so does the host: it is taken to have
// looked at all signals before it rings a doorbell.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "emulator/caches/access_set.h"

namespace bw::emulator {

using WorkNumber = uint64_t;               // counts up over all queues, from 1
inline constexpr WorkNumber kOutside = 0;  // nobody's on this card: the host's, or another card's
using QueueNumber = uint32_t;

// Up to which work each lane has ended; lanes by number, those that are missing have 0.
using WorkClock = std::vector<WorkNumber>;

// What it takes to know whether work has ended.
struct WorkStamp {
  WorkNumber number = 0;
  QueueNumber queue = 0;
  bool is_dispatch = false;
};

struct Work : WorkStamp {
  std::shared_ptr<const Accesses> accesses;
};

struct Race {
  uint64_t address = 0;
  AccessKind kind = AccessKind::kLoad;  // of the new work
  AccessKind earlier_kind = AccessKind::kStore;
  Work earlier;
};

class WorkOrder {
 public:
  QueueNumber add_queue();
  void remove_queue(QueueNumber queue);

  // The client's doorbell says so much more work, up to `position` of the ring.
  void see_doorbell(QueueNumber queue, uint64_t position);
  // A packet at that position of the ring begins.
  void begin_at(QueueNumber queue, uint64_t position);
  // All that the doorbell announced is done.
  void drained(QueueNumber queue);

  // The first byte that the work and earlier work that may not have ended touch, one of them writing.
  std::optional<Race> find_race(QueueNumber queue, const Accesses& accesses) const;
  // Adds work of the queue. A packet is done at once, a dispatch when the queue has waited for it.
  Work add(QueueNumber queue, bool is_dispatch, std::shared_ptr<const Accesses> accesses);
  // A number for what is no work that others may overlap with.
  WorkNumber take_number() { return next_++; }

  // The dispatches of the queue so far have ended.
  void wait_for_dispatches(QueueNumber queue);
  enum class Signal : uint8_t { kNow, kEndOfPipe };
  // A packet stores a value there (0: it interrupts only); nullopt: it is not known which.
  void signal(QueueNumber queue, uint64_t address, std::optional<uint64_t> value, Signal when);
  // The queue has found the value there that it waited for. What it may rely on is the first that would have done:
  // those after it may come later the next time.
  using Wanted = std::function<bool(uint64_t value)>;
  void wait_for_value(QueueNumber queue, uint64_t address, const Wanted& wanted);

  // Dispatches that the queue does not know to have ended.
  std::vector<Work> running_for(QueueNumber queue) const;
  // Whether the queue knows that the work has ended; `when`: what a signal says that it stores now.
  bool has_ended(QueueNumber queue, Signal when, const WorkStamp& work) const;

 private:
  struct Doorbell {
    uint64_t position = 0;
    WorkClock known;  // by the host, when it was seen
  };
  struct Queue {
    WorkClock known;
    WorkNumber last_dispatch = 0;
    WorkNumber last_packet = 0;
    std::deque<Doorbell> doorbells;
    bool has_work = false;
  };

  static size_t lane_of(QueueNumber queue, bool is_dispatch) { return size_t{queue} * 2 + (is_dispatch ? 0 : 1); }
  static void join(WorkClock& clock, const WorkClock& other);
  static void raise(WorkClock& clock, size_t lane, WorkNumber number);
  static bool knows(const WorkClock& clock, const WorkStamp& work);
  // Forgets work that all queues know to have ended.
  void forget();

  std::map<QueueNumber, Queue> queues_;
  QueueNumber next_queue_ = 0;
  WorkNumber next_ = 1;
  std::deque<Work> works_;
  WorkClock host_known_;
  struct StoredSignal {
    std::optional<uint64_t> value;
    WorkClock known;
  };
  static constexpr size_t kMostSignals = 256;
  std::unordered_map<uint64_t, std::deque<StoredSignal>> signals_;  // by address; the latest, in order
};

}  // namespace bw::emulator
