// Owns: the seam at which something faster than the interpreter's steps takes over a program. A translation is reached
// through steps of its own, so waves pass from it to the interpreter and back wherever one of them says so. Not here:
// when that happens (tiering.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/status.h"
#include "emulator/shader/step.h"

namespace bw::emulator {

// What waves that start at a program's entry can reach by its branches: the steps, and the bytes that they come from.
// Belongs to the program.
struct ProgramCode {
  struct Piece {
    uint64_t offset_bytes;  // from the entry, modulo 2^64
    std::span<const uint32_t> dwords;
  };
  const Step* entry = nullptr;
  uint32_t wave_size = 32;
  std::vector<Piece> pieces;  // in an order that depends on the bytes alone
};

// Owned by the program that it belongs to, whose steps it may refer to.
class Translation {
 public:
  virtual ~Translation() = default;
  // Where a wave goes on that is at `step` of the program; nullptr: there the translation cannot take it up. It always
  // can at the entry. The handlers of these steps count the instructions that they execute in Wave::instructions.
  virtual const Step* resume_at(const Step* step) const = 0;
};

// Safe to use from several threads.
class Translator {
 public:
  virtual ~Translator() = default;
  // A translation made earlier, maybe by another process; nullptr if there is none at hand, which does not take long.
  virtual std::unique_ptr<Translation> find(const ProgramCode& code) = 0;
  // After a failure the program stays with the interpreter; kUnsupported: it is too large.
  virtual Result<std::unique_ptr<Translation>> translate(const ProgramCode& code) = 0;
};

}  // namespace bw::emulator
