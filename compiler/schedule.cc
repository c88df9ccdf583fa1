#include "compiler/schedule.h"

#include <algorithm>
#include <limits>
#include <map>

#include "amdgpu/gfx11/rates.h"
#include "compiler/fusion.h"
#include "compiler/loops.h"
#include "compiler/loops_others.h"
#include "compiler/schedule_in_place.h"
#include "compiler/schedule_order.h"
#include "compiler/schedule_outputs.h"
#include "compiler/schedule_parts.h"
#include "ir/pass.h"
#include "ir/rewrite/simplify_graph.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::compiler {
namespace {

using ir::NodePtr;
using ir::Op;

// The dispatch packet's counts of workgroups have 32 bits each (COMPUTE_DIM_X and its like).
constexpr int64_t kMaxWorkgroups = std::numeric_limits<uint32_t>::max();

Status check_grid(const LoopNest& nest) {
  for (size_t axis = 0; axis < nest.grid.size(); ++axis) {
    const int64_t extent = nest.group_extent[axis];
    const int64_t workgroups = nest.grid[axis].max() / extent + (nest.grid[axis].max() % extent != 0 ? 1 : 0);
    if (workgroups <= kMaxWorkgroups) continue;
    return error(StatusCode::kUnsupported, "scheduling kernel {}: it takes {} workgroups (at most {})",
                 nest.kernel.name, workgroups, kMaxWorkgroups);
  }
  return Status::ok();
}

Status check_memory(std::span<const BufferPlan> buffers) {
  uint64_t bytes = 0;
  for (const BufferPlan& buffer : buffers) bytes += buffer.size_bytes;
  if (bytes <= amdgpu::gfx11::kVramBytes) return Status::ok();
  return error(StatusCode::kUnsupported, "scheduling: the program's buffers take {} bytes, more than the card's {}",
               bytes, amdgpu::gfx11::kVramBytes);
}

class Scheduler {
 public:
  Scheduler(FlatGraph graph, const ScheduleOptions& options) : graph_(std::move(graph)), options_(options) {}

  Result<Schedule> run() {
    buffers_ = choose_buffers(graph_);
    BW_RETURN_IF_ERROR(lower_in_order());
    find_others();
    choose_in_place();
    plan_params();
    plan_temporaries();
    for (const std::vector<size_t>& launch : launches_) add_launch(launch);
    for (const NodeId output : graph_.outputs) schedule_.outputs.push_back(buffer_of(output));
    BW_RETURN_IF_ERROR(check_memory(schedule_.buffers));
    return std::move(schedule_);
  }

 private:
  Status lower_in_order() {
    while (true) {
      BW_RETURN_IF_ERROR(lower_all());
      BW_RETURN_IF_ERROR(verify_nests("lowering"));
      BW_ASSIGN(KernelOrder order, order_kernels(graph_, nests_));
      if (order.copy_first == kNoNode) {
        BW_ASSIGN(order, merge_outputs(graph_, std::move(order), nests_));
        launches_ = share_launches(order, nests_);
        return verify_nests("sharing launches");
      }
      buffers_[order.copy_first] = true;
      nests_.clear();
    }
  }

  // In builds with assertions.
  Status verify_nests(std::string_view pass) const {
    for (const LoopNest& nest : nests_) BW_RETURN_IF_ERROR(ir::verify_pass(pass, nest.kernel));
    return Status::ok();
  }

  // Lowers every buffer that the outputs need. Where a kernel would be too large, part of it becomes a buffer too.
  Status lower_all() {
    std::vector<bool> wanted(graph_.nodes.size());
    std::vector<NodeId> open;
    const auto want = [&](NodeId id) {
      if (!buffers_[id] || wanted[id]) return;
      wanted[id] = true;
      open.push_back(id);
    };
    const auto want_store = [&](NodeId state) {
      if (graph_.node(state).op == Op::kStore) want(state);
    };
    for (const NodeId output : graph_.outputs) want(output);
    while (!open.empty()) {
      const NodeId root = open.back();
      open.pop_back();
      const FlatNode& flat = graph_.nodes[root];
      const bool is_store = flat.node->op == Op::kStore;
      if (is_store) want_store(flat.inputs[0]);
      if (is_empty(is_store ? graph_.node(flat.inputs[1]).shape : flat.node->shape)) continue;
      BW_ASSIGN(LoweredRoot lowered, lower_to_loops(graph_, buffers_, root));
      if (lowered.cut_first != kNoNode) {
        buffers_[lowered.cut_first] = true;
        open.push_back(root);
        continue;
      }
      BW_RETURN_IF_ERROR(check_grid(lowered.nest));
      BW_RETURN_IF_ERROR(ir::verify_pass("lower_to_loops", lowered.nest.kernel));
      for (const NodeId read : lowered.nest.reads) want(read);
      for (const NodeId state : lowered.nest.states) want_store(state);
      nests_.push_back(std::move(lowered.nest));
    }
    return Status::ok();
  }

