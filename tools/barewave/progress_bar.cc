#include "tools/barewave/progress_bar.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace bw::tools {
namespace {

constexpr size_t kBarColumns = 24;
// To the begin of the line, and the rest of it wiped out (ECMA-48 CR, EL).
constexpr std::string_view kWipe = "\r\x1b[K";

struct Unit {
  double bytes;
  std::string_view name;
};

Unit unit_for(double bytes) {
  if (bytes >= 1e9) return {1e9, "GB"};
  if (bytes >= 1e6) return {1e6, "MB"};
  return {1e3, "kB"};
}

}  // namespace

std::string progress_line(uint64_t done_bytes, uint64_t total_bytes, double bytes_per_second) {
  const auto total = static_cast<double>(total_bytes);
  const double done = std::min(static_cast<double>(done_bytes), total);
  const auto filled = static_cast<size_t>(done / total * kBarColumns);
  const Unit size = unit_for(total);
  std::string line = fmt::format("loading [{}{}] {:3.0f}%  {:.2f} of {:.2f} {}", std::string(filled, '#'),
                                 std::string(kBarColumns - filled, ' '), done / total * 100, done / size.bytes,
                                 total / size.bytes, size.name);
  if (bytes_per_second <= 0) return line;
  const Unit unit = unit_for(bytes_per_second);
  const auto left = static_cast<uint64_t>((total - done) / bytes_per_second + 0.5);
  return line +
         fmt::format("  {:.2f} {}/s  {}:{:02} left", bytes_per_second / unit.bytes, unit.name, left / 60, left % 60);
}

double ProgressBar::rate(Clock::time_point now) {
  while (past_.size() > 1 && now - past_[1].time >= kRatedTime) past_.pop_front();
  const double seconds = std::chrono::duration<double>(now - past_.front().time).count();
  const auto bytes = static_cast<double>(done_bytes_ - past_.front().done_bytes);
  past_.push_back({now, done_bytes_});
  return seconds > 0 ? bytes / seconds : 0;
}

void ProgressBar::add(uint64_t bytes, Clock::time_point now) {
  done_bytes_ += bytes;
  if (!sink_ || total_bytes_ == 0 || now < next_) return;
  next_ = now + kInterval;
  is_drawn_ = true;
  sink_(fmt::format("{}{}", kWipe, progress_line(done_bytes_, total_bytes_, rate(now))));
}

void ProgressBar::finish() {
  if (is_drawn_) sink_(kWipe);
  is_drawn_ = false;
}

ProgressBar::Sink stderr_terminal() {
  if (isatty(STDERR_FILENO) == 0) return {};
  return [](std::string_view text) {
    // A bar that cannot be drawn is no reason to stop loading.
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  };
}

}  // namespace bw::tools
