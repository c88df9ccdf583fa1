// Owns: strict mode's knowledge of one card's memory: which work may still be running, and which caches may hold what
// is out of date; and the reports. Not here: the rules (work_order.h, near_caches.h), the packets that wait, signal and
// invalidate (emulator/queue), AQL queues, which do not take part.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "emulator/caches/access_set.h"
#include "emulator/caches/near_caches.h"
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
  std::string describe(const StaleRead& stale, const Accesses& accesses) const;

  std::mutex mutex_;  // guards all below
  WorkOrder order_;
  NearCaches near_;
  std::deque<Label> labels_;  // of the latest work, by number
};

// One queue's side of it. Calls come in the order of the queue's packets.
class MemoryChecker::Queue {
 public:
  // `name`: "compute queue 3".
  Queue(std::shared_ptr<MemoryChecker> checker, std::string name);
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  // The ring; positions count up in dwords for ever.
  void see_doorbell(uint64_t position);
  void begin_at(uint64_t position);
  void drained();

  // What a packet, or a dispatch of the program there, has accessed. Returns what is wrong with it.
  std::optional<std::string> check_packet(const std::string& packet, Accesses accesses);
  std::optional<std::string> check_dispatch(uint64_t program_address, Accesses accesses);

  void wait_for_dispatches();
  void signal(uint64_t address, WorkOrder::Signal when);
  void wait_for_value(uint64_t address);
  void invalidate_vector();
  void invalidate_scalar();

 private:
  std::optional<std::string> check(Accesses accesses, std::string label);
  void keep_running();

  const std::shared_ptr<MemoryChecker> checker_;
  const std::string name_;
  QueueNumber number_ = 0;
  uint64_t dispatch_count_ = 0;
};

}  // namespace bw::emulator
