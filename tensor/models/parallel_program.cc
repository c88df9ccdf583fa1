#include "tensor/models/parallel_program.h"

#include <array>
#include <utility>

namespace bw::tensor {

// Makes one ParallelProgram.
class ParallelProgramBuilder {
 public:
  ParallelProgramBuilder(std::span<const std::unique_ptr<Llama>> shards, int64_t tokens,
                         const std::optional<Llama::LoopKind>& choice, ParallelProgram& program)
      : shards_(shards), tokens_(tokens), choice_(choice), program_(program) {
    const size_t halves = 2 * shards_[0]->layers_.size();
    // Nobody reads what the last half makes of the positions of a prompt: the cache is complete before it.
    half_count_ = choice_ ? halves : halves - 1;
    meeting_count_ = choice_ ? halves + 1 : half_count_ - 1;
  }

  Status run() {
    for (size_t card = 0; card < shards_.size(); ++card) BW_RETURN_IF_ERROR(allocate(card));
    BW_RETURN_IF_ERROR(program_.reset());
    for (size_t card = 0; card < shards_.size(); ++card) BW_RETURN_IF_ERROR(prepare(card));
    return Status::ok();
  }

 private:
  using Card = ParallelProgram::Card;

  const std::shared_ptr<Runtime>& runtime(size_t card) const { return shards_[card]->runtime_; }
  int64_t count() const { return static_cast<int64_t>(shards_.size()); }

  Status allocate(size_t card) {
    const std::shared_ptr<Runtime>& runtime = this->runtime(card);
    const int64_t dim = shards_[card]->config_.dim;
    Card fresh;
    std::vector<Tensor> shared;
    const auto word = [&](DType dtype, const char* name) { return Tensor::empty(runtime, dtype, {1}, name); };
    fresh.ids = Tensor::empty(runtime, DType::kI32, {tokens_}, "ids");
    for (Tensor& x : fresh.x) x = Tensor::empty(runtime, DType::kF32, {tokens_, dim}, "x");
    for (size_t half = 0; half < half_count_; ++half) {
      fresh.parts.push_back(Tensor::empty(runtime, DType::kF32, {tokens_, dim}, "part"));
      shared.push_back(fresh.parts.back());
    }
    // One meeting more than there may be, so that there is a word.
    const auto meetings = static_cast<int64_t>(meeting_count_ + 1);
    fresh.words = Tensor::empty(runtime, DType::kI32, {meetings, count()}, "words");
    shared.push_back(fresh.words);
    if (choice_) {
      const int64_t vocabulary = shards_[card]->matrices_.back().rows();
      fresh.logits = Tensor::empty(runtime, DType::kF32, {1, vocabulary}, "logits");
      fresh.best_value = word(DType::kF32, "best_value");
      fresh.best_token = word(DType::kI32, "best_token");
      fresh.go_on = word(DType::kI32, "go_on");
      fresh.stop_token = word(DType::kI32, "stop_token");
      shared.insert(shared.end(), {fresh.logits, fresh.best_value, fresh.best_token});
      for (const Tensor* own : {&fresh.go_on, &fresh.stop_token}) BW_RETURN_IF_ERROR(own->status());
    }
    if (card == 0) {
      program_.wanted = word(DType::kI32, "wanted");
      program_.said = word(DType::kI32, "said");
      shared.push_back(program_.said);
      BW_RETURN_IF_ERROR(program_.wanted.status());
    }
    for (const Tensor* own : {&fresh.ids, &fresh.x[0], &fresh.x[1]}) BW_RETURN_IF_ERROR(own->status());
    for (const Tensor& tensor : shared) {
      BW_RETURN_IF_ERROR(tensor.status());
      if (shards_.size() > 1) BW_RETURN_IF_ERROR(runtime->executor().share(*tensor.buffer()));
    }
    program_.cards.push_back(std::move(fresh));
    return Status::ok();
  }

