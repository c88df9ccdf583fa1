// Owns: a LLaMA decoder divided over several cards ("tensor parallel"; Shoeybi et al., Megatron-LM, 2019): each has its
// part of the heads and of the feed-forward columns and computes a partial sum of each half of a layer; the sums are
// copied from card to card and added on each, always in the order of the cards, so that all go on with the same bits.
// Not here: what a layer computes (llama.h), and what to do with the tokens.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "tensor/models/llama.h"

namespace bw::tensor {

// Belongs to one thread at a time.
class ParallelLlama {
 public:
  // One runtime for each card, whose executors can send() to each other. Embedding and output matrix are whole on each.
  // Errors: those of Llama::load; kInvalidArgument if heads or feed-forward columns do not divide by the cards.
  static Result<std::unique_ptr<ParallelLlama>> load(const gguf::File& file,
                                                     std::span<const std::shared_ptr<Runtime>> runtimes,
                                                     const LlamaOptions& options = {});

  // Of a step over one position, all cards together; 0 before the first.
  ProgramCost step_cost() const;

  // As those of Llama.
  int64_t context() const { return shards_[0]->context(); }
  Result<std::vector<float>> last_logits(std::span<const TokenId> ids, int64_t position);
  Result<TokenId> greedy(std::span<const TokenId> ids, int64_t position);

 private:
  // Half a layer on one card, or at the end the logits.
  struct Stage {
    std::unique_ptr<PreparedProgram> program;  // outputs: x before it, and its partial sum
    std::vector<Tensor> parts;                 // [card]: where the partial sums of the other cards arrive
  };
  struct Step {
    std::vector<Tensor> ids;                 // [card]
    std::vector<std::vector<Stage>> stages;  // [half layer][card]
    std::unique_ptr<PreparedProgram> last;   // of the first card: logits [T, vocabulary], best token [1]
  };

  ParallelLlama() = default;
  Result<Step*> step(int64_t tokens);
  // The value that goes into half a layer of a card, after the sum of the half before.
  Result<Tensor> sum_of(size_t card, const Stage& before, int64_t tokens) const;
  Result<std::vector<Stage>> make_stages(size_t half, const std::vector<Tensor>& x, int64_t tokens) const;
  Status run_step(Step& step, std::span<const TokenId> ids, int64_t position);
  // The last token by itself.
  Result<Step*> run(std::span<const TokenId> ids, int64_t position);

  std::vector<std::shared_ptr<Runtime>> runtimes_;
  std::vector<std::unique_ptr<Llama>> shards_;
  std::map<int64_t, Step> steps_;  // by T
};

}  // namespace bw::tensor
