// Owns: the threads that give queues turns: the emulated counterpart of the micro-engines (compute pipes, SDMA engines)
// that serve the hardware queues. Not here: what a queue does in its turn (QueueProcessor).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "emulator/queue/queue_processor.h"

namespace bw::emulator {

// Any thread serves any queue, and one is always left to look after the queues: where the last one is about to begin
// something that may take long, a further thread starts. So a long program on one queue holds up no other; there are at
// most as many threads as queues, and one. While there is work the threads run. Afterwards they sleep for an eighth of
// the time since their last progress, at most kLongestSleep: waking up costs little after a short pause. After kDrowsy
// all but one lie down for good; the one that goes on looking calls the next before it begins something that may take
// long. So being idle costs one short look each kLongestSleep, or two of them. The first threads start with the first
// queue.
class Engine {
 public:
  // `first_threads`: how many it begins with, at least one.
  explicit Engine(uint32_t first_threads);
  // Cancels what runs and ends the threads.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Also after remove(), be it that a turn from before has not ended. `priority`: higher goes first.
  void add(std::shared_ptr<QueueProcessor> queue, uint32_t priority);
  // The queue gets no further turn. False if the turn it is having did not end in time: then it lives on until that
  // turn ends, and can be removed again.
  bool remove(const QueueProcessor* queue, std::chrono::milliseconds patience);

  static constexpr std::chrono::microseconds kLongestSleep{900};
  static constexpr std::chrono::milliseconds kDrowsy{10};
  // After so long without progress the longest sleep doubles: each look costs up to 30 us on a busy virtual machine.
  static constexpr std::chrono::milliseconds kDeepIdle{1000};

 private:
  struct Slot {
    std::shared_ptr<QueueProcessor> queue;
    uint32_t priority = 0;
    bool has_turn = false;    // some thread is in its step()
    bool is_leaving = false;  // gets no further turn

    bool may_have_turn() const { return !has_turn && !is_leaving; }
  };

  // All with the lock held, except while a queue has its turn or the thread sleeps.
  void run();
  // One turn for each queue that has none; whether any of them made progress.
  bool give_turns(std::unique_lock<std::mutex>& lock);
  // One turn for each queue above `priority` that has work; whether any of them made progress.
  bool give_turns_above(std::unique_lock<std::mutex>& lock, uint32_t priority);
  std::shared_ptr<Slot> find(const QueueProcessor* queue) const;
  bool give_turn(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Slot>& slot, Turn turn);
  // Has another thread look after the queues.
  void call_lookout();
  void start_thread();
  void pause(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point* last_progress);
  // Threads that look after the queues at this moment.
  uint32_t lookouts() const { return awake_ - in_turn_; }

  const uint32_t first_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;  // a queue came, or the engine is to end
  std::condition_variable called_;   // for those that lie down
  std::condition_variable turn_ended_;
  std::vector<std::shared_ptr<Slot>> slots_;  // highest priority first; guarded by mutex_, as all below
  uint32_t awake_ = 0;
  uint32_t in_turn_ = 0;
  uint32_t calls_ = 0;  // not yet answered
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bw::emulator
