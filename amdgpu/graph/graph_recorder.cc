#include "amdgpu/graph/graph_recorder.h"

#include <algorithm>
#include <cstring>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/pm4_builder.h"

namespace bw::amdgpu {
namespace {

// What a pointer parameter stands for has no address yet. It is tracked as memory of its own where no GPU address is.
constexpr uint64_t kPointerSpace = uint64_t{1} << 62;
constexpr unsigned kPointerSpaceShift = 40;

AddressUse pointer_use(ParameterId parameter, uint64_t size_bytes, Access access) {
  const uint64_t begin = kPointerSpace + (uint64_t{parameter.index} << kPointerSpaceShift);
  return {.begin = begin, .end = begin + size_bytes, .access = access};
}

size_t parameter_of(const AddressUse& pointer_use) {
  return (pointer_use.begin - kPointerSpace) >> kPointerSpaceShift;
}

constexpr uint64_t kTimestampBytes = 2 * sizeof(uint64_t);  // of a node: start and end

}  // namespace

GraphRecorder::GraphRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch,
                             const CommandRecorder::Limits& limits, const GraphOptions& options)
    : memory_(memory), recorder_(std::move(memory), scratch, limits), options_(options) {}

void GraphRecorder::fail(Status status) {
  if (status_.is_ok()) status_ = std::move(status).with_context(fmt::format("recording node {}", nodes_.size() + 1));
}

ParameterId GraphRecorder::parameter(uint32_t size_bytes, uint64_t initial, uint64_t least, uint64_t most) {
  const auto index = static_cast<uint32_t>(graph_.parameters_.size());
  if (size_bytes != 4 && size_bytes != 8) {
    fail(error(StatusCode::kInvalidArgument, "parameter {} of {} bytes, not 4 or 8", index, size_bytes));
  }
  if (size_bytes == 4) most = std::min<uint64_t>(most, UINT32_MAX);
  if (initial < least || initial > most) {
    fail(
        error(StatusCode::kInvalidArgument, "parameter {} is {}, but goes from {} to {}", index, initial, least, most));
  }
  graph_.parameters_.push_back({.size_bytes = size_bytes, .least = least, .most = most, .value = initial});
  return {index};
}

ParameterId GraphRecorder::pointer(uint64_t size_bytes) {
  const auto index = static_cast<uint32_t>(graph_.parameters_.size());
  if (size_bytes == 0 || size_bytes >> kPointerSpaceShift != 0) {
    fail(error(StatusCode::kInvalidArgument, "pointer parameter {} to {} bytes", index, size_bytes));
  }
  graph_.parameters_.push_back({.is_pointer = true, .size_bytes = 8, .most = size_bytes});
  ++graph_.unset_pointer_count_;
  return {index};
}

ParameterId GraphRecorder::word(const Buffer& buffer, uint64_t offset_bytes, uint32_t initial, uint32_t least,
                                uint32_t most) {
  const ParameterId id = parameter(sizeof(uint32_t), initial, least, most);
  const auto place = resolve({&buffer, Access::kReadWrite, offset_bytes, sizeof(uint32_t)});
  if (!place) return id;
  if (place->begin % sizeof(uint32_t) != 0) {
    fail(error(StatusCode::kInvalidArgument, "its word is at offset {}, not a multiple of 4", offset_bytes));
  }
  graph_.parameters_.back().word = GpuAddr{place->begin};
  return id;
}

void GraphRecorder::advance(ParameterId word) {
  if (!can_add()) return;
  auto& known = graph_.parameters_;
  if (word.index >= known.size() || !known[word.index].word) {
    fail(error(StatusCode::kInvalidArgument, "it advances parameter {}, which is no word", word.index));
    return;
  }
  if (std::ranges::find(graph_.advancing_, word.index) != graph_.advancing_.end()) {
    fail(error(StatusCode::kInvalidArgument, "it advances word {} once more", word.index));
    return;
  }
  graph_.advancing_.push_back(word.index);
  const uint64_t begin = known[word.index].word->value;
  Node node;
  node.kind = Node::Kind::kAdvance;
  node.uses = {{.begin = begin, .end = begin + sizeof(uint32_t), .access = Access::kReadWrite}};
  add(std::move(node));
}

