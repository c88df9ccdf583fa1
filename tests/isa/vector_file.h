// Owns: reading instruction test vectors (tests/data/isa-vectors) and judging results by them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/status.h"

namespace bw::test {

// What the original test asserts about one dword of the out buffer; README.md of the data gives the meaning.
struct Check {
  enum class Kind : uint8_t { kExact, kRange, kRange16x2, kNan32, kNan64Hi };
  struct Half {
    uint32_t shift, window, low, high;
  };
  uint32_t offset = 0;
  std::string name;  // register and lane
  Kind kind = Kind::kExact;
  uint32_t value = 0;
  uint32_t bits = 0;
  uint32_t window = 0, low = 0, high = 0;
  std::vector<Half> halves;

  bool accepts(uint32_t word) const;
};

struct Vector {
  std::string id;
  std::string format;
  uint32_t lanes = 0;
  std::vector<uint8_t> code;
  std::vector<std::string> disassembly;
  std::vector<uint8_t> expected;  // the whole out buffer
  std::vector<Check> checks;
};

// The vectors of one .jsonl file, or why it cannot be read.
Result<std::vector<Vector>> read_vectors(const std::string& path);

struct Verdict {
  std::vector<std::string> hard;  // assertions of the original test that fail
  std::vector<std::string> soft;  // other dwords that differ from the recorded ones
};
Verdict judge(const Vector& vector, const std::vector<uint8_t>& out);

}  // namespace bw::test
