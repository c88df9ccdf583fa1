// Owns: drawing random numbers the same way on every machine (the standard distributions are not specified to).
#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace bw::ir::testing {

class RandomSource {
 public:
  explicit RandomSource(uint64_t seed) : engine_(seed) {}

  // low..high, both included.
  int64_t pick(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(engine_() % (static_cast<uint64_t>(high - low) + 1));
  }
  bool one_in(int64_t count) { return pick(1, count) == 1; }
  template <typename T>
  const T& any(const std::vector<T>& values) {
    return values[static_cast<size_t>(pick(0, static_cast<int64_t>(values.size()) - 1))];
  }
  uint64_t bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace bw::ir::testing
