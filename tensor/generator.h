// Owns: generating text with a model: greedy choice and sampling, when to stop, and perplexity.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/status.h"
#include "tensor/generation/sampling_options.h"
#include "tensor/models/llama.h"
#include "tensor/models/parallel_llama.h"

namespace bw::tensor {

// Draws from the distribution that `logits` give. The draw depends on the seed and `step` only, so that a run can be
// repeated, and resumed anywhere. Errors: kInvalidArgument for options out of range or no finite logit.
Result<TokenId> sample(std::span<const float> logits, const SamplingOptions& options, uint64_t step);

struct GenerateOptions {
  int64_t max_tokens = 128;
  SamplingOptions sampling = {};
  std::optional<TokenId> eos = {};  // ends the text and is not part of it
  // Tokens that the device decodes with one submission, without the host in between; 0: the host chooses each token.
  int64_t block_tokens = 32;
};

enum class StopReason : uint8_t { kMaxTokens, kEos, kContextFull, kCaller };

struct GenerateResult {
  std::vector<TokenId> ids;  // without the prompt
  StopReason reason = StopReason::kMaxTokens;
  double prompt_seconds = 0;  // until the first token is known, with compilation
  double decode_seconds = 0;  // of the tokens after the first
};

// Called with every token as it comes; false stops.
using TokenCallback = std::function<bool(TokenId)>;

// Continues `prompt` (which begins with bos where the model wants one).
// Errors: kInvalidArgument for an empty prompt or one longer than the context; the model's.
Result<GenerateResult> generate(Llama& model, std::span<const TokenId> prompt, const GenerateOptions& options,
                                const TokenCallback& on_token = {});

// The same on several cards.
Result<GenerateResult> generate(ParallelLlama& model, std::span<const TokenId> prompt, const GenerateOptions& options,
                                const TokenCallback& on_token = {});

// exp of the mean negative log likelihood of each token given those before it in its sequence, over all but the first
// token of each sequence. Errors: kInvalidArgument for sequences of fewer than 2 tokens or longer than the context.
Result<double> perplexity(Llama& model, std::span<const std::vector<TokenId>> sequences);

}  // namespace bw::tensor
