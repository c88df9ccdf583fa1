// Owns: the words, numbers and signs of the text form, with their places.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace bw::ir {

// A cursor over text that came from outside. Every failure is kInvalidArgument with line and column, both from 1.
class Lexer {
 public:
  struct Place {
    size_t line = 1;
    size_t column = 1;
  };

  explicit Lexer(std::string_view text) : text_(text) {}

  // Where the next word, number or sign begins.
  Place place();
  bool at_end();
  // The next character, 0 at the end.
  char peek();
  // Takes the sign if it is next.
  bool accept(char sign);
  Status expect(char sign);
  Status expect_word(std::string_view word);

  // Letters, digits and underscores.
  Result<std::string_view> word();
  Result<int64_t> integer();
  Result<uint64_t> unsigned_integer();
  // Hexadecimal or decimal, inf, nan.
  Result<double> real();
  // In quotes, with \xNN.
  Result<std::string> quoted();
  // What follows a '%'.
  Result<uint64_t> reference();

  Status error_here(std::string_view message);
  static Status error_at(Place place, std::string_view message);

 private:
  void skip_space();
  void advance();
  std::string found();
  template <typename IsPart>
  std::string_view take_while(const IsPart& is_part);

  std::string_view text_;
  size_t position_ = 0;
  Place place_;
};

}  // namespace bw::ir
