// Random graphs held against the evaluation of the graph: deep ones of integers, and those of the ir room, of all
// dtypes. A failure names its seed. Always the same graphs, but others with --gtest_random_seed=N.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "compiler/schedule_testing.h"
#include "ir/testing/random_graph.h"

namespace bw::compiler::testing {
namespace {

using ir::Dim;
using ir::DType;
using ir::Op;
using ir::Shape;

constexpr int64_t kMaxElements = 3000;
constexpr uint64_t kSeedsOfAFlag = 10000;

// The flag, not random_seed(): that is drawn anew where no flag is given.
uint64_t first_seed() {
  return kSeedsOfAFlag * static_cast<uint64_t>(GTEST_FLAG_GET(random_seed));
}

class IntegerGraph {
 public:
  IntegerGraph(Inputs& inputs, uint64_t seed)
      : inputs_(inputs), random_(seed), n_(inputs.variable("n", 0, 5)), m_(inputs.variable("m", 1, 7)) {
    for (int i = 0; i < 3; ++i) {
      std::vector<int64_t> shape;
      for (int64_t axis = pick(1, 3); axis > 0; --axis) shape.push_back(pick(1, 8));
      states_.push_back(inputs.param(DType::kI32, shape));
      pool_.push_back(states_.back());
    }
    add(symbolic());
    add(inputs.range(pick(1, 9)));
  }

  std::vector<Value> outputs(int steps) {
    for (int i = 0; i < steps; ++i) step();
    std::vector<Value> result{output(pool_.back())};
    for (int64_t i = pick(0, 2); i > 0; --i) result.push_back(output(any()));
    for (const Value& state : states_) {
      if (state.node->op == Op::kStore && pick(0, 1) == 1) result.push_back(state);
    }
    return result;
  }

 private:
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }
  // Recent values more often, so that graphs become deep.
  const Value& any() {
    const auto size = static_cast<int64_t>(pool_.size());
    return pool_[pick(0, 2) == 0 ? pick(0, size - 1) : pick(std::max<int64_t>(size - 4, 0), size - 1)];
  }
  // A store as an output is the memory after all stores: what it holds at this point must be copied.
  static Value output(const Value& value) { return value.node->op == Op::kStore ? value.contiguous() : value; }
  Value number(int64_t value) { return inputs_.constant(DType::kI32, static_cast<double>(value)); }
  void add(const Value& value) {
    if (ir::max_element_count(value.node->shape) <= kMaxElements && value.node->shape.size() <= 5) {
      pool_.push_back(value);
    }
  }
  Value symbolic() {
    const bool use_n = pick(0, 1) == 0;
    const Value memory = inputs_.param(DType::kI32, {7, 4});
    const Dim begin = pick(0, 1) == 0 ? Dim(0) : Dim(use_n ? n_.node : m_.node, 0);
    if (!begin.is_static()) {
      return use_n ? memory.shrink({begin, 0}, {Dim(n_.node, 2), 4}) : memory.shrink({0, 1}, {begin, 4});
    }
    return memory.shrink({0, 0}, {use_n ? Dim(n_.node, 1) : Dim(m_.node, 0), 3});
  }

  void step() {
    switch (pick(0, 11)) {
      case 0:
      case 1:
      case 2:
        return add(elementwise(any()));
      case 3:
      case 4:
        return combine(any(), any());
      case 5:
        return add(reduce(any()));
      case 6:
        return gather(any(), any());
      case 7:
        return add(pick(0, 3) == 0 ? any().contiguous() : any().cast(DType::kI8).cast(DType::kI32));
      case 8:
        return store();
      default:
        return add(move(any()));
    }
  }

  Value elementwise(const Value& x) {
    constexpr Op kOps[] = {Op::kAdd, Op::kMul, Op::kMax, Op::kXor, Op::kAnd, Op::kShr, Op::kIDiv, Op::kMod};
    const Value y = binary(kOps[pick(0, 7)], x, number(pick(-3, 7)));
    if (pick(0, 3) != 0) return y;
    return select(binary(Op::kCmpLt, x, number(pick(-100, 100))), y, x);
  }

  void combine(const Value& x, const Value& y) {
    const Shape& a = x.node->shape;
    const Shape& b = y.node->shape;
    for (size_t i = 1; i <= std::min(a.size(), b.size()); ++i) {
      const Dim& left = a[a.size() - i];
      const Dim& right = b[b.size() - i];
      if (left != right && left != Dim(1) && right != Dim(1)) return;
    }
    int64_t elements = std::max(ir::max_element_count(a), ir::max_element_count(b));
    for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) elements *= 2;
    if (elements > 4 * kMaxElements) return;
    add(binary(pick(0, 1) == 0 ? Op::kAdd : Op::kMul, x, y));
  }

  Value reduce(const Value& x) {
    std::vector<int> axes;
    for (int axis = 0; axis < static_cast<int>(x.node->shape.size()); ++axis) {
      if (pick(0, 1) == 0) axes.push_back(axis);
    }
    constexpr Op kOps[] = {Op::kReduceAdd, Op::kReduceMax, Op::kReduceMul};
    return x.reduce(kOps[pick(0, 2)], axes);
  }

  void gather(const Value& source, const Value& index) {
    const Shape& shape = source.node->shape;
    if (shape.empty() || shape[0].min() < 1) return;
    const int64_t rows = ir::max_element_count(index.node->shape);
    if (rows * ir::max_element_count(shape) / std::max<int64_t>(shape[0].max(), 1) > kMaxElements) return;
    add(source.gather(index));
  }