std::optional<AddressUse> GraphRecorder::resolve(const BufferUse& use) {
  if (use.buffer == nullptr || !use.buffer->is_valid()) {
    fail(error(StatusCode::kInvalidArgument, "it uses a buffer that has no memory"));
    return std::nullopt;
  }
  const uint64_t all = use.buffer->size_bytes();
  if (use.offset_bytes > all || use.size_bytes > all - use.offset_bytes) {
    fail(error(StatusCode::kInvalidArgument, "it uses {} bytes at offset {} of a buffer of {} bytes", use.size_bytes,
               use.offset_bytes, all));
    return std::nullopt;
  }
  const uint64_t begin = use.buffer->gpu_addr().value + use.offset_bytes;
  const uint64_t size = use.size_bytes == 0 ? all - use.offset_bytes : use.size_bytes;
  pins_.emplace_back(*use.buffer);
  return AddressUse{.begin = begin, .end = begin + size, .access = use.access};
}

Status GraphRecorder::check(const ParameterUse& use, const KernelLaunch& launch) const {
  if (use.parameter.index >= graph_.parameters_.size()) {
    return error(StatusCode::kInvalidArgument, "it uses parameter {} of {}", use.parameter.index,
                 graph_.parameters_.size());
  }
  const CommandGraph::Parameter& parameter = graph_.parameters_[use.parameter.index];
  if (parameter.word) {
    return error(StatusCode::kInvalidArgument, "it takes word {} by value, which is in memory", use.parameter.index);
  }
  const auto is_declared = [&](const KernelLaunch::PointerUse& known) {
    return known.parameter.index == use.parameter.index;
  };
  if (parameter.is_pointer && std::ranges::none_of(launch.pointers, is_declared)) {
    return error(StatusCode::kInvalidArgument, "it takes pointer parameter {} without saying how it uses the memory",
                 use.parameter.index);
  }
  if (use.place == ParameterUse::Place::kWorkgroupCount) {
    if (use.offset < 3 && parameter.size_bytes == 4) return Status::ok();
    return error(StatusCode::kInvalidArgument, "parameter {} of {} bytes cannot be the workgroups along axis {}",
                 use.parameter.index, parameter.size_bytes, use.offset);
  }
  if (use.offset % sizeof(uint32_t) != 0 || use.offset > launch.arguments.size() ||
      parameter.size_bytes > launch.arguments.size() - use.offset) {
    return error(StatusCode::kInvalidArgument, "parameter {} of {} bytes at offset {} of {} bytes of arguments",
                 use.parameter.index, parameter.size_bytes, use.offset, launch.arguments.size());
  }
  return Status::ok();
}

bool GraphRecorder::can_add() {
  if (!status_.is_ok()) return false;
  if (nodes_.size() < kMostNodes) return true;
  fail(error(StatusCode::kUnsupported, "a command graph has at most {} nodes", kMostNodes));
  return false;
}

void GraphRecorder::add(Node node, uint32_t least_level) {
  if (!status_.is_ok()) return;
  node.level = dependencies_.place(node.uses, std::max(least_level, least_level_));
  level_count_ = std::max(level_count_, node.level + 1);
  nodes_.push_back(std::move(node));
}

void GraphRecorder::launch(const KernelLaunch& launch) {
  if (!can_add()) return;
  Node node;
  node.kernel = launch.kernel;
  node.workgroup_count = launch.workgroup_count;
  node.workgroup_size = launch.workgroup_size;
  node.arguments.assign(launch.arguments.begin(), launch.arguments.end());
  for (const BufferUse& use : launch.uses) {
    if (const auto addresses = resolve(use)) node.uses.push_back(*addresses);
  }
  for (const KernelLaunch::PointerUse& use : launch.pointers) {
    if (use.parameter.index >= graph_.parameters_.size() || !graph_.parameters_[use.parameter.index].is_pointer) {
      fail(error(StatusCode::kInvalidArgument, "it uses pointer parameter {}, which is none", use.parameter.index));
      return;
    }
    node.uses.push_back(pointer_use(use.parameter, graph_.parameters_[use.parameter.index].most, use.access));
  }
  for (const ParameterUse& use : launch.parameters) {
    if (Status status = check(use, launch); !status.is_ok()) {
      fail(std::move(status));
      return;
    }
    node.parameters.push_back(use);
    // Until it is changed the place holds the initial value.
    const CommandGraph::Parameter& parameter = graph_.parameters_[use.parameter.index];
    if (use.place == ParameterUse::Place::kWorkgroupCount) {
      node.workgroup_count[use.offset] = static_cast<uint32_t>(parameter.value);
    } else {
      std::memcpy(node.arguments.data() + use.offset, &parameter.value, parameter.size_bytes);
    }
  }
  add(std::move(node));
}

