// Owns: telling on a terminal how far a long load has come. Not here: what is loaded.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>

namespace bw::tools {

// "loading [#####     ] 50%  1.50 of 3.00 GB  2.10 GB/s  0:01 left", without a line end; what remains is by that rate,
// and neither is shown for 0. `total_bytes` > 0.
std::string progress_line(uint64_t done_bytes, uint64_t total_bytes, double bytes_per_second);

// Draws one line again and again, from half a second on, at most ten times a second; it is wiped out at the end. The
// rate is that of the last three seconds: loads begin fast, with what the system has in memory, and go on with the
// disk.
class ProgressBar {
 public:
  using Clock = std::chrono::steady_clock;
  using Sink = std::function<void(std::string_view)>;

  // For a terminal; see stderr_terminal(). Draws nothing where `sink` is empty or there is nothing to load.
  ProgressBar(Sink sink, uint64_t total_bytes, Clock::time_point start = Clock::now())
      : sink_(std::move(sink)), total_bytes_(total_bytes), next_(start + kSilence), past_{Moment{start, 0}} {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { finish(); }

  void add(uint64_t bytes, Clock::time_point now = Clock::now());
  void finish();

 private:
  static constexpr auto kSilence = std::chrono::milliseconds(500);
  static constexpr auto kInterval = std::chrono::milliseconds(100);
  static constexpr auto kRatedTime = std::chrono::seconds(3);
  struct Moment {
    Clock::time_point time;
    uint64_t done_bytes = 0;
  };

  double rate(Clock::time_point now);

  const Sink sink_;
  const uint64_t total_bytes_;
  Clock::time_point next_;
  uint64_t done_bytes_ = 0;
  std::deque<Moment> past_;  // of the time that the rate is of, and the last one before
  bool is_drawn_ = false;
};

// Writes to stderr; empty if that is no terminal.
ProgressBar::Sink stderr_terminal();

}  // namespace bw::tools
