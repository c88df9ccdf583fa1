// Owns: a LLaMA decoder divided over several cards ("tensor parallel"; Shoeybi et al., Megatron-LM, 2019): each has its
// part of the heads, of the feed-forward columns and of the logits. All run the same steps at the same time; the host
// hands each card its work, blocks of steps with one doorbell a card, and the cards wait for each other.
// Not here: what they compute and where they meet (parallel_program.h), and what to do with the tokens.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tensor/models/llama.h"
#include "tensor/models/parallel_program.h"

namespace bw::tensor {

// Belongs to one thread at a time.
class ParallelLlama {
 public:
  // One runtime for each card, whose executors were made together. The embedding is whole on each.
  // Errors: those of Llama::load; kInvalidArgument if heads or feed-forward columns do not divide by the cards.
  static Result<std::unique_ptr<ParallelLlama>> load(const gguf::File& file,
                                                     std::span<const std::shared_ptr<Runtime>> runtimes,
                                                     const LlamaOptions& options = {});

  // Of a step over one position, all cards together; 0 before the first.
  ProgramCost step_cost() const;

  // As those of Llama. After an error whoever has the devices recovers them all before the next call; what is in the
  // cache from the failed call's positions on must be made again.
  int64_t context() const { return shards_[0]->context(); }
  Result<std::vector<float>> last_logits(std::span<const TokenId> ids, int64_t position);
  Result<TokenId> greedy(std::span<const TokenId> ids, int64_t position);
  Status decode(const Llama::Decoding& decoding, const Llama::DecodeCallback& on_token);
  Status prefill(std::span<const TokenId> ids, int64_t position, const SamplingOptions& sampling = {});

 private:
  ParallelLlama() = default;
  Result<ParallelProgram*> filling(int64_t tokens);
  Result<ParallelProgram*> choosing(const Llama::LoopKind& kind);
  // Before anything is run: if the last run did not end, the cards' words are made good.
  Status make_ready();
  // Remembers errors, and adds what the other cards were doing.
  Status note(Status status);
  Status wait_all();
  Status fill(std::span<const TokenId> ids, int64_t position);
  Status run_step(ParallelProgram& program, std::span<const TokenId> ids, int64_t position);
  // The last token by itself.
  Result<ParallelProgram*> run(std::span<const TokenId> ids, int64_t position);
  Status start_decoding(const Llama::Decoding& decoding, ParallelProgram& program);
  // On all cards, as many runs as go at once; how many that is.
  Result<size_t> start_blocks(ParallelProgram& program, std::span<const VariableValues> runs, size_t most_at_once);

  std::vector<std::shared_ptr<Runtime>> runtimes_;
  std::vector<std::unique_ptr<Llama>> shards_;
  std::map<int64_t, ParallelProgram> filling_;  // by T
  std::map<Llama::LoopKind, ParallelProgram> choosing_;
  const ParallelProgram* last_ = nullptr;  // of choosing_
  bool has_failed_ = false;
};

}  // namespace bw::tensor
