// Owns: the clocks of the emulated machine as the driver and the engines report them.
#pragma once

#include <cstdint>
#include <ctime>

namespace bw::emulator {

inline constexpr uint64_t kGpuClockHz = 100'000'000;  // gpu_counter_freq of the card, facts of real ones

inline uint64_t host_clock_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// The card's constant-rate counter.
inline uint64_t gpu_clock() {
  return host_clock_ns(CLOCK_MONOTONIC_RAW) / (1'000'000'000 / kGpuClockHz);
}

}  // namespace bw::emulator
