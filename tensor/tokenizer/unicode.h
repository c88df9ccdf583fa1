// Owns: the little of Unicode that a GPT-2 tokeniser needs: UTF-8 in and out, and the classes \p{L}, \p{N} and \s.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace bw::tensor {

// \p{L} and \p{N} are the general categories L* and N* of the Unicode version named in unicode_ranges.inc; kSpace is
// the property White_Space.
enum class CharClass : uint8_t { kLetter, kNumber, kSpace, kOther };

CharClass classify(uint32_t code_point);

// One decoded character of a text.
struct DecodedChar {
  uint32_t code_point = 0;
  size_t length_bytes = 0;
};

// The character at text[position], position < text.size(). A byte that does not begin a well-formed UTF-8 sequence is
// a character of its own of class kOther (code point U+FFFD), so that every text can be cut up.
DecodedChar decode_utf8(std::string_view text, size_t position);

// Bytes of the sequence that `lead` begins: 1 to 4; 0 for a byte that begins none.
size_t utf8_length(uint8_t lead);

void append_utf8(uint32_t code_point, std::string& text);

}  // namespace bw::tensor
