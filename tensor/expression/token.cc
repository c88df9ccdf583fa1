#include "tensor/expression/token.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace bw::tensor {
namespace {

// Longer signs first.
constexpr std::array<std::string_view, 28> kSigns = {"<<", ">>", "<=", ">=", "==", "!=", "//", "+", "-", "*",
                                                     "/",  "%",  "@",  "<",  ">",  "=",  "&",  "|", "^", "~",
                                                     "(",  ")",  "[",  "]",  ",",  ":",  ";",  "."};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

class Tokenizer {
 public:
  explicit Tokenizer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> run() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        advance(1);
      } else if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') advance(1);
      } else if (is_letter(c)) {
        size_t length = 1;
        while (at_ + length < text_.size() && (is_letter(text_[at_ + length]) || is_digit(text_[at_ + length]))) {
          ++length;
        }
        push(TokenKind::kName, length, 0);
      } else if (is_digit(c) || (c == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]))) {
        BW_RETURN_IF_ERROR(number());
      } else {
        BW_RETURN_IF_ERROR(sign());
      }
    }
    push(TokenKind::kEnd, 0, 0);
    return std::move(tokens_);
  }

 private:
  Status number() {
    double value = 0;
    const auto [end, problem] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
    const auto length = static_cast<size_t>(end - (text_.data() + at_));
    if (problem != std::errc() || !std::isfinite(value)) return error_at(place_, "the number does not fit a double");
    if (at_ + length < text_.size() && is_letter(text_[at_ + length])) {
      return error_at(place_, "a number runs into a name");
    }
    push(TokenKind::kNumber, length, value);
    return Status::ok();
  }

  Status sign() {
    for (const std::string_view sign : kSigns) {
      if (text_.substr(at_, sign.size()) != sign) continue;
      push(TokenKind::kSign, sign.size(), 0);
      return Status::ok();
    }
    const auto byte = static_cast<unsigned char>(text_[at_]);
    if (byte > 0x20 && byte < 0x7f) return error_at(place_, fmt::format("unexpected '{}'", text_[at_]));
    return error_at(place_, fmt::format("unexpected byte 0x{:02x}", byte));
  }

  void push(TokenKind kind, size_t length, double value) {
    tokens_.push_back({kind, text_.substr(at_, length), value, place_});
    advance(length);
  }

  void advance(size_t count) {
    for (size_t i = 0; i < count; ++i, ++at_) {
      if (text_[at_] == '\n') {
        ++place_.line;
        place_.column = 1;
      } else {
        ++place_.column;
      }
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  Place place_;
  std::vector<Token> tokens_;
};

}  // namespace

Result<std::vector<Token>> tokenize(std::string_view text) {
  return Tokenizer(text).run();
}

Status error_at(Place place, std::string_view message) {
  return error(StatusCode::kInvalidArgument, "line {}, column {}: {}", place.line, place.column, message);
}

}  // namespace bw::tensor