void GraphRecorder::copy(const BufferUse& destination, const BufferUse& source) {
  if (!can_add()) return;
  const auto to = resolve({destination.buffer, Access::kWrite, destination.offset_bytes, destination.size_bytes});
  const auto from = resolve({source.buffer, Access::kRead, source.offset_bytes, source.size_bytes});
  if (!to || !from) return;
  if (to->end - to->begin != from->end - from->begin) {
    fail(error(StatusCode::kInvalidArgument, "it copies {} bytes to {} bytes", from->end - from->begin,
               to->end - to->begin));
    return;
  }
  if (to->begin < from->end && from->begin < to->end) {
    fail(error(StatusCode::kInvalidArgument, "it copies {} bytes within memory that overlaps", to->end - to->begin));
    return;
  }
  Node node;
  node.kind = Node::Kind::kCopy;
  node.uses = {*to, *from};
  add(std::move(node));
}

void GraphRecorder::fill(const BufferUse& destination, uint32_t value) {
  if (!can_add()) return;
  const auto to = resolve({destination.buffer, Access::kWrite, destination.offset_bytes, destination.size_bytes});
  if (!to) return;
  Node node;
  node.kind = Node::Kind::kFill;
  node.uses = {*to};
  node.value = value;
  add(std::move(node));
}

void GraphRecorder::barrier() {
  least_level_ = level_count_;
}

bool GraphRecorder::add_signal_uses(Node& node, const SignalWord& word, std::optional<ParameterId> parameter,
                                    std::span<const BufferUse> uses, Access access) {
  const auto place = resolve({word.buffer, access, word.offset_bytes, sizeof(uint32_t)});
  if (!place) return false;
  if (place->begin % sizeof(uint32_t) != 0) {
    fail(error(StatusCode::kInvalidArgument, "its word is at offset {}, not a multiple of 4", word.offset_bytes));
    return false;
  }
  node.uses.push_back(*place);
  for (const BufferUse& use : uses) {
    if (const auto addresses = resolve(use)) node.uses.push_back(*addresses);
  }
  if (!parameter) return true;
  node.value_parameter = parameter;
  const auto& known = graph_.parameters_;
  if (parameter->index < known.size() && !known[parameter->index].is_pointer && !known[parameter->index].word &&
      known[parameter->index].size_bytes == sizeof(uint32_t)) {
    node.value = static_cast<uint32_t>(known[parameter->index].value);
    return true;
  }
  fail(
      error(StatusCode::kInvalidArgument, "parameter {} of {} is no value of 4 bytes", parameter->index, known.size()));
  return false;
}

void GraphRecorder::signal(const GraphSignal& signal) {
  if (!can_add()) return;
  Node node;
  node.kind = Node::Kind::kSignal;
  node.value = signal.value;
  if (!add_signal_uses(node, signal.word, signal.parameter, signal.publishes, Access::kWrite)) return;
  add(std::move(node), std::max(least_signal_level_, signal.publishes.empty() ? level_count_ : 0));
  if (!status_.is_ok()) return;
  least_signal_level_ = least_wait_level_ = nodes_.back().level;
}

void GraphRecorder::wait(const GraphWait& wait) {
  if (!can_add()) return;
  Node node;
  node.kind = Node::Kind::kWait;
  node.value = wait.value;
  node.compare = wait.compare;
  node.reset = wait.reset;
  const Access access = wait.reset ? Access::kReadWrite : Access::kRead;
  if (!add_signal_uses(node, wait.word, wait.parameter, wait.arrives, access)) return;
  add(std::move(node), least_wait_level_);
  if (!status_.is_ok()) return;
  least_wait_level_ = nodes_.back().level;
  // Within a level signals come before waits.
  least_signal_level_ = nodes_.back().level + 1;
  if (wait.arrives.empty()) least_level_ = nodes_.back().level + 1;
}

const char* GraphRecorder::Node::name() const {
  switch (kind) {
    case Kind::kLaunch:
      return kernel->info.name.c_str();
    case Kind::kCopy:
      return "copy";
    case Kind::kFill:
      return "fill";
    case Kind::kAdvance:
      return "advance";
    case Kind::kSignal:
      return "signal";
    case Kind::kWait:
      return "wait";
  }
  return "";
}

