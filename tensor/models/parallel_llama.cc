#include "tensor/models/parallel_llama.h"

#include <utility>

namespace bw::tensor {

Result<std::unique_ptr<ParallelLlama>> ParallelLlama::load(const gguf::File& file,
                                                           std::span<const std::shared_ptr<Runtime>> runtimes,
                                                           const LlamaOptions& options) {
  if (runtimes.empty()) return error(StatusCode::kInvalidArgument, "dividing a model over 0 cards");
  std::unique_ptr<ParallelLlama> model(new ParallelLlama());  // NOLINT: the constructor is private
  for (const auto& runtime : runtimes) {
    LlamaOptions part = options;
    part.shard_index = static_cast<int64_t>(model->shards_.size());
    part.shard_count = static_cast<int64_t>(runtimes.size());
    BW_ASSIGN(std::unique_ptr<Llama> shard, Llama::load(file, runtime, part));
    model->runtimes_.push_back(runtime);
    model->shards_.push_back(std::move(shard));
  }
  return model;
}

Result<Tensor> ParallelLlama::sum_of(size_t card, const Stage& before, int64_t tokens) const {
  const std::shared_ptr<Runtime>& runtime = runtimes_[card];
  const std::vector<int64_t> shape = {tokens, shards_[card]->config().dim};
  BW_ASSIGN(ir::NodePtr x, runtime->adopt(before.program->outputs()[0], DType::kF32, shape, "x"));
  BW_ASSIGN(ir::NodePtr own, runtime->adopt(before.program->outputs()[1], DType::kF32, shape, "own_part"));
  Tensor sum;
  for (size_t other = 0; other < shards_.size(); ++other) {
    const Tensor part = other == card ? Tensor(runtime, own) : before.parts[other];
    sum = other == 0 ? part : sum + part;
  }
  const Tensor next = Tensor(runtime, x) + sum;
  BW_RETURN_IF_ERROR(next.status());
  return next;
}

Result<std::vector<ParallelLlama::Stage>> ParallelLlama::make_stages(size_t half, const std::vector<Tensor>& x,
                                                                     int64_t tokens) const {
  std::vector<Stage> stages;
  for (size_t card = 0; card < shards_.size(); ++card) {
    const Llama& shard = *shards_[card];
    const Llama::Layer& layer = shard.layers_[half / 2];
    BW_ASSIGN(const ir::NodePtr pos, runtimes_[card]->builder().variable("pos", 0, context() - tokens));
    const bool is_attention = half % 2 == 0;
    const Tensor h = shard.normalise(x[card], is_attention ? layer.attention_norm : layer.ffn_norm);
    const Tensor part =
        is_attention ? layer.o.apply(shard.attention(layer, h, pos, tokens)) : shard.feed_forward(layer, h);
    BW_RETURN_IF_ERROR(part.status());
    const std::vector<ir::NodePtr> outputs = {x[card].node(), part.node()};
    Stage stage;
    BW_ASSIGN(stage.program, runtimes_[card]->prepare(outputs));
    for (size_t other = 0; other < shards_.size(); ++other) {
      stage.parts.push_back(Tensor::empty(runtimes_[card], DType::kF32, {tokens, shard.config().dim}, "part"));
      BW_RETURN_IF_ERROR(stage.parts.back().status());
    }
    stages.push_back(std::move(stage));
  }
  return stages;
}

Result<ParallelLlama::Step*> ParallelLlama::step(int64_t tokens) {
  if (const auto found = steps_.find(tokens); found != steps_.end()) return &found->second;
  Step fresh;
  std::vector<Tensor> x;
  for (size_t card = 0; card < shards_.size(); ++card) {
    fresh.ids.push_back(Tensor::empty(runtimes_[card], DType::kI32, {tokens}, "ids"));
    BW_RETURN_IF_ERROR(fresh.ids.back().status());
    x.push_back(shards_[card]->matrices_.front().gather_rows(fresh.ids.back()));
    BW_RETURN_IF_ERROR(x.back().status());
  }
  for (size_t half = 0; half < 2 * shards_[0]->layers_.size(); ++half) {
    BW_ASSIGN(std::vector<Stage> stages, make_stages(half, x, tokens));
    for (size_t card = 0; card < shards_.size(); ++card) {
      BW_ASSIGN(x[card], sum_of(card, stages[card], tokens));
    }
    fresh.stages.push_back(std::move(stages));
  }
  const Llama& first = *shards_[0];
  const Tensor logits = first.matrices_.back().apply(first.normalise(x[0], first.output_norm_));
  BW_RETURN_IF_ERROR(logits.status());
  std::vector<ir::NodePtr> outputs = {logits.node()};
  if (tokens == 1) outputs.push_back(logits.argmax().node());
  BW_ASSIGN(fresh.last, runtimes_[0]->prepare(outputs));
  return &steps_.emplace(tokens, std::move(fresh)).first->second;
}

Status ParallelLlama::run_step(Step& step, std::span<const TokenId> ids, int64_t position) {
  const VariableValues variables = {{"pos", position}};
  for (const Tensor& memory : step.ids) BW_RETURN_IF_ERROR(memory.buffer()->write(0, std::as_bytes(ids)));
  for (const std::vector<Stage>& stages : step.stages) {
    for (const Stage& stage : stages) BW_RETURN_IF_ERROR(stage.program->start(variables));
    for (size_t from = 0; from < stages.size(); ++from) {
      for (size_t to = 0; to < stages.size(); ++to) {
        if (from == to) continue;
        BW_RETURN_IF_ERROR(runtimes_[from]->executor().send(
            *stages[from].program->outputs()[1], runtimes_[to]->executor(), *stages[to].parts[from].buffer()));
      }
    }
  }
  BW_RETURN_IF_ERROR(step.last->start(variables));
  // The next step overwrites what these copies read and write.
  for (const auto& runtime : runtimes_) BW_RETURN_IF_ERROR(runtime->executor().wait());
  return Status::ok();
}

Result<ParallelLlama::Step*> ParallelLlama::run(std::span<const TokenId> ids, int64_t position) {
  BW_RETURN_IF_ERROR(shards_[0]->check(ids, position));
  Step* step = nullptr;
  for (size_t done = 0; done < ids.size();) {
    const size_t left = ids.size() - 1 - done;
    const auto tokens = static_cast<size_t>(shards_[0]->step_size(static_cast<int64_t>(left)));
    BW_ASSIGN(step, this->step(static_cast<int64_t>(tokens)));
    BW_RETURN_IF_ERROR(run_step(*step, ids.subspan(done, tokens), position + static_cast<int64_t>(done)));
    done += tokens;
  }
  return step;
}

ProgramCost ParallelLlama::step_cost() const {
  ProgramCost total;
  const auto add = [&total](const PreparedProgram& program) {
    const ProgramCost cost = program.cost();
    total.kernel_count += cost.kernel_count;
    total.flops += cost.flops;
    total.bytes += cost.bytes;
  };
  const auto found = steps_.find(1);
  if (found == steps_.end()) return total;
  for (const std::vector<Stage>& stages : found->second.stages) {
    for (const Stage& stage : stages) add(*stage.program);
  }
  add(*found->second.last);
  return total;
}

Result<std::vector<float>> ParallelLlama::last_logits(std::span<const TokenId> ids, int64_t position) {
  BW_ASSIGN(Step * step, run(ids, position));
  std::vector<float> logits(static_cast<size_t>(shards_[0]->config().vocabulary));
  BW_RETURN_IF_ERROR(step->last->outputs()[0]->read(0, std::as_writable_bytes(std::span(logits))));
  return logits;
}

Result<TokenId> ParallelLlama::greedy(std::span<const TokenId> ids, int64_t position) {
  BW_ASSIGN(Step * step, run(ids, position));
  TokenId best = 0;
  BW_RETURN_IF_ERROR(step->last->outputs()[1]->read(0, std::as_writable_bytes(std::span(&best, 1))));
  return best;
}

}  // namespace bw::tensor
