#include "tensor/tokenizer/pretokenizer.h"

#include <cstddef>

#include "tensor/tokenizer/unicode.h"

namespace bw::tensor {
namespace {

constexpr std::string_view kContractions[] = {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};

CharClass class_at(std::string_view text, size_t position, size_t* length_bytes) {
  const DecodedChar decoded = decode_utf8(text, position);
  *length_bytes = decoded.length_bytes;
  return classify(decoded.code_point);
}

// End of the run of characters of `wanted` that begins at `position`; sets *last to where its last character begins.
size_t run_end(std::string_view text, size_t position, CharClass wanted, size_t* last) {
  *last = position;
  while (position < text.size()) {
    size_t length = 0;
    if (class_at(text, position, &length) != wanted) break;
    *last = position;
    position += length;
  }
  return position;
}

size_t piece_end(std::string_view text, size_t start) {
  for (std::string_view contraction : kContractions) {
    if (text.substr(start, contraction.size()) == contraction) return start + contraction.size();
  }
  size_t length = 0;
  size_t last = 0;
  const CharClass first = class_at(text, start, &length);
  if (first != CharClass::kSpace) return run_end(text, start, first, &last);
  // One space joins the word, number or punctuation behind it.
  if (text[start] == ' ' && start + 1 < text.size()) {
    const CharClass next = class_at(text, start + 1, &length);
    if (next != CharClass::kSpace) return run_end(text, start + 1, next, &last);
  }
  // Of several spaces before something else, the last one is left for the next piece.
  const size_t end = run_end(text, start, CharClass::kSpace, &last);
  return end < text.size() && last > start ? last : end;
}

}  // namespace

std::vector<std::string_view> split_gpt2(std::string_view text) {
  std::vector<std::string_view> pieces;
  for (size_t start = 0; start < text.size();) {
    const size_t end = piece_end(text, start);
    pieces.push_back(text.substr(start, end - start));
    start = end;
  }
  return pieces;
}

}  // namespace bw::tensor
