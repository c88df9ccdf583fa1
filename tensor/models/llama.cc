#include "tensor/models/llama.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <utility>

namespace bw::tensor {
namespace {

Result<WeightMatrix> load_matrix(const gguf::File& file, const std::shared_ptr<Runtime>& runtime,
                                 const std::string& name, int64_t rows, int64_t columns,
                                 const MatrixShard& shard = {}) {
  BW_ASSIGN(const gguf::TensorInfo* info, file.require_tensor(name));
  auto matrix = WeightMatrix::upload(runtime, *info, rows, columns, shard);
  if (!matrix.is_ok()) return std::move(matrix).status().with_context(file.label());
  return matrix;
}

Result<Tensor> load_vector(const gguf::File& file, const std::shared_ptr<Runtime>& runtime, const std::string& name,
                           int64_t extent) {
  BW_ASSIGN(const gguf::TensorInfo* info, file.require_tensor(name));
  auto vector = upload_vector(runtime, *info, extent);
  if (!vector.is_ok()) return std::move(vector).status().with_context(file.label());
  return vector;
}

// A tensor that is left out would change the results unnoticed.
Status check_all_known(const gguf::File& file, int64_t layers) {
  std::set<std::string, std::less<>> known = {"token_embd.weight", "output_norm.weight", "output.weight"};
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (const char* part :
         {"attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down"}) {
      known.insert(fmt::format("blk.{}.{}.weight", layer, part));
    }
  }
  for (const gguf::TensorInfo& tensor : file.tensors()) {
    if (known.contains(tensor.name)) continue;
    return error(StatusCode::kUnsupported, "{}: the tensor '{}' has no place in the supported 'llama' architecture",
                 file.label(), tensor.name);
  }
  return Status::ok();
}

}  // namespace

Result<std::unique_ptr<Llama>> Llama::load(const gguf::File& file, std::shared_ptr<Runtime> runtime,
                                           const LlamaOptions& options) {
  BW_ASSIGN(const LlamaConfig config, LlamaConfig::read(file));
  if (options.max_context < 0 || options.max_context > config.context || options.chunk_tokens < 1) {
    return error(StatusCode::kInvalidArgument, "loading {}: a context of {} (the model has {}) and chunks of {} tokens",
                 file.label(), options.max_context, config.context, options.chunk_tokens);
  }
  BW_ASSIGN(const LlamaConfig part, config.shard(options.shard_count));
  std::unique_ptr<Llama> model(new Llama(part, std::move(runtime)));  // NOLINT: the constructor is private
  model->shard_index_ = options.shard_index;
  model->shard_count_ = options.shard_count;
  model->context_ = options.max_context == 0 ? config.context : options.max_context;
  model->chunk_tokens_ = std::min(options.chunk_tokens, model->context_);
  BW_RETURN_IF_ERROR(model->load_weights(file));
  BW_RETURN_IF_ERROR(model->make_rope_tables());
  return model;
}

Status Llama::load_weights(const gguf::File& file) {
  // More layers than tensors would be found missing one by one below.
  if (static_cast<uint64_t>(config_.layers) > file.tensors().size()) {
    return error(StatusCode::kNotFound, "{}: {} tensors cannot make {} layers (is the model complete?)", file.label(),
                 file.tensors().size(), config_.layers);
  }
  BW_RETURN_IF_ERROR(check_all_known(file, config_.layers));
  BW_ASSIGN(WeightMatrix embedding, load_matrix(file, runtime_, "token_embd.weight", config_.vocabulary, config_.dim));
  matrices_.push_back(std::move(embedding));
  const bool has_output = file.find_tensor("output.weight") != nullptr;
  if (has_output || shard_count_ > 1) {
    const std::string name = has_output ? "output.weight" : "token_embd.weight";
    BW_ASSIGN(WeightMatrix output, load_matrix(file, runtime_, name, config_.vocabulary, config_.dim, row_shard()));
    matrices_.push_back(std::move(output));
  }
  BW_ASSIGN(output_norm_, load_vector(file, runtime_, "output_norm.weight", config_.dim));
  for (int64_t i = 0; i < config_.layers; ++i) {
    BW_ASSIGN(Layer layer, load_layer(file, i));
    layers_.push_back(std::move(layer));
  }
  return Status::ok();
}

