// Owns: byte-level byte-pair encoding in GPT-2's manner: text to token ids and back, from a GGUF file's own metadata.
// Not here: chat templates, and special tokens written out in text ("<|endoftext|>" in a prompt is plain text).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "tensor/gguf/gguf.h"

namespace bw::tensor {

using TokenId = int32_t;

// Immutable once made; safe to share between threads.
class Tokenizer {
 public:
  // Reads tokenizer.ggml.{model,pre,tokens,token_type,merges,bos_token_id,eos_token_id}.
  // Errors: kNotFound for a missing key, kUnsupported for a model other than "gpt2" or a pre-tokeniser other than
  // "gpt-2", kDataLoss for ids or merges that do not fit the vocabulary.
  static Result<Tokenizer> create(const gguf::File& file);

  // Ids of `text`, without bos. Any bytes are accepted. Error: kUnsupported if the vocabulary lacks one of the bytes.
  Result<std::vector<TokenId>> encode(std::string_view text) const;

  // The bytes of one token; empty for control tokens and ids outside the vocabulary. May be part of a character.
  std::string_view token_bytes(TokenId id) const;
  // The text of `ids`; bytes that are no UTF-8 become U+FFFD.
  std::string decode(std::span<const TokenId> ids) const;

  size_t vocabulary_size() const { return bytes_of_.size(); }
  std::optional<TokenId> bos() const { return bos_; }
  std::optional<TokenId> eos() const { return eos_; }

 private:
  struct Merge {
    uint32_t rank = 0;
    TokenId merged = 0;
  };

  Status read_tokens(const gguf::File& file);
  Status read_merges(const gguf::File& file);
  Status encode_piece(std::string_view piece, std::vector<TokenId>& ids) const;

  std::vector<std::string> bytes_of_;             // by id
  std::vector<TokenId> byte_ids_;                 // id of each single byte, -1 if there is none
  std::unordered_map<uint64_t, Merge> merge_of_;  // by pair_key(left, right)
  std::optional<TokenId> bos_;
  std::optional<TokenId> eos_;
};

// Turns ids into text as they come, holding back the bytes of a character that is not complete yet.
class StreamDecoder {
 public:
  // Borrows the tokenizer.
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  // The text that `id` completes; may be empty. Bytes that can never become a character are replaced by U+FFFD.
  std::string push(TokenId id);
  // What is left over at the end, as U+FFFD; empty if the last character was complete.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
};

}  // namespace bw::tensor
