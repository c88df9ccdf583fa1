#include "tensor/gguf/parser.h"

#include <bit>
#include <limits>
#include <utility>

#include "base/bits.h"

namespace bw::tensor::gguf {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint32_t kVersion = 3;
constexpr uint32_t kVersionOtherEndian = kVersion << 24;
constexpr uint32_t kMaxDimensions = 4;
constexpr int kMaxArrayDepth = 4;
// Fewest bytes that an entry can take, which bounds the counts a file can truthfully state.
constexpr uint64_t kMinMetadataBytes = 8 + 4 + 1;
constexpr uint64_t kMinTensorBytes = 8 + 4 + 4 + 8;

// Names of ggml's tensor types, for messages about those that are not supported. From enum ggml_type of
// ggml-org/ggml include/ggml.h; the numbers 4, 5 and 31..33, 36..38 are retired.
std::string_view ggml_type_name(uint32_t type) {
  static constexpr std::string_view kNames[] = {
      "F32",    "F16",   "Q4_0",  "Q4_1",   "",      "",      "Q5_0",    "Q5_1",   "Q8_0",    "Q8_1",
      "Q2_K",   "Q3_K",  "Q4_K",  "Q5_K",   "Q6_K",  "Q8_K",  "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
      "IQ4_NL", "IQ3_S", "IQ2_S", "IQ4_XS", "I8",    "I16",   "I32",     "I64",    "F64",     "IQ1_M",
      "BF16",   "",      "",      "",       "TQ1_0", "TQ2_0", "",        "",       "",        "MXFP4"};
  return type < std::size(kNames) ? kNames[type] : std::string_view();
}

// Bytes of one element of an array; 0 for a type that has no fixed size or does not exist.
uint32_t fixed_size_bytes(ValueType type) {
  switch (type) {
    case ValueType::kU8:
    case ValueType::kI8:
    case ValueType::kBool:
      return 1;
    case ValueType::kU16:
    case ValueType::kI16:
      return 2;
    case ValueType::kU32:
    case ValueType::kI32:
    case ValueType::kF32:
      return 4;
    case ValueType::kU64:
    case ValueType::kI64:
    case ValueType::kF64:
      return 8;
    case ValueType::kString:
    case ValueType::kArray:
      return 0;
  }
  return 0;
}

}  // namespace

Result<ParsedFile> Parser::parse() {
  BW_RETURN_IF_ERROR(parse_header());
  BW_RETURN_IF_ERROR(parse_metadata());
  BW_RETURN_IF_ERROR(check_alignment());
  BW_RETURN_IF_ERROR(parse_tensor_infos());
  BW_RETURN_IF_ERROR(locate_tensors());
  return std::move(result_);
}

Status Parser::parse_header() {
  auto magic = reader_.read_string(kMagic.size());
  if (!magic.is_ok() || magic.value() != kMagic) {
    return error(StatusCode::kInvalidArgument,
                 "not a GGUF file: it does not begin with \"GGUF\" (is it a model file?)");
  }
  BW_ASSIGN(const uint32_t version, reader_.read<uint32_t>());
  if (version == kVersionOtherEndian) {
    return error(StatusCode::kUnsupported, "a big-endian GGUF file is not supported (convert the model again)");
  }
  if (version != kVersion) {
    return error(StatusCode::kUnsupported, "GGUF version {}: only version {} is supported (convert the model again)",
                 version, kVersion);
  }
  BW_ASSIGN(tensor_count_, reader_.read<uint64_t>());
  BW_ASSIGN(metadata_count_, reader_.read<uint64_t>());
  if (metadata_count_ > reader_.remaining() / kMinMetadataBytes) {
    return error(StatusCode::kDataLoss, "header: {} metadata entries cannot lie in the {} bytes that follow",
                 metadata_count_, reader_.remaining());
  }
  if (tensor_count_ > reader_.remaining() / kMinTensorBytes) {
    return error(StatusCode::kDataLoss, "header: {} tensors cannot be described in the {} bytes that follow",
                 tensor_count_, reader_.remaining());
  }
  return Status::ok();
}

Status Parser::parse_metadata() {
  for (uint64_t i = 0; i < metadata_count_; ++i) {
    const size_t start = reader_.position();
    auto entry = [&]() -> Status {
      BW_ASSIGN(const std::string_view key, read_string());
      BW_ASSIGN(const uint32_t type, reader_.read<uint32_t>());
      auto value = read_value(type);
      if (!value.is_ok()) return std::move(value).status().with_context(fmt::format("key '{}'", key));
      if (!result_.metadata.emplace(key, std::move(value).value()).second) {
        return error(StatusCode::kDataLoss, "key '{}' occurs twice", key);
      }
      return Status::ok();
    };
    BW_RETURN_IF_ERROR(
        entry().with_context(fmt::format("metadata entry {} of {} at offset {}", i + 1, metadata_count_, start)));
  }
  return Status::ok();
}

