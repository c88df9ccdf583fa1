// Owns: the inputs of benchmarks on the host: arrays of any dtype and quantised matrices, made from a seed, with their
// elements as doubles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ir/dtype.h"
#include "tensor/gguf/gguf.h"
#include "tensor/tensor.h"

namespace bw::tools {

// Row-major. Shared by what uploads it and what computes the reference.
struct HostArray {
  ir::DType dtype = ir::DType::kF32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;

  size_t count() const;
  double at(size_t index) const;
};
using HostArrayPtr = std::shared_ptr<const HostArray>;

// Uniform in low..high; integers without the end. The same for the same seed.
HostArrayPtr random_array(ir::DType dtype, std::vector<int64_t> shape, uint64_t seed, double low = -1, double high = 1);
tensor::Tensor upload(const std::shared_ptr<tensor::Runtime>& runtime, const HostArray& array, const std::string& name);

// A matrix of weights as a GGUF file has it.
struct HostWeights {
  tensor::gguf::TensorType type = tensor::gguf::TensorType::kF32;
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<std::byte> bytes;

  double at(int64_t row, int64_t column) const;
  tensor::gguf::TensorInfo info() const;
};
std::shared_ptr<const HostWeights> random_weights(tensor::gguf::TensorType type, int64_t rows, int64_t columns,
                                                  uint64_t seed);

}  // namespace bw::tools
