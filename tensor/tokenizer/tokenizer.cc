#include "tensor/tokenizer/tokenizer.h"

#include <array>
#include <queue>
#include <utility>

#include "tensor/tokenizer/pretokenizer.h"
#include "tensor/tokenizer/unicode.h"

namespace bw::tensor {
namespace {

constexpr std::string_view kReplacementText = "\xef\xbf\xbd";
constexpr int kByteCount = 256;
constexpr int32_t kControlToken = 3;  // tokenizer.ggml.token_type: a token that is never text
constexpr uint64_t kMaxTokens = uint64_t{1} << 24;

uint64_t pair_key(TokenId left, TokenId right) {
  return static_cast<uint64_t>(static_cast<uint32_t>(left)) << 32 | static_cast<uint32_t>(right);
}

// The code point that stands for each byte in a vocabulary: printable Latin-1 stands for itself, the other bytes
// follow from U+0100 on (bytes_to_unicode in https://github.com/openai/gpt-2/blob/master/src/encoder.py).
std::array<uint32_t, kByteCount> byte_alphabet() {
  std::array<uint32_t, kByteCount> alphabet{};
  uint32_t next = kByteCount;
  for (uint32_t byte = 0; byte < kByteCount; ++byte) {
    const bool printable =
        (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
    alphabet[byte] = printable ? byte : next++;
  }
  return alphabet;
}

// Bytes that a vocabulary entry stands for. An entry with characters outside the alphabet (a special token) stands for
// its own UTF-8.
std::string entry_bytes(std::string_view entry, const std::unordered_map<uint32_t, uint8_t>& byte_of) {
  std::string bytes;
  for (size_t i = 0; i < entry.size();) {
    const DecodedChar decoded = decode_utf8(entry, i);
    const auto found = byte_of.find(decoded.code_point);
    if (found == byte_of.end()) return std::string(entry);
    bytes.push_back(static_cast<char>(found->second));
    i += decoded.length_bytes;
  }
  return bytes;
}

Result<std::optional<TokenId>> read_token_id(const gguf::File& file, std::string_view key, size_t vocabulary_size) {
  if (file.find(key) == nullptr) return std::optional<TokenId>();
  BW_ASSIGN(const uint64_t id, file.require_unsigned(key));
  if (id >= vocabulary_size) {
    return error(StatusCode::kDataLoss, "{}: {} is {}, but the vocabulary has {} tokens", file.label(), key, id,
                 vocabulary_size);
  }
  return std::optional<TokenId>(static_cast<TokenId>(id));
}

// Marks tokens of the control type by emptying their bytes.
Status drop_control_tokens(const gguf::File& file, std::vector<std::string>& bytes_of) {
  constexpr std::string_view kKey = "tokenizer.ggml.token_type";
  const gguf::Value* value = file.find(kKey);
  if (value == nullptr) return Status::ok();
  const auto* types = std::get_if<gguf::Array>(value);
  if (types == nullptr || types->element_type != gguf::ValueType::kI32 || types->count != bytes_of.size()) {
    return error(StatusCode::kDataLoss, "{}: {} is not an array of one i32 for each of the {} tokens", file.label(),
                 kKey, bytes_of.size());
  }
  for (size_t id = 0; id < bytes_of.size(); ++id) {
    int32_t type = 0;
    std::memcpy(&type, types->raw.data() + id * sizeof type, sizeof type);
    if (type == kControlToken) bytes_of[id].clear();
  }
  return Status::ok();
}

// Replaces what is no UTF-8 by U+FFFD. Keeps back an incomplete character at the end in *rest if rest is given.
std::string sanitise(std::string_view bytes, std::string* rest) {
  std::string text;
  for (size_t i = 0; i < bytes.size();) {
    const DecodedChar decoded = decode_utf8(bytes, i);
    const size_t wanted = utf8_length(static_cast<uint8_t>(bytes[i]));
    const bool is_valid = wanted != 0 && decoded.length_bytes == wanted;
    if (is_valid) {
      text += bytes.substr(i, wanted);
      i += wanted;
      continue;
    }
    size_t present = 1;
    while (present < wanted && i + present < bytes.size() &&
           (static_cast<uint8_t>(bytes[i + present]) & 0xc0) == 0x80) {
      ++present;
    }
    if (rest != nullptr && i + present == bytes.size() && present < wanted) {
      *rest = std::string(bytes.substr(i));
      return text;
    }
    text += kReplacementText;
    i += 1;
  }
  if (rest != nullptr) rest->clear();
  return text;
}

}  // namespace

Result<Tokenizer> Tokenizer::create(const gguf::File& file) {
  BW_ASSIGN(const std::string_view model, file.require_string("tokenizer.ggml.model"));
  if (model != "gpt2") {
    return error(StatusCode::kUnsupported,
                 "{}: the tokeniser model '{}' is not supported, only 'gpt2' (byte-level byte-pair encoding)",
                 file.label(), model);
  }
  if (file.find("tokenizer.ggml.pre") != nullptr) {
    BW_ASSIGN(const std::string_view pre, file.require_string("tokenizer.ggml.pre"));
    if (pre != "gpt-2") {
      return error(StatusCode::kUnsupported, "{}: the pre-tokeniser '{}' is not supported, only 'gpt-2'", file.label(),
                   pre);
    }
  }
  Tokenizer tokenizer;
  BW_RETURN_IF_ERROR(tokenizer.read_tokens(file));
  BW_RETURN_IF_ERROR(tokenizer.read_merges(file));
  const size_t size = tokenizer.vocabulary_size();
  BW_ASSIGN(tokenizer.bos_, read_token_id(file, "tokenizer.ggml.bos_token_id", size));
  BW_ASSIGN(tokenizer.eos_, read_token_id(file, "tokenizer.ggml.eos_token_id", size));
  BW_RETURN_IF_ERROR(drop_control_tokens(file, tokenizer.bytes_of_));
  return tokenizer;
}

Status Tokenizer::read_tokens(const gguf::File& file) {
  BW_ASSIGN(const std::span<const std::string_view> tokens, file.require_strings("tokenizer.ggml.tokens"));
  if (tokens.empty() || tokens.size() > kMaxTokens) {
    return error(StatusCode::kDataLoss, "{}: tokenizer.ggml.tokens has {} entries", file.label(), tokens.size());
  }
  const auto alphabet = byte_alphabet();
  std::unordered_map<uint32_t, uint8_t> byte_of;
  for (int byte = 0; byte < kByteCount; ++byte) byte_of[alphabet[byte]] = static_cast<uint8_t>(byte);

  byte_ids_.assign(kByteCount, -1);
  for (size_t id = 0; id < tokens.size(); ++id) {
    std::string bytes = entry_bytes(tokens[id], byte_of);
    if (bytes.size() == 1 && byte_ids_[static_cast<uint8_t>(bytes[0])] < 0) {
      byte_ids_[static_cast<uint8_t>(bytes[0])] = static_cast<TokenId>(id);
    }
    bytes_of_.push_back(std::move(bytes));
  }
  return Status::ok();
}

Status Tokenizer::read_merges(const gguf::File& file) {
  BW_ASSIGN(const std::span<const std::string_view> tokens, file.require_strings("tokenizer.ggml.tokens"));
  BW_ASSIGN(const std::span<const std::string_view> merges, file.require_strings("tokenizer.ggml.merges"));
  std::unordered_map<std::string_view, TokenId> id_of;
  for (size_t id = 0; id < tokens.size(); ++id) id_of.emplace(tokens[id], static_cast<TokenId>(id));

  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view merge = merges[rank];
    const size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) {
      return error(StatusCode::kDataLoss, "{}: merge {} ('{}') is not two tokens with a space between", file.label(),
                   rank, merge);
    }
    const std::string_view left = merge.substr(0, space);
    const std::string_view right = merge.substr(space + 1);
    const auto left_id = id_of.find(left);
    const auto right_id = id_of.find(right);
    const auto merged_id = id_of.find(std::string(left).append(right));
    if (left_id == id_of.end() || right_id == id_of.end() || merged_id == id_of.end()) {
      return error(StatusCode::kDataLoss, "{}: merge {} ('{}') names a token that is not in the vocabulary",
                   file.label(), rank, merge);
    }
    merge_of_.emplace(pair_key(left_id->second, right_id->second),
                      Merge{static_cast<uint32_t>(rank), merged_id->second});
  }
  return Status::ok();
}

