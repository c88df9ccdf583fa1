// Owns: one program in executable form: its steps, decoded by following the code from the entry over all branches, and
// on demand for addresses that only running the program tells; and the cache of programs. Not here: how one instruction
// becomes steps (resolve.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "emulator/memory/address_space.h"
#include "emulator/shader/resolve.h"
#include "emulator/shader/step.h"
#include "emulator/shader/translator.h"

namespace bw::emulator {

// Shared by the threads that execute it. Steps never move once made; what changes is guarded by the mutex, and a step
// is published by handing out its address under the mutex.
class Program : public std::enable_shared_from_this<Program> {
 public:
  explicit Program(uint32_t wave_size) : wave_size_(wave_size) {}

  // The first call is for the entry. The step of the instruction at `address`, decoding there what is not decoded yet;
  // code that cannot be fetched or decoded gives a step that faults. nullptr if the address is not a multiple of 4.
  const Step* step_at(uint64_t address, Tlb& tlb);
  // Where a wave goes on that is at `step`: in the translation if it can take the wave up there.
  const Step* resume(const Step* step) const;
  // Of the entry, which has been decoded.
  ProgramCode code() const;
  bool is_translated() const { return translation_in_use_.load(std::memory_order_acquire) != nullptr; }
  // Takes the translation that its waves change over to, which is the only one.
  void adopt(std::unique_ptr<Translation> translation);

  // A program is cold until someone decides on its translation: whoever gets true from leave_cold() sees to it.
  bool is_cold() const { return is_cold_.load(std::memory_order_relaxed); }
  bool leave_cold() { return is_cold_.exchange(false, std::memory_order_relaxed); }
  // True for one caller.
  bool is_first_dispatch() { return !was_dispatched_.exchange(true, std::memory_order_relaxed); }
  // Adds to the instructions that the program has executed, and returns them.
  uint64_t count(uint64_t instructions) {
    return executed_.fetch_add(instructions, std::memory_order_relaxed) + instructions;
  }
  // Whether memory still holds the bytes that were decoded.
  bool matches(Tlb& tlb) const;

 private:
  struct Code {
    uint64_t begin;
    std::vector<uint32_t> dwords;
  };
  struct Jump {
    Step* step;
    uint64_t target;
  };

  // A step to be executed in place of the instruction at `address`.
  const Step* substitute(Handler handler, uint64_t address);
  void decode_run(uint64_t address, Tlb& tlb, std::vector<uint64_t>& work, std::vector<Jump>& jumps);

  // What one call of step_at() decodes beyond the first run, what a run may have, and what a program may have: a client
  // can have gigabytes of what happens to be valid code.
  static constexpr size_t kMaxStepsAtOnce = 1u << 16;
  static constexpr size_t kMaxRunSteps = 1u << 16;
  static constexpr size_t kMaxInstructions = 1u << 20;

  const uint32_t wave_size_;
  mutable std::mutex mutex_;
  ConstantPool constants_;
  std::deque<std::vector<Step>> runs_;
  std::unordered_map<uint64_t, const Step*> steps_;
  std::vector<Code> code_;

  uint32_t step_count_ = 0;
  size_t entry_pieces_ = 0;  // of code_, decoded for the entry

  std::atomic<bool> is_cold_{true};
  std::atomic<bool> was_dispatched_{false};
  std::atomic<uint64_t> executed_{0};
  std::unique_ptr<Translation> translation_;              // set once, before what follows
  std::atomic<const Translation*> translation_in_use_{};  // released with what it points to
};

// The programs used last, by entry address and wave size. Safe to call from any thread.
class ProgramCache {
 public:
  // The program at `address`; decoded anew if it is unknown or its bytes have changed.
  std::shared_ptr<Program> find(uint64_t address, uint32_t wave_size, Tlb& tlb);

 private:
  static constexpr size_t kMaxPrograms = 1024;
  struct Entry {
    uint64_t address;
    uint32_t wave_size;
    std::shared_ptr<Program> program;
  };
  std::mutex mutex_;
  std::list<Entry> entries_;  // the one used last first
  std::unordered_map<uint64_t, std::list<Entry>::iterator> by_key_;
};

}  // namespace bw::emulator
