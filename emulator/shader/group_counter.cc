#include "emulator/shader/group_counter.h"

#include <algorithm>

#include "emulator/memory/client_fault.h"
#include "emulator/shader/lds_banks.h"
#include "emulator/shader/memory_lanes.h"

namespace bw::emulator {
namespace {

using Reach = CountedInstruction::Reach;
using Direction = CountedInstruction::Direction;

InstructionCounts times(const InstructionCounts& once, uint64_t executions) {
  InstructionCounts out;
  for (const auto field : kInstructionCountFields) out.*field = once.*field * executions;
  return out;
}

// Lines of 2^shift bytes that [address, address + size_bytes) touch, of addresses in rising order.
uint64_t count_lines(const LaneArray& addresses, uint32_t count, uint32_t size_bytes, unsigned shift) {
  uint64_t lines = 0, next = 0;  // next: the first line not counted yet
  for (uint32_t i = 0; i < count; ++i) {
    const uint64_t last = (addresses[i] + size_bytes - 1) >> shift;
    if (i != 0 && last < next) continue;
    lines += last + 1 - (i == 0 ? addresses[i] >> shift : std::max(addresses[i] >> shift, next));
    next = last + 1;
  }
  return lines;
}

AccessCounts& counts_for(Direction direction, AccessCounts& loads, AccessCounts& stores, AccessCounts& atomics) {
  return direction == Direction::kLoad ? loads : direction == Direction::kStore ? stores : atomics;
}

GlobalTraffic& traffic_of(DispatchCounters& counters, Direction direction) {
  return direction == Direction::kLoad    ? counters.loads
         : direction == Direction::kStore ? counters.stores
                                          : counters.atomics;
}

}  // namespace

void DispatchCounter::add(const DispatchCounter& other) {
  if (other.steps_.size() > steps_.size()) steps_.resize(other.steps_.size());
  for (size_t i = 0; i < other.steps_.size(); ++i) {
    const StepCount& theirs = other.steps_[i];
    steps_[i].executions += theirs.executions;
    steps_[i].lanes += theirs.lanes;
    if (steps_[i].instruction == nullptr && theirs.instruction != nullptr) {
      steps_[i].instruction = std::make_unique<const CountedInstruction>(*theirs.instruction);
      steps_[i].reaches_memory = theirs.reaches_memory;
    }
  }
  memory_.add(other.memory_);
  for (size_t i = 0; i < ranges_.size(); ++i) ranges_[i] += other.ranges_[i];
  read_.add(other.read_);
  written_.add(other.written_);
}

DispatchCounters DispatchCounter::finish() const {
  DispatchCounters out = memory_;
  for (const StepCount& count : steps_) {
    if (count.instruction == nullptr) continue;
    InstructionCounts all = times(count.instruction->once, count.executions);
    if (all.valu != 0) all.valu_lanes = count.lanes;
    if (count.instruction->counts_memory_lanes) all.memory_lanes = count.lanes;
    out.instructions += all;
  }
  out.ranges = ranges_;
  out.touched = {.read = read_.count(), .written = written_.count()};
  return out;
}

RangeCounts* DispatchCounter::range_at(uint64_t address) {
  const auto holds = [address](const RangeCounts& range) { return address >= range.begin && address < range.end; };
  if (recent_range_ < ranges_.size() && holds(ranges_[recent_range_])) return &ranges_[recent_range_];
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](uint64_t at, const RangeCounts& range) { return at < range.begin; });
  if (after == ranges_.begin() || !holds(*(after - 1))) return nullptr;
  recent_range_ = static_cast<size_t>(after - ranges_.begin()) - 1;
  return &ranges_[recent_range_];
}

void GroupCounter::describe(const Step& step, DispatchCounter::StepCount* count) {
  std::array<uint32_t, amdgpu::gfx11::kMaxInstructionDwords> dwords;
  size_t fetched = 0;
  for (; fetched < dwords.size(); ++fetched) {
    if (!read_client_memory(tlb_, step.pc + fetched * 4, &dwords[fetched], 4, Access::kExecute)) break;
  }
  const auto in = amdgpu::gfx11::decode({dwords.data(), fetched});
  if (!in.is_ok()) return;  // the step itself reports it
  count->instruction = std::make_unique<const CountedInstruction>(CountedInstruction::make(in.value()));
  count->reaches_memory = count->instruction->reach != Reach::kNothing || count->instruction->is_exchange;
}

void GroupCounter::note_access(Wave& wave, const Step& step, const CountedInstruction& in) {
  if (in.is_exchange) {
    ++dispatch_.memory_.lds.exchanges;
    return;
  }
  if (in.reach == Reach::kScalar) return note_scalar(wave, step, in);
  wave.sync_exec();
  if (in.reach == Reach::kLds) return note_lds(wave, step, in);
  if (in.reach == Reach::kScratch) {
    DispatchCounters& memory = dispatch_.memory_;
    const auto lanes = static_cast<uint64_t>(std::popcount(wave.exec()));
    counts_for(in.direction, memory.scratch_loads, memory.scratch_stores, memory.scratch_stores)
        .add(in.bytes, lanes * in.bytes);
    return;
  }
  const std::optional<uint32_t> bytes_of_lane = lane_bytes(wave, step, in);
  if (!bytes_of_lane) return;
  const uint32_t size_bytes = *bytes_of_lane;
  GlobalTraffic& traffic = traffic_of(dispatch_.memory_, in.direction);
  uint64_t requested = 0;
  for (unsigned half = 0; half < wave.halves; ++half) {
    if (active_lanes(wave, half) == 0) continue;
    LaneArray addresses;
    uint32_t in_aperture = 0;
    const uint32_t count = memory_addresses(wave, step, in, size_bytes, half, &addresses, &in_aperture);
    dispatch_.memory_.flat_aperture_bytes += uint64_t{in_aperture} * in.bytes;
    if (count != 0) note_global(in, size_bytes, addresses, count);
    requested += uint64_t{count} * size_bytes;
  }
  traffic.requested.add(size_bytes, requested);
}

