// Owns: what strict mode knows of the LDS of one workgroup: which bits have never been written, and which stores had
// ended when their wave reached a barrier. Not here: addresses (strict_undefined.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "emulator/shader/strict_instruction.h"

namespace bw::emulator {

class LdsChecker {
 public:
  void start(uint32_t size_bytes, size_t wave_count);
  bool contains(uint64_t address, uint32_t size_bytes) const { return address + size_bytes <= undefined_.size(); }

  // Undefined bits of up to 4 bytes; what lies outside reads as zero, so is defined.
  uint32_t undefined(uint64_t address, uint32_t size_bytes) const;
  void write(uint64_t address, uint32_t size_bytes, uint32_t undefined);

  // `wave` accesses up to 4 bytes: the store of another wave that had not ended when that wave passed a barrier, which
  // is not one that orders the two.
  std::optional<uint64_t> unordered_store(uint64_t address, uint32_t size_bytes, uint32_t wave) const;
  // `sequence` numbers the LDS instructions of a wave.
  void note_store(uint64_t address, uint32_t size_bytes, uint32_t wave, uint64_t sequence, uint64_t pc);
  // The wave reaches s_barrier with its LDS instructions up to `retired` ended.
  void note_barrier(uint32_t wave, uint64_t retired);

 private:
  struct Store {
    uint64_t sequence = 0;  // 0: none
    uint64_t pc = 0;
    uint32_t wave = 0;
    uint32_t barriers = 0;  // that the wave had passed
  };

  std::vector<uint8_t> undefined_;  // a bit for each bit
  std::vector<Store> stores_;       // the last one to each dword
  // By wave and barrier: the LDS instructions that had ended then.
  std::vector<std::vector<uint64_t>> retired_;
};

}  // namespace bw::emulator
