#include "tensor/generation/sampling_graph.h"

#include <bit>
#include <limits>

namespace bw::tensor {
namespace {

// A 64-bit integer constant; scalar() takes a double, which does not hold them all.
Tensor constant(const Tensor& like, uint64_t value) {
  const Tensor high = like.scalar(static_cast<double>(value >> 32));
  const Tensor low = like.scalar(static_cast<double>(value & 0xffff'ffff));
  return (high << like.scalar(32)) | low;
}

constexpr int kKeyBits = 32;
// Bits of a key that are found at a time. A row of so many tokens stays in registers between the sums over it, all of
// which are one kernel, so that they may be many; else each sum is a kernel, which sums for all values of a digit.
constexpr int64_t kMostInRegisters = 32768;
constexpr int kDigitBits = 4;

// What tokens weigh, and their order. Both [1, vocabulary].
struct Tokens {
  Tensor key;      // u32, larger for a larger logit
  Tensor weights;  // f64, not negative
};

int64_t vocabulary_of(const Tensor& row) {
  return row.shape().back().offset;
}

bool is_in_registers(const Tensor& row) {
  return vocabulary_of(row) <= kMostInRegisters;
}

Tensor kept(const Tensor& row) {
  return is_in_registers(row) ? row : row.contiguous();
}

// Patterns of floats in an order that comparing integers respects; -0 counts as +0.
Tensor key_of(const Tensor& logits) {
  const Tensor bits = where(logits.ne(logits.scalar(0)), logits, logits.scalar(0)).bitcast(DType::kU32);
  const Tensor sign = bits.scalar(0x1p31);
  return where(bits.lt(sign), bits | sign, bits ^ bits.scalar(0xffffffff));
}

// Of the tokens for which `chosen`, [n, vocabulary], holds: [n]. All sums over tokens are taken in the same order.
Tensor sum_where(const Tensor& chosen, const Tensor& values) {
  return where(chosen, values, values.scalar(0)).sum({1});
}

Tensor count_where(const Tensor& chosen) {
  return chosen.cast(DType::kI32).sum({1}).cast(DType::kF64);
}

// The largest number of `bits` bits for which the tokens with a `key` [1, vocabulary] of at least that are so many, or
// weigh so much, that `is_enough`: a function of which tokens, as in sum_where(). 0 if none is.
template <typename IsEnough>
Tensor find_key(const Tensor& key, int bits, const IsEnough& is_enough) {
  const int digit_bits = is_in_registers(key) ? 1 : kDigitBits;
  const int64_t candidates = (int64_t{1} << digit_bits) - 1;  // beside what is found already
  const Tensor digits = Tensor::arange(key.runtime(), DType::kI32, candidates).cast(DType::kU32) + 1.0;
  Tensor found = Tensor::zeros(key.runtime(), DType::kU32, {1});
  for (int begin = (bits - 1) / digit_bits * digit_bits; begin >= 0; begin -= digit_bits) {
    const auto unit = static_cast<double>(int64_t{1} << begin);
    const Tensor below = found + (digits * unit - 1.0);
    const Tensor holds = is_enough(key.gt(below.reshape({candidates, 1})));
    if (candidates == 1) {
      found = where(holds, found + unit, found);
    } else {
      found = (found + holds.cast(DType::kU32).sum({0}, Reduced::kKeep) * unit).contiguous();
    }
  }
  return found;
}

// The tokens with one key, and those before them in the order.
struct Place {
  Tensor is_tie;  // [1, vocabulary] bool
  Tensor ties;    // [1] f64: their number, as all that follow
  Tensor weight;  // of one of them
  Tensor above;   // weight of those with a larger key
};

Place place_of(const Tokens& tokens, const Tensor& key) {
  Place place;
  place.is_tie = tokens.key.eq(key);
  place.ties = count_where(place.is_tie);
  place.weight = where(place.is_tie, tokens.weights, tokens.weights.scalar(0)).max({1});
  place.above = sum_where(tokens.key.gt(key), tokens.weights);
  return place;
}

// How many tokens of a place reach from `above` to `target`; not rounded, 0 where they weigh nothing.
Tensor ties_to(const Place& place, const Tensor& target) {
  const Tensor zero = place.weight.scalar(0);
  const Tensor count = (target - place.above) * place.weight.recip();
  return where(place.weight.gt(zero), count, zero).maximum(0.0);
}

// The weight of the `top_k` most likely tokens.
Tensor weight_of_first(const Tokens& tokens, const Tensor& top_k) {
  const Tensor key = find_key(tokens.key, kKeyBits, [&](const Tensor& from) { return count_where(from).ge(top_k); });
  const Place place = place_of(tokens, key);
  const Tensor left = top_k - count_where(tokens.key.gt(key));
  return place.above + left * place.weight;
}

// The weight of as many of the most likely tokens as reach `limit`.
Tensor weight_reaching(const Tokens& tokens, const Tensor& limit) {
  const Tensor key =
      find_key(tokens.key, kKeyBits, [&](const Tensor& from) { return sum_where(from, tokens.weights).ge(limit); });
  const Place place = place_of(tokens, key);
  const Tensor count = ties_to(place, limit);
  const Tensor whole = count.trunc();
  return place.above + where(whole.lt(count), whole + 1.0, whole).maximum(1.0) * place.weight;
}

// The token up to which the weights sum to more than `target`; equal ones are ordered by id. [1] i32.
Tensor token_at(const Tokens& tokens, const Tensor& target) {
  const int64_t vocabulary = vocabulary_of(tokens.key);
  const Tensor key =
      find_key(tokens.key, kKeyBits, [&](const Tensor& from) { return sum_where(from, tokens.weights).gt(target); });
  const Place place = place_of(tokens, key);
  const Tensor before = ties_to(place, target).minimum(place.ties - 1.0);
  const Tensor id = Tensor::arange(key.runtime(), DType::kI32, vocabulary).reshape({1, vocabulary});
  const Tensor distance = (id * -1.0 + static_cast<double>(vocabulary)).cast(DType::kU32);  // from the end
  const Tensor ties = kept(where(place.is_tie, distance, distance.scalar(0)));
  const int bits = std::bit_width(static_cast<uint64_t>(vocabulary));
  const Tensor found = find_key(ties, bits, [&](const Tensor& from) { return count_where(from).gt(before); });
  return found.cast(DType::kI32) * -1.0 + static_cast<double>(vocabulary);
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
  const int64_t vocabulary = vocabulary_of(all_logits);
  // What is not finite is never drawn: it weighs nothing, and comes last in the order.
  const Tensor raw = all_logits.reshape({1, vocabulary});
  const Tensor lowest = raw.scalar(-std::numeric_limits<float>::max());
  const Tensor is_finite = raw.abs().le(raw.scalar(std::numeric_limits<float>::max()));
  const Tensor logits = kept(where(is_finite, raw, lowest));
  const Tensor exponent = (logits - logits.max({1}, Reduced::kKeep)) * inputs.temperature.recip();
  const Tensor power = where(logits.gt(lowest), exponent.exp(), logits.scalar(0));
  const Tokens tokens{.key = kept(key_of(logits)), .weights = kept(power.cast(DType::kF64))};

  Tensor total;
  if (inputs.top_k) {
    total = weight_of_first(tokens, inputs.top_k->minimum(inputs.top_k->scalar(static_cast<double>(vocabulary))));
  } else {
    total = tokens.weights.sum({1});
  }
  if (inputs.top_p) total = weight_reaching(tokens, total * *inputs.top_p);
  // The sums of all weights may differ in rounding; what is drawn must lie below each.
  constexpr double kBelow = 1 - 0x1p-40;
  return token_at(tokens, total * uniform(inputs.seed, inputs.step) * kBelow).contiguous();
}

}  // namespace bw::tensor
