// Owns: the hyperparameters of a LLaMA-architecture model, read from a GGUF file and checked.
#pragma once

#include <cstdint>

#include "base/status.h"
#include "tensor/gguf/gguf.h"

namespace bw::tensor {

struct LlamaConfig {
  int64_t vocabulary = 0;
  int64_t dim = 0;
  int64_t layers = 0;
  int64_t heads = 0;
  int64_t kv_heads = 0;
  int64_t head_dim = 0;  // dim / heads
  int64_t ffn = 0;
  int64_t context = 0;
  int64_t rope_dim = 0;  // the first so many elements of each head are rotated
  double rope_base = 10000.0;
  double rms_epsilon = 0;

  int64_t kv_dim() const { return kv_heads * head_dim; }

  // Of one of `count` equal parts of heads and feed-forward columns. kInvalidArgument if they cannot be divided so.
  Result<LlamaConfig> shard(int64_t count) const;

  // Errors, all with the file and the key: kUnsupported for another architecture or a feature that would change the
  // results (scaled RoPE, experts, other head sizes), kNotFound for missing keys, kInvalidArgument for values that do
  // not fit each other.
  static Result<LlamaConfig> read(const gguf::File& file);
};

}  // namespace bw::tensor