  void find_others() {
    others_.resize(nests_.size());
    for (const std::vector<size_t>& launch : launches_) {
      for (const size_t i : launch) {
        others_[i] = other_nests(graph_, buffers_, nests_[i], options_.others);
        if (launch.size() > 1) std::erase_if(others_[i], [](const LoopNest& nest) { return !can_share_launch(nest); });
      }
    }
  }

  // Params first, in the order in which launches use them.
  void plan_params() {
    for (const FlatNode& flat : graph_.nodes) {
      if (!is_memory(*flat.node) || flat.node->op == Op::kStore) continue;
      const uint64_t bytes = static_cast<uint64_t>(flat.count) * ir::size_bytes(flat.node->dtype);
      uint64_t& size = param_bytes_[memory_param_id(*flat.node)];
      size = std::max(size, bytes);
    }
    for (const std::vector<size_t>& launch : launches_) {
      for (const size_t i : launch) {
        for (const BufferRef& argument : nests_[i].arguments) {
          if (argument.is_param) add_param(argument.id);
        }
      }
    }
  }

  size_t add_param(uint64_t id) {
    const auto [known, is_new] = indices_.try_emplace(BufferRef{true, id}, schedule_.buffers.size());
    if (is_new) schedule_.buffers.push_back({BufferKind::kParam, id, param_bytes_[id]});
    return known->second;
  }

  // Lets results take over the memory of operands that nothing reads afterwards.
  void choose_in_place() {
    struct Use {
      size_t launch = 0;
      size_t readers = 0;  // in that launch
    };
    std::map<uint64_t, Use> last_use;
    for (size_t launch = 0; launch < launches_.size(); ++launch) {
      for (const size_t i : launches_[launch]) {
        const std::vector<BufferRef>& arguments = nests_[i].arguments;
        for (size_t argument = nests_[i].written; argument < arguments.size(); ++argument) {
          if (arguments[argument].is_param) continue;
          Use& use = last_use[arguments[argument].id];
          use = {launch, use.launch == launch ? use.readers + 1 : 1};
        }
      }
    }
    const auto is_free = [&](const BufferRef& buffer, size_t launch) {
      const auto use = last_use.find(buffer.id);
      return !buffer.is_param && !graph_.nodes[buffer.id].is_output && use != last_use.end() &&
             use->second.launch == launch && use->second.readers == 1;
    };
    for (size_t launch = 0; launch < launches_.size(); ++launch) {
      for (const size_t i : launches_[launch]) {
        LoopNest& nest = nests_[i];
        const BufferRef result = nest.arguments[0];
        if (result.is_param || graph_.nodes[result.id].is_output) continue;
        for (const size_t argument : replaceable_arguments(nest)) {
          if (!is_free(nest.arguments[argument], launch)) continue;
          in_place_of_[result.id] = nest.arguments[argument].id;
          std::erase_if(others_[i], [&](const LoopNest& other) {
            const std::vector<size_t> replaceable = replaceable_arguments(other);
            return std::ranges::find(replaceable, argument) == replaceable.end();
          });
          for (LoopNest& other : others_[i]) other = with_result_in_place(other, argument);
          nest = with_result_in_place(nest, argument);
          break;
        }
      }
    }
  }

