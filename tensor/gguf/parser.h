// Owns: the byte level of GGUF: header, key-value pairs, tensor descriptions. Used by gguf.cc only.
#pragma once

#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "base/byte_reader.h"
#include "base/status.h"
#include "tensor/gguf/gguf.h"

namespace bw::tensor::gguf {

struct ParsedFile {
  std::map<std::string_view, Value> metadata;
  std::vector<TensorInfo> tensors;
  std::map<std::string_view, size_t> tensor_index;
};

// Reads everything from the header to the end of the tensor descriptions and checks that each tensor's data lies within
// `bytes`. Never allocates more than a small multiple of the size of `bytes`.
class Parser {
 public:
  explicit Parser(std::span<const std::byte> bytes) : bytes_(bytes), reader_(bytes) {}

  Result<ParsedFile> parse();

 private:
  // A tensor description whose data has not been located yet.
  struct PendingTensor {
    TensorInfo info;
    uint64_t offset = 0;
    uint64_t size_bytes = 0;
    size_t described_at = 0;
  };

  Status parse_header();
  Status parse_metadata();
  Status parse_tensor_infos();
  Status locate_tensors();
  Result<std::string_view> read_string();
  Result<Value> read_value(uint32_t type);
  Result<Value> read_scalar(ValueType type);
  Result<Array> read_array(int depth);
  Result<PendingTensor> read_tensor_info();
  Status check_alignment();

  std::span<const std::byte> bytes_;
  ByteReader reader_;
  uint64_t tensor_count_ = 0;
  uint64_t metadata_count_ = 0;
  uint64_t alignment_ = 32;  // what the format says holds without general.alignment
  std::vector<PendingTensor> pending_;
  ParsedFile result_;
};

}  // namespace bw::tensor::gguf
