#include "tensor/testing/llama_reference.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>

namespace bw::tensor::testing {
namespace {

double half_to_double(const std::byte* bytes) {
  uint16_t half = 0;
  std::memcpy(&half, bytes, sizeof half);
  const int exponent = half >> 10 & 31;
  const int mantissa = half & 1023;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
  return (half & 0x8000) != 0 ? -magnitude : magnitude;
}

// The nearest f16 of a number; 0 for what is below its normal range.
uint16_t half_of(double value) {
  if (std::fabs(value) < 0x1p-14) return 0;
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);  // in [0.5, 1)
  const auto mantissa = static_cast<int>(std::nearbyint(fraction * 2048)) - 1024;
  return static_cast<uint16_t>((value < 0 ? 0x8000 : 0) + ((exponent + 14) << 10) + mantissa);
}

double element(const gguf::TensorInfo& info, size_t i) {
  const std::byte* data = info.data.data();
  const std::byte* block = data + i / 32 * gguf::block_size_bytes(info.type);
  const size_t in_block = i % 32;
  switch (info.type) {
    case gguf::TensorType::kF32: {
      float value = 0;
      std::memcpy(&value, data + i * sizeof value, sizeof value);
      return value;
    }
    case gguf::TensorType::kF16:
      return half_to_double(data + i * 2);
    case gguf::TensorType::kQ8_0:
      return half_to_double(block) * static_cast<int8_t>(block[2 + in_block]);
    case gguf::TensorType::kQ4_0: {
      const auto byte = static_cast<int>(block[2 + in_block % 16]);
      return half_to_double(block) * ((in_block < 16 ? byte & 15 : byte >> 4) - 8);
    }
  }
  return 0;
}

void append(std::vector<std::byte>& to, const void* data, size_t size) {
  const auto* bytes = static_cast<const std::byte*>(data);
  to.insert(to.end(), bytes, bytes + size);
}

// Random elements of the given spread, in the bytes of a type.
std::vector<std::byte> random_elements(gguf::TensorType type, size_t count, double spread, std::mt19937& random) {
  std::vector<std::byte> bytes;
  std::uniform_real_distribution<double> uniform(-spread, spread);
  const size_t blocks = count / gguf::block_elements(type);
  for (size_t i = 0; i < blocks; ++i) {
    if (type == gguf::TensorType::kF32) {
      const auto value = static_cast<float>(uniform(random));
      append(bytes, &value, sizeof value);
      continue;
    }
    const bool is_half = type == gguf::TensorType::kF16;
    const double steps = type == gguf::TensorType::kQ8_0 ? 127 : 8;
    const uint16_t half = half_of(is_half ? uniform(random) : spread / steps);
    append(bytes, &half, sizeof half);
    for (size_t j = sizeof half; j < gguf::block_size_bytes(type); ++j) bytes.push_back(std::byte(random() & 255));
  }
  return bytes;
}

}  // namespace

LlamaReference::LlamaReference(const gguf::File& file) : config_(LlamaConfig::read(file).value()) {
  for (const gguf::TensorInfo& info : file.tensors()) {
    size_t count = 1;
    for (int64_t extent : info.shape) count *= static_cast<size_t>(extent);
    Vector values(count);
    for (size_t i = 0; i < count; ++i) values[i] = element(info, i);
    weights_[std::string(info.name)] = std::move(values);
  }
  if (!weights_.contains("output.weight")) weights_["output.weight"] = weights_["token_embd.weight"];
  keys_.resize(static_cast<size_t>(config_.layers));
  values_.resize(keys_.size());
}

const LlamaReference::Vector& LlamaReference::layer_weight(size_t layer, const char* part) const {
  return weight(fmt::format("blk.{}.{}.weight", layer, part));
}

LlamaReference::Vector LlamaReference::product(const Vector& matrix, const Vector& x) const {
  Vector y(matrix.size() / x.size());
  for (size_t row = 0; row < y.size(); ++row) {
    for (size_t i = 0; i < x.size(); ++i) y[row] += matrix[row * x.size() + i] * x[i];
  }
  return y;
}

LlamaReference::Vector LlamaReference::normalise(const Vector& x, const Vector& weight) const {
  double squares = 0;
  for (double value : x) squares += value * value;
  const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + config_.rms_epsilon);
  Vector y(x.size());
  for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * weight[i];
  return y;
}

void LlamaReference::rotate(Vector& heads) const {
  const auto head_dim = static_cast<size_t>(config_.head_dim);
  const auto rope_dim = static_cast<size_t>(config_.rope_dim);
  for (size_t i = 0; i < heads.size(); i += 2) {
    const size_t in_head = i % head_dim;
    if (in_head >= rope_dim) continue;
    const double exponent = -static_cast<double>(in_head) / static_cast<double>(rope_dim);
    const double angle = static_cast<double>(position_) * std::pow(config_.rope_base, exponent);
    const double a = heads[i];
    const double b = heads[i + 1];
    heads[i] = a * std::cos(angle) - b * std::sin(angle);
    heads[i + 1] = b * std::cos(angle) + a * std::sin(angle);
  }
}

