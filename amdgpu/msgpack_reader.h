// Owns: reading MessagePack values out of untrusted bytes, one after the other. Source: the MessagePack specification.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/byte_reader.h"
#include "base/status.h"

namespace bw::amdgpu {

// A cursor. A value of another type than the one asked for is kDataLoss; the cursor then stands inside it.
class MsgpackReader {
 public:
  explicit MsgpackReader(std::span<const std::byte> bytes) : reader_(bytes) {}

  // The number of entries, which follow: key and value each.
  Result<uint32_t> read_map();
  Result<uint32_t> read_array();
  Result<std::string_view> read_string();
  Result<uint64_t> read_uint();
  // Steps over one value of any type, however deeply nested.
  Status skip();

 private:
  // The first byte of a value, and the count or length that its type carries.
  struct Head {
    enum class Type : uint8_t { kNil, kBool, kUint, kNegative, kFloat, kString, kBinary, kArray, kMap, kExt };
    Type type = Type::kNil;
    uint64_t value = 0;  // integer, entries, or payload bytes
  };
  Result<Head> read_head();
  Result<Head> read_wide_head(uint8_t code);
  Result<uint64_t> read_big_endian(unsigned size_bytes);
  Result<uint64_t> expect(Head::Type type, std::string_view name);

  ByteReader reader_;
};

}  // namespace bw::amdgpu
