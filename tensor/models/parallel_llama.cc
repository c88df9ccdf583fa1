#include "tensor/models/parallel_llama.h"

#include <utility>

namespace bw::tensor {
namespace {

template <typename T>
Status write_word(const Tensor& word, T value) {
  return word.buffer()->write(0, std::as_bytes(std::span(&value, 1)));
}

}  // namespace

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

Result<ParallelProgram*> ParallelLlama::filling(int64_t tokens) {
  if (const auto found = filling_.find(tokens); found != filling_.end()) return &found->second;
  BW_ASSIGN(ParallelProgram fresh, ParallelProgram::make(shards_, tokens, std::nullopt));
  return &filling_.emplace(tokens, std::move(fresh)).first->second;
}

Result<ParallelProgram*> ParallelLlama::choosing(const Llama::LoopKind& kind) {
  auto found = choosing_.find(kind);
  if (found == choosing_.end()) {
    BW_ASSIGN(ParallelProgram fresh, ParallelProgram::make(shards_, 1, kind));
    found = choosing_.emplace(kind, std::move(fresh)).first;
  }
  last_ = &found->second;
  return &found->second;
}

Status ParallelLlama::make_ready() {
  if (!has_failed_) return Status::ok();
  BW_RETURN_IF_ERROR(wait_all());
  for (const auto& [tokens, program] : filling_) BW_RETURN_IF_ERROR(program.reset());
  for (const auto& [kind, program] : choosing_) BW_RETURN_IF_ERROR(program.reset());
  has_failed_ = false;
  return Status::ok();
}

Status ParallelLlama::note(Status status) {
  if (status.is_ok()) return status;
  has_failed_ = true;
  if (status.code() != StatusCode::kTimeout) return status;
  // A card that waits for another does not know why that does not come.
  std::string others;
  for (size_t card = 0; card < runtimes_.size(); ++card) {
    others +=
        fmt::format("; card {} of {}: {}", card, runtimes_.size(), runtimes_[card]->executor().describe_running());
  }
  return error(StatusCode::kTimeout, "{}{}", status.message(), others);
}

Status ParallelLlama::wait_all() {
  for (const auto& runtime : runtimes_) BW_RETURN_IF_ERROR(runtime->executor().wait());
  return Status::ok();
}

Status ParallelLlama::run_step(ParallelProgram& program, std::span<const TokenId> ids, int64_t position) {
  const VariableValues variables = {{"pos", position}, {"draw", 0}};
  for (const ParallelProgram::Card& card : program.cards) {
    BW_RETURN_IF_ERROR(card.ids.buffer()->write(0, std::as_bytes(ids)));
  }
  for (const ParallelProgram::Card& card : program.cards) BW_RETURN_IF_ERROR(card.program->start(variables));
  // The next step overwrites what this one reads.
  return wait_all();
}

Status ParallelLlama::fill(std::span<const TokenId> ids, int64_t position) {
  for (size_t done = 0; done < ids.size();) {
    const int64_t tokens = shards_[0]->step_size(static_cast<int64_t>(ids.size() - done));
    BW_ASSIGN(ParallelProgram * program, filling(tokens));
    const auto part = ids.subspan(done, static_cast<size_t>(tokens));
    BW_RETURN_IF_ERROR(note(run_step(*program, part, position + static_cast<int64_t>(done))));
    done += part.size();
  }
  return Status::ok();
}

Result<ParallelProgram*> ParallelLlama::run(std::span<const TokenId> ids, int64_t position) {
  BW_RETURN_IF_ERROR(shards_[0]->check(ids, position));
  BW_RETURN_IF_ERROR(make_ready());
  BW_RETURN_IF_ERROR(fill(ids.first(ids.size() - 1), position));
  BW_ASSIGN(ParallelProgram * program, choosing({}));
  BW_RETURN_IF_ERROR(note(run_step(*program, ids.last(1), position + static_cast<int64_t>(ids.size()) - 1)));
  return program;
}

ProgramCost ParallelLlama::step_cost() const {
  return last_ == nullptr ? ProgramCost{} : last_->cost();
}

Result<std::vector<float>> ParallelLlama::last_logits(std::span<const TokenId> ids, int64_t position) {
  BW_ASSIGN(ParallelProgram * program, run(ids, position));
  std::vector<float> logits;
  for (const ParallelProgram::Card& card : program->cards) {
    const size_t at = logits.size();
    logits.resize(at + card.logits.buffer()->size_bytes() / sizeof(float));
    BW_RETURN_IF_ERROR(card.logits.buffer()->read(0, std::as_writable_bytes(std::span(logits).subspan(at))));
  }
  return logits;
}

Result<TokenId> ParallelLlama::greedy(std::span<const TokenId> ids, int64_t position) {
  BW_ASSIGN(ParallelProgram * program, run(ids, position));
  TokenId best = 0;
  BW_RETURN_IF_ERROR(program->cards[0].ids.buffer()->read(0, std::as_writable_bytes(std::span(&best, 1))));
  return best;
}

Status ParallelLlama::prefill(std::span<const TokenId> ids, int64_t position, const SamplingOptions& /*sampling*/) {
  BW_RETURN_IF_ERROR(shards_[0]->check(ids, position));
  BW_RETURN_IF_ERROR(make_ready());
  return fill(ids, position);
}

Status ParallelLlama::start_decoding(const Llama::Decoding& decoding, ParallelProgram& program) {
  for (const ParallelProgram::Card& card : program.cards) {
    BW_RETURN_IF_ERROR(write_word(card.ids, decoding.last));
    BW_RETURN_IF_ERROR(write_word(card.stop_token, decoding.stop_token.value_or(-1)));
    BW_RETURN_IF_ERROR(write_word(card.go_on, int32_t{1}));
    BW_RETURN_IF_ERROR(Llama::write_sampling(decoding.sampling, card.sampling));
  }
  return write_word(program.wanted, int32_t{1});
}

Status ParallelLlama::decode(const Llama::Decoding& decoding, const Llama::DecodeCallback& on_token) {
  BW_RETURN_IF_ERROR(shards_[0]->check(std::span(&decoding.last, 1), decoding.position));
  if (decoding.count == 0 || decoding.count > static_cast<size_t>(context() - decoding.position)) {
    return error(StatusCode::kInvalidArgument, "decoding {} tokens from position {}: the context has {}",
                 decoding.count, decoding.position, context());
  }
  BW_RETURN_IF_ERROR(make_ready());
  BW_ASSIGN(ParallelProgram * program, choosing(Llama::kind_of(decoding.sampling)));
  BW_RETURN_IF_ERROR(start_decoding(decoding, *program));
  std::vector<VariableValues> runs;
  for (size_t i = 0; i < decoding.count; ++i) {
    runs.push_back(
        {{"pos", decoding.position + static_cast<int64_t>(i)}, {"draw", static_cast<int64_t>(decoding.draw + i)}});
  }
  const auto start = [&](std::span<const VariableValues> left) { return start_blocks(*program, left, decoding.block); };
  // What the cards have begun they end together.
  const auto cancel = [&] { return write_word(program->wanted, int32_t{0}); };
  BW_RETURN_IF_ERROR(note(run_in_turns(
      *program->cards[0].program, runs, start, [&](uint32_t token) { return on_token(static_cast<TokenId>(token)); },
      cancel)));
  // The others may still be at the end of the last step.
  return note(wait_all());
}

Result<size_t> ParallelLlama::start_blocks(ParallelProgram& program, std::span<const VariableValues> runs,
                                           size_t most_at_once) {
  for (const ParallelProgram::Card& card : program.cards) {
    size_t count = 0;
    do {
      BW_ASSIGN(const size_t more, card.program->start_block({.runs = runs.subspan(count),
                                                              .go_on = card.go_on.buffer().get(),
                                                              .result = card.ids.buffer().get(),
                                                              .most_at_once = most_at_once}));
      count += more;
      // The first decides; should another take fewer at once, the rest follows, while the first goes on.
    } while (count < runs.size() && &card != &program.cards[0]);
    runs = runs.first(count);
  }
  return runs.size();
}

}  // namespace bw::tensor
