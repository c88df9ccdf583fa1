// Owns: evaluating kernels, one loop iteration after the other.

#include <algorithm>
#include <array>
#include <unordered_map>

#include "ir/evaluator.h"
#include "ir/evaluator_common.h"
#include "ir/kernel_rules.h"
#include "ir/ranges.h"
#include "ir/scalar_ops.h"
#include "ir/text.h"

namespace bw::ir {
namespace {

class KernelEvaluator {
 public:
  KernelEvaluator(const Kernel& kernel, const EvaluatorInputs& inputs, Rounding rounding, KernelObserver* observer)
      : kernel_(kernel), inputs_(inputs), rounding_(rounding), observer_(observer) {}

  Status run() {
    BW_RETURN_IF_ERROR(prepare());
    for (const NodePtr& store : kernel_.stores) {
      std::vector<size_t> loops;
      const Step& step = steps_[positions_.at(store.get())];
      for (size_t i = 0; i < ranges_.ranges.size(); ++i) {
        if ((step.free >> i & 1) != 0) loops.push_back(i);
      }
      for_each_iteration(loops, 0, [&] { carry_out(step); });
      BW_RETURN_IF_ERROR(std::move(failure_));
    }
    return Status::ok();
  }

 private:
  // A node, with its inputs as positions of steps. Its value stands until a range that it depends on moves on.
  struct Step {
    const Node* node = nullptr;
    std::vector<size_t> inputs;
    std::vector<size_t> loops;  // of a reduction: its ranges
    uint64_t free = 0;
    uint64_t known_at = 0;
    Value value;
    std::span<std::byte> memory;  // of a param
  };

  struct Loop {
    int64_t extent = 0;
    int64_t counter = 0;
    uint64_t moved_at = 0;
  };

  Status prepare() {
    BW_RETURN_IF_ERROR(verify_kernel_structure(kernel_));
    BW_ASSIGN(ranges_, find_ranges(kernel_));
    for (const NodePtr& range : ranges_.ranges) {
      BW_ASSIGN(const int64_t extent, dim_value(range->attr<RangeAttr>().extent, inputs_));
      loop_of_[range.get()] = loops_.size();
      loops_.push_back({extent, 0, 0});
      counters_.push_back(0);
    }
    for (const NodePtr& node : topological_order(kernel_.stores)) {
      Step step;
      step.node = node.get();
      step.free = ranges_.free.at(node.get());
      for (size_t i = 0; i < node->inputs.size(); ++i) {
        const Node* input = node->inputs[i].get();
        if (is_reduce(node->op) && i > 0) {
          step.loops.push_back(loop_of_.at(input));
        } else {
          step.inputs.push_back(positions_.at(input));
        }
      }
      if (node->op == Op::kParam) {
        BW_ASSIGN(step.memory, param_memory(*node, inputs_));
      }
      if (node->op == Op::kVariable) {
        BW_ASSIGN(step.value.integer, variable_value(*node, inputs_));
      }
      if (node->op == Op::kConst) step.value = constant_value(node->dtype, node->attr<ConstAttr>().value);
      positions_[node.get()] = steps_.size();
      steps_.push_back(std::move(step));
    }
    return Status::ok();
  }

  // Calls body for all values of the loops, the last one innermost, until something fails.
  template <typename Body>
  void for_each_iteration(const std::vector<size_t>& loops, size_t depth, const Body& body) {
    if (depth == loops.size()) {
      body();
      return;
    }
    Loop& loop = loops_[loops[depth]];
    const int64_t outer = loop.counter;  // of a loop over the same range around this one
    for (int64_t i = 0; i < loop.extent && failure_.is_ok(); ++i) {
      loop.counter = counters_[loops[depth]] = i;
      loop.moved_at = ++clock_;
      for_each_iteration(loops, depth + 1, body);
    }
    loop.counter = counters_[loops[depth]] = outer;
    loop.moved_at = ++clock_;
  }

  bool is_known(const Step& step) const {
    if (step.known_at == 0) return false;
    for (uint64_t rest = step.free; rest != 0; rest &= rest - 1) {
      if (loops_[static_cast<size_t>(__builtin_ctzll(rest))].moved_at > step.known_at) return false;
    }
    return true;
  }

  // Recursion is bounded by kMaxKernelDepth.
  const Value& value(size_t position) {
    Step& step = steps_[position];
    if (step.node->op == Op::kConst || step.node->op == Op::kVariable || is_known(step)) return step.value;
    if (step.node->op == Op::kRange) {
      step.value = {loops_[loop_of_.at(step.node)].counter, 0};
    } else if (is_reduce(step.node->op)) {
      reduce(step);
    } else if (step.node->op == Op::kLoad) {
      load(step);
    } else {
      std::array<Value, 3> elements;
      for (size_t i = 0; i < step.inputs.size(); ++i) elements[i] = value(step.inputs[i]);
      const DType from = step.node->inputs.back()->dtype;
      const std::span<const Value> used(elements.data(), step.inputs.size());
      step.value = apply_elementwise(step.node->op, from, step.node->dtype, used, rounding_);
      if (observer_ != nullptr) observer_->on_compute(*step.node, counters_);
    }
    step.known_at = ++clock_;
    return step.value;
  }

  void reduce(Step& step) {
    Value sum = reduce_identity(step.node->op, step.node->dtype);
    for_each_iteration(step.loops, 0, [&] {
      sum = apply_reduce(step.node->op, step.node->dtype, sum, value(step.inputs[0]));
      if (observer_ != nullptr) observer_->on_compute(*step.node, counters_);
    });
    step.value = round_reduction(step.node->dtype, sum, rounding_);
  }

  // Null, and a failure, where the index is outside the param.
  std::byte* element(const Step& step) {
    const Step& param = steps_[step.inputs[0]];
    const size_t size = size_bytes(param.node->dtype);
    const int64_t index = value(step.inputs[1]).integer;
    const auto count = static_cast<int64_t>(param.memory.size() / size);
    if (observer_ != nullptr) observer_->on_access(*step.node, index, counters_);
    if (index >= 0 && index < count) return param.memory.data() + static_cast<size_t>(index) * size;
    if (failure_.is_ok()) {
      failure_ =
          error(StatusCode::kInvalidArgument, "evaluating kernel {}: {}: the index {} is {}, but '{}' has {} elements",
                kernel_.name, print_node(*step.node), print_expression(*step.node->inputs[1]), index,
                param.node->attr<ParamAttr>().name, count);
    }
    return nullptr;
  }

  void load(Step& step) {
    const std::byte* raw = element(step);
    step.value = raw == nullptr ? Value{} : decode_element(step.node->dtype, raw);
  }

  void carry_out(const Step& step) {
    const Value stored = value(step.inputs[2]);
    std::byte* raw = element(step);
    if (raw != nullptr && failure_.is_ok()) encode_element(step.node->dtype, stored, raw);
  }

  const Kernel& kernel_;
  const EvaluatorInputs& inputs_;
  Rounding rounding_;
  KernelObserver* observer_;
  KernelRanges ranges_;
  std::vector<Step> steps_;
  std::vector<Loop> loops_;
  std::vector<int64_t> counters_;  // of the loops, as observers see them
  std::unordered_map<const Node*, size_t> positions_;
  std::unordered_map<const Node*, size_t> loop_of_;
  uint64_t clock_ = 0;
  Status failure_;
};

}  // namespace

Status evaluate_kernel(const Kernel& kernel, const EvaluatorInputs& inputs, Rounding rounding,
                       KernelObserver* observer) {
  return KernelEvaluator(kernel, inputs, rounding, observer).run();
}

}  // namespace bw::ir