  void plan_temporaries() {
    std::vector<NodeId> values;
    std::vector<Lifetime> lives;
    std::map<uint64_t, size_t> life_of;
    for (size_t position = 0; position < launches_.size(); ++position) {
      for (const size_t i : launches_[position]) {
        const LoopNest& nest = nests_[i];
        for (size_t argument = 0; argument < nest.arguments.size(); ++argument) {
          const auto& [is_param, id] = nest.arguments[argument];
          if (is_param) continue;
          if (argument >= nest.written) {
            lives[life_of.at(id)].last = position;
            continue;
          }
          const FlatNode& flat = graph_.nodes[id];
          const uint64_t size_bytes = static_cast<uint64_t>(flat.count) * ir::size_bytes(flat.node->dtype);
          schedule_.unshared_bytes += size_bytes;
          if (const auto operand = in_place_of_.find(id); operand != in_place_of_.end()) {
            life_of[id] = life_of.at(operand->second);
            lives[life_of[id]].last = position;
            continue;
          }
          life_of[id] = lives.size();
          values.push_back(static_cast<NodeId>(id));
          lives.push_back({size_bytes, position, position});
        }
      }
    }
    // An output keeps its buffer for itself.
    std::vector<Lifetime> shared;
    std::vector<NodeId> shared_values;
    for (size_t i = 0; i < values.size(); ++i) {
      if (graph_.nodes[values[i]].is_output) {
        indices_[{false, values[i]}] = schedule_.buffers.size();
        schedule_.buffers.push_back({BufferKind::kTemporary, 0, lives[i].size_bytes});
      } else {
        shared.push_back(lives[i]);
        shared_values.push_back(values[i]);
      }
    }
    const MemoryPlan plan = share_memory(shared);
    for (size_t i = 0; i < shared.size(); ++i) {
      indices_[{false, shared_values[i]}] = schedule_.buffers.size() + plan.slots[i];
    }
    for (const auto& [id, life] : life_of) {
      if (in_place_of_.contains(id)) indices_[{false, id}] = indices_.at({false, values[life]});
    }
    for (const uint64_t size : plan.sizes_bytes) schedule_.buffers.push_back({BufferKind::kTemporary, 0, size});
  }

  // Of an output; one without elements has no kernel and gets a buffer of no bytes here.
  size_t buffer_of(NodeId id) {
    const FlatNode& flat = graph_.nodes[id];
    if (flat.node->op == Op::kStore) return add_param(memory_param_id(*flat.node));
    const auto [known, is_new] = indices_.try_emplace(BufferRef{false, id}, schedule_.buffers.size());
    if (is_new) schedule_.buffers.push_back({BufferKind::kTemporary, 0, 0});
    return known->second;
  }

  // The launch's buffers: first what its parts write, then what they read, each buffer once. A kernel alone keeps its
  // arguments as they are.
  void add_launch(const std::vector<size_t>& nests) {
    ScheduledKernel scheduled;
    Launch& launch = scheduled.launch;
    launch.kernel = schedule_.kernels.size();
    for (const size_t i : nests) {
      for (size_t argument = 0; argument < nests_[i].written; ++argument) {
        launch.buffers.push_back(indices_.at(nests_[i].arguments[argument]));
      }
    }
    launch.written_buffers = launch.buffers.size();
    size_t first_written = 0;
    for (const size_t position : nests) {
      LoopNest& nest = nests_[position];
      std::vector<size_t> arguments;
      while (arguments.size() < nest.written) arguments.push_back(first_written++);
      for (size_t i = nest.written; i < nest.arguments.size(); ++i) {
        const size_t buffer = indices_.at(nest.arguments[i]);
        const auto known = nests.size() == 1 ? launch.buffers.end() : std::ranges::find(launch.buffers, buffer);
        arguments.push_back(static_cast<size_t>(known - launch.buffers.begin()));
        if (known == launch.buffers.end()) launch.buffers.push_back(buffer);
      }
      std::vector<KernelPart>& others = scheduled.others.emplace_back();
      for (LoopNest& other : others_[position]) {
        others.push_back({std::move(other.kernel), other.form, other.grid, other.group_extent, arguments});
      }
      scheduled.parts.push_back(
          {std::move(nest.kernel), nest.form, nest.grid, nest.group_extent, std::move(arguments)});
    }
    launch.variables = merge_variables(scheduled.parts);
    schedule_.kernels.push_back(std::move(scheduled));
  }

