#include "tensor/tokenizer/unicode.h"

#include <algorithm>
#include <span>

namespace bw::tensor {
namespace {

struct CodePointRange {
  uint32_t first;
  uint32_t last;
};

#include "tensor/tokenizer/unicode_ranges.inc"

constexpr CodePointRange kSpaceRanges[] = {{0x9, 0xd},       {0x20, 0x20},     {0x85, 0x85},     {0xa0, 0xa0},
                                           {0x1680, 0x1680}, {0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f},
                                           {0x205f, 0x205f}, {0x3000, 0x3000}};

constexpr uint32_t kReplacement = 0xfffd;

bool contains(std::span<const CodePointRange> ranges, uint32_t code_point) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), code_point,
                                      [](uint32_t point, const CodePointRange& range) { return point < range.first; });
  return after != ranges.begin() && code_point <= std::prev(after)->last;
}

}  // namespace

CharClass classify(uint32_t code_point) {
  if (contains(kLetterRanges, code_point)) return CharClass::kLetter;
  if (contains(kSpaceRanges, code_point)) return CharClass::kSpace;
  if (contains(kNumberRanges, code_point)) return CharClass::kNumber;
  return CharClass::kOther;
}

size_t utf8_length(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

DecodedChar decode_utf8(std::string_view text, size_t position) {
  const auto byte_at = [&](size_t i) { return static_cast<uint8_t>(text[position + i]); };
  const size_t length = utf8_length(byte_at(0));
  if (length == 1) return {byte_at(0), 1};
  if (length == 0 || length > text.size() - position) return {kReplacement, 1};
  uint32_t code_point = byte_at(0) & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte_at(i) & 0xc0) != 0x80) return {kReplacement, 1};
    code_point = code_point << 6 | (byte_at(i) & 0x3f);
  }
  constexpr uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < kSmallest[length] || code_point > 0x10ffff || surrogate) return {kReplacement, 1};
  return {code_point, length};
}

void append_utf8(uint32_t code_point, std::string& text) {
  const auto put = [&](uint32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

}  // namespace bw::tensor
