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

// Codes 0xc0 to 0xdf.
Result<MsgpackReader::Head> MsgpackReader::read_wide_head(uint8_t code) {
  auto counted = [this](Head::Type type, unsigned size_bytes, uint64_t extra) -> Result<Head> {
    BW_ASSIGN(uint64_t value, read_big_endian(size_bytes));
    return Head{type, value + extra};
  };
  auto sized = [this](Head::Type type, unsigned size_bytes) -> Result<Head> {
    BW_RETURN_IF_ERROR(reader_.read_bytes(size_bytes).status());
    return Head{type, 0};
  };
  switch (code) {
    case 0xc0:
      return Head{Head::Type::kNil, 0};
    case 0xc2:
      return Head{Head::Type::kBool, 0};
    case 0xc3:
      return Head{Head::Type::kBool, 1};
    case 0xc4:
      return counted(Head::Type::kBinary, 1, 0);
    case 0xc5:
      return counted(Head::Type::kBinary, 2, 0);
    case 0xc6:
      return counted(Head::Type::kBinary, 4, 0);
    // The byte that names the extension counts as payload here.
    case 0xc7:
      return counted(Head::Type::kExt, 1, 1);
    case 0xc8:
      return counted(Head::Type::kExt, 2, 1);
    case 0xc9:
      return counted(Head::Type::kExt, 4, 1);
    case 0xca:
      return sized(Head::Type::kFloat, 4);
    case 0xcb:
      return sized(Head::Type::kFloat, 8);
    case 0xcc:
      return counted(Head::Type::kUint, 1, 0);
    case 0xcd:
      return counted(Head::Type::kUint, 2, 0);
    case 0xce:
      return counted(Head::Type::kUint, 4, 0);
    case 0xcf:
      return counted(Head::Type::kUint, 8, 0);
    case 0xd0:
      return sized(Head::Type::kNegative, 1);
    case 0xd1:
      return sized(Head::Type::kNegative, 2);
    case 0xd2:
      return sized(Head::Type::kNegative, 4);
    case 0xd3:
      return sized(Head::Type::kNegative, 8);
    case 0xd4:
      return Head{Head::Type::kExt, 2};
    case 0xd5:
      return Head{Head::Type::kExt, 3};
    case 0xd6:
      return Head{Head::Type::kExt, 5};
    case 0xd7:
      return Head{Head::Type::kExt, 9};
    case 0xd8:
      return Head{Head::Type::kExt, 17};
    case 0xd9:
      return counted(Head::Type::kString, 1, 0);
    case 0xda:
      return counted(Head::Type::kString, 2, 0);
    case 0xdb:
      return counted(Head::Type::kString, 4, 0);
    case 0xdc:
      return counted(Head::Type::kArray, 2, 0);
    case 0xdd:
      return counted(Head::Type::kArray, 4, 0);
    case 0xde:
      return counted(Head::Type::kMap, 2, 0);
    case 0xdf:
      return counted(Head::Type::kMap, 4, 0);
    default:
      return error(StatusCode::kDataLoss, "{:#x} begins no MessagePack value", code);
  }
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
