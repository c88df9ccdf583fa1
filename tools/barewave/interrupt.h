// Owns: ending a long command cleanly when the user presses Ctrl-C (SIGINT).
#pragma once

#include <atomic>
#include <csignal>

namespace bw::tools {

// What a shell reports of a program that SIGINT ended.
inline constexpr int kInterruptedExitCode = 128 + SIGINT;

// While one lives the first SIGINT is noted; the next ends the process, as does the first at other times.
class InterruptCatcher {
 public:
  InterruptCatcher() {
    struct sigaction action = {};
    action.sa_handler = [](int) { was_interrupted_.store(true, std::memory_order_relaxed); };
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
    sigaction(SIGINT, &action, &before_);
  }
  ~InterruptCatcher() { sigaction(SIGINT, &before_, nullptr); }
  InterruptCatcher(const InterruptCatcher&) = delete;
  InterruptCatcher& operator=(const InterruptCatcher&) = delete;

  static bool was_interrupted() { return was_interrupted_.load(std::memory_order_relaxed); }

 private:
  // The signal handler writes it, any thread reads it. Lock-free, so that a handler may.
  inline static std::atomic<bool> was_interrupted_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
  struct sigaction before_ = {};
};

}  // namespace bw::tools
