// Owns: reading little-endian values out of bytes that came from outside, with every step checked against the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/status.h"

namespace bw {

// A cursor over bytes it does not own. A read past the end returns kDataLoss that names the position and leaves the
// cursor where it was.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  size_t position() const { return position_; }
  size_t remaining() const { return bytes_.size() - position_; }

  // An integer or floating-point value, little endian.
  template <typename T>
  Result<T> read() {
    static_assert(std::is_arithmetic_v<T>);
    BW_ASSIGN(std::span<const std::byte> raw, read_bytes(sizeof(T)));
    T value;
    std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

  Result<std::span<const std::byte>> read_bytes(uint64_t count) {
    if (count > remaining()) {
      return error(StatusCode::kDataLoss, "reading {} bytes at offset {}: only {} are left", count, position_,
                   remaining());
    }
    auto result = bytes_.subspan(position_, count);
    position_ += count;
    return result;
  }

  Result<std::string_view> read_string(uint64_t count) {
    BW_ASSIGN(std::span<const std::byte> raw, read_bytes(count));
    return std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  }

  Status seek(uint64_t position) {
    if (position > bytes_.size()) {
      return error(StatusCode::kDataLoss, "seeking to offset {}: the data has {} bytes", position, bytes_.size());
    }
    position_ = position;
    return Status::ok();
  }

 private:
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
};

}  // namespace bw