  // Memory of any card, as `card` reads it.
  Result<Tensor> seen(size_t card, size_t owner, const Tensor& tensor) const {
    if (card == owner) return tensor;
    std::vector<int64_t> shape;
    for (const Dim& extent : tensor.shape()) shape.push_back(extent.offset);
    BW_ASSIGN(ir::NodePtr param, runtime(card)->adopt(tensor.buffer(), tensor.dtype(), shape, "of_another"));
    return Tensor(runtime(card), param);
  }

  // The input of half a layer, or of the end.
  Result<Tensor> input(size_t card, size_t half) const {
    const Card& own = program_.cards[card];
    if (half == 0) return shards_[card]->matrices_.front().gather_rows(own.ids);
    Tensor sum;
    for (size_t other = 0; other < shards_.size(); ++other) {
      BW_ASSIGN(const Tensor part, seen(card, other, program_.cards[other].parts[half - 1]));
      sum = other == 0 ? part : sum + part;
    }
    return own.x[(half - 1) % 2] + sum;
  }

  // `published`: what each card lets the others read.
  template <typename Published>
  Meeting meeting(size_t card, size_t number, const Published& published) const {
    const auto word = [&](size_t of, size_t from) {
      return Meeting::Word{program_.cards[of].words.buffer(), (number * shards_.size() + from) * sizeof(int32_t)};
    };
    Meeting meeting;
    meeting.publishes = published(card);
    for (size_t other = 0; other < shards_.size(); ++other) {
      if (other == card) continue;
      meeting.told.push_back(word(other, card));
      meeting.awaits.push_back({word(card, other), published(other)});
    }
    return meeting;
  }

  Status prepare(size_t card) {
    std::vector<ProgramPart> parts;
    for (size_t half = 0; half < half_count_; ++half) {
      BW_ASSIGN(ProgramPart part, half_layer(card, half));
      parts.push_back(std::move(part));
    }
    if (choice_) {
      BW_ASSIGN(ProgramPart logits, last_logits(card));
      parts.push_back(std::move(logits));
      BW_ASSIGN(ProgramPart token, choose(card));
      parts.push_back(std::move(token));
    }
    auto program = runtime(card)->prepare_parts(std::move(parts));
    if (!program.is_ok()) {
      return std::move(program).status().with_context(
          fmt::format("preparing a step over {} tokens on card {}", tokens_, card));
    }
    program_.cards[card].program = std::move(program).value();
    return Status::ok();
  }

  Result<ProgramPart> half_layer(size_t card, size_t half) const {
    const Llama& shard = *shards_[card];
    const Card& own = program_.cards[card];
    const Llama::Layer& layer = shard.layers_[half / 2];
    BW_ASSIGN(const Tensor x, input(card, half));
    BW_ASSIGN(const ir::NodePtr pos, runtime(card)->builder().variable("pos", 0, shard.context_ - tokens_));
    const bool is_attention = half % 2 == 0;
    const Tensor h = shard.normalise(x, is_attention ? layer.attention_norm : layer.ffn_norm);
    const Tensor product =
        is_attention ? layer.o.apply(shard.attention(layer, h, pos, tokens_)) : shard.feed_forward(layer, h);
    const Tensor stored_x = own.x[half % 2].store(x);
    const Tensor stored = own.parts[half].store(product);
    for (const Tensor* tensor : {&stored_x, &stored}) BW_RETURN_IF_ERROR(tensor->status());
    ProgramPart part{.outputs = {stored_x.node(), stored.node()}, .params = {}};
    if (half < meeting_count_ && shards_.size() > 1) {
      part.meeting =
          meeting(card, half, [&](size_t of) { return std::vector{program_.cards[of].parts[half].buffer()}; });
    }
    return part;
  }

