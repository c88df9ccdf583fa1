// Owns: the graph of a step of the LLaMA decoder.
//
// It says what is computed; which values become buffers is the scheduler's choice (compiler/fusion.h).
#include <cmath>

#include "tensor/models/llama.h"

namespace bw::tensor {

// Root mean square normalisation (Zhang and Sennrich, 2019).
Tensor Llama::normalise(const Tensor& x, const Tensor& weight) const {
  const Tensor mean_square = (x * x).mean({-1}, Reduced::kKeep);
  return x * (mean_square + config_.rms_epsilon).rsqrt() * weight;
}

// Rotary position embedding (Su et al., 2021) of the heads in the rows of x: a pair (a, b), neighbours as GGUF stores q
// and k, turns into (a cos - b sin, b cos + a sin).
Tensor Llama::rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine, int64_t tokens) const {
  const Tensor pairs = x.reshape({tokens, -1, config_.head_dim / 2, 2});
  const Tensor rotated = pairs * cosine.unsqueeze(1) + pairs.flip({3}) * sine.unsqueeze(1);
  return rotated.reshape({tokens, -1, config_.head_dim});
}

// Grouped-query attention. h [T, dim] -> [T, heads * head_dim].
Tensor Llama::attention(const Layer& layer, const Tensor& h, const ir::NodePtr& pos, int64_t tokens) const {
  const int64_t groups = config_.heads / config_.kv_heads;
  const Dim begin(pos, 0);
  const Dim end(pos, tokens);
  const Tensor cosine = rope_cosine_.slice(0, begin, end);
  const Tensor sine = rope_sine_.slice(0, begin, end);

  const Tensor keys = rotate(layer.k.apply(h), cosine, sine, tokens);
  const Tensor values = layer.v.apply(h).reshape({tokens, config_.kv_heads, config_.head_dim});
  const Tensor k_cache = layer.k_cache.slice(0, begin, end).store(keys).slice(0, 0, end);
  const Tensor v_cache = layer.v_cache.slice(0, begin, end).store(values).slice(0, 0, end);

  // Axes from here on: kv head, group, position, cached position, element of a head.
  const Tensor q_heads = rotate(layer.q.apply(h), cosine, sine, tokens)
                             .reshape({tokens, config_.kv_heads, groups, config_.head_dim})
                             .permute({1, 2, 0, 3})
                             .unsqueeze(3);
  const Tensor k_heads = k_cache.permute({1, 0, 2}).reshape({config_.kv_heads, 1, 1, end, config_.head_dim});
  Tensor scores = (q_heads * k_heads).sum({-1}) * (1.0 / std::sqrt(static_cast<double>(config_.head_dim)));
  if (tokens > 1) {
    const Tensor query_position =
        Tensor::arange(runtime_, DType::kI32, tokens).reshape({tokens, 1}) + Tensor(runtime_, pos);
    const Tensor key_position = Tensor::arange(runtime_, DType::kI32, end);
    scores = where(query_position.lt(key_position), scores.scalar(-INFINITY), scores);
  }

  // One kernel from here to the end (compiler/attention_emit.h).
  const Tensor powers = (scores - scores.max({-1}, Reduced::kKeep)).exp();
  const Tensor inverse_sum = powers.sum({-1}, Reduced::kKeep).recip();
  const Tensor v_heads = v_cache.permute({1, 2, 0}).reshape({config_.kv_heads, 1, 1, config_.head_dim, end});
  const Tensor mixed = (powers.unsqueeze(3) * v_heads).sum({-1}) * inverse_sum;
  return mixed.permute({2, 0, 1, 3}).reshape({tokens, config_.heads * config_.head_dim});
}

// down(silu(gate(h)) * up(h)); Shazeer, 2020.
Tensor Llama::feed_forward(const Layer& layer, const Tensor& h) const {
  return layer.down.apply(layer.gate.apply(h).silu() * layer.up.apply(h));
}

Tensor Llama::forward(const Tensor& ids, const ir::NodePtr& pos, int64_t tokens) const {
  Tensor x = matrices_.front().gather_rows(ids);
  for (const Layer& layer : layers_) {
    const Tensor attended = attention(layer, normalise(x, layer.attention_norm), pos, tokens);
    x = x + layer.o.apply(attended);
    x = x + feed_forward(layer, normalise(x, layer.ffn_norm));
  }
  return matrices_.back().apply(normalise(x, output_norm_));
}

}  // namespace bw::tensor
