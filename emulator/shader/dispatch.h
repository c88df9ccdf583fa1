// Owns: what the command processor hands to the shader cores for one dispatch, and what comes back.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "emulator/memory/address_space.h"

namespace bw::emulator {

struct Accesses;  // emulator/caches/access_set.h

// A dispatch as the COMPUTE_* registers and the DISPATCH packet (or an AQL packet) describe it.
struct Dispatch {
  uint64_t program_address = 0;  // GPU virtual address of the first instruction, multiple of 256
  uint32_t pgm_rsrc1 = 0;        // COMPUTE_PGM_RSRC1..3 as written
  uint32_t pgm_rsrc2 = 0;
  uint32_t pgm_rsrc3 = 0;
  std::array<uint32_t, 16> user_data{};       // COMPUTE_USER_DATA_0..15
  std::array<uint32_t, 3> workgroup_size{};   // work-items, x y z
  std::array<uint32_t, 3> partial_size{};     // work-items of the last workgroup in a dimension; 0: full
  std::array<uint32_t, 3> start_workgroup{};  // first workgroup id
  std::array<uint32_t, 3> workgroup_count{};  // one past the last workgroup id
  uint64_t scratch_address = 0;               // base of the scratch memory, 0: none
  uint32_t scratch_bytes_per_wave = 0;
  uint32_t scratch_wave_count = 0;  // waves that the scratch memory has room for
  uint32_t wave_size = 32;          // 32 or 64
  // Where interrupts go that waves send with 24 bits of their own; called by the threads that execute them. None: to
  // nobody.
  std::function<void(uint32_t data)> interrupt;
  // Gets the wave instructions that the dispatch has executed, before run() returns; null: nobody asks.
  uint64_t* instructions = nullptr;
  // Gets what memory the dispatch has accessed, before run() returns; null: nobody asks. Only the interpreter can tell.
  Accesses* accesses = nullptr;
};

enum class ShaderFaultKind : uint8_t {
  kMemory,         // an access outside the page tables, or against their rights
  kIllegal,        // not an instruction of gfx1100, or an illegal use of one
  kUnimplemented,  // an instruction of gfx1100 that this emulator does not execute
  kUnsupported,    // an instruction of gfx1100 that has no place in a compute program on this card
  kTrap,           // s_trap and the like
  kHazard,         // strict mode: what real hardware does not promise to do right
  kWatchdog,       // a wave went beyond its budget of instructions
};

// The first fault of a dispatch: enough to understand it without the program at hand.
struct ShaderFault {
  ShaderFaultKind kind = ShaderFaultKind::kIllegal;
  uint64_t pc = 0;
  std::array<uint32_t, 3> workgroup{};
  uint32_t wave = 0;        // within the workgroup
  std::string disassembly;  // of the instruction at pc
  uint64_t address = 0;     // kMemory: the address accessed
  Access access = Access::kRead;
  uint32_t lane = 0;                 // kMemory: the first lane at fault
  std::optional<uint64_t> cause_pc;  // kHazard: the earlier instruction, that makes the one at pc wrong
  const char* cause_relation = "after";
  uint64_t instructions = 0;  // kWatchdog: what the wave has executed, as far as pc
  std::string message;        // one line with all of the above
};

// What the shader cores check beyond what they need to execute.
enum class Strictness : uint8_t {
  kOff,
  // What programs and packets rely on without a promise of the hardware: waits for outstanding loads, the hazards of
  // gfx1100, undefined values (strict.h), waits between dispatches, and caches (emulator/caches/memory_checker.h).
  kOn,
};

// Programs that were translated to code of the host, or were to be (emulator/jit).
struct TranslationCounts {
  uint64_t translated = 0;
  uint64_t found = 0;      // ready-made, on disk
  uint64_t too_large = 0;  // and stay interpreted
  uint64_t failed = 0;     // and stay interpreted, which is a bug
};

// A dispatch that has not ended, with its waves wherever they were. Only the shader cores look inside.
class SuspendedDispatch {
 public:
  virtual ~SuspendedDispatch() = default;
};

// How a dispatch is left and gone on with, as the card does by saving the context of its waves.
struct Suspension {
  std::stop_token request;                      // once set, run() returns soon
  std::unique_ptr<SuspendedDispatch> dispatch;  // null before the dispatch begins, and after run() if it has ended
};

// Executes dispatches on a pool of host threads, one workgroup at a time on each. Safe to call from several threads;
// each call returns when all its workgroups have ended or one has faulted (the others then stop early).
//
// Programs need not end: a stop request on `cancel`, from any thread, makes run() return soon (a fraction of a second)
// with the waves wherever they were, and without a fault. With `suspension` (null: never) they can be gone on with: if
// run() leaves a dispatch in there, it has not ended, and the next call with it goes on. Its first two arguments are
// those of the first call.
class ShaderCores {
 public:
  virtual ~ShaderCores() = default;
  virtual std::optional<ShaderFault> run(const Dispatch& dispatch, const AddressSpace& memory, std::stop_token cancel,
                                         Suspension* suspension) = 0;
  // From now on a wave that goes beyond `wave_instructions` faults (ShaderFaultKind::kWatchdog); 0: none does. Waves
  // are looked at where they take turns, so a fault comes up to one pass through the program's longest loop late. Not
  // while dispatches run.
  virtual void set_watchdog(uint64_t wave_instructions) = 0;
  // Wave instructions executed so far, by all dispatches.
  virtual uint64_t instruction_count() const = 0;
  virtual TranslationCounts translation_counts() const { return {}; }
};

}  // namespace bw::emulator