Result<Llama::Layer> Llama::load_layer(const gguf::File& file, int64_t index) {
  // Heads and columns of the feed-forward part are divided over the shards: outputs of the matrices that make them,
  // inputs of those that take them. All else is whole.
  const int64_t shards = shard_count_;
  const MatrixShard outputs = row_shard();
  const MatrixShard inputs{.axis = MatrixShard::Axis::kColumns, .index = shard_index_, .count = shards};
  const auto matrix = [&](const char* part, int64_t rows, int64_t columns, const MatrixShard& shard) {
    return load_matrix(file, runtime_, fmt::format("blk.{}.{}.weight", index, part), rows, columns, shard);
  };
  const auto vector = [&](const char* part) {
    return load_vector(file, runtime_, fmt::format("blk.{}.{}.weight", index, part), config_.dim);
  };
  const int64_t kv_dim = config_.kv_dim() * shards;
  const int64_t ffn = config_.ffn * shards;
  BW_ASSIGN(Tensor attention_norm, vector("attn_norm"));
  BW_ASSIGN(WeightMatrix q, matrix("attn_q", config_.dim, config_.dim, outputs));
  BW_ASSIGN(WeightMatrix k, matrix("attn_k", kv_dim, config_.dim, outputs));
  BW_ASSIGN(WeightMatrix v, matrix("attn_v", kv_dim, config_.dim, outputs));
  BW_ASSIGN(WeightMatrix o, matrix("attn_output", config_.dim, config_.dim, inputs));
  BW_ASSIGN(Tensor ffn_norm, vector("ffn_norm"));
  BW_ASSIGN(WeightMatrix gate, matrix("ffn_gate", ffn, config_.dim, outputs));
  BW_ASSIGN(WeightMatrix up, matrix("ffn_up", ffn, config_.dim, outputs));
  BW_ASSIGN(WeightMatrix down, matrix("ffn_down", config_.dim, ffn, inputs));
  const std::vector<int64_t> cache_shape = {context_, config_.kv_heads, config_.head_dim};
  Tensor k_cache = Tensor::empty(runtime_, DType::kF32, cache_shape, fmt::format("k_cache_{}", index));
  Tensor v_cache = Tensor::empty(runtime_, DType::kF32, cache_shape, fmt::format("v_cache_{}", index));
  for (const Tensor* cache : {&k_cache, &v_cache}) {
    if (!cache->is_ok()) {
      return Status(cache->status())
          .with_advice(fmt::format("the cache of {} positions does not fit: choose a smaller context", context_));
    }
  }
  return Layer{attention_norm, q, k, v, o, ffn_norm, gate, up, down, k_cache, v_cache};
}

Status Llama::make_rope_tables() {
  const int64_t pairs = config_.head_dim / 2;
  std::vector<float> cosine(static_cast<size_t>(context_ * pairs));
  std::vector<float> sine(cosine.size() * 2);
  for (int64_t position = 0; position < context_; ++position) {
    for (int64_t pair = 0; pair < pairs; ++pair) {
      // Pairs beyond rope_dim are not rotated: angle 0.
      const double exponent = -2.0 * static_cast<double>(pair) / static_cast<double>(config_.rope_dim);
      const double angle =
          2 * pair < config_.rope_dim ? static_cast<double>(position) * std::pow(config_.rope_base, exponent) : 0.0;
      const auto at = static_cast<size_t>(position * pairs + pair);
      cosine[at] = static_cast<float>(std::cos(angle));
      sine[2 * at] = static_cast<float>(-std::sin(angle));
      sine[2 * at + 1] = static_cast<float>(std::sin(angle));
    }
  }
  rope_cosine_ = Tensor::from(runtime_, cosine, {context_, pairs, 1});
  rope_sine_ = Tensor::from(runtime_, sine, {context_, pairs, 2});
  BW_RETURN_IF_ERROR(rope_cosine_.status());
  return rope_sine_.status();
}

Result<std::vector<ir::NodePtr>> Llama::step_outputs(const Tensor& ids, int64_t tokens) {
  BW_RETURN_IF_ERROR(ids.status());
  BW_ASSIGN(const ir::NodePtr pos, runtime_->builder().variable("pos", 0, context_ - tokens));
  const Tensor logits = forward(ids, pos, tokens);
  BW_RETURN_IF_ERROR(logits.status());
  std::vector<ir::NodePtr> outputs = {logits.node()};
  if (tokens == 1) {
    const Tensor best = logits.argmax();
    BW_RETURN_IF_ERROR(best.status());
    outputs.push_back(best.node());
  }
  return outputs;
}

Result<std::vector<ir::NodePtr>> Llama::step_graph(int64_t tokens) {
  if (tokens < 1 || tokens > context_) {
    return error(StatusCode::kInvalidArgument, "a step over {} positions: the context has {}", tokens, context_);
  }
  return step_outputs(Tensor::empty(runtime_, DType::kI32, {tokens}, "ids"), tokens);
}