  Result<ProgramPart> last_logits(size_t card) const {
    const Llama& shard = *shards_[card];
    const Card& own = program_.cards[card];
    BW_ASSIGN(const Tensor x, input(card, half_count_));
    const Tensor logits = own.logits.store(shard.matrices_.back().apply(shard.normalise(x, shard.output_norm_)));
    std::vector<Tensor> outputs = {logits};
    if (!choice_->samples) {
      const auto first = static_cast<double>(shard.row_shard().begin(shard.config_.vocabulary));
      outputs.push_back(own.best_value.store(logits.max({-1})));
      outputs.push_back(own.best_token.store(logits.argmax() + first));
    }
    if (card == 0) outputs.push_back(program_.said.store(program_.wanted));
    ProgramPart part;
    for (const Tensor& output : outputs) {
      BW_RETURN_IF_ERROR(output.status());
      part.outputs.push_back(output.node());
    }
    if (shards_.size() == 1) return part;
    part.meeting = meeting(card, half_count_, [&](size_t of) {
      const Card& other = program_.cards[of];
      std::vector<std::shared_ptr<DeviceBuffer>> published;
      if (of == 0) published.push_back(program_.said.buffer());
      if (choice_->samples) {
        published.push_back(other.logits.buffer());
      } else {
        published.insert(published.end(), {other.best_value.buffer(), other.best_token.buffer()});
      }
      return published;
    });
    return part;
  }

  Result<ProgramPart> choose(size_t card) {
    Card& own = program_.cards[card];
    BW_ASSIGN(const Tensor token, choice_->samples ? draw(card) : best(card));
    BW_ASSIGN(const Tensor said, seen(card, 0, program_.said));
    const Tensor fed = own.ids.store(token);
    const Tensor go_on = own.go_on.store(token.ne(own.stop_token).cast(DType::kI32) * said);
    for (const Tensor* output : {&fed, &go_on}) BW_RETURN_IF_ERROR(output->status());
    return ProgramPart{.outputs = {fed.node(), go_on.node()}, .params = {}};
  }

  // The largest, of equal ones the first, as argmax() over all.
  Result<Tensor> best(size_t card) const {
    Tensor value;
    Tensor token;
    for (size_t other = 0; other < shards_.size(); ++other) {
      BW_ASSIGN(const Tensor other_value, seen(card, other, program_.cards[other].best_value));
      BW_ASSIGN(const Tensor other_token, seen(card, other, program_.cards[other].best_token));
      const Tensor is_better = other == 0 ? Tensor() : other_value.gt(value);
      token = other == 0 ? other_token : where(is_better, other_token, token);
      value = other == 0 ? other_value : where(is_better, other_value, value);
    }
    BW_RETURN_IF_ERROR(token.status());
    return token;
  }

  Result<Tensor> draw(size_t card) {
    std::vector<Tensor> all;
    for (size_t other = 0; other < shards_.size(); ++other) {
      BW_ASSIGN(Tensor logits, seen(card, other, program_.cards[other].logits));
      all.push_back(std::move(logits));
    }
    return shards_[card]->choose(*choice_, cat(all, -1), program_.cards[card].sampling);
  }

  std::span<const std::unique_ptr<Llama>> shards_;
  const int64_t tokens_;
  const std::optional<Llama::LoopKind> choice_;
  ParallelProgram& program_;
  size_t half_count_ = 0;
  size_t meeting_count_ = 0;
};

Result<ParallelProgram> ParallelProgram::make(std::span<const std::unique_ptr<Llama>> shards, int64_t tokens,
                                              const std::optional<Llama::LoopKind>& choice) {
  ParallelProgram program;
  BW_RETURN_IF_ERROR(ParallelProgramBuilder(shards, tokens, choice, program).run());
  return program;
}

Status ParallelProgram::reset() const {
  for (const Card& card : cards) {
    const std::vector<std::byte> zeros(card.words.buffer()->size_bytes());
    BW_RETURN_IF_ERROR(card.words.buffer()->write(0, zeros));
  }
  return Status::ok();
}

ProgramCost ParallelProgram::cost() const {
  ProgramCost total;
  for (const Card& card : cards) {
    const ProgramCost cost = card.program->cost();
    total.kernel_count += cost.kernel_count;
    total.flops += cost.flops;
    total.bytes += cost.bytes;
  }
  return total;
}

}  // namespace bw::tensor