void GroupCounter::note_scalar(const Wave& wave, const Step& step, const CountedInstruction& in) {
  const ByteRange range = scalar_range(wave, step, in);
  dispatch_.memory_.scalar_load_bytes += in.bytes;
  touch(Direction::kLoad, range.begin, range.end);
  note_range(Direction::kLoad, range.begin, in.bytes, in.bytes);
}

void GroupCounter::note_global(const CountedInstruction& in, uint32_t size_bytes, LaneArray& addresses,
                               uint32_t count) {
  const auto end = addresses.begin() + count;
  if (!std::is_sorted(addresses.begin(), end)) std::sort(addresses.begin(), end);
  GlobalTraffic& traffic = traffic_of(dispatch_.memory_, in.direction);
  traffic.lines_32 += count_lines(addresses, count, size_bytes, 5);
  traffic.lines_64 += count_lines(addresses, count, size_bytes, 6);
  traffic.lines_128 += count_lines(addresses, count, size_bytes, 7);
  for (uint32_t i = 0; i < count;) {
    const uint64_t begin = addresses[i];
    const uint32_t first = i;
    uint64_t stop = begin + size_bytes;
    for (++i; i < count && addresses[i] <= stop; ++i) stop = addresses[i] + size_bytes;
    traffic.coalesced_bytes += stop - begin;
    touch(in.direction, begin, stop);
    note_range(in.direction, begin, uint64_t{i - first} * size_bytes, size_bytes);
  }
}

void GroupCounter::note_range(Direction direction, uint64_t address, uint64_t bytes, uint32_t bytes_at_once) {
  if (direction == Direction::kAtomic) return;
  RangeCounts* counts = dispatch_.range_at(address);
  if (counts == nullptr) return;
  if (direction == Direction::kStore) {
    counts->stored_bytes += bytes;
    return;
  }
  counts->loaded_bytes += bytes;
  if (bytes_at_once >= 16) counts->loaded_bytes_128 += bytes;
}

// What is new to the workgroup may be new to the dispatch.
void GroupCounter::touch(Direction direction, uint64_t begin, uint64_t end) {
  if (end <= begin) return;  // wraps: the access faults
  if (direction != Direction::kStore) {
    if (const uint64_t fresh = read_.add(begin, end - begin); fresh != 0) {
      dispatch_.memory_.touched_by_groups.read += fresh;
      dispatch_.read_.add(begin, end - begin);
    }
  }
  if (direction != Direction::kLoad) {
    if (const uint64_t fresh = written_.add(begin, end - begin); fresh != 0) {
      dispatch_.memory_.touched_by_groups.written += fresh;
      dispatch_.written_.add(begin, end - begin);
    }
  }
}

void GroupCounter::note_lds(Wave& wave, const Step& step, const CountedInstruction& in) {
  LdsCounts& lds = dispatch_.memory_.lds;
  const auto lanes = static_cast<uint64_t>(std::popcount(wave.exec()));
  counts_for(in.direction, lds.loads, lds.stores, lds.atomics).add(in.bytes, lanes * in.bytes * in.addresses);
  const std::array<uint32_t, 2> offsets = {
      in.addresses == 2 ? step.offset0 * uint32_t{in.offset_unit} : static_cast<uint32_t>(step.imm),
      step.offset1 * uint32_t{in.offset_unit}};
  for (unsigned half = 0; half < wave.halves; ++half) {
    const uint32_t active = active_lanes(wave, half);
    for (unsigned i = 0; i < in.addresses && active != 0; ++i) {
      std::array<uint32_t, kLanes> addresses;
      const uint32_t* base = wave.vgpr(step.src[0].index, half);
      for (unsigned l = 0; l < kLanes; ++l) {
        addresses[l] = (in.is_by_lane ? (wave.s[kM0Slot] & 0xffff) + (half * kLanes + l) * 4 : base[l]) + offsets[i];
      }
      note_lds_cycles(addresses, active, in);
    }
  }
}

void GroupCounter::note_lds_cycles(const std::array<uint32_t, kLanes>& addresses, uint32_t active,
                                   const CountedInstruction& in) {
  LdsCounts& lds = dispatch_.memory_.lds;
  const LdsAccess access = in.direction == Direction::kLoad    ? LdsAccess::kLoad
                           : in.direction == Direction::kStore ? LdsAccess::kStore
                                                               : LdsAccess::kAtomic;
  const LdsCycles cycles = lds_cycles(addresses, active, in.bytes, access);
  lds.cycles += cycles.needed;
  (access == LdsAccess::kLoad ? lds.load_conflict_cycles : lds.store_conflict_cycles) += cycles.conflicts;
}

}  // namespace bw::emulator
