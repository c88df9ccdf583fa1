#include "tools/barewave/bench/bench_case.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tools/barewave/bench/data.h"

namespace bw::tools {
namespace {

// Elements that are compared of a large result: the first, the last, and others spread over it in no regular pattern.
constexpr size_t kSamples = 256;

size_t sample_index(size_t sample, size_t count) {
  if (count <= kSamples) return sample;
  if (sample == 0) return 0;
  if (sample == 1) return count - 1;
  constexpr uint64_t kGoldenRatio = 0x9e3779b97f4a7c15;
  return static_cast<size_t>((sample * kGoldenRatio >> 11) % count);
}

Status compare(tensor::DeviceBuffer& buffer, ir::DType dtype, size_t count,
               const std::function<Expected(size_t)>& expected) {
  HostArray result;
  result.dtype = dtype;
  result.bytes.resize(count * ir::size_bytes(dtype));
  BW_RETURN_IF_ERROR(buffer.read(0, result.bytes));
  for (size_t sample = 0; sample < std::min(count, kSamples); ++sample) {
    const size_t index = sample_index(sample, count);
    const Expected want = expected(index);
    const double got = result.at(index);
    if (std::abs(got - want.value) <= want.tolerance) continue;
    return error(StatusCode::kDataLoss, "wrong result: element {} is {}, expected {} +- {}", index, got, want.value,
                 want.tolerance);
  }
  return Status::ok();
}

struct DecodeStep {
  std::unique_ptr<tensor::Llama> model;
  int64_t position = 0;
  tensor::TokenId token = 0;
  tensor::TokenId best = 0;
};

// A text, token by token as the host chooses them, or in blocks that the device decodes by itself. Both have to give
// the same tokens each time.
struct DecodeLoop {
  static constexpr size_t kTokens = 64;
  static constexpr size_t kBlock = 32;
  static constexpr tensor::TokenId kFirst = 1;

  Result<std::vector<tensor::TokenId>> by_host() const {
    std::vector<tensor::TokenId> ids;
    tensor::TokenId last = kFirst;
    while (ids.size() < kTokens) {
      BW_ASSIGN(last, model->greedy(std::span(&last, 1), static_cast<int64_t>(ids.size())));
      ids.push_back(last);
    }
    return ids;
  }
  Result<std::vector<tensor::TokenId>> by_device() const {
    std::vector<tensor::TokenId> ids;
    BW_RETURN_IF_ERROR(model->decode({.last = kFirst, .count = kTokens, .block = kBlock}, [&](tensor::TokenId id) {
      ids.push_back(id);
      return true;
    }));
    return ids;
  }

  std::unique_ptr<tensor::Llama> model;
  std::vector<tensor::TokenId> expected;
};

using DecodeBy = Result<std::vector<tensor::TokenId>> (DecodeLoop::*)() const;

Result<BenchProgram> make_decode_loop(const std::string& path, const std::shared_ptr<tensor::Runtime>& runtime,
                                      DecodeBy decode) {
  BW_ASSIGN(const tensor::gguf::File file, tensor::gguf::File::open(path));
  auto loop = std::make_shared<DecodeLoop>();
  BW_ASSIGN(loop->model, tensor::Llama::load(file, runtime));
  BW_ASSIGN(loop->expected, loop->by_host());
  BW_RETURN_IF_ERROR(((*loop).*decode)().status());  // compiles what only this way of decoding needs
  BenchProgram program;
  program.run = [loop, decode]() -> Status {
    BW_ASSIGN(const std::vector<tensor::TokenId> ids, ((*loop).*decode)());
    if (ids == loop->expected) return Status::ok();
    return error(StatusCode::kDataLoss, "wrong result: the tokens are not those of the host's loop");
  };
  program.verify = [] { return Status::ok(); };
  program.launches = [loop] { return loop->model->step_launches(); };
  program.tokens = DecodeLoop::kTokens;
  return program;
}

// One token after a prompt of a few. What comes out is verified by tests/model, and here only to be the same each time.
Result<BenchProgram> make_decode_step(const std::string& path, const std::shared_ptr<tensor::Runtime>& runtime) {
  BW_ASSIGN(const tensor::gguf::File file, tensor::gguf::File::open(path));
  auto step = std::make_shared<DecodeStep>();
  BW_ASSIGN(step->model, tensor::Llama::load(file, runtime));
  const std::vector<tensor::TokenId> prompt = {0, 1, 2, 3, 4, 5, 6, 7};
  BW_ASSIGN(step->token, step->model->greedy(prompt, 0));
  step->position = static_cast<int64_t>(prompt.size());
  BW_ASSIGN(step->best, step->model->greedy(std::span(&step->token, 1), step->position));
  BenchProgram program;
  program.run = [step]() -> Status {
    BW_ASSIGN(const tensor::TokenId best, step->model->greedy(std::span(&step->token, 1), step->position));
    if (best == step->best) return Status::ok();
    return error(StatusCode::kDataLoss, "wrong result: the next token is {}, and was {} before", best, step->best);
  };
  program.verify = [] { return Status::ok(); };
  program.launches = [step] { return step->model->step_launches(); };
  for (const tensor::gguf::TensorInfo& tensor : file.tensors()) program.minimum_bytes += tensor.data.size();
  program.flops = static_cast<double>(step->model->step_cost().flops);
  program.tokens = 1;
  return program;
}

}  // namespace

Result<BenchProgram> make_program(const tensor::Tensor& output, std::function<Expected(size_t)> expected) {
  BW_RETURN_IF_ERROR(output.status());
  const ir::NodePtr node = output.node();
  auto prepared = output.runtime()->prepare(std::span(&node, 1));
  if (!prepared.is_ok()) return std::move(prepared).status();
  std::shared_ptr<tensor::PreparedProgram> shared = std::move(prepared).value();
  BenchProgram program;
  program.run = [shared] { return shared->run({}); };
  program.launches = [shared] { return shared->launches(); };
  const auto count = static_cast<size_t>(ir::max_element_count(output.shape()));
  program.verify = [shared, dtype = output.dtype(), count, expected = std::move(expected)] {
    return compare(*shared->outputs()[0], dtype, count, expected);
  };
  return program;
}

std::vector<BenchCase> bench_cases(const std::string& model_path) {
  std::vector<BenchCase> cases;
  add_simple_cases(&cases);
  add_product_cases(&cases);
  add_attention_cases(&cases);
  if (!model_path.empty()) {
    cases.push_back({"decode_step", "decode/" + std::filesystem::path(model_path).stem().string(),
                     "one token through the model of --model",
                     [model_path](const auto& runtime) { return make_decode_step(model_path, runtime); }});
  }
  return cases;
}

std::vector<BenchCase> decode_loop_cases(const std::string& model_path) {
  if (model_path.empty()) return {};
  const std::string model = std::filesystem::path(model_path).stem().string();
  const auto make = [&](const char* name, const char* summary, DecodeBy decode) -> BenchCase {
    return {name + model, "", summary,
            [model_path, decode](const auto& runtime) { return make_decode_loop(model_path, runtime, decode); }};
  };
  return {
      make("decode_host_loop/", "64 tokens, each chosen when the host has seen the one before", &DecodeLoop::by_host),
      make("decode_device_loop/", "the same in blocks of 32 without the host in between", &DecodeLoop::by_device)};
}

}  // namespace bw::tools