  void store() {
    Value& state = states_[pick(0, 2)];
    std::vector<Dim> begin;
    std::vector<Dim> end;
    for (const Dim& dim : state.node->shape) {
      begin.push_back(pick(0, dim.offset - 1));
      end.push_back(pick(begin.back().offset + 1, dim.offset));
    }
    const Value view = state.shrink(begin, end);
    Value value = elementwise(pick(0, 1) == 0 ? view : view.flip({0}));
    const Value& other = any();
    if (other.node->shape.empty()) value = value + other;
    state = view.store(value);
    add(state);
  }

  Value move(const Value& x) {
    const Shape& shape = x.node->shape;
    const auto rank = static_cast<int>(shape.size());
    if (rank == 0) return x.reshape({1, 1}).expand({pick(1, 4), pick(1, 3)});
    std::vector<int64_t> before;
    std::vector<int64_t> after;
    std::vector<Dim> begin;
    std::vector<Dim> end;
    std::vector<int> axes;
    for (int axis = 0; axis < rank; ++axis) {
      before.push_back(pick(0, 2) == 0 ? pick(0, 2) : 0);
      after.push_back(pick(0, 2) == 0 ? pick(0, 2) : 0);
      const int64_t low = shape[axis].min();
      begin.push_back(low > 1 ? pick(0, low / 2) : 0);
      end.push_back(pick(0, 1) == 0 ? shape[axis] : Dim(pick(begin.back().offset, low)));
      axes.push_back(axis);
    }
    switch (pick(0, 5)) {
      case 0:
        return x.pad(before, after);
      case 1:
        return x.shrink(begin, end);
      case 2:
        std::shuffle(axes.begin(), axes.end(), random_);
        return x.permute(axes);
      case 3:
        return x.flip({static_cast<int>(pick(0, rank - 1))});
      case 4:
        return reshape(x);
      default:
        return expand(x);
    }
  }

  // Joins two static neighbours, or splits an axis.
  Value reshape(const Value& x) {
    Shape shape = x.node->shape;
    const auto axis = static_cast<size_t>(pick(0, static_cast<int64_t>(shape.size()) - 1));
    if (!shape[axis].is_static()) return x;
    if (axis + 1 < shape.size() && shape[axis + 1].is_static() && pick(0, 1) == 0) {
      shape[axis] = shape[axis].offset * shape[axis + 1].offset;
      shape.erase(shape.begin() + axis + 1);
      return x.reshape(shape);
    }
    for (int64_t factor : {4, 3, 2, 1}) {
      if (shape[axis].offset % factor != 0) continue;
      shape[axis] = shape[axis].offset / factor;
      shape.insert(shape.begin() + axis + pick(0, 1), factor);
      break;
    }
    return x.reshape(shape);
  }

  Value expand(const Value& x) {
    Shape shape = x.node->shape;
    for (Dim& dim : shape) {
      if (dim == Dim(1)) dim = pick(0, 2) == 0 ? Dim(n_.node, 1) : Dim(pick(1, 6));
    }
    return ir::max_element_count(shape) <= kMaxElements ? x.expand(shape) : x;
  }

  Inputs& inputs_;
  std::mt19937_64 random_;
  Value n_;
  Value m_;
  std::vector<Value> pool_;
  std::vector<Value> states_;  // the latest of each param that is stored to
};

class RandomGraphs : public ::testing::TestWithParam<int> {};

TEST_P(RandomGraphs, ComputeWhatTheGraphSays) {
  constexpr int kGraphs = 60;
  for (int i = 0; i < kGraphs && !HasFailure(); ++i) {
    const auto seed = first_seed() + static_cast<uint64_t>(GetParam() * kGraphs + i);
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Inputs inputs;
    IntegerGraph graph(inputs, seed);
    const std::vector<Value> outputs = graph.outputs(5 + i);
    const int64_t n = i % 3 == 0 ? 0 : i % 3 == 1 ? 3 : 5;
    const int64_t m = i % 4 == 0 ? 1 : i % 4 == 1 ? 7 : 4;
    check_schedule(inputs, outputs, {{"n", n}, {"m", m}}, 0);
  }
}

// The tolerance is for f32: a sum may be rounded to either neighbour, 2^-23 apart, where another order of summation
// moves it, in double precision, past the middle between them. All else has one right result.
void check_graph_of_all_dtypes(uint64_t seed) {
  constexpr uint64_t kSizes = 100;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  ir::testing::RandomGraphOptions options;
  options.steps = 5 + static_cast<int>(seed % kSizes / 3);
  if (seed % 4 == 0) options.dtypes = {DType::kF64, DType::kI64, DType::kU32, DType::kU64, DType::kI8, DType::kBF16};
  ir::Builder builder;
  ir::testing::RandomGraph graph = ir::testing::random_graph(builder, seed, options);
  for (ir::NodePtr& output : graph.outputs) {
    if (output->op == Op::kStore) output = builder.contiguous(output).value();
  }
  ir::testing::RandomInputs inputs(graph.params, graph.variables, seed);
  check_schedule(graph.outputs, inputs.memory(), inputs.inputs().variables, 1e-6);
}

TEST_P(RandomGraphs, OfAllDTypesComputeWhatTheGraphSays) {
  constexpr uint64_t kGraphs = 100;
  for (uint64_t i = 0; i < kGraphs && !HasFailure(); ++i) {
    check_graph_of_all_dtypes(first_seed() + static_cast<uint64_t>(GetParam()) * kGraphs + i);
  }
}

// Sums of bf16 and of f16 that lanes share, in another order than the graph's: rounded after each addition, as the
// evaluator once did, they differ.
TEST(RandomGraphs, SumsOfShortFloatsDoNotDependOnTheOrder) {
  for (const uint64_t seed : {uint64_t{11873}, uint64_t{130572}}) check_graph_of_all_dtypes(seed);
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomGraphs, ::testing::Range(0, 8));

}  // namespace
}  // namespace bw::compiler::testing