Result<std::vector<TokenId>> Tokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  for (std::string_view piece : split_gpt2(text)) BW_RETURN_IF_ERROR(encode_piece(piece, ids));
  return ids;
}

// Always carries out the merge of the lowest rank, the leftmost of equals. The symbols are a linked list over the
// positions of the piece and candidates wait in a heap, so that a long piece costs n log n.
Status Tokenizer::encode_piece(std::string_view piece, std::vector<TokenId>& ids) const {
  struct Symbol {
    TokenId id;
    size_t previous;
    size_t next;
  };
  struct Candidate {
    uint32_t rank;
    size_t left;
    uint64_t key;
    bool operator>(const Candidate& other) const { return rank != other.rank ? rank > other.rank : left > other.left; }
  };
  constexpr size_t kNone = ~size_t{0};
  std::vector<Symbol> symbols;
  for (size_t i = 0; i < piece.size(); ++i) {
    const auto byte = static_cast<uint8_t>(piece[i]);
    if (byte_ids_[byte] < 0) {
      return error(StatusCode::kUnsupported, "the vocabulary has no token for the byte {:#04x} of the text", byte);
    }
    symbols.push_back({byte_ids_[byte], i == 0 ? kNone : i - 1, i + 1 == piece.size() ? kNone : i + 1});
  }
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> heap;
  const auto consider = [&](size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const uint64_t key = pair_key(symbols[left].id, symbols[symbols[left].next].id);
    if (const auto found = merge_of_.find(key); found != merge_of_.end()) heap.push({found->second.rank, left, key});
  };
  for (size_t i = 0; i < symbols.size(); ++i) consider(i);
  while (!heap.empty()) {
    const Candidate best = heap.top();
    heap.pop();
    Symbol& left = symbols[best.left];
    // A candidate is stale once one of its sides has been merged into something else.
    if (left.id < 0 || left.next == kNone || pair_key(left.id, symbols[left.next].id) != best.key) continue;
    Symbol& right = symbols[left.next];
    left.id = merge_of_.at(best.key).merged;
    right.id = -1;
    left.next = right.next;
    if (left.next != kNone) symbols[left.next].previous = best.left;
    consider(left.previous);
    consider(best.left);
  }
  for (size_t i = 0; i < symbols.size(); i = symbols[i].next) {
    ids.push_back(symbols[i].id);
    if (symbols[i].next == kNone) break;
  }
  return Status::ok();
}

std::string_view Tokenizer::token_bytes(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= bytes_of_.size()) return {};
  return bytes_of_[static_cast<size_t>(id)];
}

std::string Tokenizer::decode(std::span<const TokenId> ids) const {
  std::string bytes;
  for (TokenId id : ids) bytes += token_bytes(id);
  return sanitise(bytes, nullptr);
}

std::string StreamDecoder::push(TokenId id) {
  pending_ += tokenizer_.token_bytes(id);
  std::string rest;
  std::string text = sanitise(pending_, &rest);
  pending_ = std::move(rest);
  return text;
}

std::string StreamDecoder::finish() {
  return sanitise(std::exchange(pending_, {}), nullptr);
}

}  // namespace bw::tensor
