// Owns: what is counted of one dispatch, exactly: executed wave instructions by class, bytes by level, and what a model
// of the LDS makes of its accesses. The same in each run, whatever the number of host threads, as long as the program
// itself is. Not here: counting (group_counter.h). What each figure means to a user: docs/bench.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <vector>

namespace bw::emulator {

enum class Counting : uint8_t { kOff, kOn };

// Bits that one lane accesses at once.
inline constexpr std::array<uint32_t, 6> kAccessBits = {8, 16, 32, 64, 96, 128};
inline constexpr size_t kAccessWidths = kAccessBits.size();

// Wave instructions of one kind and what their active lanes asked for, by width of access as kAccessBits has it. An LDS
// instruction with two addresses counts once, under the width of each.
struct AccessCounts {
  std::array<uint64_t, kAccessWidths> instructions{};
  std::array<uint64_t, kAccessWidths> bytes{};

  void add(uint32_t bytes_per_lane, uint64_t byte_count);
  uint64_t instruction_count() const;
  uint64_t byte_count() const;
  AccessCounts& operator+=(const AccessCounts& other);
};

// Executed wave instructions; one of a wave64 counts once. The first ten add up to `total`.
struct InstructionCounts {
  uint64_t total = 0;
  uint64_t salu = 0;
  uint64_t smem = 0;
  uint64_t valu = 0;  // a dual instruction (VOPD) counts once
  uint64_t vmem = 0;  // GLOBAL, FLAT, SCRATCH, buffers
  uint64_t lds = 0;
  uint64_t branch = 0;
  uint64_t barrier = 0;
  uint64_t message = 0;  // messages and exports
  uint64_t wait = 0;     // s_waitcnt and its kin, s_nop, s_sleep, s_delay_alu
  uint64_t other = 0;    // hints, cache control, the end of the program

  // Of `valu`; what is left is plain arithmetic, conversions, moves and compares.
  uint64_t fma = 0;  // v_fma_*, v_fmac_*, v_fmaak_*, v_fmamk_*, v_fma_mix*, of one result a lane
  uint64_t vopd = 0;
  uint64_t wmma = 0;
  uint64_t dot = 0;  // v_dot*, of one result a lane
  uint64_t transcendental = 0;
  uint64_t packed = 0;  // v_pk_*

  uint64_t packed_fma = 0;     // of `packed`
  uint64_t vopd_fmas = 0;      // halves of `vopd` that are FMAs
  uint64_t vopd_dual_fma = 0;  // of `vopd`: both halves are FMAs
  uint64_t vopd_movs = 0;      // halves of `vopd` that are v_dual_mov_b32

  // Lanes that were active, summed over instructions: all of valu, and of vmem with lds.
  uint64_t valu_lanes = 0;
  uint64_t memory_lanes = 0;

  uint64_t flat = 0;  // of `vmem`: FLAT, whatever memory it reached

  InstructionCounts& operator+=(const InstructionCounts& more);
  // VALU instructions that are FMAs, where a dual instruction with one FMA counts as half of one.
  double fma_instructions() const { return static_cast<double>(fma + packed_fma) + static_cast<double>(vopd_fmas) / 2; }
};

// All fields of InstructionCounts.
inline constexpr uint64_t InstructionCounts::*kInstructionCountFields[] = {
    &InstructionCounts::total,          &InstructionCounts::salu,          &InstructionCounts::smem,
    &InstructionCounts::valu,           &InstructionCounts::vmem,          &InstructionCounts::lds,
    &InstructionCounts::branch,         &InstructionCounts::barrier,       &InstructionCounts::message,
    &InstructionCounts::wait,           &InstructionCounts::other,         &InstructionCounts::fma,
    &InstructionCounts::vopd,           &InstructionCounts::wmma,          &InstructionCounts::dot,
    &InstructionCounts::transcendental, &InstructionCounts::packed,        &InstructionCounts::packed_fma,
    &InstructionCounts::vopd_fmas,      &InstructionCounts::vopd_dual_fma, &InstructionCounts::vopd_movs,
    &InstructionCounts::valu_lanes,     &InstructionCounts::memory_lanes,  &InstructionCounts::flat};
static_assert(std::size(kInstructionCountFields) * sizeof(uint64_t) == sizeof(InstructionCounts));

// Vector accesses to global memory in one direction.
struct GlobalTraffic {
  AccessCounts requested;
  // The same, but bytes that several lanes of an instruction ask for count once. As further down, each half of a wave64
  // is an instruction of its own.
  uint64_t coalesced_bytes = 0;
  // Aligned lines that each instruction touches, summed over instructions: of 32, 64 and 128 bytes. The last is what
  // passes through a first-level cache that holds nothing from one instruction to the next.
  uint64_t lines_32 = 0;
  uint64_t lines_64 = 0;
  uint64_t lines_128 = 0;

