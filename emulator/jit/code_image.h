// Owns: the form of a translation that has no addresses in it, as the disk cache keeps it: object code of the host, and
// the list of what it refers to outside itself. Not here: how it is made (program_builder.h) and how it comes to run
// (native_program.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"

namespace bw::emulator::jit {

// One entry of the table through which translated code reaches what is not in it.
struct Reference {
  enum class Kind : uint32_t {
    kNumber,       // the value itself, where the compiler is not to see it
    kHostCall,     // a function of host_calls.h
    kStep,         // a step of the program, by its number
    kFastHandler,  // the fast handler of that step (fast_handlers.h)
    kFastLoad,     // the fast load of that step (fast_loads.h)
    kStrip,        // a record of a strip
    kResumePoint,
  };
  Kind kind;
  uint32_t value;

  bool operator==(const Reference&) const = default;
};

struct CodeImage {
  uint32_t step_count = 0;  // of the program
  std::vector<Reference> table;
  std::vector<uint32_t> resume_points;        // the steps that waves can take the code up at; the first is the entry
  std::vector<std::vector<uint32_t>> strips;  // their steps
  std::vector<std::byte> object;              // a relocatable ELF file
};

std::vector<std::byte> encode_image(const CodeImage& image);
// kDataLoss if the bytes are no image, or if a number in it has nothing to refer to.
Result<CodeImage> decode_image(std::span<const std::byte> bytes);

}  // namespace bw::emulator::jit
