// Owns: where a random program finds its inputs and leaves its results, and the code around it that gives all
// registers, LDS, scratch memory and the descriptor of its memory known contents and stores all registers at the end.
// Not here: the random part (random_program.h, random_instruction.h).
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace bw::test {

// A program is started with one wave a workgroup, and with
//   s[0:1] the address of kInputBytes that v0..v63 of all lanes and then s0..s63 are loaded from
//   s[2:3] the address of kOutputBytes for each workgroup: a row of 64 dwords for each of v0..v63, s0..s63, VCC, EXEC,
//          M0, SCC and MODE, with a dword for each lane; and from kMemoryOffset on memory for the program to use
//   s4     the workgroup's number
//   LDS    kLdsBytes, scratch memory kScratchBytesPerLane
// The random part leaves these registers alone:
//   s[82:83] the workgroup's output      s[86:87] EXEC at the start
//   s[88:89] kMemoryCenter, a multiple of 4096      s[92:95] a buffer resource at this address
//   s96..s98 counters of loops      s[100:105] EXEC around divergent parts      s[106:107] is VCC
struct RandomProgramFrame {
  static constexpr uint32_t kVgprs = 64;
  static constexpr uint32_t kSgprs = 64;
  static constexpr uint32_t kRowBytes = 256;
  static constexpr uint32_t kInputBytes = kVgprs * kRowBytes + kSgprs * 4;
  static constexpr uint32_t kOutputRows = kVgprs + kSgprs + 7;
  static constexpr uint32_t kMemoryOffset = 0x9000;
  static constexpr uint32_t kMemoryBytes = 0x4000;
  static constexpr uint32_t kMemoryCenter = kMemoryOffset + 0x1000;
  static constexpr uint32_t kOutputBytes = kMemoryOffset + kMemoryBytes;
  static constexpr uint32_t kLdsBytes = 4096;
  static constexpr uint32_t kScratchBytesPerLane = 512;
  static constexpr uint32_t kMaxDepth = 3;  // of loops and of divergent parts
  static constexpr uint32_t kMemorySgpr = 88;
  static constexpr uint32_t kResourceSgpr = 92;
  static constexpr uint32_t kCounterSgpr = 96;
  static constexpr uint32_t kExecSgpr = 100;
  static_assert(kOutputRows * kRowBytes <= kMemoryOffset && kOutputBytes % 4096 == 0);

  static std::string prologue(uint32_t wave_size);
  static std::string epilogue(uint32_t wave_size);
  // "v12", "scc", or what of the memory a dword of a workgroup's output is.
  static std::string output_name(uint32_t dword);
};

// Values at which arithmetic changes its ways, among others.
uint32_t random_value(std::mt19937& random);
// From 0 to `end` - 1.
inline uint32_t below(std::mt19937& random, uint32_t end) {
  return static_cast<uint32_t>(random() % end);
}

}  // namespace bw::test
