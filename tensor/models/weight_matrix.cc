#include "tensor/models/weight_matrix.h"

#include <string>
#include <utility>

namespace bw::tensor {
namespace {

using gguf::TensorType;

// A quantised block begins with its scale in f16.
constexpr int64_t kScaleBytes = 2;
constexpr int64_t kBlockColumns = 32;

std::string shape_text(std::span<const int64_t> shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

Status check_shape(const gguf::TensorInfo& info, const std::vector<int64_t>& wanted) {
  if (info.shape == wanted) return Status::ok();
  return error(StatusCode::kInvalidArgument, "tensor '{}' has the shape {}, but the metadata asks for {}", info.name,
               shape_text(info.shape), shape_text(wanted));
}

// The columns of a part, which are not contiguous in the file.
std::vector<std::byte> columns_of(const gguf::TensorInfo& info, int64_t rows, const MatrixShard& shard) {
  const size_t row_bytes = info.data.size() / static_cast<size_t>(rows);
  const size_t part_bytes = row_bytes / static_cast<size_t>(shard.count);
  std::vector<std::byte> part;
  part.reserve(part_bytes * static_cast<size_t>(rows));
  for (int64_t row = 0; row < rows; ++row) {
    const auto from = info.data.subspan(
        static_cast<size_t>(row) * row_bytes + static_cast<size_t>(shard.index) * part_bytes, part_bytes);
    part.insert(part.end(), from.begin(), from.end());
  }
  return part;
}

}  // namespace

WeightMatrix::WeightMatrix(TensorType type, Tensor memory, int64_t rows, int64_t columns)
    : type_(type),
      memory_(std::move(memory)),
      rows_(rows),
      columns_(columns),
      block_columns_(gguf::block_elements(type) == 1 ? columns : kBlockColumns) {}

Result<WeightMatrix> WeightMatrix::upload(const std::shared_ptr<Runtime>& runtime, const gguf::TensorInfo& info,
                                          int64_t rows, int64_t columns, const MatrixShard& shard) {
  BW_RETURN_IF_ERROR(check_shape(info, {rows, columns}));
  const bool is_by_rows = shard.count == 1 || shard.axis == MatrixShard::Axis::kRows;
  if (!is_by_rows && columns % (gguf::block_elements(info.type) * shard.count) != 0) {
    return error(StatusCode::kInvalidArgument,
                 "dividing tensor '{}' into {} parts: {} columns are not {} times whole blocks", info.name, shard.count,
                 columns, shard.count);
  }
  if (rows < shard.count) {
    return error(StatusCode::kInvalidArgument, "dividing tensor '{}' into {} parts: it has {} rows", info.name,
                 shard.count, rows);
  }
  const std::vector<std::byte> part = is_by_rows ? std::vector<std::byte>() : columns_of(info, rows, shard);
  std::span<const std::byte> bytes = part;
  if (is_by_rows) {
    const auto row_bytes = static_cast<int64_t>(info.data.size()) / rows;
    const int64_t begin = shard.begin(rows);
    rows = shard.end(rows) - begin;
    bytes = info.data.subspan(static_cast<size_t>(begin * row_bytes), static_cast<size_t>(rows * row_bytes));
  } else {
    columns /= shard.count;
  }
  DType dtype = DType::kU8;
  std::vector<int64_t> shape = {rows, columns / kBlockColumns, gguf::block_size_bytes(info.type)};
  if (gguf::block_elements(info.type) == 1) {
    dtype = info.type == TensorType::kF16 ? DType::kF16 : DType::kF32;
    shape = {rows, columns};
  }
  const Tensor memory = Tensor::from_bytes(runtime, dtype, bytes, std::move(shape), std::string(info.name));
  BW_RETURN_IF_ERROR(memory.status());
  return WeightMatrix(info.type, memory, rows, columns);
}

std::vector<Tensor> WeightMatrix::views() const {
  switch (type_) {
    case TensorType::kF32:
    case TensorType::kF16:
      return {memory_};
    case TensorType::kQ8_0:
    case TensorType::kQ4_0:
      return {memory_.bitcast(DType::kF16), memory_};
  }
  return {};
}

Tensor WeightMatrix::dequantise(const std::vector<Tensor>& views) const {
  if (type_ == TensorType::kF32 || type_ == TensorType::kF16) {
    return views[0].cast(DType::kF32).reshape({-1, 1, columns_});
  }
  const Tensor scale = views[0].slice(-1, 0, 1).cast(DType::kF32);
  const Tensor quants = views[1].slice(-1, kScaleBytes, gguf::block_size_bytes(type_));
  if (type_ == TensorType::kQ8_0) return quants.bitcast(DType::kI8).cast(DType::kF32) * scale;
  // Q4_0: the low nibbles of the 16 bytes are the first half of the block, the high ones the second; 8 stands for 0.
  // (nibble - 8) * scale as one operation, exactly.
  const Tensor shift = (Tensor::arange(memory_.runtime(), DType::kI32, 2) * 4.0).reshape({2, 1});
  const Tensor bytes = quants.unsqueeze(2).cast(DType::kI32);
  const Tensor nibbles = ((bytes >> shift) & bytes.scalar(0xf)).cast(DType::kF32);
  const Tensor half_scale = scale.unsqueeze(2);
  return nibbles.mul_acc(half_scale, half_scale * -8.0).reshape({-1, blocks(), kBlockColumns});
}

Tensor WeightMatrix::values() const {
  return dequantise(views());
}

Tensor WeightMatrix::gather_rows(const Tensor& index) const {
  std::vector<Tensor> gathered;
  for (const Tensor& view : views()) gathered.push_back(view.gather(index));
  return dequantise(gathered).reshape({-1, columns_});
}

Tensor WeightMatrix::apply(const Tensor& x) const {
  const Tensor inputs = x.reshape({-1, 1, blocks(), block_columns_});
  return (inputs * values()).sum({-2, -1});
}

Result<Tensor> upload_vector(const std::shared_ptr<Runtime>& runtime, const gguf::TensorInfo& info, int64_t extent) {
  BW_RETURN_IF_ERROR(check_shape(info, {extent}));
  if (info.type != TensorType::kF32) {
    return error(StatusCode::kUnsupported, "tensor '{}' has type {}, only F32 is supported for vectors", info.name,
                 gguf::name(info.type));
  }
  const Tensor memory = Tensor::from_bytes(runtime, DType::kF32, info.data, {extent}, std::string(info.name));
  BW_RETURN_IF_ERROR(memory.status());
  return memory;
}

}  // namespace bw::tensor
