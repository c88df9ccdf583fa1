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

// Any thread serves any queue, and one at a time looks after all of them: it gives turns, and while there is work it
// looks all the time. Afterwards it sleeps for an eighth of the time since its last progress, at most kLongestSleep:
// waking up costs little after a short pause. So being idle costs one short look each kLongestSleep, or two of them.
// A turn may take long: a program may never end. Meanwhile another thread stands by; it naps, and takes over where a
// turn has lasted for one whole nap, and a further thread stands by then. So a long program on one queue holds up the
// others for two naps at most, and threads that only look do not take the processor from the client: who takes over
// looks once and then sleeps, from a nap on, as if he had been idle. There are at most as many threads as queues, and
// two. When no work has begun for some time who stands by lies down until he is called. The first threads start with
// the first queue.
//
// Queues of higher priority have their turns first: before a queue gets one that may take long, each one above it that
// has work got one too, so that the lower are slowed down and never starve.
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
  static constexpr std::chrono::microseconds kNap{250};
  static constexpr uint32_t kNapsBeforeLyingDown = 40;
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

  enum class Start : uint8_t { kLooking, kStandingBy };
  // All with the lock held, except while a queue has its turn or the thread sleeps.
  void run(Start start);
  // One turn for each queue that has none; whether any of them made progress.
  bool give_turns(std::unique_lock<std::mutex>& lock);
  // One turn for each queue above `priority` that has work; whether any of them made progress.
  bool give_turns_above(std::unique_lock<std::mutex>& lock, uint32_t priority);
  std::shared_ptr<Slot> find(const QueueProcessor* queue) const;
  bool give_turn(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Slot>& slot, Turn turn);
  // Sees to it that a thread naps.
  void call_standby();
  void start_thread(Start start);
  void pause(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point last_progress, uint32_t look);
  // Until there is need for this thread to look after the queues, or the engine is to end.
  void stand_by(std::unique_lock<std::mutex>& lock);
  void nap(std::unique_lock<std::mutex>& lock);
  void lie_down(std::unique_lock<std::mutex>& lock);
  // Threads that look after the queues at this moment.
  uint32_t lookouts() const { return awake_ - in_turn_; }

  const uint32_t first_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;  // a queue came, or the engine is to end
  std::condition_variable called_;   // for who stands by
  std::condition_variable turn_ended_;
  std::vector<std::shared_ptr<Slot>> slots_;  // highest priority first; guarded by mutex_, as all below
  uint32_t awake_ = 0;                        // threads that look, or are in a turn
  uint32_t in_turn_ = 0;
  uint64_t turns_of_work_ = 0;  // ever begun
  uint32_t napping_ = 0;        // at most one
  uint32_t lying_ = 0;
  uint32_t calls_ = 0;  // of those that lie, not yet answered
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bw::emulator
