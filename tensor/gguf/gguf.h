// Owns: reading GGUF version 3 files: metadata and tensor descriptions, checked completely before anything is handed
// out. Not here: what the values mean to a model (tensor/models) or a tokeniser (tensor/tokenizer).
//
// The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/mapped_file.h"
#include "base/status.h"

namespace bw::tensor::gguf {

// Type of a metadata value, with the numbers of the file format.
enum class ValueType : uint32_t {
  kU8 = 0,
  kI8 = 1,
  kU16 = 2,
  kI16 = 3,
  kU32 = 4,
  kI32 = 5,
  kF32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
  kU64 = 10,
  kI64 = 11,
  kF64 = 12,
};

// An array value. Numbers and bools stay as the bytes of the file (little endian, unaligned); strings and nested arrays
// are listed.
struct Array {
  ValueType element_type = ValueType::kU8;
  uint64_t count = 0;
  std::span<const std::byte> raw;
  std::vector<std::string_view> strings;
  std::vector<Array> arrays;
};

// Every integer type widens to u64 or i64, both float types to double.
using Value = std::variant<bool, uint64_t, int64_t, double, std::string_view, Array>;

// Element type of a tensor, with the numbers of the file format. Quantised types store rows as blocks of 32 elements.
enum class TensorType : uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ8_0 = 8 };

std::string_view name(TensorType type);
// Elements and bytes of one block; 1 and the element's size where the type is not quantised.
uint32_t block_elements(TensorType type);
uint32_t block_size_bytes(TensorType type);

struct TensorInfo {
  std::string_view name;
  TensorType type = TensorType::kF32;
  std::vector<int64_t> shape;  // outermost axis first (the file lists them innermost first)
  std::span<const std::byte> data;
};

// A parsed file. Strings, arrays and tensor data are views of the file's bytes.
class File {
 public:
  // Maps and parses a file. Errors: what MappedFile::open says; kDataLoss for a truncated or inconsistent file,
  // kInvalidArgument for what is no GGUF file, kUnsupported for another version or tensor type. Messages name the
  // file, the entry and the offset.
  static Result<File> open(const std::string& path);
  // The same from bytes that outlive the File; `label` stands for the path in messages.
  static Result<File> parse(std::span<const std::byte> bytes, std::string label);

  const std::string& label() const { return label_; }
  const std::map<std::string_view, Value>& metadata() const { return metadata_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }

  const Value* find(std::string_view key) const;
  const TensorInfo* find_tensor(std::string_view name) const;

  // A metadata value of a wanted kind. Errors: kNotFound if the key is missing, kInvalidArgument if its type or range
  // does not fit; both name the file and the key.
  Result<uint64_t> require_unsigned(std::string_view key) const;
  Result<double> require_number(std::string_view key) const;
  Result<std::string_view> require_string(std::string_view key) const;
  Result<std::span<const std::string_view>> require_strings(std::string_view key) const;
  // kNotFound if there is no tensor of this name.
  Result<const TensorInfo*> require_tensor(std::string_view name) const;

 private:
  Result<const Value*> require(std::string_view key) const;

  std::string label_;
  std::shared_ptr<const MappedFile> mapping_;
  std::map<std::string_view, Value> metadata_;
  std::vector<TensorInfo> tensors_;
  std::map<std::string_view, size_t> tensor_index_;
};

}  // namespace bw::tensor::gguf
