// Owns: the LLaMA decoder once more, written plainly in double precision on the host, that the real one is held
// against; and small models with random weights.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tensor/gguf/gguf.h"
#include "tensor/models/llama_config.h"
#include "tensor/testing/gguf_writer.h"

namespace bw::tensor::testing {

class LlamaReference {
 public:
  // `file` must be a correct model.
  explicit LlamaReference(const gguf::File& file);

  // The logits after `id` at the next position.
  std::vector<double> step(int32_t id);

 private:
  using Vector = std::vector<double>;

  const Vector& weight(const std::string& name) const { return weights_.at(name); }
  const Vector& layer_weight(size_t layer, const char* part) const;
  Vector product(const Vector& matrix, const Vector& x) const;
  Vector normalise(const Vector& x, const Vector& weight) const;
  void rotate(Vector& heads) const;
  Vector attend(size_t layer, const Vector& q) const;

  LlamaConfig config_;
  std::map<std::string, Vector> weights_;
  std::vector<std::vector<Vector>> keys_;  // by layer and position
  std::vector<std::vector<Vector>> values_;
  size_t position_ = 0;
};

// What a small random model looks like.
struct SmallModel {
  uint32_t vocabulary = 48;
  uint32_t dim = 64;
  uint32_t layers = 2;
  uint32_t heads = 4;
  uint32_t kv_heads = 2;
  uint32_t ffn = 96;
  uint32_t context = 32;
  bool is_output_tied = false;
  gguf::TensorType type = gguf::TensorType::kF32;
  uint32_t seed = 1;
};

// A whole file with weights of about unit gain, without a tokeniser.
GgufWriter write_small_model(const SmallModel& model);

}  // namespace bw::tensor::testing
