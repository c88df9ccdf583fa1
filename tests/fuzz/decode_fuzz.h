// Owns: random bytes through the decoder and through LLVM's disassembler.
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace bw::test {

struct DecodeFuzzResult {
  uint64_t count = 0;
  uint64_t both_take = 0;  // the same instruction, of the same length
  uint64_t both_reject = 0;
  // Taken by one side only for a known reason, by reason.
  std::map<std::string, uint64_t> one_sided;
  std::string failure;  // bytes and both readings of the first disagreement without a known reason; empty: none
};

// Dwords of every encoding, until `seconds` have passed or `most` were tried, or the first disagreement.
//
// LLVM refuses bits that have no meaning where the hardware does not look at them. So what only the decoder takes is
// counted by encoding, and no disagreement.
DecodeFuzzResult fuzz_decoder(uint32_t seed, double seconds, uint64_t most);

}  // namespace bw::test