LlamaReference::Vector LlamaReference::attend(size_t layer, const Vector& q) const {
  const auto head_dim = static_cast<size_t>(config_.head_dim);
  const size_t group = static_cast<size_t>(config_.heads / config_.kv_heads);
  Vector mixed(q.size());
  for (size_t head = 0; head * head_dim < q.size(); ++head) {
    const size_t kv_start = head / group * head_dim;
    Vector weights(position_ + 1);
    for (size_t p = 0; p <= position_; ++p) {
      for (size_t d = 0; d < head_dim; ++d) weights[p] += q[head * head_dim + d] * keys_[layer][p][kv_start + d];
      weights[p] /= std::sqrt(static_cast<double>(head_dim));
    }
    const double largest = *std::max_element(weights.begin(), weights.end());
    double sum = 0;
    for (double& w : weights) sum += w = std::exp(w - largest);
    for (size_t p = 0; p <= position_; ++p) {
      for (size_t d = 0; d < head_dim; ++d) {
        mixed[head * head_dim + d] += weights[p] / sum * values_[layer][p][kv_start + d];
      }
    }
  }
  return mixed;
}

std::vector<double> LlamaReference::step(int32_t id) {
  const auto dim = static_cast<size_t>(config_.dim);
  const Vector& embedding = weight("token_embd.weight");
  Vector x(dim);
  for (size_t i = 0; i < dim; ++i) x[i] = embedding[static_cast<size_t>(id) * dim + i];
  const auto add_to_x = [&](const Vector& y) {
    for (size_t i = 0; i < dim; ++i) x[i] += y[i];
  };
  for (size_t layer = 0; layer < keys_.size(); ++layer) {
    const Vector h = normalise(x, layer_weight(layer, "attn_norm"));
    Vector q = product(layer_weight(layer, "attn_q"), h);
    Vector k = product(layer_weight(layer, "attn_k"), h);
    rotate(q);
    rotate(k);
    keys_[layer].push_back(std::move(k));
    values_[layer].push_back(product(layer_weight(layer, "attn_v"), h));
    add_to_x(product(layer_weight(layer, "attn_output"), attend(layer, q)));
    const Vector f = normalise(x, layer_weight(layer, "ffn_norm"));
    Vector gated = product(layer_weight(layer, "ffn_gate"), f);
    const Vector up = product(layer_weight(layer, "ffn_up"), f);
    for (size_t i = 0; i < gated.size(); ++i) gated[i] *= up[i] / (1 + std::exp(-gated[i]));
    add_to_x(product(layer_weight(layer, "ffn_down"), gated));
  }
  ++position_;
  return product(weight("output.weight"), normalise(x, weight("output_norm.weight")));
}

GgufWriter write_small_model(const SmallModel& model) {
  GgufWriter writer;
  writer.text("general.architecture", "llama");
  writer.u32("llama.context_length", model.context).u32("llama.embedding_length", model.dim);
  writer.u32("llama.block_count", model.layers).u32("llama.feed_forward_length", model.ffn);
  writer.u32("llama.attention.head_count", model.heads).u32("llama.attention.head_count_kv", model.kv_heads);
  writer.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f).f32("llama.rope.freq_base", 10000.0f);
  std::mt19937 random(model.seed);
  const auto matrix = [&](const std::string& name, uint64_t rows, uint64_t columns) {
    const double spread = std::sqrt(3.0 / static_cast<double>(columns));
    writer.tensor(name, {columns, rows}, model.type, random_elements(model.type, rows * columns, spread, random));
  };
  const auto vector = [&](const std::string& name) {
    writer.tensor(name, {model.dim}, gguf::TensorType::kF32,
                  random_elements(gguf::TensorType::kF32, model.dim, 1.5, random));
  };
  matrix("token_embd.weight", model.vocabulary, model.dim);
  vector("output_norm.weight");
  if (!model.is_output_tied) matrix("output.weight", model.vocabulary, model.dim);
  const uint64_t kv_dim = model.dim / model.heads * model.kv_heads;
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    const std::string prefix = fmt::format("blk.{}.", layer);
    vector(prefix + "attn_norm.weight");
    matrix(prefix + "attn_q.weight", model.dim, model.dim);
    matrix(prefix + "attn_k.weight", kv_dim, model.dim);
    matrix(prefix + "attn_v.weight", kv_dim, model.dim);
    matrix(prefix + "attn_output.weight", model.dim, model.dim);
    vector(prefix + "ffn_norm.weight");
    matrix(prefix + "ffn_gate.weight", model.ffn, model.dim);
    matrix(prefix + "ffn_up.weight", model.ffn, model.dim);
    matrix(prefix + "ffn_down.weight", model.dim, model.ffn);
  }
  return writer;
}

}  // namespace bw::tensor::testing
