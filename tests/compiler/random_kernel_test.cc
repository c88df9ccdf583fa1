// Random kernels of integers, whose results are exact, on the emulated shader cores against their evaluation on the
// host. A failure names its seed and prints the kernel. Always the same kernels; --gtest_random_seed=N draws
// others.
#include <gtest/gtest.h>

#include <bit>
#include <functional>
#include <random>
#include <set>

#include "ir/testing/random_kernel.h"
#include "ir/text.h"
#include "ir/verifier.h"
#include "tests/compiler/edge_values.h"
#include "tests/compiler/shader_runner.h"

namespace bw::testing {
namespace {

using ir::DType;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

constexpr DType kDTypes[] = {DType::kI32, DType::kU32, DType::kI8,  DType::kU8,  DType::kI16,
                             DType::kU16, DType::kI64, DType::kU64, DType::kBool};
constexpr Op kBinary[] = {Op::kAdd, Op::kMul, Op::kIDiv, Op::kMod, Op::kMax, Op::kAnd, Op::kXor, Op::kShl, Op::kShr};

// The flag, not random_seed(): that is drawn anew where no flag is given.
uint64_t first_seed(uint64_t count) {
  return count * static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
}

struct GivenKernel {
  ir::Kernel kernel;
  std::map<uint64_t, std::vector<std::byte>> buffers;
  std::map<std::string, int64_t> variables;
};

class RandomKernel : public GivenKernel {
 public:
  explicit RandomKernel(uint64_t seed) : random_(seed) {
    make_ranges();
    for (int i = 0; i < 3; ++i) pool_.push_back(load());
    const int64_t steps = pick(2, 14);
    for (int64_t i = 0; i < steps; ++i) step();
    for (int64_t i = pick(1, 3); i > 0; --i) store(i == 1 ? pool_.back() : any());
  }

 private:
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  const NodePtr& any() { return pool_[static_cast<size_t>(pick(0, static_cast<int64_t>(pool_.size()) - 1))]; }

  void make_ranges() {
    kernel.name = "random";
    const bool shared = pick(0, 1) == 0;
    const int64_t group = shared ? int64_t{1} << pick(0, 7) : 1;
    kernel.workgroup_size = static_cast<uint32_t>(group * pick(1, group > 8 ? 3 : 20));
    globals_.push_back(b_.range(group > 8 ? pick(1, 5) : pick(1, 50), RangeKind::kGlobalX));
    if (pick(0, 2) == 0) globals_.push_back(b_.range(pick(1, 4), RangeKind::kGlobalY));
    if (pick(0, 3) == 0) globals_.push_back(b_.range(pick(1, 3), RangeKind::kGlobalZ));
    if (shared) group_ = b_.range(group, RangeKind::kGroup);
    for (int64_t i = pick(1, 3); i > 0; --i) {
      loops_.push_back(b_.range(pick(0, 3) == 0 ? symbolic() : ir::Dim(pick(1, 12)),
                                pick(0, 3) == 0 ? RangeKind::kUnroll : RangeKind::kLoop));
      if (pick(0, 3) != 0) consumed_.push_back(loops_.back());
    }
  }

  ir::Dim symbolic() {
    const std::string name = fmt::format("n{}", variables.size());
    const int64_t max = pick(0, 9);
    variables[name] = pick(0, max);
    ir::Node node;
    node.op = Op::kVariable;
    node.dtype = DType::kI32;
    node.attribute = ir::VariableAttr{name, 0, max};
    const NodePtr variable = b_.variable(std::make_shared<const ir::Node>(std::move(node)));
    kernel.variables.push_back(variable);
    return {variable, pick(0, 2)};
  }

  std::vector<NodePtr> all_ranges() const {
    std::vector<NodePtr> ranges = globals_;
    ranges.insert(ranges.end(), loops_.begin(), loops_.end());
    if (group_ != nullptr) ranges.push_back(group_);
    return ranges;
  }

