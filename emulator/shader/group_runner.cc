#include "emulator/shader/group_runner.h"

#include <algorithm>
#include <cstring>

#include "amdgpu/gfx11/registers.h"
#include "emulator/card_facts.h"
#include "emulator/shader/step.h"

namespace bw::emulator {
namespace {

using Rsrc1 = amdgpu::gfx11::COMPUTE_PGM_RSRC1;
using Rsrc2 = amdgpu::gfx11::COMPUTE_PGM_RSRC2;

constexpr uint32_t kMaxUserSgprs = 16;
// A dispatch can be cancelled between turns, so they are short; long enough that changing waves costs nothing.
constexpr int64_t kLoopDwordsPerTurn = 1 << 16;
// Side by side: a few times through a loop that copies. Not once, since changing waves costs about as much.
constexpr int64_t kLoopDwordsSideBySide = 64;
constexpr uint32_t kMostSideBySide = 8;
// The registers of all that are side by side, so that they stay in the first-level cache.
constexpr size_t kRegisterBytesSideBySide = 32 * 1024;
// Loops until other workgroups may go on: so many that hardly any that computes is ever left half done, and those that
// wait for others, but do not sleep, still come to an end.
constexpr int64_t kLoopDwordsAlone = 64 * kLoopDwordsPerTurn;
// Of a GroupSource.
constexpr uint64_t kHandfuls = 1024;
constexpr uint64_t kMostInAHandful = 16;

uint32_t mode_bits(uint32_t rsrc1) {
  using Mode = amdgpu::gfx11::MODE;
  uint32_t mode = Mode::float_mode.set(0, Rsrc1::float_mode.get(rsrc1));
  mode = Mode::dx10_clamp.set(mode, Rsrc1::dx10_clamp.get(rsrc1));
  mode = Mode::ieee.set(mode, Rsrc1::ieee_mode.get(rsrc1));
  return Mode::fp16_ovfl.set(mode, Rsrc1::fp16_ovfl.get(rsrc1));
}

// By waves, LDS and scratch memory. Registers may allow fewer on the card, which no program can count on.
uint32_t room_for_groups(const DispatchShape& shape) {
  constexpr uint32_t kWaves = facts::kComputeUnits * facts::kWaveSlotsPerComputeUnit;
  uint32_t groups = kWaves / shape.waves_per_group;
  if (shape.lds_bytes != 0) groups = std::min(groups, facts::kComputeUnits * (facts::kMaxLdsBytes / shape.lds_bytes));
  return shape.scratch_groups != 0 ? std::min(groups, shape.scratch_groups) : groups;
}

uint32_t count_side_by_side(const DispatchShape& shape, uint32_t wave_size) {
  if (shape.waves_per_group != 1 || shape.lds_bytes != 0) return 1;
  const size_t register_bytes = shape.vgprs * (wave_size / kLanes) * sizeof(Row);
  const auto fitting = static_cast<uint32_t>(kRegisterBytesSideBySide / register_bytes);
  const uint32_t most = std::min(kMostSideBySide, shape.resident_groups);
  return std::max(1u, static_cast<uint32_t>(std::min<uint64_t>(std::min(fitting, most), shape.group_count)));
}

}  // namespace

std::optional<std::string> DispatchShape::make(const Dispatch& d, DispatchShape* shape) {
  if (d.wave_size != 32 && d.wave_size != 64) return fmt::format("wave size {} is neither 32 nor 64", d.wave_size);
  uint64_t lanes = 1;
  shape->group_count = 1;
  for (unsigned i = 0; i < 3; ++i) {
    if (d.workgroup_size[i] > facts::kMaxWorkgroupSize)
      return fmt::format("a workgroup of {} work-items", d.workgroup_size[i]);
    lanes *= d.workgroup_size[i];
    const uint32_t begin = d.start_workgroup[i], end = d.workgroup_count[i];
    shape->groups[i] = end > begin ? end - begin : 0;
    if (__builtin_mul_overflow(shape->group_count, shape->groups[i], &shape->group_count)) {
      return "more workgroups than can be counted";
    }
  }
  if (lanes == 0 || lanes > facts::kMaxWorkgroupSize)
    return fmt::format("a workgroup of {} work-items (1 to {})", lanes, facts::kMaxWorkgroupSize);
  shape->lanes_per_group = static_cast<uint32_t>(lanes);
  shape->waves_per_group = static_cast<uint32_t>((lanes + d.wave_size - 1) / d.wave_size);
  shape->lds_bytes = Rsrc2::lds_size.get(d.pgm_rsrc2) * facts::kLdsGranuleBytes;
  if (shape->lds_bytes > facts::kMaxLdsBytes)
    return fmt::format("{} bytes of LDS for a workgroup (at most {})", shape->lds_bytes, facts::kMaxLdsBytes);
  const uint32_t granule = d.wave_size == 32 ? 8 : 4;
  shape->vgprs = std::min<uint32_t>((Rsrc1::vgprs.get(d.pgm_rsrc1) + 1) * granule, amdgpu::gfx11::kVgprCount);
  if (Rsrc2::scratch_en.get(d.pgm_rsrc2) != 0 && d.scratch_bytes_per_wave != 0) {
    shape->scratch_groups = d.scratch_wave_count / shape->waves_per_group;
    if (shape->scratch_groups == 0) {
      return fmt::format("scratch memory for {} waves, but a workgroup has {}", d.scratch_wave_count,
                         shape->waves_per_group);
    }
  }
  shape->resident_groups = room_for_groups(*shape);
  shape->side_by_side = count_side_by_side(*shape, d.wave_size);
  return std::nullopt;
}

GroupSource::GroupSource(std::atomic<uint64_t>& next_group, const DispatchShape& shape)
    : next_group_(next_group),
      count_(shape.group_count),
      at_once_(std::clamp<uint64_t>(shape.group_count / kHandfuls, 1, kMostInAHandful)) {}

bool GroupSource::take(uint64_t* number) {
  if (!has_more()) return false;
  if (begin_ == end_) {
    begin_ = next_group_.fetch_add(at_once_, std::memory_order_relaxed);
    end_ = std::min(begin_ + at_once_, count_);
    if (begin_ >= count_) begin_ = end_;
  }
  if (begin_ == end_) return false;
  *number = begin_++;
  return true;
}

GroupRunner::GroupRunner(const Dispatch& dispatch, const DispatchShape& shape, Program& program, Tlb& tlb,
                         std::vector<Row> registers, uint32_t scratch_slot, const GroupChecks& checks, Tiering* tiering)
    : dispatch_(dispatch),
      shape_(shape),
      wave_budget_(checks.wave_budget),
      scratch_slot_(scratch_slot),
      loop_dwords_(shape.side_by_side == 1 ? kLoopDwordsPerTurn : kLoopDwordsSideBySide),
      waves_(shape.waves_per_group),
      vgprs_(std::move(registers)),
      entry_(program.step_at(dispatch.program_address, tlb)),
      tiering_(tiering) {
  const uint32_t halves = dispatch.wave_size / kLanes;
  const size_t rows = static_cast<size_t>(shape.waves_per_group) * kVgprRows * halves;
  if (vgprs_.size() < rows) vgprs_.resize(rows);
  group_.dispatch = &dispatch;
  group_.program = &program;
  group_.tlb = &tlb;
  group_.lds_bytes = shape.lds_bytes;
  group_.lds.resize(shape.lds_bytes + Group::kLdsSlackBytes);
  for (uint32_t i = 0; i < waves_.size(); ++i) {
    waves_[i].index = i;
    waves_[i].halves = halves;
    waves_[i].vgprs = &vgprs_[static_cast<size_t>(i) * kVgprRows * halves];
    waves_[i].group = &group_;
  }
  if (checks.strictness != Strictness::kOff)
    strict_ = std::make_unique<StrictChecker>(waves_.size(), dispatch.wave_size, tlb);
}

// Packed work-item ids, 10 bits each. Source: LLVM's AMDGPU usage guide, "Initial kernel execution state" of gfx11.
void GroupRunner::number_lanes(uint32_t first, uint32_t count) {
  const auto [size_x, size_y, size_z] = group_size_;
  uint32_t x = first % size_x, y = first / size_x % size_y, z = first / size_x / size_y;
  for (unsigned l = 0; l < count; x = 0) {
    const uint32_t row = std::min(size_x - x, count - l), row_id = x | y << 10 | z << 20;
    for (uint32_t i = 0; i < row; ++i) lane_ids_[l + i] = row_id + i;
    l += row;
    if (++y < size_y) continue;
    y = 0;
    ++z;
  }
}

void GroupRunner::start_lanes(Wave& wave) {
  std::memset(wave.vgprs, 0, sizeof(Row) * shape_.vgprs * wave.halves);
  const auto [size_x, size_y, size_z] = group_size_;
  const uint32_t first = wave.index * dispatch_.wave_size;
  const uint32_t count = std::min(size_x * size_y * size_z - first, wave.lane_count());
  // Workgroups of one wave are all alike, but for the last ones.
  if (numbered_wave_ != wave.index || numbered_size_ != group_size_) {
    number_lanes(first, count);
    numbered_wave_ = wave.index;
    numbered_size_ = group_size_;
  }
  for (unsigned h = 0; h * kLanes < count; ++h)
    std::copy_n(&lane_ids_[h * kLanes], std::min(count - h * kLanes, kLanes), wave.vgpr(0, h));
  wave.set_s64(kExecSlot, 0);
  wave.set_mask(kExecSlot, ~uint64_t{0} >> (64 - count));
}

void GroupRunner::start_wave(Wave& wave) {
  wave.s.fill(0);
  start_lanes(wave);
  wave.rebuild_exec_rows();
  unsigned slot = std::min(Rsrc2::user_sgpr.get(dispatch_.pgm_rsrc2), kMaxUserSgprs);
  std::copy_n(dispatch_.user_data.begin(), slot, wave.s.begin());
  const uint32_t rsrc2 = dispatch_.pgm_rsrc2;
  if (Rsrc2::tgid_x_en.get(rsrc2) != 0) wave.s[slot++] = group_.id[0];
  if (Rsrc2::tgid_y_en.get(rsrc2) != 0) wave.s[slot++] = group_.id[1];
  if (Rsrc2::tgid_z_en.get(rsrc2) != 0) wave.s[slot++] = group_.id[2];
  // unverified: the layout of this dword; no compiler for gfx11 asks for it.
  if (Rsrc2::tg_size_en.get(rsrc2) != 0) wave.s[slot++] = wave.index << 6 | wave_count_;
  wave.mode.set(mode_bits(dispatch_.pgm_rsrc1));
  wave.trap_status = 0;
  wave.scratch_base = 0;
  wave.scratch_bytes = 0;
  if (shape_.scratch_groups != 0) {
    const uint64_t wave_slot = static_cast<uint64_t>(scratch_slot_) * shape_.waves_per_group + wave.index;
    wave.scratch_base = dispatch_.scratch_address + wave_slot * dispatch_.scratch_bytes_per_wave;
    wave.scratch_bytes = dispatch_.scratch_bytes_per_wave;
  }
  if (strict_ != nullptr) strict_->start_wave(wave, slot);
  wave.instructions = 0;
  wave.stop = Stop::kNone;
  wave.next = entry_;
}

void GroupRunner::start(uint64_t number) {
  number_ = number;
  const uint64_t x = number % shape_.groups[0], rest = number / shape_.groups[0];
  const uint64_t position[3] = {x, rest % shape_.groups[1], rest / shape_.groups[1]};
  for (unsigned i = 0; i < 3; ++i) {
    group_.id[i] = dispatch_.start_workgroup[i] + static_cast<uint32_t>(position[i]);
    const bool is_last = group_.id[i] + 1 == dispatch_.workgroup_count[i];
    group_size_[i] = is_last && dispatch_.partial_size[i] != 0
                         ? std::min(dispatch_.partial_size[i], dispatch_.workgroup_size[i])
                         : dispatch_.workgroup_size[i];
  }
  const uint32_t lanes = group_size_[0] * group_size_[1] * group_size_[2];
  wave_count_ = (lanes + dispatch_.wave_size - 1) / dispatch_.wave_size;
  group_.fault.reset();
  if (counter_ != nullptr) counter_->start();
  if (accesses_ != nullptr) accesses_->start(wave_count_);
  running_ = wave_count_;
  loop_dwords_alone_ = 0;
  const uint32_t host_csr = _mm_getcsr();
  for (uint32_t i = 0; i < wave_count_; ++i) start_wave(waves_[i]);
  load_csr(host_csr);
}

// A wave beyond its budget faults before its next instruction, if there is one.
void GroupRunner::check_budget(Wave& wave) {
  if (wave.stop != Stop::kYield && wave.stop != Stop::kBarrier) return;
  wave.fail(*wave.next, ShaderFaultKind::kWatchdog,
            fmt::format("the watchdog allows a wave {} instructions, and this one has executed {}", wave_budget_,
                        wave.instructions));
  group_.fault->instructions = wave.instructions;
}

// Executes until the wave ends, meets a barrier, faults or has had its turn. `before` sees each step first and may
// stop the wave.
template <class BeforeStep>
void GroupRunner::run_turn(Wave& wave, BeforeStep before) {
  group_.tlb->renew();
  wave.stop = Stop::kNone;
  wave.sleeps = false;
  wave.yield_after = loop_dwords_;
  if (wave_budget_ != 0) {
    const uint64_t left = wave_budget_ - wave.instructions;
    wave.yield_after = 1 + static_cast<int64_t>(std::min(static_cast<uint64_t>(loop_dwords_), left));
  }
  load_csr(wave.mode.csr32);
  const uint64_t counted = wave.instructions;
  uint64_t count = 0;
  do {
    const Step* step = wave.next;
    if (!before(*step)) break;
    wave.next = step + 1;
    step->run(wave, *step);
    count += step->weight;
  } while (wave.stop == Stop::kNone);
  wave.instructions += count;
  instructions_ += wave.instructions - counted;
  if (wave_budget_ != 0 && wave.instructions > wave_budget_) check_budget(wave);
}

void GroupRunner::run_watched_turn(Wave& wave) {
  run_turn(wave, [&](const Step& step) {
    if (strict_ != nullptr && !strict_->before(wave, step)) return false;
    if (counter_ != nullptr) counter_->before(wave, step);
    if (accesses_ != nullptr) accesses_->before(wave, step);
    return true;
  });
}

uint32_t GroupRunner::run_turns(const std::atomic<bool>& stop) {
  uint32_t at_barrier = 0, busy = 0;
  for (uint32_t i = 0; i < wave_count_ && !group_.fault && !stop.load(std::memory_order_relaxed); ++i) {
    Wave& wave = waves_[i];
    current_wave_ = i;
    if (wave.stop == Stop::kNone || wave.stop == Stop::kYield) {
      if (is_watched()) {
        run_watched_turn(wave);
      } else {
        wave.next = group_.program->resume(wave.next);
        run_turn(wave, [](const Step&) { return true; });
      }
      busy += wave.stop != Stop::kYield || !wave.sleeps;
      if (wave.stop == Stop::kEnd) --running_;
    }
    at_barrier += wave.stop == Stop::kBarrier;
  }
  if (at_barrier != 0 && at_barrier == running_) {
    for (uint32_t i = 0; i < wave_count_; ++i) {
      if (waves_[i].stop == Stop::kBarrier) waves_[i].stop = Stop::kNone;
    }
  }
  return busy;
}

GroupRunner::Result GroupRunner::advance(const std::atomic<bool>& stop) {
  const uint32_t host_csr = _mm_getcsr();
  Result result = Result::kEnded;
  // Handlers own nothing while they touch memory, so they can be left there.
  const auto lost = touch_client_memory(*group_.tlb, [&] {
    do {
      result = turn(stop);
    } while (result == Result::kTurned);
  });
  load_csr(host_csr);
  if (!lost) return result;
  fail_client(*lost);
  return Result::kEnded;
}

// The wave's next step is the one after that which it executed, or an earlier one if the program is translated.
void GroupRunner::fail_client(const ClientFault& fault) {
  Wave& wave = waves_[current_wave_];
  const Step& step = *(wave.next - 1);
  wave.fail(step, ShaderFaultKind::kMemory,
            fmt::format("{} of address {:#x}, which the client has unmapped from its own memory{}",
                        fault.access == Access::kWrite ? "write" : "read", fault.address,
                        group_.program->is_translated() ? ", at this instruction or a later one" : ""));
  group_.fault->address = fault.address;
  group_.fault->access = fault.access;
}

GroupRunner::Result GroupRunner::turn(const std::atomic<bool>& stop) {
  const uint64_t before = instructions_;
  const uint32_t busy = run_turns(stop);
  if (tiering_ != nullptr) tiering_->executed(*group_.program, instructions_ - before);
  if (running_ == 0 || group_.fault || stop.load(std::memory_order_relaxed)) return Result::kEnded;
  if (busy == 0) return Result::kWaiting;
  loop_dwords_alone_ += loop_dwords_;
  if (loop_dwords_alone_ < kLoopDwordsAlone) return Result::kTurned;
  loop_dwords_alone_ = 0;
  return Result::kBusy;
}

GroupRunner::Result GroupRunner::advance_side_by_side(const std::vector<std::unique_ptr<GroupRunner>>& runners,
                                                      size_t* current, GroupSource& source,
                                                      const std::atomic<bool>& stop) {
  const uint32_t host_csr = _mm_getcsr();
  Result result = Result::kEnded;
  const auto lost = touch_client_memory(*runners.front()->group_.tlb, [&] {
    for (;; *current = (*current + 1) % runners.size()) {
      GroupRunner& runner = *runners[*current];
      result = runner.turn(stop);
      if (result == Result::kTurned) continue;
      uint64_t next = 0;
      const bool goes_on = result == Result::kEnded && !runner.group_.fault && !stop.load(std::memory_order_relaxed) &&
                           source.take(&next);
      if (!goes_on) return;
      runner.start(next);
    }
  });
  load_csr(host_csr);
  if (!lost) return result;
  runners[*current]->fail_client(*lost);
  return Result::kEnded;
}

}  // namespace bw::emulator