  GlobalTraffic& operator+=(const GlobalTraffic& other);
};

// Bytes of global memory touched at all, however often; scalar loads are among the reads, atomics are both.
struct TouchedCounts {
  uint64_t read = 0;
  uint64_t written = 0;
};

struct LdsCounts {
  AccessCounts loads;
  AccessCounts stores;
  AccessCounts atomics;
  uint64_t exchanges = 0;  // permutes and swizzles: no memory is accessed
  // As the model of lds_banks.h has it: cycles without any conflict, and those that conflicts add.
  uint64_t cycles = 0;
  uint64_t load_conflict_cycles = 0;
  uint64_t store_conflict_cycles = 0;  // atomics too

  uint64_t conflict_cycles() const { return load_conflict_cycles + store_conflict_cycles; }
  LdsCounts& operator+=(const LdsCounts& other);
};

// Accesses to a range of addresses that the client named, by the first address that lanes access together.
struct RangeCounts {
  uint64_t begin = 0;  // GPU virtual address
  uint64_t end = 0;
  uint64_t loaded_bytes = 0;      // requested, and of scalar loads
  uint64_t loaded_bytes_128 = 0;  // of those, in accesses of 128 bits; scalar loads of 128 bits and more too
  uint64_t stored_bytes = 0;      // requested

  RangeCounts& operator+=(const RangeCounts& other);
};

struct DispatchCounters {
  uint64_t program_address = 0;
  uint32_t wave_size = 32;
  std::array<uint32_t, 3> workgroup_size{};
  uint64_t workgroups = 0;
  uint32_t vgprs = 0;      // of a wave, as COMPUTE_PGM_RSRC1 asks for
  uint32_t lds_bytes = 0;  // of a workgroup
  uint32_t scratch_bytes_per_lane = 0;

  InstructionCounts instructions;
  GlobalTraffic loads;
  GlobalTraffic stores;
  GlobalTraffic atomics;
  AccessCounts scratch_loads;
  AccessCounts scratch_stores;  // atomics too
  uint64_t scalar_load_bytes = 0;
  uint64_t flat_aperture_bytes = 0;  // asked for by lanes of FLAT instructions that reached LDS or scratch memory
  TouchedCounts touched;             // by the dispatch: what comes from memory if all caches are perfect
  TouchedCounts touched_by_groups;   // by each workgroup, summed: what leaves the compute units if their caches are
  LdsCounts lds;
  std::vector<RangeCounts> ranges;  // by address; atomics are left out

  // All but what tells the dispatch.
  void add(const DispatchCounters& other);
};

// Finished dispatches, until someone takes them. Safe to use from several threads.
class CounterLog {
 public:
  // Dispatches that begin from now on are also counted by these, which do not overlap.
  void set_ranges(std::vector<RangeCounts> ranges);
  std::vector<RangeCounts> ranges() const;
  void push(DispatchCounters counters);
  // In the order in which they ended.
  std::vector<DispatchCounters> take();

 private:
  mutable std::mutex mutex_;
  std::vector<RangeCounts> ranges_;         // by address; guarded by mutex_
  std::vector<DispatchCounters> finished_;  // guarded by mutex_
};

}  // namespace bw::emulator
