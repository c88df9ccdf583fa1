// Owns: cutting the text of an expression into names, numbers and signs, with their places.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace bw::tensor {

// Both from 1; columns count bytes.
struct Place {
  size_t line = 1;
  size_t column = 1;
};

enum class TokenKind : uint8_t { kName, kNumber, kSign, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // of a sign: one of the operators and brackets; of the end: empty
  double number = 0;      // of a kNumber
  Place place;
};

// The last token is the kEnd. Errors: kInvalidArgument with the place of what is no token.
Result<std::vector<Token>> tokenize(std::string_view text);

// kInvalidArgument: "line 1, column 9: message".
Status error_at(Place place, std::string_view message);

}  // namespace bw::tensor
