// Owns: counting what waves execute, as they do: a counter for each thread that executes a dispatch, whose counts are
// added up at the end, and one for each workgroup in execution. Not here: what is counted (counters.h), under what an
// instruction counts (counted_instruction.h), the banks of the LDS (lds_banks.h).
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "emulator/shader/counted_instruction.h"
#include "emulator/shader/counters.h"
#include "emulator/shader/step.h"
#include "emulator/shader/touched_bytes.h"

namespace bw::emulator {

// What one thread has counted of one dispatch. Used by one thread at a time.
class DispatchCounter {
 public:
  explicit DispatchCounter(std::vector<RangeCounts> ranges) : ranges_(std::move(ranges)) {}

  // Steps are counted one by one, by their number; under what they count is found out at their first execution.
  struct StepCount {
    uint64_t executions = 0;
    uint64_t lanes = 0;
    std::unique_ptr<const CountedInstruction> instruction;  // null: not executed yet, or a step that is no instruction
    bool reaches_memory = false;
  };

  StepCount& count_of(const Step& step) {
    if (step.number >= steps_.size()) steps_.resize(step.number + 1u);
    return steps_[step.number];
  }
  // What another thread has counted of the same dispatch.
  void add(const DispatchCounter& other);
  // All that has been counted; does not set what tells the dispatch.
  DispatchCounters finish() const;

 private:
  friend class GroupCounter;

  // That holds the address; null: none.
  RangeCounts* range_at(uint64_t address);

  std::vector<StepCount> steps_;
  DispatchCounters memory_;          // all but instructions, ranges, and what `read_` and `written_` hold
  std::vector<RangeCounts> ranges_;  // by address
  size_t recent_range_ = 0;
  TouchedBytes read_;
  TouchedBytes written_;
};

// Sees each step before it is executed.
class GroupCounter {
 public:
  GroupCounter(DispatchCounter& dispatch, Tlb& tlb) : dispatch_(dispatch), tlb_(tlb) {}

  // With the next workgroup.
  void start() {
    read_.clear();
    written_.clear();
  }
  void before(Wave& wave, const Step& step) {
    if (step.weight == 0) return;  // a part of the instruction before, or none
    DispatchCounter::StepCount& count = dispatch_.count_of(step);
    if (count.executions++ == 0) describe(step, &count);
    count.lanes += static_cast<uint64_t>(std::popcount(wave.exec()));
    if (count.reaches_memory) note_access(wave, step, *count.instruction);
  }

 private:
  void describe(const Step& step, DispatchCounter::StepCount* count);
  void note_access(Wave& wave, const Step& step, const CountedInstruction& in);
  void note_scalar(const Wave& wave, const Step& step, const CountedInstruction& in);
  void note_global(const CountedInstruction& in, uint32_t size_bytes, std::array<uint64_t, kLanes>& addresses,
                   uint32_t count);
  void note_lds(Wave& wave, const Step& step, const CountedInstruction& in);
  void note_lds_cycles(const std::array<uint32_t, kLanes>& addresses, uint32_t active, const CountedInstruction& in);
  void touch(CountedInstruction::Direction direction, uint64_t begin, uint64_t end);
  void note_range(CountedInstruction::Direction direction, uint64_t address, uint64_t bytes, uint32_t bytes_at_once);

  DispatchCounter& dispatch_;
  Tlb& tlb_;
  TouchedBytes read_;
  TouchedBytes written_;
};

}  // namespace bw::emulator
