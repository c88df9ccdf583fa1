// Attention with grouped queries, of one position and of many.
#include <cmath>
#include <utility>
#include <vector>

#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/data.h"

namespace bw::tools {
namespace {

using ir::DType;
using tensor::Runtime;
using tensor::Tensor;
using RuntimePtr = std::shared_ptr<Runtime>;

struct Attention {
  int64_t kv_heads;
  int64_t groups;     // query heads for each
  int64_t positions;  // of the queries: the last ones
  int64_t context;
  int64_t dim;  // of a head

  double scale() const { return 1 / std::sqrt(static_cast<double>(dim)); }
  int64_t first_position() const { return context - positions; }
};

struct Arrays {
  HostArrayPtr q;  // [kv_heads, groups, positions, dim]
  HostArrayPtr k;  // [kv_heads, context, dim]
  HostArrayPtr v;  // the same
};

Tensor attend(const RuntimePtr& runtime, const Arrays& arrays, const Attention& what) {
  const Tensor q = upload(runtime, *arrays.q, "q").unsqueeze(3);
  const Tensor k = upload(runtime, *arrays.k, "k").reshape({what.kv_heads, 1, 1, what.context, what.dim});
  const Tensor v =
      upload(runtime, *arrays.v, "v").permute({0, 2, 1}).reshape({what.kv_heads, 1, 1, what.dim, what.context});
  Tensor scores = (q * k).sum({-1}) * what.scale();
  if (what.positions > 1) {
    const Tensor position =
        (Tensor::arange(runtime, DType::kI32, what.positions) + static_cast<double>(what.first_position()))
            .reshape({what.positions, 1});
    const Tensor key_position = Tensor::arange(runtime, DType::kI32, what.context);
    scores = where(position.lt(key_position), scores.scalar(-INFINITY), scores);
  }
  return (scores.softmax(-1).unsqueeze(3) * v).sum({-1});
}

// One element of one position.
Expected attended(const Arrays& arrays, const Attention& what, size_t index) {
  const auto dim = static_cast<size_t>(what.dim), context = static_cast<size_t>(what.context);
  const size_t element = index % dim, query = index / dim;
  const size_t position = query % static_cast<size_t>(what.positions);
  const size_t head = query / static_cast<size_t>(what.positions) / static_cast<size_t>(what.groups);
  const size_t seen = static_cast<size_t>(what.first_position()) + position + 1;
  std::vector<double> scores(seen);
  double largest = -INFINITY;
  for (size_t i = 0; i < seen; ++i) {
    for (size_t d = 0; d < dim; ++d) {
      scores[i] += arrays.q->at(query * dim + d) * arrays.k->at((head * context + i) * dim + d) * what.scale();
    }
    largest = std::max(largest, scores[i]);
  }
  double sum = 0, value = 0;
  for (size_t i = 0; i < seen; ++i) {
    const double weight = std::exp(scores[i] - largest);
    sum += weight;
    value += weight * arrays.v->at((head * context + i) * dim + element);
  }
  return {value / sum, 2e-5};
}

Result<BenchProgram> make_attention(const RuntimePtr& runtime, Attention what) {
  const Arrays arrays = {
      random_array(DType::kF32, {what.kv_heads, what.groups, what.positions, what.dim}, 21, -2, 2),
      random_array(DType::kF32, {what.kv_heads, what.context, what.dim}, 22, -2, 2),
      random_array(DType::kF32, {what.kv_heads, what.context, what.dim}, 23),
  };
  BW_ASSIGN(BenchProgram program,
            make_program(attend(runtime, arrays, what), [=](size_t index) { return attended(arrays, what, index); }));
  program.minimum_bytes = 2 * arrays.q->bytes.size() + arrays.k->bytes.size() + arrays.v->bytes.size();
  program.flops = 4.0 * static_cast<double>(what.kv_heads * what.groups * what.positions * what.context * what.dim);
  return program;
}

}  // namespace

void add_attention_cases(std::vector<BenchCase>* cases) {
  const auto add = [cases](std::string name, std::string summary, Attention what) {
    cases->push_back({std::move(name), "", std::move(summary),
                      [what](const RuntimePtr& runtime) { return make_attention(runtime, what); }});
  };
  add("attention_decode", "one position of 32 heads of 128, 8 of them in the cache, after 1023 others",
      {8, 4, 1, 1024, 128});
  add("attention_prefill", "256 positions, causal, 8 heads of 64, 4 of them in the cache", {4, 2, 256, 256, 64});
}

}  // namespace bw::tools
