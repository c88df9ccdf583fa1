// Elementwise operations, reductions, norms and movement.
#include <cmath>
#include <numeric>
#include <utility>

#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/data.h"

namespace bw::tools {
namespace {

using ir::DType;
using tensor::Reduced;
using tensor::Runtime;
using tensor::Tensor;
using RuntimePtr = std::shared_ptr<Runtime>;

constexpr double kF32 = 0x1p-24;  // half a unit in the last place of 1
constexpr double kEpsilon = 1e-5;

struct Rows {
  int64_t rows;
  int64_t columns;

  size_t count() const { return static_cast<size_t>(rows * columns); }
};

// Calls visit(value) for each element of row `row`.
template <class Visit>
void for_row(const HostArray& x, size_t row, size_t columns, Visit visit) {
  for (size_t i = 0; i < columns; ++i) visit(x.at(row * columns + i));
}

void set_costs(BenchProgram* program, uint64_t bytes, double flops) {
  program->minimum_bytes = bytes;
  program->flops = flops;
}

Result<BenchProgram> make_elementwise(const RuntimePtr& runtime, int64_t count) {
  const HostArrayPtr x = random_array(DType::kF32, {count}, 1);
  BW_ASSIGN(BenchProgram program, make_program(upload(runtime, *x, "x") * 2.0 + 1.0, [x](size_t i) {
              return Expected{x->at(i) * 2 + 1, 4 * kF32};
            }));
  set_costs(&program, x->bytes.size() * 2, 2.0 * static_cast<double>(count));
  return program;
}

Result<BenchProgram> make_sum(const RuntimePtr& runtime, int64_t count) {
  const HostArrayPtr x = random_array(DType::kF32, {count}, 2);
  BW_ASSIGN(BenchProgram program, make_program(upload(runtime, *x, "x").sum(), [x](size_t) {
              double sum = 0, magnitude = 0;
              for (size_t i = 0; i < x->count(); ++i) {
                sum += x->at(i);
                magnitude += std::abs(x->at(i));
              }
              return Expected{sum, magnitude * 64 * kF32};
            }));
  set_costs(&program, x->bytes.size() + sizeof(float), static_cast<double>(count));
  return program;
}

enum class RowReduction : uint8_t { kSum, kMax, kProduct };

Result<BenchProgram> make_row_reduction(const RuntimePtr& runtime, RowReduction what, Rows shape) {
  const bool is_product = what == RowReduction::kProduct;
  const HostArrayPtr x =
      random_array(DType::kF32, {shape.rows, shape.columns}, 3, is_product ? 0.9 : -1, is_product ? 1.1 : 1);
  const Tensor in = upload(runtime, *x, "x");
  const Tensor out = what == RowReduction::kSum ? in.sum({-1}) : is_product ? in.prod({-1}) : in.max({-1});
  BW_ASSIGN(BenchProgram program, make_program(out, [x, what, shape](size_t row) {
              double value = what == RowReduction::kSum ? 0 : what == RowReduction::kProduct ? 1 : -INFINITY;
              double magnitude = 0;
              for_row(*x, row, static_cast<size_t>(shape.columns), [&](double element) {
                value = what == RowReduction::kSum       ? value + element
                        : what == RowReduction::kProduct ? value * element
                                                         : std::max(value, element);
                magnitude += std::abs(element);
              });
              if (what == RowReduction::kMax) return Expected{value, 0};
              if (what == RowReduction::kProduct) return Expected{value, std::abs(value) * magnitude * 2 * kF32};
              return Expected{value, magnitude * 16 * kF32};
            }));
  set_costs(&program, x->bytes.size() + static_cast<uint64_t>(shape.rows) * sizeof(float),
            static_cast<double>(shape.count()));
  return program;
}

Result<BenchProgram> make_softmax(const RuntimePtr& runtime, Rows shape) {
  const HostArrayPtr x = random_array(DType::kF32, {shape.rows, shape.columns}, 4, -8, 8);
  BW_ASSIGN(BenchProgram program, make_program(upload(runtime, *x, "x").softmax(-1), [x, shape](size_t i) {
              const auto columns = static_cast<size_t>(shape.columns);
              double largest = -INFINITY, sum = 0;
              for_row(*x, i / columns, columns, [&](double v) { largest = std::max(largest, v); });
              for_row(*x, i / columns, columns, [&](double v) { sum += std::exp(v - largest); });
              const double value = std::exp(x->at(i) - largest) / sum;
              return Expected{value, value * 1e-5 + 1e-30};
            }));
  set_costs(&program, x->bytes.size() * 2, 5.0 * static_cast<double>(shape.count()));
  return program;
}

enum class Norm : uint8_t { kLayer, kRms };

struct Moments {
  double mean = 0;
  double variance = 0;  // about the mean, or about 0
};

Moments moments_of(const HostArray& x, size_t row, size_t columns, Norm norm) {
  Moments moments;
  if (norm == Norm::kLayer) {
    for_row(x, row, columns, [&](double v) { moments.mean += v / static_cast<double>(columns); });
  }
  for_row(x, row, columns, [&](double v) {
    moments.variance += (v - moments.mean) * (v - moments.mean) / static_cast<double>(columns);
  });
  return moments;
}

Result<BenchProgram> make_norm(const RuntimePtr& runtime, Norm norm, Rows shape) {
  const HostArrayPtr x = random_array(DType::kF32, {shape.rows, shape.columns}, 5);
  const HostArrayPtr gain = random_array(DType::kF32, {shape.columns}, 6, 0.5, 1.5);
  const HostArrayPtr bias = random_array(DType::kF32, {shape.columns}, 7);
  const Tensor in = upload(runtime, *x, "x"), scale = upload(runtime, *gain, "gain");
  Tensor out;
  if (norm == Norm::kLayer) {
    const Tensor centred = in - in.mean({-1}, Reduced::kKeep);
    const Tensor variance = (centred * centred).mean({-1}, Reduced::kKeep);
    out = centred * (variance + kEpsilon).rsqrt() * scale + upload(runtime, *bias, "bias");
  } else {
    out = in * ((in * in).mean({-1}, Reduced::kKeep) + kEpsilon).rsqrt() * scale;
  }
  BW_ASSIGN(BenchProgram program, make_program(out, [=](size_t i) {
              const auto columns = static_cast<size_t>(shape.columns);
              const Moments moments = moments_of(*x, i / columns, columns, norm);
              const double normal = (x->at(i) - moments.mean) / std::sqrt(moments.variance + kEpsilon);
              const double shift = norm == Norm::kLayer ? bias->at(i % columns) : 0;
              return Expected{normal * gain->at(i % columns) + shift, 1e-5};
            }));
  const uint64_t parameters = gain->bytes.size() + (norm == Norm::kLayer ? bias->bytes.size() : 0);
  set_costs(&program, x->bytes.size() * 2 + parameters,
            (norm == Norm::kLayer ? 8.0 : 5.0) * static_cast<double>(shape.count()));
  return program;
}

Result<BenchProgram> make_transpose(const RuntimePtr& runtime, Rows shape) {
  const HostArrayPtr x = random_array(DType::kF32, {shape.rows, shape.columns}, 8);
  BW_ASSIGN(BenchProgram program,
            make_program(upload(runtime, *x, "x").transpose(0, 1).contiguous(), [x, shape](size_t i) {
              const auto rows = static_cast<size_t>(shape.rows), columns = static_cast<size_t>(shape.columns);
              return Expected{x->at(i % rows * columns + i / rows), 0};
            }));
  set_costs(&program, x->bytes.size() * 2, 0);
  return program;
}

Result<BenchProgram> make_copy(const RuntimePtr& runtime, int64_t count) {
  const HostArrayPtr x = random_array(DType::kF32, {count}, 9);
  BW_ASSIGN(BenchProgram program, make_program(upload(runtime, *x, "x").contiguous(), [x](size_t i) {
              return Expected{x->at(i), 0};
            }));
  set_costs(&program, x->bytes.size() * 2, 0);
  return program;
}

}  // namespace

void add_simple_cases(std::vector<BenchCase>* cases) {
  const auto add = [cases](std::string name, std::string summary, auto make) {
    cases->push_back({std::move(name), "", std::move(summary), std::move(make)});
  };
  constexpr int64_t kMillion = 1 << 20;
  constexpr Rows kShort{4096, 256}, kLong{1024, 1024};
  add("elementwise_1m", "x * 2 + 1 over 2^20 f32", [=](const RuntimePtr& r) { return make_elementwise(r, kMillion); });
  add("copy_1m", "2^20 f32", [=](const RuntimePtr& r) { return make_copy(r, kMillion); });
  add("transpose_1024", "1024 x 1024 f32", [](const RuntimePtr& r) { return make_transpose(r, {1024, 1024}); });
  add("sum_1m", "2^20 f32 to one", [=](const RuntimePtr& r) { return make_sum(r, kMillion); });
  add("sum_rows", "the rows of 4096 x 256 f32",
      [=](const RuntimePtr& r) { return make_row_reduction(r, RowReduction::kSum, kShort); });
  add("max_rows", "the rows of 1024 x 1024 f32",
      [=](const RuntimePtr& r) { return make_row_reduction(r, RowReduction::kMax, kLong); });
  add("prod_rows", "the rows of 4096 x 256 f32",
      [=](const RuntimePtr& r) { return make_row_reduction(r, RowReduction::kProduct, kShort); });
  add("softmax", "along the rows of 1024 x 1024 f32", [=](const RuntimePtr& r) { return make_softmax(r, kLong); });
  add("layer_norm", "along the rows of 1024 x 1024 f32",
      [=](const RuntimePtr& r) { return make_norm(r, Norm::kLayer, kLong); });
  add("rms_norm", "along the rows of 1024 x 1024 f32",
      [=](const RuntimePtr& r) { return make_norm(r, Norm::kRms, kLong); });
}

}  // namespace bw::tools
