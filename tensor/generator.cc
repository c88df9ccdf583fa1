#include "tensor/generator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace bw::tensor {
namespace {

// A number in [0, 1) from a seed and a counter: SplitMix64's output function (Steele, Lea and Flood, 2014) over a
// sequence that the seed starts.
double uniform(uint64_t seed, uint64_t counter) {
  uint64_t z = seed + (counter + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-53;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <typename Model>
Result<TokenId> next_token(Model& model, std::span<const TokenId> ids, int64_t position, const SamplingOptions& options,
                           uint64_t step) {
  if (options.temperature == 0) return model.greedy(ids, position);
  BW_ASSIGN(const std::vector<float> logits, model.last_logits(ids, position));
  return sample(logits, options, step);
}

// A text as it comes into being. Model: Llama or ParallelLlama.
template <typename Model>
class Generation {
 public:
  Generation(Model& model, const GenerateOptions& options, const TokenCallback& on_token)
      : model_(model), options_(options), on_token_(on_token) {}

  Status run_on_host(std::span<const TokenId> prompt) {
    std::span<const TokenId> pending = prompt;
    TokenId last = 0;
    int64_t position = 0;
    while (wants_more()) {
      if (position + static_cast<int64_t>(pending.size()) > model_.context()) return end(StopReason::kContextFull);
      BW_ASSIGN(last, next_token(model_, pending, position, options_.sampling, result_.ids.size()));
      position += static_cast<int64_t>(pending.size());
      pending = std::span<const TokenId>(&last, 1);
      add(last);
    }
    return end(result_.reason);
  }

  // The positions of all tokens are known beforehand, so the model is asked once.
  Status run_on_device(std::span<const TokenId> prompt) {
    const auto position = static_cast<int64_t>(prompt.size()) - 1;
    if (position > 0) BW_RETURN_IF_ERROR(model_.prefill(prompt.first(prompt.size() - 1), 0, options_.sampling));
    const int64_t room = model_.context() - position;
    if (!wants_more()) return end(result_.reason);
    const Llama::Decoding decoding{.last = prompt.back(),
                                   .position = position,
                                   .count = static_cast<size_t>(std::min(options_.max_tokens, room)),
                                   .block = static_cast<size_t>(options_.block_tokens),
                                   .stop_token = options_.eos,
                                   .sampling = options_.sampling};
    BW_RETURN_IF_ERROR(model_.decode(decoding, [&](TokenId id) {
      add(id);
      return !is_over_;
    }));
    return end(wants_more() ? StopReason::kContextFull : result_.reason);
  }

  GenerateResult take_result() { return std::move(result_); }

 private:
  bool wants_more() const { return !is_over_ && static_cast<int64_t>(result_.ids.size()) < options_.max_tokens; }

  void add(TokenId id) {
    if (result_.prompt_seconds == 0) {
      result_.prompt_seconds = seconds_since(start_);
      start_ = std::chrono::steady_clock::now();
    }
    if (options_.eos == id) {
      result_.reason = StopReason::kEos;
      is_over_ = true;
      return;
    }
    result_.ids.push_back(id);
    if (on_token_ && !on_token_(id)) {
      result_.reason = StopReason::kCaller;
      is_over_ = true;
    }
  }

  Status end(StopReason reason) {
    result_.reason = reason;
    result_.decode_seconds = seconds_since(start_);
    return Status::ok();
  }

  Model& model_;
  const GenerateOptions& options_;
  const TokenCallback& on_token_;
  GenerateResult result_;
  bool is_over_ = false;  // a token or the caller ended it
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// -log of the probability that `logits` give to `id`.
double negative_log_likelihood(std::span<const float> logits, TokenId id) {
  const double largest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (float logit : logits) sum += std::exp(logit - largest);
  return std::log(sum) + largest - logits[static_cast<size_t>(id)];
}

}  // namespace

Status check(const SamplingOptions& options) {
  if (!(options.temperature >= 0) || !std::isfinite(options.temperature)) {
    return error(StatusCode::kInvalidArgument, "sampling: the temperature is {}, not a number from 0 on",
                 options.temperature);
  }
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    return error(StatusCode::kInvalidArgument, "sampling: top-p is {}, not in (0, 1]", options.top_p);
  }
  return Status::ok();
}

Result<TokenId> sample(std::span<const float> logits, const SamplingOptions& options, uint64_t step) {
  BW_RETURN_IF_ERROR(check(options));
  std::vector<std::pair<double, TokenId>> candidates;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (std::isfinite(logits[id])) candidates.emplace_back(logits[id], static_cast<TokenId>(id));
  }
  if (candidates.empty()) return error(StatusCode::kInvalidArgument, "sampling: no logit is a finite number");
  std::sort(candidates.begin(), candidates.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  if (options.temperature == 0) return candidates.front().second;

  const double largest = candidates.front().first;
  if (options.top_k != 0 && options.top_k < candidates.size()) candidates.resize(options.top_k);
  double total = 0;
  for (auto& [weight, id] : candidates) {
    weight = std::exp((weight - largest) / options.temperature);
    total += weight;
  }
  double kept = 0;
  size_t count = 0;
  while (count < candidates.size() && (count == 0 || kept < options.top_p * total)) kept += candidates[count++].first;
  double left = uniform(options.seed, step) * kept;
  for (size_t i = 0; i + 1 < count; ++i) {
    left -= candidates[i].first;
    if (left < 0) return candidates[i].second;
  }
  return candidates[count - 1].second;
}

namespace {

Status check_prompt(std::span<const TokenId> prompt, int64_t context) {
  if (prompt.empty()) return error(StatusCode::kInvalidArgument, "generating text: the prompt has no tokens");
  const auto prompt_tokens = static_cast<int64_t>(prompt.size());
  if (prompt_tokens > context) {
    return error(StatusCode::kInvalidArgument,
                 "generating text: the prompt has {} tokens, but the context holds {} (shorten the prompt)",
                 prompt_tokens, context);
  }
  return Status::ok();
}

template <typename Model>
Result<GenerateResult> generate_with(Model& model, std::span<const TokenId> prompt, const GenerateOptions& options,
                                     const TokenCallback& on_token) {
  BW_RETURN_IF_ERROR(check_prompt(prompt, model.context()));
  BW_RETURN_IF_ERROR(check(options.sampling));
  Generation<Model> generation(model, options, on_token);
  BW_RETURN_IF_ERROR(options.block_tokens > 0 ? generation.run_on_device(prompt) : generation.run_on_host(prompt));
  return generation.take_result();
}

}  // namespace

Result<GenerateResult> generate(Llama& model, std::span<const TokenId> prompt, const GenerateOptions& options,
                                const TokenCallback& on_token) {
  return generate_with(model, prompt, options, on_token);
}

Result<GenerateResult> generate(ParallelLlama& model, std::span<const TokenId> prompt, const GenerateOptions& options,
                                const TokenCallback& on_token) {
  return generate_with(model, prompt, options, on_token);
}

Result<double> perplexity(Llama& model, std::span<const std::vector<TokenId>> sequences) {
  double sum = 0;
  int64_t count = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    const std::vector<TokenId>& ids = sequences[i];
    if (ids.size() < 2) {
      return error(StatusCode::kInvalidArgument, "perplexity: sequence {} has {} tokens, not at least 2", i,
                   ids.size());
    }
    BW_ASSIGN(const std::vector<float> logits, model.logits(ids, 0));
    const size_t vocabulary = logits.size() / ids.size();
    for (size_t at = 1; at < ids.size(); ++at) {
      const auto row = std::span(logits).subspan((at - 1) * vocabulary, vocabulary);
      sum += negative_log_likelihood(row, ids[at]);
      ++count;
    }
  }
  if (count == 0) return error(StatusCode::kInvalidArgument, "perplexity: there are no tokens");
  return std::exp(sum / static_cast<double>(count));
}

}  // namespace bw::tensor
