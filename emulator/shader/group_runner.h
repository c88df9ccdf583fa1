// Owns: the execution of workgroups by one host thread: initial state of the waves, and their turns until all have
// ended. Not here: threads (interpreter.cc), instructions (the handlers).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <vector>

#include "emulator/memory/client_fault.h"
#include "emulator/shader/program.h"
#include "emulator/shader/strict.h"
#include "emulator/shader/tiering.h"
#include "emulator/shader/wave.h"

namespace bw::emulator {

// What a dispatch needs of the shader cores, derived from its registers.
struct DispatchShape {
  std::array<uint64_t, 3> groups{};  // workgroups in each dimension
  uint64_t group_count = 0;
  uint32_t lanes_per_group = 0;
  uint32_t waves_per_group = 0;
  uint32_t lds_bytes = 0;
  uint32_t vgprs = 0;
  uint32_t scratch_groups = 0;  // workgroups that the scratch memory has room for; 0: no scratch needed

  // nullopt, or why the dispatch cannot run.
  static std::optional<std::string> make(const Dispatch& dispatch, DispatchShape* shape);
};

// What is looked at while a workgroup runs.
struct GroupChecks {
  Strictness strictness = Strictness::kOff;
  uint64_t wave_budget = 0;  // instructions of a wave; 0: any number
};

class GroupRunner {
 public:
  // `tiering` may be null. `registers` is memory for VGPRs, of any size and content; it grows as needed.
  GroupRunner(const Dispatch& dispatch, const DispatchShape& shape, Program& program, Tlb& tlb,
              std::vector<Row> registers, const GroupChecks& checks, Tiering* tiering);
  std::vector<Row> take_registers() && { return std::move(vgprs_); }

  // Runs workgroup `number`; waves use scratch memory slot `scratch_slot`. Gives up early once *stop is set. The fault,
  // if any, has no disassembly yet.
  std::optional<ShaderFault> run(uint64_t number, uint32_t scratch_slot, const std::atomic<bool>& stop);
  uint64_t instructions() const { return instructions_; }

 private:
  void start_group(uint64_t number, uint32_t scratch_slot);
  void start_wave(Wave& wave, uint32_t scratch_slot);
  void start_lanes(Wave& wave);
  void run_waves(const std::atomic<bool>& stop);
  // Gives each wave that can run a turn; returns how many have not ended.
  uint32_t run_turns(const std::atomic<bool>& stop, uint32_t running);
  void check_budget(Wave& wave);
  template <class BeforeStep>
  void run_turn(Wave& wave, BeforeStep before);
  void fail_client(const ClientFault& fault);

  const Dispatch& dispatch_;
  const DispatchShape& shape_;
  const uint64_t wave_budget_;
  Group group_;
  std::array<uint32_t, 3> group_size_{};  // of this workgroup: the last ones may be partial
  std::vector<Wave> waves_;
  std::vector<Row> vgprs_;
  uint32_t wave_count_ = 0;
  uint32_t current_wave_ = 0;  // that has its turn
  uint64_t instructions_ = 0;
  const Step* const entry_;
  Tiering* const tiering_;
  std::unique_ptr<StrictChecker> strict_;  // null: not strict
};

}  // namespace bw::emulator
