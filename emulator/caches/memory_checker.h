// Owns: strict mode's knowledge of one card's memory: which work may still be running, which caches may hold what is
// out of date, and what others do not see yet; and the reports. Not here: the rules (work_order.h, card_caches.h), the
// packets that wait, signal and invalidate (emulator/queue), AQL queues, which do not take part.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "emulator/caches/access_set.h"
#include "emulator/caches/card_caches.h"
#include "emulator/caches/memory_view.h"
#include "emulator/caches/work_order.h"

namespace bw::emulator {

// Safe to use from several threads: each queue has its own, and a lock is held for each call.
class MemoryChecker {
 public:
  class Queue;

 private:
  struct Label {
    WorkNumber number = 0;
    std::string text;
  };

  void remember(WorkNumber number, std::string text);
  std::string label_of(WorkNumber number) const;
  std::string describe(const Race& race, const Accesses& accesses) const;
  std::string describe(const StaleUse& stale, const Accesses& accesses) const;

  std::mutex mutex_;  // guards all below
  WorkOrder order_;
  CardCaches caches_;
  std::deque<Label> labels_;  // of the latest work, by number
};

// One queue's side of it. Calls come in the order of the queue's packets. Those that return a string return what is
// wrong, if anything is.
class MemoryChecker::Queue {
 public:
  using Finding = std::optional<std::string>;

  // `space` outlives the queue; `name`: "compute queue 3".
  Queue(std::shared_ptr<MemoryChecker> checker, const AddressSpace& space, std::string name);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // The ring; positions count up in dwords for ever.
  void see_doorbell(uint64_t position);
  void begin_at(uint64_t position);
  void drained();

  // What a packet, or a dispatch of the program there, has accessed.
  Finding check_packet(const std::string& packet, Accesses accesses);
  Finding check_dispatch(uint64_t program_address, Accesses accesses);

  void wait_for_dispatches();
  // A packet stores a value there, for others that wait for it.
  void signal(uint64_t address, std::optional<uint64_t> value);
  // The same when all work so far has ended, after these cache actions, of which invalidations count for nothing:
  // nobody waits for them. `address` 0: it interrupts only. What the host waits for must find all in memory.
  enum class Meaning : uint8_t { kWorkHasEnded, kTime };
  Finding signal_at_end(uint64_t address, std::optional<uint64_t> value, const CacheActions& actions, Meaning meaning);
  // The value has been stored.
  void stored_signal(const std::string& packet, uint64_t address, uint64_t size_bytes);
  void wait_for_value(uint64_t address, const WorkOrder::Wanted& wanted);
  Finding acquire(const CacheActions& actions);
  void flush_host_path();

 private:
  Finding check(Accesses accesses, std::string label);
  L2Cache::HasEnded ended(WorkOrder::Signal when) const;
  bool is_told_to_others(uint64_t address);

  const std::shared_ptr<MemoryChecker> checker_;
  MemoryView view_;
  const std::string name_;
  QueueNumber number_ = 0;
  uint64_t dispatch_count_ = 0;
};

}  // namespace bw::emulator