Result<Llama::Step*> Llama::step(int64_t tokens) {
  if (const auto found = steps_.find(tokens); found != steps_.end()) return &found->second;
  Step fresh;
  fresh.ids = Tensor::empty(runtime_, DType::kI32, {tokens}, "ids");
  BW_ASSIGN(const std::vector<ir::NodePtr> outputs, step_outputs(fresh.ids, tokens));
  auto program = runtime_->prepare(outputs);
  if (!program.is_ok()) {
    return std::move(program).status().with_context(fmt::format("preparing a step over {} tokens", tokens));
  }
  fresh.program = std::move(program).value();
  return &steps_.emplace(tokens, std::move(fresh)).first->second;
}

// Long prompts go in large steps, whose matrix products share what they load, their rest in smaller ones. Each size is
// a program to compile, so there are few.
int64_t Llama::step_size(int64_t left) const {
  constexpr int64_t kSmallestChunk = 16;
  for (int64_t size = chunk_tokens_; size > 1; size /= 4) {
    if (left >= size) return size;
    if (size / 4 < kSmallestChunk) break;
  }
  return 1;
}

Status Llama::check(std::span<const TokenId> ids, int64_t position) const {
  const auto count = static_cast<int64_t>(ids.size());
  if (position < 0 || count == 0 || count > context_ || position > context_ - count) {
    return error(StatusCode::kInvalidArgument, "running the model over {} tokens from position {}: the context has {}",
                 count, position, context_);
  }
  for (TokenId id : ids) {
    if (id < 0 || id >= config_.vocabulary) {
      return error(StatusCode::kInvalidArgument, "token id {} is not in 0..{}", id, config_.vocabulary - 1);
    }
  }
  return Status::ok();
}

Status Llama::run_step(Step& step, std::span<const TokenId> ids, int64_t position) {
  BW_RETURN_IF_ERROR(step.ids.buffer()->write(0, std::as_bytes(ids)));
  return step.program->run({{"pos", position}, {"draw", 0}});
}

Status Llama::run(std::span<const TokenId> ids, int64_t position, std::vector<float>* logits) {
  BW_RETURN_IF_ERROR(check(ids, position));
  const auto count = static_cast<int64_t>(ids.size());
  for (int64_t done = 0; done < count;) {
    // The last token always goes by itself unless its logits are read with those of its chunk: the best token is
    // chosen by the program for one.
    const int64_t left = logits == nullptr ? count - 1 - done : count - done;
    const int64_t tokens = step_size(left);
    BW_ASSIGN(Step * step, this->step(tokens));
    const auto part = ids.subspan(static_cast<size_t>(done), static_cast<size_t>(tokens));
    BW_RETURN_IF_ERROR(run_step(*step, part, position + done));
    if (logits != nullptr) {
      const size_t at = logits->size();
      logits->resize(at + static_cast<size_t>(tokens * config_.vocabulary));
      BW_RETURN_IF_ERROR(step->program->outputs()[0]->read(0, std::as_writable_bytes(std::span(*logits).subspan(at))));
    }
    done += tokens;
  }
  return Status::ok();
}

Result<std::vector<float>> Llama::logits(std::span<const TokenId> ids, int64_t position) {
  std::vector<float> logits;
  BW_RETURN_IF_ERROR(run(ids, position, &logits));
  return logits;
}

Result<std::vector<float>> Llama::last_logits(std::span<const TokenId> ids, int64_t position) {
  BW_RETURN_IF_ERROR(run(ids, position, nullptr));
  std::vector<float> logits(static_cast<size_t>(config_.vocabulary));
  BW_RETURN_IF_ERROR(steps_.at(1).program->outputs()[0]->read(0, std::as_writable_bytes(std::span(logits))));
  return logits;
}

Result<TokenId> Llama::greedy(std::span<const TokenId> ids, int64_t position) {
  BW_RETURN_IF_ERROR(run(ids, position, nullptr));
  TokenId best = 0;
  BW_RETURN_IF_ERROR(steps_.at(1).program->outputs()[1]->read(0, std::as_writable_bytes(std::span(&best, 1))));
  return best;
}

const PreparedProgram* Llama::single_step() const {
  if (last_loop_ != nullptr) return last_loop_->step.program.get();
  const auto found = steps_.find(1);
  return found == steps_.end() ? nullptr : found->second.program.get();
}

ProgramCost Llama::step_cost() const {
  const PreparedProgram* program = single_step();
  return program == nullptr ? ProgramCost{} : program->cost();
}

std::vector<LaunchDescription> Llama::step_launches() const {
  const PreparedProgram* program = single_step();
  return program == nullptr ? std::vector<LaunchDescription>{} : program->launches();
}

}  // namespace bw::tensor
