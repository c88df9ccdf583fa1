#include "tools/barewave/bench/data.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <utility>

#include "base/check.h"
#include "ir/float_format.h"

namespace bw::tools {
namespace {

using ir::DType;
using tensor::gguf::TensorType;

// Steele et al., "Fast Splittable Pseudorandom Number Generators", 2014: SplitMix64.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  // 0 <= .. < 1
  double uniform() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

template <class T>
T load(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void store(std::byte* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

void store_element(DType dtype, std::byte* at, double value) {
  switch (dtype) {
    case DType::kF32:
      return store(at, static_cast<float>(value));
    case DType::kF16:
      return store(at, ir::f16_from_double(value));
    case DType::kBF16:
      return store(at, ir::bf16_from_double(value));
    case DType::kI8:
      return store(at, static_cast<int8_t>(std::floor(value)));
    case DType::kI32:
      return store(at, static_cast<int32_t>(std::floor(value)));
    default:
      BW_CHECK(false);  // no benchmark has inputs of another dtype
  }
}

// Quantised blocks: a scale in f16, then 32 elements of 8 or 4 bits.
constexpr int64_t kBlockColumns = 32;
constexpr size_t kScaleBytes = 2;

bool is_quantised(TensorType type) {
  return tensor::gguf::block_elements(type) != 1;
}
DType plain_dtype(TensorType type) {
  return type == TensorType::kF16 ? DType::kF16 : DType::kF32;
}

}  // namespace

size_t HostArray::count() const {
  return bytes.size() / ir::size_bytes(dtype);
}

double HostArray::at(size_t index) const {
  const std::byte* element = bytes.data() + index * ir::size_bytes(dtype);
  switch (dtype) {
    case DType::kF32:
      return load<float>(element);
    case DType::kF16:
      return ir::f16_to_double(load<uint16_t>(element));
    case DType::kBF16:
      return ir::bf16_to_double(load<uint16_t>(element));
    case DType::kI8:
      return load<int8_t>(element);
    case DType::kI32:
      return load<int32_t>(element);
    default:
      BW_CHECK(false);
  }
}

HostArrayPtr random_array(DType dtype, std::vector<int64_t> shape, uint64_t seed, double low, double high) {
  auto array = std::make_shared<HostArray>();
  array->dtype = dtype;
  array->shape = std::move(shape);
  const int64_t count = std::accumulate(array->shape.begin(), array->shape.end(), int64_t{1}, std::multiplies<>());
  const size_t size = ir::size_bytes(dtype);
  array->bytes.resize(static_cast<size_t>(count) * size);
  Random random(seed);
  for (size_t i = 0; i < static_cast<size_t>(count); ++i) {
    store_element(dtype, array->bytes.data() + i * size, low + random.uniform() * (high - low));
  }
  return array;
}

tensor::Tensor upload(const std::shared_ptr<tensor::Runtime>& runtime, const HostArray& array,
                      const std::string& name) {
  return tensor::Tensor::from_bytes(runtime, array.dtype, array.bytes, array.shape, name);
}

double HostWeights::at(int64_t row, int64_t column) const {
  const auto index = static_cast<size_t>(row * columns + column);
  if (type == TensorType::kF32) return load<float>(bytes.data() + index * 4);
  if (type == TensorType::kF16) return ir::f16_to_double(load<uint16_t>(bytes.data() + index * 2));
  const std::byte* block = bytes.data() + index / kBlockColumns * tensor::gguf::block_size_bytes(type);
  const double scale = ir::f16_to_double(load<uint16_t>(block));
  const size_t place = index % kBlockColumns;
  if (type == TensorType::kQ8_0) return scale * load<int8_t>(block + kScaleBytes + place);
  const auto pair = load<uint8_t>(block + kScaleBytes + place % 16);
  return scale * ((place < 16 ? pair & 0xf : pair >> 4) - 8);
}

tensor::gguf::TensorInfo HostWeights::info() const {
  return {.name = "weights", .type = type, .shape = {rows, columns}, .data = bytes};
}

std::shared_ptr<const HostWeights> random_weights(TensorType type, int64_t rows, int64_t columns, uint64_t seed) {
  auto weights = std::make_shared<HostWeights>();
  weights->type = type;
  weights->rows = rows;
  weights->columns = columns;
  if (!is_quantised(type)) {
    weights->bytes = random_array(plain_dtype(type), {rows, columns}, seed)->bytes;
    return weights;
  }
  const size_t block_bytes = tensor::gguf::block_size_bytes(type);
  weights->bytes.resize(static_cast<size_t>(rows * columns / kBlockColumns) * block_bytes);
  Random random(seed);
  for (size_t block = 0; block < weights->bytes.size(); block += block_bytes) {
    store(&weights->bytes[block], ir::f16_from_double(0.002 + 0.006 * random.uniform()));
    for (size_t i = kScaleBytes; i < block_bytes; ++i)
      weights->bytes[block + i] = static_cast<std::byte>(random.next());
  }
  return weights;
}

}  // namespace bw::tools
