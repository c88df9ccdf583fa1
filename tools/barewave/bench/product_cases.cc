// Products of matrices and vectors, and convolution.
#include <charconv>
#include <cmath>
#include <string_view>
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

struct Product {
  int64_t m;  // rows of the first matrix
  int64_t n;  // columns of the second
  int64_t k;
  DType in;
  Layout layout;
};

// Element `index` of the product, on the host.
Expected product_element(const HostArray& a, const HostArray& b, const Product& what, size_t index) {
  const auto n = static_cast<size_t>(what.n), depth = static_cast<size_t>(what.k);
  const size_t row = index / n, column = index % n;
  double value = 0, magnitude = 0;
  for (size_t k = 0; k < depth; ++k) {
    const double term = a.at(row * depth + k) * b.at(what.layout == Layout::kNt ? column * depth + k : k * n + column);
    value += term;
    magnitude += std::abs(term);
  }
  return what.in == DType::kI8 ? Expected{value, 0} : f32_sum(value, magnitude);
}

Result<BenchProgram> make_matmul(const RuntimePtr& runtime, Product what) {
  const double low = what.in == DType::kI8 ? -128 : -1, high = what.in == DType::kI8 ? 128 : 1;
  const bool is_transposed = what.layout == Layout::kNt;
  const HostArrayPtr a = random_array(what.in, {what.m, what.k}, 11, low, high);
  const HostArrayPtr b =
      random_array(what.in, is_transposed ? std::vector{what.n, what.k} : std::vector{what.k, what.n}, 12, low, high);
  const DType out = what.in == DType::kI8 ? DType::kI32 : DType::kF32;
  const Tensor rows = upload(runtime, *a, "a").cast(out);
  const Tensor stored = upload(runtime, *b, "b").cast(out);
  const Tensor columns = is_transposed ? stored.transpose(0, 1) : stored;
  BW_ASSIGN(BenchProgram program,
            make_program(rows.matmul(columns), [=](size_t index) { return product_element(*a, *b, what, index); }));
  program.flops = 2.0 * static_cast<double>(what.m) * static_cast<double>(what.n) * static_cast<double>(what.k);
  program.minimum_bytes = a->bytes.size() + b->bytes.size() + static_cast<uint64_t>(what.m * what.n) * sizeof(float);
  program.product = BenchProduct{what.m, what.n, a->bytes.size(), b->bytes.size()};
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

struct ProductType {
  const char* name;  // of its timed cases
  const char* counted_name;
  const char* summary;
  DType in;
  Layout layout;
};
constexpr ProductType kProductTypes[] = {
    {"f32", "matmul_f32", "f32", DType::kF32, Layout::kNn},
    {"f16", "matmul_f16_nn", "f16 to f32", DType::kF16, Layout::kNn},
    {"f16_nt", "matmul_f16_nt", "f16 to f32, the second matrix transposed", DType::kF16, Layout::kNt},
    {"bf16", "matmul_bf16", "bf16 to f32", DType::kBF16, Layout::kNn},
    {"i8", "matmul_i8", "i8 to i32", DType::kI8, Layout::kNn},
};
constexpr int64_t kMostExtent = 65536;

BenchCase product_case(const ProductType& type, std::string counted_name, int64_t m, int64_t n, int64_t k) {
  const std::string name = fmt::format("gemm/{}/{}x{}x{}", type.name, m, n, k);
  return {counted_name.empty() ? name : std::move(counted_name), name,
          fmt::format("{} x {} times {} x {}, {}", m, k, k, n, type.summary),
          [what = Product{m, n, k, type.in, type.layout}](const RuntimePtr& runtime) {
            return make_matmul(runtime, what);
          }};
}

struct WeightType {
  const char* name;
  TensorType type;
};
constexpr WeightType kWeightTypes[] = {
    {"f32", TensorType::kF32}, {"f16", TensorType::kF16}, {"q8_0", TensorType::kQ8_0}, {"q4_0", TensorType::kQ4_0}};

BenchCase weights_case(const WeightType& type, std::string counted_name, int64_t rows, int64_t columns) {
  const std::string name = fmt::format("gemv/{}/{}x{}", type.name, rows, columns);
  return {counted_name.empty() ? name : std::move(counted_name), name,
          fmt::format("{} x {} {} times a vector of f32", rows, columns, tensor::gguf::name(type.type)),
          [what = Matrix{type.type, rows, columns}](const RuntimePtr& runtime) { return make_matvec(runtime, what); }};
}

// "AxB.." of `count` extents; empty if it is anything else.
std::vector<int64_t> read_extents(std::string_view text, size_t count) {
  std::vector<int64_t> extents;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const auto [stop, problem] = std::from_chars(at, end, extents.emplace_back());
    if (problem != std::errc() || extents.back() < 1 || extents.back() > kMostExtent) return {};
    if (stop != end && (*stop != 'x' || stop + 1 == end)) return {};
    at = stop == end ? end : stop + 1;
  }
  return extents.size() == count ? extents : std::vector<int64_t>();
}

}  // namespace

std::vector<BenchCase> shaped_case(const std::string& name) {
  const std::string_view whole = name;
  const auto behind = [whole](const std::string& prefix) {
    return whole.starts_with(prefix) ? whole.substr(prefix.size()) : std::string_view();
  };
  for (const ProductType& type : kProductTypes) {
    const auto extents = read_extents(behind(fmt::format("gemm/{}/", type.name)), 3);
    if (!extents.empty()) return {product_case(type, "", extents[0], extents[1], extents[2])};
  }
  for (const WeightType& type : kWeightTypes) {
    constexpr int64_t kBlock = 32;  // of Q8_0 and Q4_0, along a row
    const auto extents = read_extents(behind(fmt::format("gemv/{}/", type.name)), 2);
    const bool is_quantised = type.type == TensorType::kQ8_0 || type.type == TensorType::kQ4_0;
    if (extents.empty() || (is_quantised && extents[1] % kBlock != 0)) continue;
    return {weights_case(type, "", extents[0], extents[1])};
  }
  return {};
}

void add_product_cases(std::vector<BenchCase>* cases) {
  const auto [f32, f16, f16_nt, bf16, i8] = kProductTypes;
  const auto square = [cases](const ProductType& type, int64_t extent) {
    cases->push_back(product_case(type, fmt::format("{}_{}", type.counted_name, extent), extent, extent, extent));
  };
  for (const int64_t extent : {256, 512, 1024, 2048}) square(f32, extent);
  for (const int64_t extent : {256, 512, 1024, 2048}) {
    square(f16, extent);
    square(f16_nt, extent);
  }
  for (const int64_t extent : {512, 1024}) {
    square(bf16, extent);
    square(i8, extent);
  }
  for (const WeightType& type : kWeightTypes) {
    cases->push_back(weights_case(type, fmt::format("matvec_{}", type.name), 4096, 4096));
  }
  const WeightType& q8_0 = kWeightTypes[2];
  cases->push_back(weights_case(q8_0, "matvec_kjv_gate", 768, 256));
  cases->push_back(weights_case(q8_0, "matvec_kjv_down", 256, 768));
  cases->push_back(weights_case(q8_0, "matvec_kjv_output", 1024, 256));
  cases->push_back({"conv2d", "", "3 x 3, 16 to 32 channels of 64 x 64 f32", [](const RuntimePtr& runtime) {
                      return make_convolution(runtime, {16, 32, 64});
                    }});
}

}  // namespace bw::tools
