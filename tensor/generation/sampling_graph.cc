#include "tensor/generation/sampling_graph.h"

#include <bit>
#include <limits>

namespace bw::tensor {
namespace {

constexpr int kDigitBits = 4;

// A 64-bit integer constant; scalar() takes a double, which does not hold them all.
Tensor constant(const Tensor& like, uint64_t value) {
  const Tensor high = like.scalar(static_cast<double>(value >> 32));
  const Tensor low = like.scalar(static_cast<double>(value & 0xffff'ffff));
  return (high << like.scalar(32)) | low;
}

// The tokens in the order of their probability: `key` is larger the more likely a token is and, among equals, the
// smaller its id; all keys differ. [vocabulary] i64, from 0 on.
struct Order {
  Tensor key;
  int key_bits = 0;
  int64_t vocabulary = 0;
};

Order order_of(const Tensor& logits) {
  Order order;
  order.vocabulary = logits.shape()[0].offset;
  const int id_bits = std::bit_width(static_cast<uint64_t>(order.vocabulary - 1));
  order.key_bits = 32 + id_bits;
  // Patterns of floats in an order that comparing integers respects; -0 counts as +0.
  const Tensor bits = where(logits.ne(logits.scalar(0)), logits, logits.scalar(0)).bitcast(DType::kI32);
  const Tensor ordered = where(bits.lt(bits.scalar(0)), bits ^ bits.scalar(0x7fffffff), bits).cast(DType::kI64);
  const Tensor id = Tensor::arange(logits.runtime(), DType::kI32, order.vocabulary).cast(DType::kI64);
  const double ids = static_cast<double>(int64_t{1} << id_bits);
  order.key = (ordered + 0x1p31) * ids + (id * -1.0 + (ids - 1));
  return order;
}

// The largest t for which `weights` of the tokens with a key of at least t sum to more than `target` [1], or to as much
// where `or_equal`. With weights that are not negative the sums fall as t rises, whatever their rounding, because each
// is summed in the same order.
enum class Reaches : uint8_t { kMore, kAsMuch };

Tensor find_key(const Order& order, const Tensor& weights, const Tensor& target, Reaches reaches) {
  constexpr int64_t kDigits = int64_t{1} << kDigitBits;
  const Tensor digits = Tensor::arange(order.key.runtime(), DType::kI32, kDigits).cast(DType::kI64);
  const Tensor keys = order.key.reshape({1, order.vocabulary});
  const Tensor row = weights.reshape({1, order.vocabulary});
  Tensor found = Tensor::zeros(order.key.runtime(), DType::kI64, {1});
  const int rounds = (order.key_bits + kDigitBits - 1) / kDigitBits;
  for (int round = rounds - 1; round >= 0; --round) {
    const double unit = static_cast<double>(int64_t{1} << (round * kDigitBits));
    const Tensor candidates = found + digits * unit;  // [16]
    const Tensor sums =
        where(keys.ge(candidates.reshape({kDigits, 1})), row, row.scalar(0)).sum({1}).contiguous();  // [16]
    const Tensor holds = reaches == Reaches::kMore ? sums.gt(target) : sums.ge(target);
    const Tensor count = holds.cast(DType::kI64).sum({0}, Reduced::kKeep);
    found = (found + (count.maximum(1.0) - count.scalar(1)) * unit).contiguous();
  }
  return found;
}

// Of the tokens with a key of at least `key` [1].
Tensor sum_from(const Order& order, const Tensor& weights, const Tensor& key) {
  return where(order.key.ge(key), weights, weights.scalar(0)).sum({0}, Reduced::kKeep).contiguous();
}

}  // namespace

// SplitMix64's output function, as in sample().
Tensor uniform(const Tensor& seed, const Tensor& step) {
  const Tensor counter = step.cast(DType::kI64).bitcast(DType::kU64) + 1.0;
  Tensor z = seed + counter * constant(seed, 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> z.scalar(30))) * constant(z, 0xbf58476d1ce4e5b9u);
  z = (z ^ (z >> z.scalar(27))) * constant(z, 0x94d049bb133111ebu);
  z = z ^ (z >> z.scalar(31));
  return (z >> z.scalar(11)).cast(DType::kF64) * 0x1p-53;
}

Tensor draw_token(const Tensor& all_logits, const SamplingInputs& inputs) {
  if (!all_logits.is_ok()) return all_logits;
  const int64_t vocabulary = all_logits.shape().back().offset;
  // What is not finite is never drawn: it weighs nothing, and comes last in the order.
  const Tensor raw = all_logits.reshape({vocabulary});
  const Tensor lowest = raw.scalar(-std::numeric_limits<float>::max());
  const Tensor is_finite = raw.abs().le(raw.scalar(std::numeric_limits<float>::max()));
  const Tensor logits = where(is_finite, raw, lowest).contiguous();
  const Order order = order_of(logits);
  const Tensor largest = logits.max({0}, Reduced::kKeep);
  const Tensor exponent = (logits - largest) * inputs.temperature.recip();
  const Tensor power = where(logits.gt(lowest), exponent.exp(), logits.scalar(0));
  const Tensor weights = power.cast(DType::kF64).contiguous();

  Tensor kept = weights.sum({0}, Reduced::kKeep).contiguous();
  if (inputs.top_k) {
    const Tensor ones = Tensor::full(logits.runtime(), DType::kF64, {vocabulary}, 1.0);
    const Tensor count = inputs.top_k->minimum(ones.scalar(static_cast<double>(vocabulary)));
    kept = sum_from(order, weights, find_key(order, ones, count, Reaches::kAsMuch));
  }
  if (inputs.top_p) {
    kept = sum_from(order, weights, find_key(order, weights, kept * *inputs.top_p, Reaches::kAsMuch));
  }
  // The sums of all weights may differ in rounding; what is drawn must lie below each.
  constexpr double kBelow = 1 - 0x1p-40;
  const Tensor target = kept * uniform(inputs.seed, inputs.step) * kBelow;
  const Tensor drawn = find_key(order, weights, target, Reaches::kMore);
  const double ids = static_cast<double>(int64_t{1} << (order.key_bits - 32));
  const Tensor id = (drawn & constant(drawn, static_cast<uint64_t>(ids) - 1)).cast(DType::kI32) * -1.0 + (ids - 1);
  return id.minimum(id.scalar(static_cast<double>(vocabulary - 1)));  // no logit is finite
}

}  // namespace bw::tensor