Result<std::string_view> Parser::read_string() {
  BW_ASSIGN(const uint64_t length, reader_.read<uint64_t>());
  return reader_.read_string(length);
}

Result<Value> Parser::read_value(uint32_t type) {
  if (type > static_cast<uint32_t>(ValueType::kF64)) {
    return error(StatusCode::kDataLoss, "value type {} is unknown (the format defines 0 to 12)", type);
  }
  const auto value_type = static_cast<ValueType>(type);
  if (value_type == ValueType::kString) {
    BW_ASSIGN(const std::string_view text, read_string());
    return Value(text);
  }
  if (value_type == ValueType::kArray) {
    BW_ASSIGN(Array array, read_array(1));
    return Value(std::move(array));
  }
  return read_scalar(value_type);
}

Result<Value> Parser::read_scalar(ValueType type) {
  const auto widened = [this]<typename From, typename To>(From, To) -> Result<Value> {
    BW_ASSIGN(const From value, reader_.read<From>());
    return Value(static_cast<To>(value));
  };
  switch (type) {
    case ValueType::kU8:
      return widened(uint8_t{}, uint64_t{});
    case ValueType::kI8:
      return widened(int8_t{}, int64_t{});
    case ValueType::kU16:
      return widened(uint16_t{}, uint64_t{});
    case ValueType::kI16:
      return widened(int16_t{}, int64_t{});
    case ValueType::kU32:
      return widened(uint32_t{}, uint64_t{});
    case ValueType::kI32:
      return widened(int32_t{}, int64_t{});
    case ValueType::kU64:
      return widened(uint64_t{}, uint64_t{});
    case ValueType::kI64:
      return widened(int64_t{}, int64_t{});
    case ValueType::kF32:
      return widened(float{}, double{});
    case ValueType::kF64:
      return widened(double{}, double{});
    default:
      break;
  }
  BW_ASSIGN(const uint8_t value, reader_.read<uint8_t>());
  if (value > 1) return error(StatusCode::kDataLoss, "a bool has the value {}", value);
  return Value(value == 1);
}

Result<Array> Parser::read_array(int depth) {
  BW_ASSIGN(const uint32_t type, reader_.read<uint32_t>());
  BW_ASSIGN(const uint64_t count, reader_.read<uint64_t>());
  if (type > static_cast<uint32_t>(ValueType::kF64)) {
    return error(StatusCode::kDataLoss, "array element type {} is unknown (the format defines 0 to 12)", type);
  }
  Array array;
  array.element_type = static_cast<ValueType>(type);
  array.count = count;
  const uint32_t element_bytes = fixed_size_bytes(array.element_type);
  const uint64_t least_bytes = element_bytes != 0 ? element_bytes : sizeof(uint64_t);
  if (count > reader_.remaining() / least_bytes) {
    return error(StatusCode::kDataLoss, "an array of {} elements at offset {} does not fit in the {} bytes left", count,
                 reader_.position(), reader_.remaining());
  }
  if (element_bytes != 0) {
    BW_ASSIGN(array.raw, reader_.read_bytes(count * element_bytes));
    return array;
  }
  if (array.element_type == ValueType::kArray && depth >= kMaxArrayDepth) {
    return error(StatusCode::kUnsupported, "arrays nested deeper than {} are not supported", kMaxArrayDepth);
  }
  for (uint64_t i = 0; i < count; ++i) {
    if (array.element_type == ValueType::kString) {
      BW_ASSIGN(const std::string_view text, read_string());
      array.strings.push_back(text);
    } else {
      BW_ASSIGN(Array nested, read_array(depth + 1));
      array.arrays.push_back(std::move(nested));
    }
  }
  return array;
}

Status Parser::check_alignment() {
  const auto found = result_.metadata.find("general.alignment");
  if (found == result_.metadata.end()) return Status::ok();
  const auto* alignment = std::get_if<uint64_t>(&found->second);
  if (alignment == nullptr || !std::has_single_bit(*alignment) || *alignment > (uint64_t{1} << 30)) {
    return error(StatusCode::kDataLoss, "general.alignment is not a power of two up to 2^30");
  }
  alignment_ = *alignment;
  return Status::ok();
}

