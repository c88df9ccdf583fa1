// Owns: decoding on the device: the step that chooses a token and feeds itself with it.
#include <algorithm>
#include <array>
#include <limits>

#include "tensor/models/llama.h"

namespace bw::tensor {
namespace {

template <typename T>
Status write_word(const Tensor& word, T value) {
  return word.buffer()->write(0, std::as_bytes(std::span(&value, 1)));
}

}  // namespace

Llama::LoopKind Llama::kind_of(const SamplingOptions& options) {
  if (options.temperature == 0) return {};
  return {.samples = true, .has_top_k = options.top_k != 0, .has_top_p = options.top_p != 1};
}

Status Llama::write_sampling(const SamplingOptions& options, const SamplingInputs& inputs) {
  if (options.temperature == 0) return Status::ok();
  BW_RETURN_IF_ERROR(tensor::check(options));
  // Within what has a reciprocal in f32.
  const double temperature = std::clamp(options.temperature, 1e-30, 1e30);
  BW_RETURN_IF_ERROR(write_word(inputs.temperature, static_cast<float>(temperature)));
  if (inputs.top_k) BW_RETURN_IF_ERROR(write_word(*inputs.top_k, static_cast<double>(options.top_k)));
  if (inputs.top_p) BW_RETURN_IF_ERROR(write_word(*inputs.top_p, options.top_p));
  return write_word(inputs.seed, options.seed);
}

// The chosen token, [1] i32.
Result<Tensor> Llama::choose(const LoopKind& kind, const Tensor& logits, SamplingInputs& inputs) {
  if (!kind.samples) return logits.argmax();
  inputs.temperature = Tensor::empty(runtime_, DType::kF32, {1}, "temperature");
  if (kind.has_top_k) inputs.top_k = Tensor::empty(runtime_, DType::kF64, {1}, "top_k");
  if (kind.has_top_p) inputs.top_p = Tensor::empty(runtime_, DType::kF64, {1}, "top_p");
  inputs.seed = Tensor::empty(runtime_, DType::kU64, {1}, "seed");
  BW_ASSIGN(const ir::NodePtr draw, runtime_->builder().variable("draw", 0, std::numeric_limits<int32_t>::max() - 1));
  inputs.step = Tensor(runtime_, draw).reshape({1});
  return draw_token(logits, inputs);
}

Result<Llama::Loop*> Llama::loop(const LoopKind& kind) {
  if (const auto found = loops_.find(kind); found != loops_.end()) {
    last_loop_ = &found->second;
    return &found->second;
  }
  Loop fresh;
  fresh.step.ids = Tensor::empty(runtime_, DType::kI32, {1}, "ids");
  fresh.go_on = Tensor::empty(runtime_, DType::kI32, {1}, "go_on");
  fresh.stop_token = Tensor::empty(runtime_, DType::kI32, {1}, "stop_token");
  for (const Tensor* word : {&fresh.step.ids, &fresh.go_on, &fresh.stop_token}) BW_RETURN_IF_ERROR(word->status());
  BW_ASSIGN(const ir::NodePtr pos, runtime_->builder().variable("pos", 0, context_ - 1));
  BW_ASSIGN(const Tensor token, choose(kind, forward(fresh.step.ids, pos, 1), fresh.sampling));
  const Tensor fed = fresh.step.ids.store(token);
  const Tensor go_on = fresh.go_on.store(token.ne(fresh.stop_token).cast(DType::kI32));
  for (const Tensor* output : {&fed, &go_on}) BW_RETURN_IF_ERROR(output->status());
  const std::array outputs = {fed.node(), go_on.node()};
  auto program = runtime_->prepare(outputs);
  if (!program.is_ok()) return std::move(program).status().with_context("preparing to decode on the device");
  fresh.step.program = std::move(program).value();
  Loop& loop = loops_.emplace(kind, std::move(fresh)).first->second;
  last_loop_ = &loop;
  return &loop;
}

Status Llama::prefill(std::span<const TokenId> ids, int64_t position, const SamplingOptions& sampling) {
  BW_RETURN_IF_ERROR(check(ids, position));
  const auto count = static_cast<int64_t>(ids.size());
  for (int64_t done = 0; done < count;) {
    const int64_t tokens = step_size(count - done);
    Step* step = nullptr;
    if (tokens == 1) {
      // What it chooses is overwritten. A second program for one position would have to be compiled.
      BW_ASSIGN(Loop * loop, this->loop(kind_of(sampling)));
      step = &loop->step;
    } else {
      BW_ASSIGN(step, this->step(tokens));
    }
    BW_RETURN_IF_ERROR(
        run_step(*step, ids.subspan(static_cast<size_t>(done), static_cast<size_t>(tokens)), position + done));
    done += tokens;
  }
  return Status::ok();
}

Status Llama::decode(const Decoding& decoding, const DecodeCallback& on_token) {
  BW_RETURN_IF_ERROR(check(std::span(&decoding.last, 1), decoding.position));
  if (decoding.count == 0 || decoding.count > static_cast<size_t>(context_ - decoding.position)) {
    return error(StatusCode::kInvalidArgument, "decoding {} tokens from position {}: the context has {}",
                 decoding.count, decoding.position, context_);
  }
  BW_ASSIGN(Loop * loop, this->loop(kind_of(decoding.sampling)));
  BW_RETURN_IF_ERROR(write_word(loop->step.ids, decoding.last));
  BW_RETURN_IF_ERROR(write_word(loop->stop_token, decoding.stop_token.value_or(-1)));
  BW_RETURN_IF_ERROR(write_word(loop->go_on, int32_t{1}));
  BW_RETURN_IF_ERROR(write_sampling(decoding.sampling, loop->sampling));
  std::vector<VariableValues> runs;
  for (size_t i = 0; i < decoding.count; ++i) {
    runs.push_back(
        {{"pos", decoding.position + static_cast<int64_t>(i)}, {"draw", static_cast<int64_t>(decoding.draw + i)}});
  }
  return loop->step.program->run_block({.runs = runs,
                                        .go_on = loop->go_on.buffer().get(),
                                        .result = loop->step.ids.buffer().get(),
                                        .most_at_once = decoding.block},
                                       [&](uint32_t token) { return on_token(static_cast<TokenId>(token)); });
}

}  // namespace bw::tensor
