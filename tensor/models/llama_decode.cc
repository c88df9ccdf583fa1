// Owns: decoding on the device: the step that chooses a token and feeds itself with it.
#include <array>

#include "tensor/models/llama.h"

namespace bw::tensor {

Result<Llama::Loop*> Llama::loop() {
  if (loop_) return &*loop_;
  Loop fresh;
  fresh.step.ids = Tensor::empty(runtime_, DType::kI32, {1}, "ids");
  fresh.go_on = Tensor::empty(runtime_, DType::kI32, {1}, "go_on");
  fresh.stop_token = Tensor::empty(runtime_, DType::kI32, {1}, "stop_token");
  for (const Tensor* word : {&fresh.step.ids, &fresh.go_on, &fresh.stop_token}) BW_RETURN_IF_ERROR(word->status());
  BW_ASSIGN(const ir::NodePtr pos, runtime_->builder().variable("pos", 0, context_ - 1));
  const Tensor token = forward(fresh.step.ids, pos, 1).argmax();
  const Tensor fed = fresh.step.ids.store(token);
  const Tensor go_on = fresh.go_on.store(token.ne(fresh.stop_token).cast(DType::kI32));
  for (const Tensor* output : {&fed, &go_on}) BW_RETURN_IF_ERROR(output->status());
  const std::array outputs = {fed.node(), go_on.node()};
  auto program = runtime_->prepare(outputs);
  if (!program.is_ok()) return std::move(program).status().with_context("preparing to decode on the device");
  fresh.step.program = std::move(program).value();
  return &loop_.emplace(std::move(fresh));
}

Status Llama::prefill(std::span<const TokenId> ids, int64_t position) {
  BW_RETURN_IF_ERROR(check(ids, position));
  const auto count = static_cast<int64_t>(ids.size());
  for (int64_t done = 0; done < count;) {
    const int64_t tokens = step_size(count - done);
    Step* step = nullptr;
    if (tokens == 1) {
      // What it chooses is overwritten. A second program for one position would have to be compiled.
      BW_ASSIGN(Loop * loop, this->loop());
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
  BW_ASSIGN(Loop * loop, this->loop());
  const int32_t stop_token = decoding.stop_token.value_or(-1);
  const int32_t go_on = 1;
  BW_RETURN_IF_ERROR(loop->step.ids.buffer()->write(0, std::as_bytes(std::span(&decoding.last, 1))));
  BW_RETURN_IF_ERROR(loop->stop_token.buffer()->write(0, std::as_bytes(std::span(&stop_token, 1))));
  BW_RETURN_IF_ERROR(loop->go_on.buffer()->write(0, std::as_bytes(std::span(&go_on, 1))));
  std::vector<VariableValues> runs;
  for (size_t i = 0; i < decoding.count; ++i) runs.push_back({{"pos", decoding.position + static_cast<int64_t>(i)}});
  return loop->step.program->run_block(
      {.runs = runs, .go_on = loop->go_on.buffer().get(), .result = loop->step.ids.buffer().get()},
      [&](uint32_t token) { on_token(static_cast<TokenId>(token)); });
}

}  // namespace bw::tensor
