// Owns: a step of a divided decoder over some positions: one program for each card, which meet after each half of a
// layer, and at the end to choose a token. Not here: running them (parallel_llama.h), what a layer computes (llama.h).
//
// Each card computes a part of the sum that ends half a layer, publishes it, and reads those of the others: the parts
// are added in the order of the cards, so that all go on with the same bits. Of the logits each has its own part of the
// vocabulary; the best of each, or all, are published, and each card chooses the same token.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tensor/models/llama.h"

namespace bw::tensor {

struct ParallelProgram {
  // What one card has beside its weights and cache.
  struct Card {
    std::unique_ptr<PreparedProgram> program;
    Tensor ids;                 // [T] i32; with a choice of the token also where that goes
    std::vector<Tensor> parts;  // by half layer: [T, dim] f32, its part of the sum
    Tensor x[2];                // [T, dim] f32: the sums so far; taken in turn
    Tensor words;               // [meeting, card] i32: what the other cards tell this one
    // Where a token is chosen:
    Tensor logits;      // [1, its part of the vocabulary] f32
    Tensor best_value;  // [1] f32, of its logits
    Tensor best_token;  // [1] i32
    Tensor go_on;       // [1] i32: 0 once the stop token was chosen or nothing more is wanted
    Tensor stop_token;  // [1] i32; below 0: none
    SamplingInputs sampling;
  };

  std::vector<Card> cards;
  // Of the first card, [1] i32: the host may clear it at any time. All cards go by what the first one read of it.
  Tensor wanted;
  Tensor said;

  // `choice`: how the token after the last position is chosen; nothing: only the cache is filled.
  static Result<ParallelProgram> make(std::span<const std::unique_ptr<Llama>> shards, int64_t tokens,
                                      const std::optional<Llama::LoopKind>& choice);

  // Forgets what the cards have told each other: after runs that did not end. Nothing may be running.
  Status reset() const;
  ProgramCost cost() const;
};

}  // namespace bw::tensor