bool GraphRecorder::fits_at_once(const Node& node) const {
  uint64_t workgroups = 1;
  Dim3 most = node.workgroup_count;
  for (const ParameterUse& use : node.parameters) {
    if (use.place != ParameterUse::Place::kWorkgroupCount) continue;
    most[use.offset] = static_cast<uint32_t>(graph_.parameters_[use.parameter.index].most);
  }
  const uint64_t limit = resident_workgroups(*node.kernel, node.workgroup_size);
  for (uint32_t count : most) {
    if (count > limit) return false;
    workgroups *= count;
  }
  return workgroups <= limit;
}

std::vector<Freshness> GraphRecorder::find_freshness() const {
  std::vector<CachedReader> readers;
  for (const Node& node : nodes_) {
    const bool is_launch = node.kind == Node::Kind::kLaunch;
    const bool has_stub = is_launch && node.kernel->acquiring_entry.has_value();
    readers.push_back({.level = node.level,
                       .uses = node.uses,
                       .is_kernel = is_launch,
                       .can_acquire_by_itself = has_stub && fits_at_once(node),
                       .waits_for_others = node.kind == Node::Kind::kWait});
  }
  return freshness_of(readers);
}

void GraphRecorder::emit(const Node& node, Freshness freshness) {
  const uint64_t size = node.kind == Node::Kind::kLaunch ? 0 : node.uses[0].end - node.uses[0].begin;
  switch (node.kind) {
    case Node::Kind::kLaunch:
      recorder_.dispatch(*node.kernel, node.workgroup_count, node.workgroup_size, node.arguments,
                         freshness == Freshness::kByItself ? Entry::kAcquiring : Entry::kPlain);
      break;
    case Node::Kind::kCopy:
      recorder_.copy(GpuAddr{node.uses[0].begin}, GpuAddr{node.uses[1].begin}, size);
      break;
    case Node::Kind::kFill:
      recorder_.fill(GpuAddr{node.uses[0].begin}, size, node.value);
      break;
    case Node::Kind::kAdvance:
      recorder_.add(GpuAddr{node.uses[0].begin}, 1);
      break;
    case Node::Kind::kSignal:
      recorder_.signal(GpuAddr{node.uses[0].begin}, node.value);
      break;
    case Node::Kind::kWait:
      recorder_.wait_for(GpuAddr{node.uses[0].begin}, node.compare, node.value);
      if (node.reset) recorder_.store(GpuAddr{node.uses[0].begin}, *node.reset);
      break;
  }
}

void GraphRecorder::emit_all(std::span<const Freshness> freshness) {
  std::vector<bool> acquires(level_count_);
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (freshness[i] == Freshness::kByPacket) acquires[nodes_[i].level] = true;
  }
  uint32_t level = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const bool has_waited = i > 0 && nodes_[i - 1].kind == Node::Kind::kWait;
    if (node.level != level) {
      recorder_.barrier(acquires[node.level] || has_waited ? Barrier::kVisible : Barrier::kOrder);
    }
    level = node.level;
    if (!options_.has_timestamps) {
      emit(node, freshness[i]);
      continue;
    }
    const GpuAddr timestamps = graph_.timestamps_.gpu_addr() + i * kTimestampBytes;
    recorder_.write_timestamp_now(timestamps);
    emit(node, freshness[i]);
    recorder_.write_timestamp(timestamps + sizeof(uint64_t));
    graph_.node_names_.emplace_back(node.name());
  }
  graph_.acquire_count_ = static_cast<size_t>(std::count(acquires.begin(), acquires.end(), true));
  graph_.acquiring_kernel_count_ =
      static_cast<size_t>(std::count(freshness.begin(), freshness.end(), Freshness::kByItself));
}

