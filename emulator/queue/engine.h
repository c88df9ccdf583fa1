// Owns: a thread that gives its queues turns: the emulated counterpart of a micro-engine that serves several hardware
// queues. Not here: what a queue does in its turn (QueueProcessor).
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "emulator/queue/queue_processor.h"

namespace bw::emulator {

// The thread starts with the first queue. While a queue has work the thread runs; afterwards it sleeps for an eighth of
// the time since the last progress, at most kLongestSleep, so that waking up costs little after a short pause and being
// idle costs next to nothing.
class Engine {
 public:
  explicit Engine(std::string name);
  // Ends the thread after the packet at hand.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void add(std::shared_ptr<QueueProcessor> queue);
  // The queue gets no further turn. False if the turn it is having did not end in time: then the engine keeps it alive
  // until that turn ends.
  bool remove(const QueueProcessor* queue, std::chrono::milliseconds patience);

  static constexpr std::chrono::microseconds kLongestSleep{900};

 private:
  void run();
  // One turn for each queue; whether any of them made progress. Takes and releases the lock around turns.
  bool give_turns(std::unique_lock<std::mutex>& lock);
  void sleep(std::unique_lock<std::mutex>& lock, std::chrono::steady_clock::time_point last_progress);

  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;  // a queue came, or the engine is to end
  std::condition_variable turn_ended_;
  std::vector<std::shared_ptr<QueueProcessor>> queues_;  // guarded by mutex_, as all below
  const QueueProcessor* running_ = nullptr;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace bw::emulator