  FlatGraph graph_;
  const ScheduleOptions options_;
  std::vector<bool> buffers_;
  std::vector<LoopNest> nests_;
  std::vector<std::vector<LoopNest>> others_;  // of each nest
  std::vector<std::vector<size_t>> launches_;  // the nests of each
  std::map<uint64_t, uint64_t> in_place_of_;   // by result: the operand whose memory it takes over
  std::map<BufferRef, size_t> indices_;        // into Schedule::buffers
  std::map<uint64_t, uint64_t> param_bytes_;
  Schedule schedule_;
};

std::string print_buffer(const Schedule& schedule, size_t index) {
  const BufferPlan& buffer = schedule.buffers[index];
  const bool is_param = buffer.kind == BufferKind::kParam;
  return fmt::format("{} ({}, {} bytes)", index, is_param ? fmt::format("param {}", buffer.param_id) : "temporary",
                     buffer.size_bytes);
}

}  // namespace

std::array<ir::Dim, 3> ScheduledKernel::grid() const {
  if (parts.size() == 1) return parts[0].grid;
  uint64_t workgroups = 0;
  for (const KernelPart& part : parts) workgroups += count_workgroups(part);
  return {ir::Dim(static_cast<int64_t>(workgroups)), 1, 1};
}

std::array<uint32_t, 3> ScheduledKernel::group_extent() const {
  if (parts.size() == 1) return parts[0].group_extent;
  return {1, 1, 1};
}

uint64_t Schedule::planned_bytes() const {
  uint64_t bytes = 0;
  for (const BufferPlan& buffer : buffers) bytes += buffer.kind == BufferKind::kTemporary ? buffer.size_bytes : 0;
  return bytes;
}

Result<Schedule> schedule(std::span<const NodePtr> outputs, const ScheduleOptions& options) {
  for (const NodePtr& output : outputs) {
    if (output == nullptr) return error(StatusCode::kInvalidArgument, "scheduling: an output is missing");
  }
  BW_RETURN_IF_ERROR(ir::verify_graph(outputs));
  BW_ASSIGN(const std::vector<NodePtr> simpler, ir::run_pass("simplify_graph", outputs, ir::rewrite::simplify_graph));
  BW_ASSIGN(FlatGraph graph, flatten(simpler));
  BW_ASSIGN(Schedule result, Scheduler(std::move(graph), options).run());
  // Nothing that could reach outside its memory leaves this room.
  for (const ScheduledKernel& scheduled : result.kernels) {
    for (const KernelPart& part : scheduled.parts) BW_RETURN_IF_ERROR(ir::verify_kernel(part.kernel));
    for (const std::vector<KernelPart>& others : scheduled.others) {
      for (const KernelPart& other : others) BW_RETURN_IF_ERROR(ir::verify_kernel(other.kernel));
    }
  }
  return result;
}

std::string print_schedule(const Schedule& schedule) {
  std::string text;
  for (const ScheduledKernel& scheduled : schedule.kernels) {
    text += fmt::format("launch {}: {}\n", scheduled.launch.kernel, launch_name(scheduled.parts));
    for (size_t i = 0; i < scheduled.launch.buffers.size(); ++i) {
      text += fmt::format("  argument {}: buffer {}{}\n", i, print_buffer(schedule, scheduled.launch.buffers[i]),
                          i < scheduled.launch.written_buffers ? ", written" : "");
    }
    for (const KernelPart& part : scheduled.parts) {
      text += fmt::format("  part: {}, grid {} x {} x {}, {} a workgroup, arguments {}\n{}\n", print_form(part.form),
                          ir::print_dim(part.grid[0]), ir::print_dim(part.grid[1]), ir::print_dim(part.grid[2]),
                          fmt::join(part.group_extent, " x "), fmt::join(part.arguments, ", "),
                          ir::print_kernel(part.kernel));
    }
  }
  text += fmt::format("temporary memory: {} bytes, {} if nothing were shared\n", schedule.planned_bytes(),
                      schedule.unshared_bytes);
  for (size_t i = 0; i < schedule.outputs.size(); ++i) {
    text += fmt::format("output {}: buffer {}\n", i, print_buffer(schedule, schedule.outputs[i]));
  }
  return text;
}

}  // namespace bw::compiler
