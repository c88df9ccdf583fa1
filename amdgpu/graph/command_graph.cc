#include "amdgpu/graph/command_graph.h"

#include <algorithm>
#include <cstring>

#include "base/bits.h"

namespace bw::amdgpu {

Status CommandGraph::set(ParameterId parameter, uint64_t value) {
  if (parameter.index >= parameters_.size() || parameters_[parameter.index].is_pointer) {
    return error(StatusCode::kInvalidArgument, "setting parameter {} of a command graph: it has no such number",
                 parameter.index);
  }
  const Parameter& known = parameters_[parameter.index];
  if (value < known.least || value > known.most) {
    return error(StatusCode::kInvalidArgument, "setting parameter {} of a command graph to {}: it goes from {} to {}",
                 parameter.index, value, known.least, known.most);
  }
  change(parameter.index, value);
  return Status::ok();
}

Status CommandGraph::set(ParameterId parameter, const Buffer& buffer, uint64_t offset_bytes) {
  if (parameter.index >= parameters_.size() || !parameters_[parameter.index].is_pointer) {
    return error(StatusCode::kInvalidArgument, "setting parameter {} of a command graph: it has no such pointer",
                 parameter.index);
  }
  Parameter& known = parameters_[parameter.index];
  if (offset_bytes > buffer.size_bytes() || buffer.size_bytes() - offset_bytes < known.most) {
    return error(StatusCode::kInvalidArgument,
                 "setting parameter {} of a command graph to offset {} of a buffer of {} bytes: it needs {} bytes",
                 parameter.index, offset_bytes, buffer.size_bytes(), known.most);
  }
  const uint64_t begin = buffer.gpu_addr().value + offset_bytes;
  const Access access = known.is_written ? Access::kReadWrite : Access::kRead;
  const AddressUse use{.begin = begin, .end = begin + known.most, .access = access};
  if (commands_.commands_->footprint.conflicts_with(use)) {
    return error(StatusCode::kInvalidArgument,
                 "setting parameter {} of a command graph to memory at {:#x}, which the graph uses otherwise",
                 parameter.index, begin);
  }
  if (known.value == 0) --unset_pointer_count_;
  if (known.value != begin) pointers_->set(parameter.index, use, BufferPin(buffer), last_);
  change(parameter.index, begin);
  return Status::ok();
}

void CommandGraph::change(uint32_t index, uint64_t value) {
  Parameter& parameter = parameters_[index];
  if (parameter.value == value) return;
  parameter.value = value;
  if (parameter.is_changed) return;
  parameter.is_changed = true;
  changed_.push_back(index);
}

std::span<const uint32_t> CommandGraph::make_patches() {
  patches_.clear();
  for (uint32_t index : changed_) {
    const Parameter& parameter = parameters_[index];
    const size_t begin = patches_.size();
    patches_.insert(patches_.end(), parameter.packets.begin(), parameter.packets.end());
    for (uint32_t position : parameter.value_positions) {
      patches_[begin + position] = lo32(parameter.value);
      if (parameter.size_bytes == 8) patches_[begin + position + 1] = hi32(parameter.value);
    }
  }
  return patches_;
}

void CommandGraph::patches_were_sent() {
  for (uint32_t index : changed_) parameters_[index].is_changed = false;
  changed_.clear();
  for (uint32_t index : advancing_) ++parameters_[index].value;
}

void CommandGraph::take_replay_back() {
  for (uint32_t index : advancing_) --parameters_[index].value;
  send_all();
}

std::optional<uint32_t> CommandGraph::find_word_past_end() const {
  const auto found = std::ranges::find_if(
      advancing_, [this](uint32_t index) { return parameters_[index].value > parameters_[index].most; });
  return found == advancing_.end() ? std::nullopt : std::optional(*found);
}

void CommandGraph::send_all() {
  changed_.clear();
  for (uint32_t index = 0; index < parameters_.size(); ++index) {
    parameters_[index].is_changed = true;
    changed_.push_back(index);
  }
}

std::vector<NodeTiming> CommandGraph::timings() const {
  std::vector<NodeTiming> timings;
  for (size_t i = 0; i < node_names_.size(); ++i) {
    NodeTiming timing{.name = node_names_[i]};
    const std::byte* pair = timestamps_.host().data() + i * 2 * sizeof(uint64_t);
    std::memcpy(&timing.start_ticks, pair, sizeof(uint64_t));
    std::memcpy(&timing.end_ticks, pair + sizeof(uint64_t), sizeof(uint64_t));
    timings.push_back(std::move(timing));
  }
  return timings;
}

}  // namespace bw::amdgpu