Result<CommandGraph> GraphRecorder::finish() {
  BW_RETURN_IF_ERROR(status_);
  status_ = error(StatusCode::kInvalidArgument, "the recorder was already finished");
  // By level, and within a level as recorded, but for signals and waits.
  std::stable_sort(nodes_.begin(), nodes_.end(), [](const Node& a, const Node& b) {
    return std::pair(a.level, a.phase()) < std::pair(b.level, b.phase());
  });
  if (options_.has_timestamps && !nodes_.empty()) {
    BW_ASSIGN(graph_.timestamps_, memory_->allocate(MemoryKind::kGtt, nodes_.size() * kTimestampBytes));
  }
  emit_all(find_freshness());
  graph_.node_count_ = nodes_.size();
  graph_.level_count_ = level_count_;
  set_footprint();
  BW_ASSIGN(graph_.commands_, recorder_.finish());
  BW_RETURN_IF_ERROR(make_sites(graph_, graph_.commands_));
  return std::move(graph_);
}

// Which memory a pointer parameter stands for is known only when the graph is submitted.
void GraphRecorder::set_footprint() {
  std::vector<AddressUse> fixed;
  for (const Node& node : nodes_) {
    std::copy_if(node.uses.begin(), node.uses.end(), std::back_inserter(fixed),
                 [](const AddressUse& use) { return use.begin < kPointerSpace; });
  }
  for (const CommandGraph::Parameter& known : graph_.parameters_) {  // what changes are sent to
    if (!known.word) continue;
    fixed.push_back({known.word->value, known.word->value + sizeof(uint32_t), Access::kReadWrite});
  }
  if (graph_.timestamps_.is_valid()) pins_.emplace_back(graph_.timestamps_);
  recorder_.set_footprint(MemoryFootprint::of(fixed), std::move(pins_));
  std::vector<CommandGraph::Parameter>& parameters = graph_.parameters_;
  for (const Node& node : nodes_) {
    for (const AddressUse& use : node.uses) {
      if (use.begin >= kPointerSpace && writes(use.access)) parameters[parameter_of(use)].is_written = true;
    }
  }
  if (std::none_of(parameters.begin(), parameters.end(), [](const auto& known) { return known.is_pointer; })) return;
  graph_.pointers_ = std::make_shared<PointerTargets>();
  recorder_.set_pointers(graph_.pointers_);
}

// A packet that fills a place; the value is put in when it is sent.
Status GraphRecorder::add_site(CommandGraph::Parameter& parameter, GpuAddr place) {
  Pm4Builder builder;
  const std::array<uint32_t, 2> no_value{};
  builder.emit_write_data(place, std::span(no_value).first(parameter.size_bytes / sizeof(uint32_t)),
                          WriteConfirm::kWait);
  BW_ASSIGN(const std::vector<uint32_t> packet, builder.finish());
  parameter.value_positions.push_back(
      static_cast<uint32_t>(parameter.packets.size() + gfx11::pm4::WRITE_DATA::kDwords));
  parameter.packets.insert(parameter.packets.end(), packet.begin(), packet.end());
  return Status::ok();
}

// For each place that a parameter fills.
Status GraphRecorder::make_sites(CommandGraph& graph, const CommandBuffer& commands) const {
  size_t dispatch = 0;
  size_t value = 0;
  for (const Node& node : nodes_) {
    if (node.kind == Node::Kind::kSignal || node.kind == Node::Kind::kWait) {
      const GpuAddr place = commands.commands_->value_addresses[value++];
      if (node.value_parameter) BW_RETURN_IF_ERROR(add_site(graph.parameters_[node.value_parameter->index], place));
    }
    if (node.kind != Node::Kind::kLaunch) continue;
    const RecordedCommands::Dispatch& recorded = commands.commands_->dispatches[dispatch++];
    for (const ParameterUse& use : node.parameters) {
      BW_RETURN_IF_ERROR(add_site(graph.parameters_[use.parameter.index],
                                  use.place == ParameterUse::Place::kArgument
                                      ? recorded.arguments_address + use.offset
                                      : recorded.workgroup_count_address + use.offset * sizeof(uint32_t)));
    }
  }
  for (uint32_t index = 0; index < graph.parameters_.size(); ++index) {
    CommandGraph::Parameter& parameter = graph.parameters_[index];
    if (!parameter.word) continue;
    BW_RETURN_IF_ERROR(add_site(parameter, *parameter.word));
    parameter.is_changed = true;  // anything may be there
    graph.changed_.push_back(index);
  }
  size_t most_dwords = 0;
  for (const CommandGraph::Parameter& parameter : graph.parameters_) most_dwords += parameter.packets.size();
  graph.patches_.reserve(most_dwords);
  graph.changed_.reserve(graph.parameters_.size());
  return Status::ok();
}

}  // namespace bw::amdgpu
