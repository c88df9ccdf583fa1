#include "tools/barewave/token_ids_file.h"

#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "base/mapped_file.h"

namespace bw::tools {
namespace {

using tensor::TokenId;
using Sequence = std::vector<TokenId>;

Result<Sequence> parse_line(std::string_view line, size_t number) {
  constexpr std::string_view kSeparators = " \t\r,";
  Sequence ids;
  for (;;) {
    const size_t begin = line.find_first_not_of(kSeparators);
    if (begin == std::string_view::npos) return ids;
    line.remove_prefix(begin);
    const std::string_view word = line.substr(0, line.find_first_of(kSeparators));
    TokenId id = 0;
    const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (problem != std::errc{} || end != word.data() + word.size()) {
      return error(StatusCode::kDataLoss, "line {}: '{}' is not a token id", number, word.substr(0, 40));
    }
    ids.push_back(id);
    line.remove_prefix(word.size());
  }
}

Result<std::vector<Sequence>> parse_lines(std::string_view text) {
  std::vector<Sequence> sequences;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    BW_ASSIGN(Sequence ids, parse_line(text.substr(0, end), number));
    if (!ids.empty()) sequences.push_back(std::move(ids));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return sequences;
}

Result<Sequence> sequence_of(const nlohmann::json& array) {
  Sequence ids;
  for (const nlohmann::json& id : array) {
    if (!id.is_number_integer()) return error(StatusCode::kDataLoss, "{} is not a token id", id.dump().substr(0, 40));
    const int64_t value = id.get<int64_t>();
    if (value < 0 || value > INT32_MAX) return error(StatusCode::kDataLoss, "{} is not a token id", value);
    ids.push_back(static_cast<TokenId>(value));
  }
  return ids;
}

Result<std::vector<Sequence>> parse_json(std::string_view text) {
  nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (json.is_object() && json.contains("perplexity_ids")) json = nlohmann::json(json["perplexity_ids"]);
  if (!json.is_array()) return error(StatusCode::kDataLoss, "neither lines of token ids nor a JSON array of them");
  std::vector<Sequence> sequences;
  if (json.empty() || !json.front().is_array()) {
    BW_ASSIGN(Sequence ids, sequence_of(json));
    sequences.push_back(std::move(ids));
    return sequences;
  }
  for (const nlohmann::json& inner : json) {
    if (!inner.is_array()) return error(StatusCode::kDataLoss, "arrays and single token ids are mixed");
    BW_ASSIGN(Sequence ids, sequence_of(inner));
    sequences.push_back(std::move(ids));
  }
  return sequences;
}

}  // namespace

Result<std::vector<Sequence>> read_token_ids(const std::string& path) {
  BW_ASSIGN(const MappedFile file, MappedFile::open(path));
  const std::string_view text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  const size_t first = text.find_first_not_of(" \t\r\n");
  const bool is_json = first != std::string_view::npos && (text[first] == '[' || text[first] == '{');
  auto sequences = is_json ? parse_json(text) : parse_lines(text);
  if (!sequences.is_ok())
    return std::move(sequences).status().with_context(fmt::format("reading token ids from {}", path));
  if (sequences->empty()) return error(StatusCode::kDataLoss, "reading token ids from {}: there are none", path);
  return sequences;
}

}  // namespace bw::tools