  // An index within a new param, which is just long enough.
  NodePtr affine() {
    NodePtr index = b_.constant(DType::kI32, pick(0, 5));
    for (const NodePtr& range : all_ranges()) {
      if (pick(0, 2) == 0) continue;
      index = b_.add(index, b_.mul(range, pick(0, 5) == 0 ? -pick(1, 3) : pick(1, 7)));
    }
    const int64_t low = b_.bounds(index).low;
    if (low < 0) index = b_.add(index, -low);
    if (pick(0, 3) == 0) index = b_.mod(b_.idiv(index, pick(1, 4)), pick(2, 9));
    return index;
  }

  NodePtr param(DType dtype, int64_t count) {
    const uint64_t position = kernel.params.size();
    kernel.params.push_back(b_.param(position, fmt::format("p{}", position), dtype, {count}));
    buffers[position] = mixed_elements(dtype, static_cast<size_t>(count), random_);
    return kernel.params.back();
  }

  NodePtr load() {
    const DType dtype = kDTypes[static_cast<size_t>(pick(0, std::size(kDTypes) - 1))];
    NodePtr index = affine();
    if (!pool_.empty() && pick(0, 3) == 0) index = b_.clamp(cast(any(), DType::kI32), 0, pick(0, 20));  // a gather
    return b_.load(param(dtype, b_.bounds(index).high + 1), index);
  }

  NodePtr cast(const NodePtr& x, DType dtype) { return x->dtype == dtype ? x : b_.op(Op::kCast, dtype, {x}); }

  void step() {
    switch (pick(0, 6)) {
      case 0:
        pool_.push_back(load());
        break;
      case 1:
        pool_.push_back(cast(any(), kDTypes[static_cast<size_t>(pick(0, std::size(kDTypes) - 1))]));
        break;
      case 2:
        pool_.push_back(reduce(any(), false));
        break;
      case 3: {
        const NodePtr x = any();
        const NodePtr y = cast(any(), x->dtype);
        const NodePtr less = b_.op(pick(0, 1) == 0 ? Op::kCmpLt : Op::kCmpNe, DType::kBool, {x, y});
        pool_.push_back(b_.op(Op::kWhere, x->dtype, {less, pick(0, 1) == 0 ? x : y, cast(any(), x->dtype)}));
        break;
      }
      case 4:
        pool_.push_back(cast(all_ranges()[static_cast<size_t>(pick(0, static_cast<int64_t>(all_ranges().size()) - 1))],
                             DType::kI64));
        break;
      default: {
        NodePtr x = any();
        if (x->dtype == DType::kBool) x = cast(x, DType::kI32);
        const Op op = kBinary[static_cast<size_t>(pick(0, std::size(kBinary) - 1))];
        pool_.push_back(b_.op(op, x->dtype, {x, cast(any(), x->dtype)}));
      }
    }
  }

  // Over some of the ranges that `x` depends on and that reductions consume, or over all of them.
  NodePtr reduce(NodePtr x, bool complete) {
    if (x->dtype == DType::kBool) x = cast(x, DType::kU8);
    std::vector<NodePtr> inputs{x};
    std::set<NodePtr> free;
    add_free(x, free);
    for (const NodePtr& range : consumed_) {
      const bool must = complete && range->attr<ir::RangeAttr>().kind == RangeKind::kLoop;
      if (free.contains(range) && (must || pick(0, 2) != 0)) inputs.push_back(range);
    }
    if (group_ != nullptr && free.contains(group_) && pick(0, 2) != 0) inputs.push_back(group_);
    if (inputs.size() == 1) return x;
    constexpr Op kOps[] = {Op::kReduceAdd, Op::kReduceMul, Op::kReduceMax};
    return b_.op(kOps[static_cast<size_t>(pick(0, 2))], x->dtype, inputs);
  }

  static void add_free(const NodePtr& node, std::set<NodePtr>& free) {
    if (node->op == Op::kRange) free.insert(node);
    if (!ir::is_reduce(node->op)) {
      for (const NodePtr& input : node->inputs) add_free(input, free);
      return;
    }
    std::set<NodePtr> inner;
    add_free(node->inputs[0], inner);
    for (size_t i = 1; i < node->inputs.size(); ++i) inner.erase(node->inputs[i]);
    free.insert(inner.begin(), inner.end());
  }

