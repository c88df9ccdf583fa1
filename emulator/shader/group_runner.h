// Owns: the execution of workgroups by one host thread: initial state of the waves, and their turns until all have
// ended. Not here: threads (interpreter.cc), instructions (the handlers).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "emulator/memory/client_fault.h"
#include "emulator/shader/access_recorder.h"
#include "emulator/shader/group_counter.h"
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
  // Workgroups that may be in execution at a time, as the card has room for: at least 1.
  uint32_t resident_groups = 1;
  // Workgroups that a thread gives short turns, one after the other. On the card neighbours are executed at the same
  // time: what the loops of neighbours touch lies close together, and the host's caches and prefetchers live on that.
  // Kernels that copy memory in strides of the whole grid are the common case.
  uint32_t side_by_side = 1;

  // nullopt, or why the dispatch cannot run.
  static std::optional<std::string> make(const Dispatch& dispatch, DispatchShape* shape);
};

// What is looked at while a workgroup runs.
struct GroupChecks {
  Strictness strictness = Strictness::kOff;
  uint64_t wave_budget = 0;  // instructions of a wave; 0: any number
};

// The workgroups of a dispatch that one thread takes, by the handful where there are very many: who takes them one by
// one spends its time on the counter that the threads share.
class GroupSource {
 public:
  // `next_group` counts up.
  GroupSource(std::atomic<uint64_t>& next_group, const DispatchShape& shape);
  bool has_more() const { return begin_ != end_ || next_group_.load(std::memory_order_relaxed) < count_; }
  // False: there are none left.
  bool take(uint64_t* number);

 private:
  std::atomic<uint64_t>& next_group_;
  const uint64_t count_;
  const uint64_t at_once_;
  uint64_t begin_ = 0;  // taken, but not given out
  uint64_t end_ = 0;
};

class GroupRunner {
 public:
  enum class Result : uint8_t {
    kEnded,    // all waves have, or one has met a fault, or *stop was set
    kBusy,     // has had many turns; others may go on in between
    kTurned,   // has had a turn
    kWaiting,  // each wave sleeps or waits for one that does: for another workgroup, another queue, or the client
  };

  // `tiering` may be null. `registers` is memory for VGPRs, of any size and content; it grows as needed. Waves use slot
  // `scratch_slot` of the scratch memory.
  GroupRunner(const Dispatch& dispatch, const DispatchShape& shape, Program& program, Tlb& tlb,
              std::vector<Row> registers, uint32_t scratch_slot, const GroupChecks& checks, Tiering* tiering);
  std::vector<Row> take_registers() && { return std::move(vgprs_); }
  // From the next workgroup on, what is executed is counted there.
  void count_into(DispatchCounter& counter) { counter_ = std::make_unique<GroupCounter>(counter, *group_.tlb); }
  // And what is accessed is noted there.
  void note_into(AccessRecorder& recorder) { accesses_ = std::make_unique<GroupAccesses>(recorder); }

  // Begins with workgroup `number`, once the one before has ended.
  void start(uint64_t number);
  // Goes on with it. Gives up early once *stop is set.
  Result advance(const std::atomic<bool>& stop);
  // Gives `runners` short turns in a circle, from *current on, until one of them comes to something other than the end
  // of its turn: *current is that one. Those that end without a fault go on with what `source` has.
  static Result advance_side_by_side(const std::vector<std::unique_ptr<GroupRunner>>& runners, size_t* current,
                                     GroupSource& source, const std::atomic<bool>& stop);
  uint64_t number() const { return number_; }
  // False after kEnded: *stop was set before its waves had ended.
  bool has_ended() const { return running_ == 0 || group_.fault.has_value(); }
  // After kEnded: without disassembly yet.
  std::optional<ShaderFault> take_fault() { return std::move(group_.fault); }
  uint64_t instructions() const { return instructions_; }

 private:
  void start_wave(Wave& wave);
  void start_lanes(Wave& wave);
  // Sets lane_ids_ for `count` lanes from work-item `first` on.
  void number_lanes(uint32_t first, uint32_t count);
  // Gives each wave that can run a turn. Never kTurned for long.
  Result turn(const std::atomic<bool>& stop);
  // Gives each wave that can run a turn; returns how many of those did more than wait.
  uint32_t run_turns(const std::atomic<bool>& stop);
  void check_budget(Wave& wave);
  // Kept apart, so that the loop over steps has the registers of the host to itself.
  template <class BeforeStep>
  [[gnu::noinline]] void run_turn(Wave& wave, BeforeStep before);
  // A turn whose steps are looked at.
  void run_watched_turn(Wave& wave);
  bool is_watched() const { return strict_ != nullptr || counter_ != nullptr || accesses_ != nullptr; }
  void fail_client(const ClientFault& fault);

  const Dispatch& dispatch_;
  const DispatchShape& shape_;
  const uint64_t wave_budget_;
  const uint32_t scratch_slot_;
  const int64_t loop_dwords_;  // of a turn
  uint64_t number_ = 0;
  Group group_;
  std::array<uint32_t, 3> group_size_{};  // of this workgroup: the last ones may be partial
  // What v0 of a wave starts with, of a workgroup of that size.
  std::array<uint32_t, 2 * kLanes> lane_ids_{};
  uint32_t numbered_wave_ = 0;
  std::array<uint32_t, 3> numbered_size_{};
  std::vector<Wave> waves_;
  std::vector<Row> vgprs_;
  uint32_t wave_count_ = 0;
  uint32_t running_ = 0;           // waves that have not ended
  int64_t loop_dwords_alone_ = 0;  // of turns since others might go on
  uint32_t current_wave_ = 0;      // that has its turn
  uint64_t instructions_ = 0;
  const Step* const entry_;
  Tiering* const tiering_;
  std::unique_ptr<StrictChecker> strict_;    // null: not strict
  std::unique_ptr<GroupCounter> counter_;    // null: nothing is counted
  std::unique_ptr<GroupAccesses> accesses_;  // null: nobody asks
};

}  // namespace bw::emulator
