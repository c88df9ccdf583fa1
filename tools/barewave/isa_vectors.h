// Owns: instruction test vectors (tests/data/isa-vectors/README.md describes them): reading their files, which nobody
// vouches for, and judging results by them. Not here: running them (isa_test.h).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace bw::tools {

// What the original test asserts about one dword of the out buffer; README.md of the data gives the meaning.
struct IsaCheck {
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
  // What it accepts, for people: "0x0000012c", "any NaN".
  std::string describe() const;
};

struct IsaVector {
  enum class Layout : uint8_t {
    kState,  // registers: v0..v15 of all lanes, s0..s15, VCC_LO, SCC, EXEC_LO, then memory of the program's own
    kLanes,  // one dword of each lane: its v1
  };
  std::string id;
  std::string format;
  Layout layout = Layout::kState;
  uint32_t lanes = 0;  // work-items, 1 to 1024
  std::vector<uint8_t> code;
  uint32_t body_begin = 0, body_end = 0;  // in `code`: what is tested, without the frame
  std::vector<std::string> disassembly;   // of the body
  std::vector<uint8_t> expected;          // the whole out buffer
  std::vector<IsaCheck> checks;

  // What the dword at `offset` of the out buffer is: "v3 lane 1", "scc", "out + 0x8c".
  std::string name_of(uint32_t offset) const;
};

// The vectors of one .jsonl file. kDataLoss with file:line and the reason if it is no such file.
Result<std::vector<IsaVector>> read_isa_vectors(const std::string& path);
// The same of the text of a file that messages call `name`.
Result<std::vector<IsaVector>> parse_isa_vectors(std::string_view text, const std::string& name);

struct IsaVerdict {
  struct Difference {
    uint32_t offset;  // of the dword in the out buffer
    std::string text;
  };
  std::vector<Difference> hard;  // assertions of the original test that fail
  std::vector<Difference> soft;  // other dwords that differ from the recorded ones
};
// `out` has as many bytes as vector.expected.
IsaVerdict judge(const IsaVector& vector, std::span<const uint8_t> out);

// Why the vector's program, which was written for wave32, need not give the same results when it is started in wave64;
// nullopt if it must.
std::optional<std::string> wave64_obstacle(const IsaVector& vector);

}  // namespace bw::tools
