#include "emulator/shader/counters.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace bw::emulator {
namespace {

size_t width_index(uint32_t bytes_per_lane) {
  for (size_t i = 0; i < kAccessWidths; ++i) {
    if (bytes_per_lane * 8 <= kAccessBits[i]) return i;
  }
  return kAccessWidths - 1;
}

uint64_t sum(const std::array<uint64_t, kAccessWidths>& values) {
  return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

}  // namespace

void AccessCounts::add(uint32_t bytes_per_lane, uint64_t byte_count) {
  const size_t i = width_index(bytes_per_lane);
  ++instructions[i];
  bytes[i] += byte_count;
}

uint64_t AccessCounts::instruction_count() const {
  return sum(instructions);
}
uint64_t AccessCounts::byte_count() const {
  return sum(bytes);
}

AccessCounts& AccessCounts::operator+=(const AccessCounts& other) {
  for (size_t i = 0; i < kAccessWidths; ++i) {
    instructions[i] += other.instructions[i];
    bytes[i] += other.bytes[i];
  }
  return *this;
}

InstructionCounts& InstructionCounts::operator+=(const InstructionCounts& more) {
  for (const auto field : kInstructionCountFields) this->*field += more.*field;
  return *this;
}

GlobalTraffic& GlobalTraffic::operator+=(const GlobalTraffic& other) {
  requested += other.requested;
  coalesced_bytes += other.coalesced_bytes;
  lines_32 += other.lines_32;
  lines_64 += other.lines_64;
  lines_128 += other.lines_128;
  return *this;
}

LdsCounts& LdsCounts::operator+=(const LdsCounts& other) {
  loads += other.loads;
  stores += other.stores;
  atomics += other.atomics;
  exchanges += other.exchanges;
  cycles += other.cycles;
  load_conflict_cycles += other.load_conflict_cycles;
  store_conflict_cycles += other.store_conflict_cycles;
  return *this;
}

RangeCounts& RangeCounts::operator+=(const RangeCounts& other) {
  loaded_bytes += other.loaded_bytes;
  loaded_bytes_128 += other.loaded_bytes_128;
  stored_bytes += other.stored_bytes;
  return *this;
}

void DispatchCounters::add(const DispatchCounters& other) {
  instructions += other.instructions;
  loads += other.loads;
  stores += other.stores;
  atomics += other.atomics;
  scratch_loads += other.scratch_loads;
  scratch_stores += other.scratch_stores;
  scalar_load_bytes += other.scalar_load_bytes;
  flat_aperture_bytes += other.flat_aperture_bytes;
  touched.read += other.touched.read;
  touched.written += other.touched.written;
  touched_by_groups.read += other.touched_by_groups.read;
  touched_by_groups.written += other.touched_by_groups.written;
  lds += other.lds;
  for (const RangeCounts& theirs : other.ranges) {
    const auto at = std::lower_bound(ranges.begin(), ranges.end(), theirs.begin,
                                     [](const RangeCounts& ours, uint64_t begin) { return ours.begin < begin; });
    if (at != ranges.end() && at->begin == theirs.begin) {
      *at += theirs;
    } else {
      ranges.insert(at, theirs);
    }
  }
}

void CounterLog::set_ranges(std::vector<RangeCounts> ranges) {
  std::sort(ranges.begin(), ranges.end(), [](const RangeCounts& a, const RangeCounts& b) { return a.begin < b.begin; });
  std::lock_guard lock(mutex_);
  ranges_ = std::move(ranges);
}

std::vector<RangeCounts> CounterLog::ranges() const {
  std::lock_guard lock(mutex_);
  return ranges_;
}

void CounterLog::push(DispatchCounters counters) {
  std::lock_guard lock(mutex_);
  finished_.push_back(std::move(counters));
}

std::vector<DispatchCounters> CounterLog::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

}  // namespace bw::emulator
