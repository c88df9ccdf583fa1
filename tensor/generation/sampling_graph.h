// Owns: drawing a token from logits as a graph, so that kernels do it. Not here: the same in double precision on the
// host (sample() in tensor/generator.h), which says what is drawn.
#pragma once

#include <optional>

#include "tensor/tensor.h"

namespace bw::tensor {

// What the graph reads besides the logits. Memory, so that one program serves all settings.
struct SamplingInputs {
  Tensor temperature;           // [1] f32, above 0
  std::optional<Tensor> top_k;  // [1] f64: a whole number from 1 on. Absent: all tokens
  std::optional<Tensor> top_p;  // [1] f64, in (0, 1]. Absent: 1
  Tensor seed;                  // [1] u64
  Tensor step;                  // [1] i32: with the seed it determines the draw
};

// Draws one of `logits`, [1, vocabulary] f32: [1] i32. Agrees with sample() but where the exponentials, which are taken
// in f32, round the sum up to a token to the other side of what is drawn: about one in 10^6 draws.
//
// Access is static: the token is found by searching the place in the order of the logits (equal ones by id) up to which
// the probabilities sum to what is drawn, bit by bit, each time by summing over the whole vocabulary. Up to 32768
// tokens all of that is one kernel of one workgroup, which keeps the row in registers.
Tensor draw_token(const Tensor& logits, const SamplingInputs& inputs);

// In [0, 1), f64: what sample() draws with this seed and step.
Tensor uniform(const Tensor& seed, const Tensor& step);

}  // namespace bw::tensor
