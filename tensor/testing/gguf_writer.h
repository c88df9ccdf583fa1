// Owns: writing small GGUF files in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/gguf/gguf.h"

namespace bw::tensor::testing {

// Collects entries and writes them in order. Does not check anything, so that wrong files can be made.
class GgufWriter {
 public:
  uint32_t magic = 0x46554747;  // "GGUF"
  uint32_t version = 3;
  uint64_t alignment = 32;

  GgufWriter& text(std::string_view key, std::string_view value) {
    begin_value(key, gguf::ValueType::kString);
    put_string(metadata_, value);
    return *this;
  }
  GgufWriter& texts(std::string_view key, const std::vector<std::string>& values) {
    begin_array(key, gguf::ValueType::kString, values.size());
    for (const std::string& value : values) put_string(metadata_, value);
    return *this;
  }
  template <typename T>
  GgufWriter& number(std::string_view key, gguf::ValueType type, T value) {
    begin_value(key, type);
    put(metadata_, value);
    return *this;
  }
  GgufWriter& u32(std::string_view key, uint32_t value) { return number(key, gguf::ValueType::kU32, value); }
  GgufWriter& f32(std::string_view key, float value) { return number(key, gguf::ValueType::kF32, value); }
  template <typename T>
  GgufWriter& numbers(std::string_view key, gguf::ValueType type, const std::vector<T>& values) {
    begin_array(key, type, values.size());
    for (T value : values) put(metadata_, value);
    return *this;
  }
  // Raw bytes of an entry after its key, beginning with the type.
  GgufWriter& raw(std::string_view key, std::span<const uint32_t> dwords) {
    put_string(metadata_, key);
    for (uint32_t dword : dwords) put(metadata_, dword);
    ++metadata_count_;
    return *this;
  }
  // `extents` innermost first, as in the file.
  GgufWriter& tensor(std::string_view name, std::span<const uint64_t> extents, uint32_t type, uint64_t offset) {
    put_string(tensors_, name);
    put(tensors_, static_cast<uint32_t>(extents.size()));
    for (uint64_t extent : extents) put(tensors_, extent);
    put(tensors_, type);
    put(tensors_, offset);
    ++tensor_count_;
    return *this;
  }
  // A tensor with its data, placed after those before it.
  GgufWriter& tensor(std::string_view name, std::vector<uint64_t> extents, gguf::TensorType type,
                     std::span<const std::byte> data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    tensor(name, extents, static_cast<uint32_t>(type), data_.size());
    data_.insert(data_.end(), data.begin(), data.end());
    return *this;
  }

  std::vector<std::byte> bytes() const {
    std::vector<std::byte> file;
    put(file, magic);
    put(file, version);
    put(file, tensor_count_);
    put(file, metadata_count_);
    file.insert(file.end(), metadata_.begin(), metadata_.end());
    file.insert(file.end(), tensors_.begin(), tensors_.end());
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    file.insert(file.end(), data_.begin(), data_.end());
    return file;
  }

 private:
  template <typename T>
  static void put(std::vector<std::byte>& to, T value) {
    const size_t at = to.size();
    to.resize(at + sizeof value);
    std::memcpy(to.data() + at, &value, sizeof value);
  }
  static void put_string(std::vector<std::byte>& to, std::string_view text) {
    put(to, static_cast<uint64_t>(text.size()));
    for (char c : text) to.push_back(static_cast<std::byte>(c));
  }
  void begin_value(std::string_view key, gguf::ValueType type) {
    put_string(metadata_, key);
    put(metadata_, static_cast<uint32_t>(type));
    ++metadata_count_;
  }
  void begin_array(std::string_view key, gguf::ValueType type, size_t count) {
    begin_value(key, gguf::ValueType::kArray);
    put(metadata_, static_cast<uint32_t>(type));
    put(metadata_, static_cast<uint64_t>(count));
  }

  std::vector<std::byte> metadata_;
  std::vector<std::byte> tensors_;
  std::vector<std::byte> data_;
  uint64_t metadata_count_ = 0;
  uint64_t tensor_count_ = 0;
};

}  // namespace bw::tensor::testing
