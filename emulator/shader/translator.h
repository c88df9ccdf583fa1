// Owns: the seam at which something faster than the interpreter's steps takes over a program. A translation is reached
// through a step of its own, so waves pass from it to the interpreter and back wherever one of them says so.
#pragma once

#include <cstdint>
#include <memory>

#include "base/status.h"
#include "emulator/shader/step.h"

namespace bw::emulator {

// Owned by the program that it belongs to, whose steps it may refer to.
class Translation {
 public:
  virtual ~Translation() = default;
  // Where waves start in place of the step that translate() was given. Its handler counts the instructions that it
  // executes in Wave::instructions.
  virtual const Step* entry() const = 0;
};

// Safe to use from several threads.
class Translator {
 public:
  virtual ~Translator() = default;
  // After a failure the program stays with the interpreter.
  virtual Result<std::unique_ptr<Translation>> translate(const Step* entry, uint32_t wave_size) = 0;
  // Waves that a program has started with the interpreter before it is worth translating.
  virtual uint64_t waves_before() const = 0;
};

}  // namespace bw::emulator
