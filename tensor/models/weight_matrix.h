// Owns: a matrix of weights in GPU memory in the type of its file, as an expression that dequantises where it is used.
#pragma once

#include <cstdint>
#include <memory>

#include "tensor/gguf/gguf.h"
#include "tensor/tensor.h"

namespace bw::tensor {

// One of `count` parts of a matrix: equal ones of its columns, as equal as can be of its rows.
struct MatrixShard {
  enum class Axis : uint8_t { kRows, kColumns };
  // Of so many rows, where this part begins, and the next one.
  int64_t begin(int64_t rows) const { return rows * index / count; }
  int64_t end(int64_t rows) const { return rows * (index + 1) / count; }

  Axis axis = Axis::kRows;
  int64_t index = 0;
  int64_t count = 1;
};

// [rows, columns], rows of blocks: [rows, blocks, block_columns()]. Quantised types have blocks of 32 columns, the
// others one block that is the whole row.
class WeightMatrix {
 public:
  // Uploads the tensor's bytes, or those of a part, as they are in the file. Errors: kInvalidArgument unless its shape
  // is [rows, columns], or if a part would not have whole rows and blocks.
  static Result<WeightMatrix> upload(const std::shared_ptr<Runtime>& runtime, const gguf::TensorInfo& info,
                                     int64_t rows, int64_t columns, const MatrixShard& shard = {});

  int64_t rows() const { return rows_; }
  int64_t columns() const { return columns_; }
  int64_t blocks() const { return columns_ / block_columns_; }
  int64_t block_columns() const { return block_columns_; }

  // The f32 values as [rows, blocks, block_columns].
  Tensor values() const;
  // The f32 values of some rows: `index` [n] (i32) -> [n, columns].
  Tensor gather_rows(const Tensor& index) const;
  // x [n, columns] (f32) times the transposed matrix: [n, rows].
  Tensor apply(const Tensor& x) const;

 private:
  WeightMatrix(gguf::TensorType type, Tensor memory, int64_t rows, int64_t columns);
  // The memory as [rows, ..] of the dtypes that dequantise() needs. Rows may be gathered in between.
  std::vector<Tensor> views() const;
  Tensor dequantise(const std::vector<Tensor>& views) const;

  gguf::TensorType type_;
  Tensor memory_;
  int64_t rows_;
  int64_t columns_;
  int64_t block_columns_;
};

// A vector of F32 weights.
Result<Tensor> upload_vector(const std::shared_ptr<Runtime>& runtime, const gguf::TensorInfo& info, int64_t extent);

}  // namespace bw::tensor
