// Products of matrices and vectors, and convolution.
#include <cmath>
#include <utility>

#include "tensor/models/weight_matrix.h"
#include "tools/barewave/bench/bench_case.h"
#include "tools/barewave/bench/data.h"

namespace bw::tools {
namespace {

using ir::DType;
using tensor::Runtime;
using tensor::Tensor;
using tensor::gguf::TensorType;
using RuntimePtr = std::shared_ptr<Runtime>;

// Sums of products in f32, as far from the exact sum as their order may bring them; `magnitude` sums what is added.
Expected f32_sum(double value, double magnitude) {
  return {value, magnitude * 64 * 0x1p-24 + 1e-30};
}

// Whether the second matrix of a product is stored row by row, or column by column.
enum class Layout : uint8_t { kNn, kNt };

struct Square {
  int64_t extent;
  DType in;
  Layout layout;
};

Result<BenchProgram> make_matmul(const RuntimePtr& runtime, Square what) {
  const double low = what.in == DType::kI8 ? -128 : -1, high = what.in == DType::kI8 ? 128 : 1;
  const HostArrayPtr a = random_array(what.in, {what.extent, what.extent}, 11, low, high);
  const HostArrayPtr b = random_array(what.in, {what.extent, what.extent}, 12, low, high);
  const DType out = what.in == DType::kI8 ? DType::kI32 : DType::kF32;
  const Tensor rows = upload(runtime, *a, "a").cast(out);
  const Tensor stored = upload(runtime, *b, "b").cast(out);
  const Tensor columns = what.layout == Layout::kNt ? stored.transpose(0, 1) : stored;
  BW_ASSIGN(BenchProgram program, make_program(rows.matmul(columns), [=](size_t index) {
              const auto n = static_cast<size_t>(what.extent);
              const size_t row = index / n, column = index % n;
              double value = 0, magnitude = 0;
              for (size_t k = 0; k < n; ++k) {
                const double term =
                    a->at(row * n + k) * b->at(what.layout == Layout::kNt ? column * n + k : k * n + column);
                value += term;
                magnitude += std::abs(term);
              }
              return what.in == DType::kI8 ? Expected{value, 0} : f32_sum(value, magnitude);
            }));
  const auto n = static_cast<double>(what.extent);
  program.flops = 2 * n * n * n;
  program.minimum_bytes =
      a->bytes.size() + b->bytes.size() + static_cast<uint64_t>(what.extent * what.extent) * sizeof(float);
  program.product = BenchProduct{what.extent, what.extent, a->bytes.size(), b->bytes.size()};
  return program;
}

struct Matrix {
  TensorType type;
  int64_t rows;
  int64_t columns;
};

// As a decoder applies its weights to one position.
Result<BenchProgram> make_matvec(const RuntimePtr& runtime, Matrix what) {
  const auto weights = random_weights(what.type, what.rows, what.columns, 13);
  const HostArrayPtr x = random_array(DType::kF32, {1, what.columns}, 14);
  BW_ASSIGN(const tensor::WeightMatrix matrix,
            tensor::WeightMatrix::upload(runtime, weights->info(), what.rows, what.columns));
  BW_ASSIGN(BenchProgram program, make_program(matrix.apply(upload(runtime, *x, "x")), [=](size_t row) {
              double value = 0, magnitude = 0;
              for (int64_t k = 0; k < what.columns; ++k) {
                const double term = weights->at(static_cast<int64_t>(row), k) * x->at(static_cast<size_t>(k));
                value += term;
                magnitude += std::abs(term);
              }
              return f32_sum(value, magnitude);
            }));
  program.flops = 2.0 * static_cast<double>(what.rows) * static_cast<double>(what.columns);
  program.minimum_bytes = weights->bytes.size() + x->bytes.size() + static_cast<uint64_t>(what.rows) * sizeof(float);
  return program;
}

struct Convolution {
  int64_t in_channels;
  int64_t out_channels;
  int64_t extent;  // of the image, in both directions
};

constexpr int64_t kKernelExtent = 3;

// [in, h, w] with [out, in, 3, 3] -> [out, h, w]; zeros around the image.
Tensor convolve(const Tensor& image, const Tensor& weights, const Convolution& what) {
  const Tensor padded = image.pad({0, 1, 1}, {0, 1, 1});
  Tensor sum;
  for (int64_t dy = 0; dy < kKernelExtent; ++dy) {
    for (int64_t dx = 0; dx < kKernelExtent; ++dx) {
      const Tensor shifted = padded.slice(1, dy, dy + what.extent).slice(2, dx, dx + what.extent).unsqueeze(0);
      const Tensor tap = weights.slice(2, dy, dy + 1).slice(3, dx, dx + 1);
      const Tensor part = (shifted * tap).sum({1});
      sum = dy + dx == 0 ? part : sum + part;
    }
  }
  return sum;
}

Expected convolved(const HostArray& image, const HostArray& weights, const Convolution& what, size_t index) {
  const int64_t e = what.extent, at = static_cast<int64_t>(index);
  const int64_t out = at / (e * e), y = at / e % e, x = at % e;
  double value = 0, magnitude = 0;
  for (int64_t in = 0; in < what.in_channels; ++in) {
    for (int64_t dy = -1; dy <= 1; ++dy) {
      for (int64_t dx = -1; dx <= 1; ++dx) {
        if (y + dy < 0 || y + dy >= e || x + dx < 0 || x + dx >= e) continue;
        const int64_t tap = ((out * what.in_channels + in) * kKernelExtent + dy + 1) * kKernelExtent + dx + 1;
        const double term =
            image.at(static_cast<size_t>((in * e + y + dy) * e + x + dx)) * weights.at(static_cast<size_t>(tap));
        value += term;
        magnitude += std::abs(term);
      }
    }
  }
  return f32_sum(value, magnitude);
}

Result<BenchProgram> make_convolution(const RuntimePtr& runtime, Convolution what) {
  const HostArrayPtr image = random_array(DType::kF32, {what.in_channels, what.extent, what.extent}, 15);
  const HostArrayPtr weights =
      random_array(DType::kF32, {what.out_channels, what.in_channels, kKernelExtent, kKernelExtent}, 16);
  const Tensor out = convolve(upload(runtime, *image, "image"), upload(runtime, *weights, "weights"), what);
  BW_ASSIGN(BenchProgram program,
            make_program(out, [=](size_t index) { return convolved(*image, *weights, what, index); }));
  const int64_t pixels = what.extent * what.extent;
  program.flops =
      2.0 * kKernelExtent * kKernelExtent * static_cast<double>(pixels * what.in_channels * what.out_channels);
  program.minimum_bytes =
      image->bytes.size() + weights->bytes.size() + static_cast<uint64_t>(pixels * what.out_channels) * sizeof(float);
  return program;
}

}  // namespace

void add_product_cases(std::vector<BenchCase>* cases) {
  const auto matmul = [cases](const std::string& name, const std::string& summary, Square what) {
    cases->push_back({fmt::format("{}_{}", name, what.extent), fmt::format("{}^3, {}", what.extent, summary),
                      [what](const RuntimePtr& runtime) { return make_matmul(runtime, what); }});
  };
  for (const int64_t extent : {256, 512, 1024, 2048}) matmul("matmul_f32", "f32", {extent, DType::kF32, Layout::kNn});
  for (const int64_t extent : {256, 512, 1024, 2048}) {
    matmul("matmul_f16_nn", "f16 to f32", {extent, DType::kF16, Layout::kNn});
    matmul("matmul_f16_nt", "f16 to f32, the second matrix transposed", {extent, DType::kF16, Layout::kNt});
  }
  for (const int64_t extent : {512, 1024}) {
    matmul("matmul_bf16", "bf16 to f32", {extent, DType::kBF16, Layout::kNn});
    matmul("matmul_i8", "i8 to i32", {extent, DType::kI8, Layout::kNn});
  }
  const auto matvec = [cases](const std::string& name, Matrix what) {
    cases->push_back(
        {name, fmt::format("{} x {} {} times a vector of f32", what.rows, what.columns, tensor::gguf::name(what.type)),
         [what](const RuntimePtr& runtime) { return make_matvec(runtime, what); }});
  };
  matvec("matvec_f32", {TensorType::kF32, 4096, 4096});
  matvec("matvec_f16", {TensorType::kF16, 4096, 4096});
  matvec("matvec_q8_0", {TensorType::kQ8_0, 4096, 4096});
  matvec("matvec_q4_0", {TensorType::kQ4_0, 4096, 4096});
  matvec("matvec_kjv_gate", {TensorType::kQ8_0, 768, 256});
  matvec("matvec_kjv_down", {TensorType::kQ8_0, 256, 768});
  matvec("matvec_kjv_output", {TensorType::kQ8_0, 1024, 256});
  cases->push_back({"conv2d", "3 x 3, 16 to 32 channels of 64 x 64 f32", [](const RuntimePtr& runtime) {
                      return make_convolution(runtime, {16, 32, 64});
                    }});
}

}  // namespace bw::tools
