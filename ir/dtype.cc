#include "ir/dtype.h"

#include <array>
#include <limits>

namespace bw::ir {
namespace {

enum class Kind : uint8_t { kBool, kSigned, kUnsigned, kFloat };

struct Row {
  std::string_view name;
  uint32_t size_bytes;
  Kind kind;
};

constexpr std::array<Row, kDTypeCount> kRows = {{{"bool", 1, Kind::kBool},
                                                 {"i8", 1, Kind::kSigned},
                                                 {"u8", 1, Kind::kUnsigned},
                                                 {"i16", 2, Kind::kSigned},
                                                 {"u16", 2, Kind::kUnsigned},
                                                 {"i32", 4, Kind::kSigned},
                                                 {"u32", 4, Kind::kUnsigned},
                                                 {"i64", 8, Kind::kSigned},
                                                 {"u64", 8, Kind::kUnsigned},
                                                 {"f16", 2, Kind::kFloat},
                                                 {"bf16", 2, Kind::kFloat},
                                                 {"f32", 4, Kind::kFloat},
                                                 {"f64", 8, Kind::kFloat}}};

const Row& row(DType dtype) {
  return kRows[static_cast<size_t>(dtype)];
}

}  // namespace

uint32_t size_bytes(DType dtype) {
  return row(dtype).size_bytes;
}
bool is_float(DType dtype) {
  return row(dtype).kind == Kind::kFloat;
}
bool is_integer(DType dtype) {
  return row(dtype).kind == Kind::kSigned || row(dtype).kind == Kind::kUnsigned;
}
bool is_signed(DType dtype) {
  return row(dtype).kind == Kind::kSigned || row(dtype).kind == Kind::kFloat;
}
std::string_view name(DType dtype) {
  return row(dtype).name;
}

std::optional<DType> dtype_from_name(std::string_view name) {
  for (size_t i = 0; i < kRows.size(); ++i) {
    if (kRows[i].name == name) return static_cast<DType>(i);
  }
  return std::nullopt;
}

int64_t min_integer(DType dtype) {
  if (row(dtype).kind != Kind::kSigned) return 0;
  return std::numeric_limits<int64_t>::min() >> (64 - 8 * size_bytes(dtype));
}

int64_t max_integer(DType dtype) {
  if (dtype == DType::kBool) return 1;
  if (dtype == DType::kU64) return std::numeric_limits<int64_t>::max();
  const uint32_t bits = 8 * size_bytes(dtype) - (row(dtype).kind == Kind::kSigned ? 1 : 0);
  return static_cast<int64_t>((uint64_t{1} << bits) - 1);
}

}  // namespace bw::ir
