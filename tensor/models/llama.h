// Owns: a LLaMA-architecture decoder: weights, key-value cache and the program of a step over some positions. Not here:
// what to do with the logits (tensor/generator.h).
//
// The graph of a step is one for any number T of positions: decoding uses T = 1, prompts also a larger T. Where a
// sequence stands is the variable "pos", so that a program is compiled once. Weights stay in the file's type.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "tensor/generation/sampling_graph.h"
#include "tensor/generation/sampling_options.h"
#include "tensor/models/llama_config.h"
#include "tensor/models/weight_matrix.h"
#include "tensor/tensor.h"
#include "tensor/tokenizer/tokenizer.h"

namespace bw::tensor {

struct LlamaOptions {
  int64_t max_context = 0;     // positions that the cache holds; 0: what the model was trained for
  int64_t chunk_tokens = 128;  // most positions of a step over a prompt; 1: always one by one
  // A part of the heads, of the feed-forward columns and of the vocabulary's logits, for parallel_llama.h alone: by
  // itself it computes nothing.
  int64_t shard_index = 0;
  int64_t shard_count = 1;
};

// Belongs to one thread at a time.
class Llama {
 public:
  // Uploads the weights and allocates the cache; the file is not needed afterwards.
  // Errors: what LlamaConfig::read says; kNotFound for a missing tensor, kInvalidArgument for one of the wrong shape,
  // kUnsupported for one that this architecture does not know; the device's.
  static Result<std::unique_ptr<Llama>> load(const gguf::File& file, std::shared_ptr<Runtime> runtime,
                                             const LlamaOptions& options = {});

  const LlamaConfig& config() const { return config_; }
  // Positions that the cache holds.
  int64_t context() const { return context_; }
  // Of a step over one position, with the choice of the token; 0 before the first.
  ProgramCost step_cost() const;

  // The graph of a step over `tokens` positions, without preparing it: logits, and the best token where it is one.
  // Error: kInvalidArgument for more positions than the context has.
  Result<std::vector<ir::NodePtr>> step_graph(int64_t tokens);
  // Of the step of step_cost(), in order; empty before the first.
  std::vector<LaunchDescription> step_launches() const;

  // Runs the model over `ids` at the positions from `position` on; the cache must hold all positions before. Returns
  // the logits of every position, [ids.size(), vocabulary] row-major.
  // Errors: kInvalidArgument for ids outside the vocabulary or positions outside the context; the device's.
  Result<std::vector<float>> logits(std::span<const TokenId> ids, int64_t position);
  // The same for the last position alone.
  Result<std::vector<float>> last_logits(std::span<const TokenId> ids, int64_t position);
  // The most likely next token after `ids`, chosen on the device.
  Result<TokenId> greedy(std::span<const TokenId> ids, int64_t position);

  // Which kind of choice a loop makes; each is a program.
  struct LoopKind {
    bool samples = false;
    bool has_top_k = false;
    bool has_top_p = false;
    auto operator<=>(const LoopKind&) const = default;
  };

  // Decoding without the host between tokens: each is chosen on the device and is what the next step goes on from.
  struct Decoding {
    TokenId last = 0;                        // what the first step goes on from
    int64_t position = 0;                    // of `last`
    size_t count = 1;                        // steps
    size_t block = 0;                        // those of one submission, which the next follows; 0: all
    std::optional<TokenId> stop_token = {};  // the steps after one that chose it are left out
    SamplingOptions sampling = {};
    uint64_t draw = 0;  // number of the first token, of which with the seed the draw depends
  };
  using DecodeCallback = std::function<bool(TokenId)>;
  // Calls `on_token` with each token as it is known, while later steps go on, until it says false: steps that have not
  // begun by then are left out. The cache must hold all positions before.
  // Errors as logits().
  Status decode(const Decoding& decoding, const DecodeCallback& on_token);
  // Puts the positions of `ids` into the cache, for decode() with these options.
  Status prefill(std::span<const TokenId> ids, int64_t position, const SamplingOptions& sampling = {});

 private:
  friend class ParallelLlama;
  friend class ParallelProgramBuilder;
  friend struct ParallelProgram;
  struct Layer {
    Tensor attention_norm;
    WeightMatrix q, k, v, o;
    Tensor ffn_norm;
    WeightMatrix gate, up, down;
    Tensor k_cache;  // [context, kv_heads, head_dim] f32; k is rotated
    Tensor v_cache;
  };
  struct Step {
    Tensor ids;                                // [T] i32
    std::unique_ptr<PreparedProgram> program;  // outputs: logits [T, vocabulary] f32, best token [1] i32 where T = 1
  };

  // A step over one position that feeds itself (llama_decode.cc). Variables: "pos" and, of those that sample, "draw".
  struct Loop {
    Step step;          // its ids are also where the chosen token goes
    Tensor go_on;       // [1] i32: 0 once the stop token was chosen
    Tensor stop_token;  // [1] i32; below 0: none
    SamplingInputs sampling;
  };
  Llama(LlamaConfig config, std::shared_ptr<Runtime> runtime) : config_(config), runtime_(std::move(runtime)) {}

  // Of matrices whose rows are divided.
  MatrixShard row_shard() const {
    return {.axis = MatrixShard::Axis::kRows, .index = shard_index_, .count = shard_count_};
  }
  Status load_weights(const gguf::File& file);
  Result<Layer> load_layer(const gguf::File& file, int64_t index);
  Status make_rope_tables();
  Result<Step*> step(int64_t tokens);
  // The outputs of a step over these ids, [T] i32.
  Result<std::vector<ir::NodePtr>> step_outputs(const Tensor& ids, int64_t tokens);
  int64_t step_size(int64_t left) const;
  Status run(std::span<const TokenId> ids, int64_t position, std::vector<float>* logits);
  Status check(std::span<const TokenId> ids, int64_t position) const;
  Status run_step(Step& step, std::span<const TokenId> ids, int64_t position);
  static LoopKind kind_of(const SamplingOptions& options);
  Result<Loop*> loop(const LoopKind& kind);
  Result<Tensor> choose(const LoopKind& kind, const Tensor& logits, SamplingInputs& inputs);
  static Status write_sampling(const SamplingOptions& options, const SamplingInputs& inputs);
  // Of decode() if it was called, else of the host's steps; null before the first.
  const PreparedProgram* single_step() const;

  // The graph. T is the number of positions; x is [T, dim].
  Tensor forward(const Tensor& ids, const ir::NodePtr& pos, int64_t tokens) const;
  Tensor normalise(const Tensor& x, const Tensor& weight) const;
  Tensor attention(const Layer& layer, const Tensor& h, const ir::NodePtr& pos, int64_t tokens) const;
  Tensor rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine, int64_t tokens) const;
  Tensor feed_forward(const Layer& layer, const Tensor& h) const;

  LlamaConfig config_;  // of a shard: its own heads and feed-forward columns
  std::shared_ptr<Runtime> runtime_;
  int64_t shard_index_ = 0;
  int64_t shard_count_ = 1;
  int64_t context_ = 0;
  int64_t chunk_tokens_ = 1;
  std::vector<Layer> layers_;
  std::vector<WeightMatrix> matrices_;  // token embedding, and the output matrix (a part of it) unless it is the same
  Tensor output_norm_;
  Tensor rope_cosine_;             // [context, head_dim / 2, 1] f32
  Tensor rope_sine_;               // [context, head_dim / 2, 2] f32: -sin for the first of a pair, sin for the second
  std::map<int64_t, Step> steps_;  // by T
  std::map<LoopKind, Loop> loops_;
  const Loop* last_loop_ = nullptr;
};

}  // namespace bw::tensor