Status Parser::parse_tensor_infos() {
  for (uint64_t i = 0; i < tensor_count_; ++i) {
    const size_t start = reader_.position();
    auto tensor = read_tensor_info();
    if (!tensor.is_ok()) {
      return std::move(tensor).status().with_context(
          fmt::format("tensor description {} of {} at offset {}", i + 1, tensor_count_, start));
    }
    tensor->described_at = start;
    if (!result_.tensor_index.emplace(tensor->info.name, pending_.size()).second) {
      return error(StatusCode::kDataLoss, "tensor description {} of {} at offset {}: the name '{}' occurs twice", i + 1,
                   tensor_count_, start, tensor->info.name);
    }
    pending_.push_back(std::move(tensor).value());
  }
  return Status::ok();
}

Result<Parser::PendingTensor> Parser::read_tensor_info() {
  PendingTensor tensor;
  BW_ASSIGN(tensor.info.name, read_string());
  const std::string_view tensor_name = tensor.info.name;
  BW_ASSIGN(const uint32_t dimensions, reader_.read<uint32_t>());
  if (dimensions == 0 || dimensions > kMaxDimensions) {
    return error(StatusCode::kDataLoss, "tensor '{}' has {} dimensions, not 1 to {}", tensor_name, dimensions,
                 kMaxDimensions);
  }
  tensor.info.shape.resize(dimensions);
  uint64_t elements = 1;
  for (uint32_t axis = dimensions; axis-- > 0;) {
    BW_ASSIGN(const uint64_t extent, reader_.read<uint64_t>());
    if (extent == 0) return error(StatusCode::kDataLoss, "tensor '{}' has an extent of 0", tensor_name);
    constexpr auto kMost = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (extent > kMost / elements) {
      return error(StatusCode::kDataLoss, "the extents of tensor '{}' multiply to more than 2^63 - 1", tensor_name);
    }
    elements *= extent;
    tensor.info.shape[axis] = static_cast<int64_t>(extent);
  }
  BW_ASSIGN(const uint32_t type, reader_.read<uint32_t>());
  tensor.info.type = static_cast<TensorType>(type);
  const uint32_t per_block = block_elements(tensor.info.type);
  if (per_block == 0) {
    const std::string_view known = ggml_type_name(type);
    if (known.empty()) return error(StatusCode::kDataLoss, "tensor '{}' has the unknown type {}", tensor_name, type);
    return error(StatusCode::kUnsupported,
                 "tensor '{}' has type {}: only F32, F16, Q8_0 and Q4_0 are supported (quantise the model to Q8_0)",
                 tensor_name, known);
  }
  if (tensor.info.shape.back() % per_block != 0) {
    return error(StatusCode::kDataLoss, "tensor '{}': rows of {} elements are no multiple of the {} in a {} block",
                 tensor_name, tensor.info.shape.back(), per_block, name(tensor.info.type));
  }
  const uint64_t blocks = elements / per_block;
  if (blocks > std::numeric_limits<uint64_t>::max() / block_size_bytes(tensor.info.type)) {
    return error(StatusCode::kDataLoss, "the size of tensor '{}' overflows", tensor_name);
  }
  tensor.size_bytes = blocks * block_size_bytes(tensor.info.type);
  BW_ASSIGN(tensor.offset, reader_.read<uint64_t>());
  return tensor;
}

Status Parser::locate_tensors() {
  if (pending_.empty()) return Status::ok();
  const uint64_t data_start = align_up(reader_.position(), alignment_);
  if (data_start > bytes_.size()) {
    return error(StatusCode::kDataLoss, "the tensor data should begin at offset {}, but the file has only {} bytes",
                 data_start, bytes_.size());
  }
  const std::span<const std::byte> data = bytes_.subspan(data_start);
  for (PendingTensor& tensor : pending_) {
    if (!is_aligned(tensor.offset, alignment_)) {
      return error(StatusCode::kDataLoss,
                   "tensor '{}' (described at offset {}): its data offset {} is no multiple of {}", tensor.info.name,
                   tensor.described_at, tensor.offset, alignment_);
    }
    if (tensor.offset > data.size() || tensor.size_bytes > data.size() - tensor.offset) {
      return error(
          StatusCode::kDataLoss,
          "tensor '{}' (described at offset {}): {} bytes at data offset {} go past the end of the file, which "
          "has {} bytes of tensor data (is the file complete?)",
          tensor.info.name, tensor.described_at, tensor.size_bytes, tensor.offset, data.size());
    }
    tensor.info.data = data.subspan(tensor.offset, tensor.size_bytes);
    result_.tensors.push_back(std::move(tensor.info));
  }
  return Status::ok();
}

}  // namespace bw::tensor::gguf
