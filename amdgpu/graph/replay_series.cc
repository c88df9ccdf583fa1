#include "amdgpu/graph/replay_series.h"

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <span>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/graph/command_graph.h"
#include "amdgpu/pm4_builder.h"

namespace bw::amdgpu {
namespace {

// The end of a replay: its result and then its serial number, for the host.
void emit_end(Pm4Builder& builder, const Replay& replay, GpuAddr result, GpuAddr serial_address, uint32_t serial) {
  builder.emit_cs_partial_flush();
  if (replay.result != nullptr) {
    builder.emit_copy_data(result, replay.result->gpu_addr(), sizeof(uint32_t));
  }
  builder.emit_release_mem({.data = ReleaseData::k32Bit, .address = serial_address, .value = serial});
}

}  // namespace

uint32_t ReplaySeries::result(size_t replay) const {
  return slot(replay)->result;
}

void ReplaySeries::set_wanted(uint32_t value) {
  std::atomic_ref(*reinterpret_cast<uint32_t*>(slots_.host().data())).store(value, std::memory_order_release);
}

void ReplaySeries::discard() {
  packets_.clear();
  kept_->pins.clear();
  count_ = 0;
  is_submitted_ = false;
}

void ReplaySeries::cancel() {
  set_wanted(0);
}

Status CommandGraph::append_to(ReplaySeries& series, const Replay& replay) {
  Pm4Builder begin;
  // What the kernels of the replay before have left near the shaders, where it and the packets have written since. The
  // first replay of a submission has the frame's, after which nobody uses what it changes.
  if (!series.packets_.empty()) begin.emit_acquire_mem(Acquire::kFromDevice);
  BW_ASSIGN(const std::vector<uint32_t> acquire, begin.finish());
  const GpuAddr slot = series.slot_address(series.count_);
  Pm4Builder end;
  emit_end(end, replay, slot + offsetof(ReplaySeries::Slot, result), slot + offsetof(ReplaySeries::Slot, serial),
           static_cast<uint32_t>(series.count_ + 1));
  BW_ASSIGN(const std::vector<uint32_t> tail, end.finish());
  const std::span<const uint32_t> changes = patches();

  // unverified: that the micro engine of a compute queue reads the words no earlier than the packets before it end.
  const size_t replayed = changes.size() + acquire.size() + commands_.commands_->entry.size() + tail.size();
  Pm4Builder conditions;
  const size_t both = replay.condition == nullptr ? 0 : gfx11::pm4::COND_EXEC::kDwords;
  conditions.emit_cond_exec(series.slots_.gpu_addr(), static_cast<uint32_t>(replayed + both));
  if (replay.condition != nullptr) {
    conditions.emit_cond_exec(replay.condition->gpu_addr(), static_cast<uint32_t>(replayed));
  }
  BW_ASSIGN(const std::vector<uint32_t> decision, conditions.finish());
  for (const std::span<const uint32_t> part :
       {std::span<const uint32_t>(decision), changes, std::span<const uint32_t>(acquire),
        std::span<const uint32_t>(commands_.commands_->entry), std::span<const uint32_t>(tail)}) {
    series.packets_.insert(series.packets_.end(), part.begin(), part.end());
  }
  for (const Buffer* word : std::initializer_list<const Buffer*>{&series.slots_, replay.condition, replay.result}) {
    if (word != nullptr) series.kept_->pins.emplace_back(*word);
  }
  if (pointers_ != nullptr) pointers_->was_appended();
  patches_were_sent();
  ++series.count_;
  return Status::ok();
}

}  // namespace bw::amdgpu
