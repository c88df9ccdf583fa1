#include "amdgpu/msgpack_reader.h"

namespace bw::amdgpu {

Result<uint64_t> MsgpackReader::read_big_endian(unsigned size_bytes) {
  BW_ASSIGN(auto bytes, reader_.read_bytes(size_bytes));
  uint64_t value = 0;
  for (std::byte byte : bytes) value = value << 8 | std::to_integer<uint64_t>(byte);
  return value;
}

Result<MsgpackReader::Head> MsgpackReader::read_head() {
  BW_ASSIGN(uint8_t code, reader_.read<uint8_t>());
  if (code < 0x80) return Head{Head::Type::kUint, code};
  if (code < 0x90) return Head{Head::Type::kMap, code & 0x0fu};
  if (code < 0xa0) return Head{Head::Type::kArray, code & 0x0fu};
  if (code < 0xc0) return Head{Head::Type::kString, code & 0x1fu};
  if (code >= 0xe0) return Head{Head::Type::kNegative, 0};
  return read_wide_head(code);
}

// Codes 0xc0 to 0xdf. Within a type, each code doubles the size of the one before it.
Result<MsgpackReader::Head> MsgpackReader::read_wide_head(uint8_t code) {
  auto counted = [this](Head::Type type, unsigned size_bytes, uint64_t extra) -> Result<Head> {
    BW_ASSIGN(uint64_t value, read_big_endian(size_bytes));
    return Head{type, value + extra};
  };
  auto sized = [this](Head::Type type, unsigned size_bytes) -> Result<Head> {
    BW_RETURN_IF_ERROR(reader_.read_bytes(size_bytes).status());
    return Head{type, 0};
  };
  if (code == 0xc0) return Head{Head::Type::kNil, 0};
  if (code == 0xc1) return error(StatusCode::kDataLoss, "{:#x} begins no MessagePack value", code);
  if (code <= 0xc3) return Head{Head::Type::kBool, code & 1u};
  if (code <= 0xc6) return counted(Head::Type::kBinary, 1u << (code - 0xc4), 0);
  // The byte that names the extension counts as payload here.
  if (code <= 0xc9) return counted(Head::Type::kExt, 1u << (code - 0xc7), 1);
  if (code <= 0xcb) return sized(Head::Type::kFloat, 4u << (code - 0xca));
  if (code <= 0xcf) return counted(Head::Type::kUint, 1u << (code - 0xcc), 0);
  if (code <= 0xd3) return sized(Head::Type::kNegative, 1u << (code - 0xd0));
  if (code <= 0xd8) return Head{Head::Type::kExt, (1u << (code - 0xd4)) + 1u};
  if (code <= 0xdb) return counted(Head::Type::kString, 1u << (code - 0xd9), 0);
  if (code <= 0xdd) return counted(Head::Type::kArray, 2u << (code - 0xdc), 0);
  return counted(Head::Type::kMap, 2u << (code - 0xde), 0);
}

Result<uint64_t> MsgpackReader::expect(Head::Type type, std::string_view name) {
  const size_t position = reader_.position();
  BW_ASSIGN(Head head, read_head());
  if (head.type != type) {
    return error(StatusCode::kDataLoss, "the MessagePack value at offset {} is not {}", position, name);
  }
  return head.value;
}

Result<uint32_t> MsgpackReader::read_map() {
  BW_ASSIGN(uint64_t count, expect(Head::Type::kMap, "a map"));
  return static_cast<uint32_t>(count);
}

Result<uint32_t> MsgpackReader::read_array() {
  BW_ASSIGN(uint64_t count, expect(Head::Type::kArray, "an array"));
  return static_cast<uint32_t>(count);
}

Result<std::string_view> MsgpackReader::read_string() {
  BW_ASSIGN(uint64_t length, expect(Head::Type::kString, "a string"));
  return reader_.read_string(length);
}

Result<uint64_t> MsgpackReader::read_uint() {
  return expect(Head::Type::kUint, "an unsigned integer");
}

Status MsgpackReader::skip() {
  // Every value takes at least one byte, so hostile counts end with the data; no recursion, so depth costs nothing.
  for (uint64_t pending = 1; pending > 0; --pending) {
    BW_ASSIGN(Head head, read_head());
    switch (head.type) {
      case Head::Type::kString:
      case Head::Type::kBinary:
      case Head::Type::kExt:
        BW_RETURN_IF_ERROR(reader_.read_bytes(head.value).status());
        break;
      case Head::Type::kArray:
        pending += head.value;
        break;
      case Head::Type::kMap:
        pending += 2 * head.value;
        break;
      default:
        break;
    }
  }
  return Status::ok();
}

}  // namespace bw::amdgpu
