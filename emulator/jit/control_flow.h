// Owns: the way of control through a program's steps, as far as its branches say it, and the numbers by which
// translations refer to its steps.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

enum class Flow : uint8_t {
  kNext,
  kNothing,  // and the instruction has no effect
  kJump,
  kBranch,
  kBarrier,
  kEnd,
  kLeaves,  // to where only running the program tells, or with a fault
};
Flow flow_of(const Step& step);

// The order of both lists depends on the program's bytes alone, so that numbers of steps mean the same in any process.
struct ControlFlow {
  std::vector<const Step*> leaders;  // where blocks begin; the first is the entry
  std::vector<const Step*> steps;    // all that are reached
  std::unordered_map<const Step*, uint32_t> numbers;
};

// What a program may have to be translated: the time that LLVM takes grows faster than the code.
constexpr size_t kMaxTranslatedSteps = size_t{1} << 13;

// nullopt: there is more than that.
std::optional<ControlFlow> follow_control_flow(const Step* entry);

}  // namespace bw::emulator::jit
