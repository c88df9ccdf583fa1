#include "ir/lexer.h"

#include <charconv>
#include <cmath>
#include <limits>

namespace bw::ir {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool parse_real(std::string_view text, double& value) {
  const bool is_negative = !text.empty() && text[0] == '-';
  if (is_negative) text.remove_prefix(1);
  const bool is_hex = text.substr(0, 2) == "0x";
  if (is_hex) text.remove_prefix(2);
  if (text.empty() || text[0] == '-') return false;
  const auto format = is_hex ? std::chars_format::hex : std::chars_format::general;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, format);
  if (is_negative) value = -value;
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  return code == std::errc() && end == text.data() + text.size();
}

}  // namespace

Status Lexer::error_at(Place place, std::string_view message) {
  return error(StatusCode::kInvalidArgument, "line {}, column {}: {}", place.line, place.column, message);
}

Status Lexer::error_here(std::string_view message) {
  return error_at(place(), message);
}

void Lexer::advance() {
  if (text_[position_] == '\n') {
    ++place_.line;
    place_.column = 1;
  } else {
    ++place_.column;
  }
  ++position_;
}

void Lexer::skip_space() {
  while (position_ < text_.size() && is_space(text_[position_])) advance();
}

Lexer::Place Lexer::place() {
  skip_space();
  return place_;
}

bool Lexer::at_end() {
  return peek() == 0 && position_ == text_.size();
}

char Lexer::peek() {
  skip_space();
  return position_ < text_.size() ? text_[position_] : '\0';
}

std::string Lexer::found() {
  if (at_end()) return "the end of the text";
  const auto byte = static_cast<unsigned char>(peek());
  return byte >= 0x20 && byte < 0x7f ? fmt::format("'{}'", peek()) : fmt::format("byte {:#04x}", byte);
}

bool Lexer::accept(char sign) {
  if (at_end() || peek() != sign) return false;
  advance();
  return true;
}

Status Lexer::expect(char sign) {
  if (accept(sign)) return Status::ok();
  return error_here(fmt::format("expected '{}', not {}", sign, found()));
}

template <typename IsPart>
std::string_view Lexer::take_while(const IsPart& is_part) {
  skip_space();
  const size_t begin = position_;
  while (position_ < text_.size() && is_part(text_[position_])) advance();
  return text_.substr(begin, position_ - begin);
}

Result<std::string_view> Lexer::word() {
  const Place begin = place();
  const std::string before = found();
  const std::string_view taken = take_while(is_word);
  if (taken.empty()) return error_at(begin, "expected a word, not " + before);
  return taken;
}

Status Lexer::expect_word(std::string_view expected) {
  const Place begin = place();
  BW_ASSIGN(const std::string_view taken, word());
  if (taken == expected) return Status::ok();
  return error_at(begin, fmt::format("expected '{}', not '{}'", expected, taken.substr(0, 40)));
}

Result<int64_t> Lexer::integer() {
  const Place begin = place();
  const std::string before = found();
  const std::string_view digits = take_while([](char c) { return is_digit(c) || c == '-' || c == '+'; });
  const std::string_view number = digits.substr(0, 1) == "+" ? digits.substr(1) : digits;
  int64_t value = 0;
  const auto [end, code] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (code == std::errc::result_out_of_range) return error_at(begin, "the number does not fit 64 bits");
  if (code != std::errc() || end != number.data() + number.size()) {
    return error_at(begin, "expected an integer, not " + before);
  }
  return value;
}

Result<uint64_t> Lexer::unsigned_integer() {
  const Place begin = place();
  const std::string before = found();
  const std::string_view digits = take_while(is_digit);
  uint64_t value = 0;
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (code == std::errc::result_out_of_range) return error_at(begin, "the number does not fit 64 bits");
  if (digits.empty()) return error_at(begin, "expected a number, not " + before);
  return value;
}

Result<double> Lexer::real() {
  const Place begin = place();
  const std::string before = found();
  const std::string_view token = take_while([](char c) { return is_word(c) || c == '.' || c == '-' || c == '+'; });
  double value = 0;
  if (!parse_real(token, value)) return error_at(begin, "expected a floating-point number, not " + before);
  return value;
}

Result<std::string> Lexer::quoted() {
  BW_RETURN_IF_ERROR(expect('"'));
  std::string result;
  while (position_ < text_.size() && text_[position_] != '"') {
    const char c = text_[position_];
    if (static_cast<unsigned char>(c) < 0x20) return error_at(place_, "a name must end on its line");
    if (c != '\\') {
      result += c;
      advance();
      continue;
    }
    const std::string_view escape = text_.substr(position_, 4);
    const int high = escape.size() == 4 && escape[1] == 'x' ? hex_digit(escape[2]) : -1;
    const int low = escape.size() == 4 ? hex_digit(escape[3]) : -1;
    if (high < 0 || low < 0) return error_at(place_, "expected \\xNN");
    result += static_cast<char>(high * 16 + low);
    for (int i = 0; i < 4; ++i) advance();
  }
  if (position_ == text_.size()) return error_at(place_, "the name has no closing quote");
  advance();
  return result;
}

Result<uint64_t> Lexer::reference() {
  BW_RETURN_IF_ERROR(expect('%'));
  return unsigned_integer();
}

}  // namespace bw::ir