  // At an index of its own for each value of the ranges that the stored value depends on.
  void store(NodePtr value) {
    value = reduce(std::move(value), true);
    std::set<NodePtr> free;
    add_free(value, free);
    NodePtr index = b_.constant(DType::kI32, int64_t{0});
    for (const NodePtr& range : all_ranges()) {
      const bool global = std::find(globals_.begin(), globals_.end(), range) != globals_.end();
      if (!global && !free.contains(range)) continue;
      index = b_.add(b_.mul(index, range->attr<ir::RangeAttr>().extent.max()), range);
    }
    const NodePtr out = param(value->dtype, std::max<int64_t>(b_.bounds(index).high + 1, 1));
    kernel.stores.push_back(b_.store(out, index, value));
  }

  std::mt19937_64 random_;
  ir::KernelBuilder b_;
  std::vector<NodePtr> globals_;
  std::vector<NodePtr> loops_;
  std::vector<NodePtr> consumed_;  // those of loops_ that reductions consume; the others are loops of stores
  NodePtr group_;
  std::vector<NodePtr> pool_;
};

std::string check(const GivenKernel& random, ShaderRunner& runner) {
  auto on_card = random.buffers;
  auto on_host = random.buffers;
  const auto inputs = [&](auto& buffers) {
    ir::EvaluatorInputs made{.params = {}, .variables = random.variables};
    for (auto& [id, bytes] : buffers) made.params[id] = bytes;
    return made;
  };
  const Status evaluated = ir::evaluate_kernel(random.kernel, inputs(on_host), ir::Rounding::kToDType);
  if (!evaluated.is_ok()) return "evaluator: " + evaluated.message();
  const Status ran = runner.run(random.kernel, inputs(on_card));
  if (!ran.is_ok()) return ran.message();
  for (const auto& [id, bytes] : on_host) {
    const std::string different = compare_elements(random.kernel.params[id]->dtype, on_card.at(id), bytes, 0);
    if (!different.empty()) return fmt::format("param {}: {}", id, different);
  }
  return "";
}

// Not every draw obeys the rules of kernels (a loop is consumed in one place only): those that do are run.
TEST(RandomKernelConformance, AgreesWithTheEvaluator) {
  const auto runner = ShaderRunner::create(2, emulator::Strictness::kOn).value();
  constexpr uint64_t kSeeds = 240;
  int failures = 0;
  int checked = 0;
  const uint64_t first = first_seed(kSeeds);
  for (uint64_t seed = first; seed < first + kSeeds && failures < 5; ++seed) {
    RandomKernel random(seed);
    if (!ir::verify_kernel(random.kernel).is_ok()) continue;
    ++checked;
    const std::string problem = check(random, *runner);
    if (problem.empty()) continue;
    ++failures;
    ADD_FAILURE() << "seed " << seed << ": " << problem << "\n" << ir::print_kernel(random.kernel);
  }
  EXPECT_GT(checked + 1000 * failures, 150);
}

TEST(RandomKernelConformance, AgreesOnTheKernelsThatTheIrTestsUse) {
  const auto runner = ShaderRunner::create(2, emulator::Strictness::kOn).value();
  ir::testing::RandomKernelOptions options;
  options.dtypes = {DType::kI32, DType::kU8, DType::kI16, DType::kI64, DType::kBool};
  int failures = 0;
  constexpr uint64_t kSeeds = 120;
  const uint64_t first = first_seed(kSeeds);
  for (uint64_t seed = first; seed < first + kSeeds && failures < 5; ++seed) {
    std::mt19937_64 random(seed);
    GivenKernel given{.kernel = ir::testing::random_kernel(seed, options), .buffers = {}, .variables = {}};
    for (const NodePtr& param : given.kernel.params) {
      const auto count = static_cast<size_t>(ir::max_element_count(param->shape));
      given.buffers[param->attr<ir::ParamAttr>().id] = mixed_elements(param->dtype, count, random);
    }
    for (const NodePtr& variable : given.kernel.variables) {
      const auto& attr = variable->attr<ir::VariableAttr>();
      given.variables[attr.name] = std::uniform_int_distribution<int64_t>(attr.min, attr.max)(random);
    }
    const std::string problem = check(given, *runner);
    if (problem.empty()) continue;
    ++failures;
    ADD_FAILURE() << "seed " << seed << ": " << problem << "\n" << ir::print_kernel(given.kernel);
  }
}

}  // namespace
}  // namespace bw::testing
