#include "tensor/gguf/gguf.h"

#include <utility>

#include "tensor/gguf/parser.h"

namespace bw::tensor::gguf {

std::string_view name(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return "F32";
    case TensorType::kF16:
      return "F16";
    case TensorType::kQ4_0:
      return "Q4_0";
    case TensorType::kQ8_0:
      return "Q8_0";
  }
  return "";
}

uint32_t block_elements(TensorType type) {
  switch (type) {
    case TensorType::kF32:
    case TensorType::kF16:
      return 1;
    case TensorType::kQ4_0:
    case TensorType::kQ8_0:
      return 32;
  }
  return 0;
}

uint32_t block_size_bytes(TensorType type) {
  switch (type) {
    case TensorType::kF32:
      return 4;
    case TensorType::kF16:
      return 2;
    case TensorType::kQ4_0:
      return 2 + 16;  // f16 scale, then 32 nibbles
    case TensorType::kQ8_0:
      return 2 + 32;  // f16 scale, then 32 bytes
  }
  return 0;
}

Result<File> File::open(const std::string& path) {
  BW_ASSIGN(MappedFile mapping, MappedFile::open(path));
  auto shared = std::make_shared<const MappedFile>(std::move(mapping));
  BW_ASSIGN(File file, parse(shared->bytes(), path));
  file.mapping_ = std::move(shared);
  return file;
}

Result<File> File::parse(std::span<const std::byte> bytes, std::string label) {
  auto parsed = Parser(bytes).parse();
  if (!parsed.is_ok()) return std::move(parsed).status().with_context(label);
  File file;
  file.label_ = std::move(label);
  file.metadata_ = std::move(parsed->metadata);
  file.tensors_ = std::move(parsed->tensors);
  file.tensor_index_ = std::move(parsed->tensor_index);
  return file;
}

const Value* File::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

const TensorInfo* File::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

Result<const Value*> File::require(std::string_view key) const {
  const Value* value = find(key);
  if (value == nullptr) {
    return error(StatusCode::kNotFound, "{}: the metadata has no '{}' (convert the model again)", label_, key);
  }
  return value;
}

Result<uint64_t> File::require_unsigned(std::string_view key) const {
  BW_ASSIGN(const Value* value, require(key));
  if (const auto* number = std::get_if<uint64_t>(value)) return *number;
  if (const auto* number = std::get_if<int64_t>(value); number != nullptr && *number >= 0) {
    return static_cast<uint64_t>(*number);
  }
  return error(StatusCode::kInvalidArgument, "{}: '{}' is not a non-negative integer", label_, key);
}

Result<double> File::require_number(std::string_view key) const {
  BW_ASSIGN(const Value* value, require(key));
  if (const auto* number = std::get_if<double>(value)) return *number;
  if (const auto* number = std::get_if<uint64_t>(value)) return static_cast<double>(*number);
  if (const auto* number = std::get_if<int64_t>(value)) return static_cast<double>(*number);
  return error(StatusCode::kInvalidArgument, "{}: '{}' is not a number", label_, key);
}

Result<std::string_view> File::require_string(std::string_view key) const {
  BW_ASSIGN(const Value* value, require(key));
  if (const auto* text = std::get_if<std::string_view>(value)) return *text;
  return error(StatusCode::kInvalidArgument, "{}: '{}' is not a string", label_, key);
}

Result<std::span<const std::string_view>> File::require_strings(std::string_view key) const {
  BW_ASSIGN(const Value* value, require(key));
  if (const auto* array = std::get_if<Array>(value); array != nullptr && array->element_type == ValueType::kString) {
    return std::span<const std::string_view>(array->strings);
  }
  return error(StatusCode::kInvalidArgument, "{}: '{}' is not an array of strings", label_, key);
}

Result<const TensorInfo*> File::require_tensor(std::string_view name) const {
  const TensorInfo* tensor = find_tensor(name);
  if (tensor == nullptr) {
    return error(StatusCode::kNotFound, "{}: there is no tensor '{}' (is the model complete?)", label_, name);
  }
  return tensor;
}

}  // namespace bw::tensor::gguf
