#include "tensor/models/llama_config.h"

#include <string>

namespace bw::tensor {
namespace {

// Far above every model there is; keeps products of two extents within int64_t.
constexpr uint64_t kMaxExtent = uint64_t{1} << 30;

Result<int64_t> read_extent(const gguf::File& file, std::string_view key) {
  BW_ASSIGN(const uint64_t value, file.require_unsigned(key));
  if (value == 0 || value > kMaxExtent) {
    return error(StatusCode::kInvalidArgument, "{}: '{}' is {}, not in 1..{}", file.label(), key, value, kMaxExtent);
  }
  return static_cast<int64_t>(value);
}

Result<int64_t> read_extent_or(const gguf::File& file, std::string_view key, int64_t otherwise) {
  return file.find(key) == nullptr ? Result<int64_t>(otherwise) : read_extent(file, key);
}

Status check_features(const gguf::File& file) {
  if (file.find("llama.expert_count") != nullptr) {
    BW_ASSIGN(const uint64_t experts, file.require_unsigned("llama.expert_count"));
    if (experts != 0) {
      return error(StatusCode::kUnsupported, "{}: models with experts ('llama.expert_count' is {}) are not supported",
                   file.label(), experts);
    }
  }
  if (file.find("llama.rope.scaling.type") != nullptr) {
    BW_ASSIGN(const std::string_view scaling, file.require_string("llama.rope.scaling.type"));
    if (scaling != "none") {
      return error(StatusCode::kUnsupported, "{}: RoPE scaling '{}' is not supported", file.label(), scaling);
    }
  }
  return Status::ok();
}

Status check_consistency(const gguf::File& file, const LlamaConfig& config) {
  if (config.dim % config.heads != 0 || config.heads % config.kv_heads != 0 || config.head_dim % 2 != 0) {
    return error(StatusCode::kInvalidArgument,
                 "{}: {} dimensions cannot be divided into {} heads of even size that share {} key-value heads",
                 file.label(), config.dim, config.heads, config.kv_heads);
  }
  for (const char* key : {"llama.attention.key_length", "llama.attention.value_length"}) {
    BW_ASSIGN(const int64_t length, read_extent_or(file, key, config.head_dim));
    if (length != config.head_dim) {
      return error(StatusCode::kUnsupported, "{}: '{}' is {}; only {} (dimensions / heads) is supported", file.label(),
                   key, length, config.head_dim);
    }
  }
  if (config.rope_dim % 2 != 0 || config.rope_dim > config.head_dim) {
    return error(StatusCode::kInvalidArgument, "{}: 'llama.rope.dimension_count' is {}, not an even number up to {}",
                 file.label(), config.rope_dim, config.head_dim);
  }
  if (!(config.rope_base > 1) || !(config.rms_epsilon >= 0)) {
    return error(StatusCode::kInvalidArgument, "{}: RoPE base {} or RMSNorm epsilon {} is out of range", file.label(),
                 config.rope_base, config.rms_epsilon);
  }
  return Status::ok();
}

}  // namespace

Result<LlamaConfig> LlamaConfig::read(const gguf::File& file) {
  BW_ASSIGN(const std::string_view architecture, file.require_string("general.architecture"));
  if (architecture != "llama") {
    return error(StatusCode::kUnsupported, "{}: the architecture '{}' is not supported, only 'llama'", file.label(),
                 architecture);
  }
  BW_RETURN_IF_ERROR(check_features(file));
  LlamaConfig config;
  BW_ASSIGN(config.context, read_extent(file, "llama.context_length"));
  BW_ASSIGN(config.dim, read_extent(file, "llama.embedding_length"));
  BW_ASSIGN(config.layers, read_extent(file, "llama.block_count"));
  BW_ASSIGN(config.ffn, read_extent(file, "llama.feed_forward_length"));
  BW_ASSIGN(config.heads, read_extent(file, "llama.attention.head_count"));
  BW_ASSIGN(config.kv_heads, read_extent_or(file, "llama.attention.head_count_kv", config.heads));
  config.head_dim = config.dim / config.heads;
  BW_ASSIGN(config.rope_dim, read_extent_or(file, "llama.rope.dimension_count", config.head_dim));
  BW_ASSIGN(config.rms_epsilon, file.require_number("llama.attention.layer_norm_rms_epsilon"));
  if (file.find("llama.rope.freq_base") != nullptr) {
    BW_ASSIGN(config.rope_base, file.require_number("llama.rope.freq_base"));
  }
  BW_ASSIGN(const gguf::TensorInfo* embedding, file.require_tensor("token_embd.weight"));
  config.vocabulary = embedding->shape.front();
  BW_RETURN_IF_ERROR(check_consistency(file, config));
  return config;
}

Result<LlamaConfig> LlamaConfig::shard(int64_t count) const {
  if (count < 1 || kv_heads % count != 0 || heads % count != 0 || ffn % count != 0) {
    return error(
        StatusCode::kInvalidArgument,
        "dividing the model over {} cards: {} heads, {} key-value heads and {} feed-forward columns do not all "
        "divide by {}",
        count, heads, kv_heads, ffn, count);
  }
  LlamaConfig part = *this;
  part.heads /= count;
  part.kv_heads /= count;
  part.ffn /= count;
  return part;
}

}  // namespace bw::tensor
