// Owns: `barewave generate`: text, token ids or perplexity from a model.
#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/file_cache.h"
#include "tensor/device_executor.h"
#include "tensor/generator.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tensor/runtime.h"
#include "tensor/tokenizer/tokenizer.h"
#include "tools/barewave/commands.h"
#include "tools/barewave/interrupt.h"
#include "tools/barewave/progress_bar.h"
#include "tools/barewave/token_ids_file.h"

namespace bw::tools {
namespace {

struct GenerateArguments {
  std::string model_path;
  std::optional<std::string> prompt;
  std::string perplexity_path;
  int64_t tokens = 64;
  tensor::SamplingOptions sampling;
  int64_t block_tokens = tensor::GenerateOptions{}.block_tokens;
  bool is_host_loop = false;
  uint32_t gpus = 1;
  bool print_ids = false;
  size_t tuning_candidates = 0;
  double timeout_seconds = 60;
};

Status write_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Status::from_errno(errno, "writing the text to stdout");
  }
  return Status::ok();
}

// Writes tokens as they come: text of whole characters, or ids.
class TokenPrinter {
 public:
  TokenPrinter(const tensor::Tokenizer& tokenizer, bool print_ids) : decoder_(tokenizer), print_ids_(print_ids) {}

  Status push(tensor::TokenId id) {
    if (!print_ids_) return write_out(decoder_.push(id));
    const std::string text = fmt::format("{}{}", is_first_ ? "" : " ", id);
    is_first_ = false;
    return write_out(text);
  }
  Status finish() { return write_out((print_ids_ ? "" : decoder_.finish()) + "\n"); }

 private:
  tensor::StreamDecoder decoder_;
  const bool print_ids_;
  bool is_first_ = true;
};

void print_summary(const tensor::GenerateResult& result, const tensor::ProgramCost& step) {
  const size_t decoded = result.ids.empty() ? 0 : result.ids.size() - 1;
  const double rate = result.decode_seconds > 0 ? static_cast<double>(decoded) / result.decode_seconds : 0;
  fmt::print(stderr, "{} tokens, {:.2f} tokens/s, {} kernels per token, {:.2f} s to the first token{}\n",
             result.ids.size(), rate, step.kernel_count, result.prompt_seconds,
             result.reason == tensor::StopReason::kContextFull ? ", stopped: the context is full" : "");
}

// Model: Llama or ParallelLlama.
template <typename Model>
Status generate_text(const GenerateArguments& arguments, const tensor::Tokenizer& tokenizer, Model& model) {
  BW_ASSIGN(std::vector<tensor::TokenId> prompt, tokenizer.encode(*arguments.prompt));
  if (tokenizer.bos()) prompt.insert(prompt.begin(), *tokenizer.bos());

  tensor::GenerateOptions options;
  options.max_tokens = arguments.tokens;
  options.sampling = arguments.sampling;
  options.eos = tokenizer.eos();
  options.block_tokens = arguments.is_host_loop ? 0 : arguments.block_tokens;
  TokenPrinter printer(tokenizer, arguments.print_ids);
  Status output;
  const InterruptCatcher interrupts;
  BW_ASSIGN(const tensor::GenerateResult result, tensor::generate(model, prompt, options, [&](tensor::TokenId id) {
              output = printer.push(id);
              return output.is_ok() && !InterruptCatcher::was_interrupted();
            }));
  BW_RETURN_IF_ERROR(std::move(output));
  BW_RETURN_IF_ERROR(printer.finish());
  print_summary(result, model.step_cost());
  return Status::ok();
}

Status print_perplexity(const GenerateArguments& arguments, tensor::Llama& model) {
  BW_ASSIGN(const auto sequences, read_token_ids(arguments.perplexity_path));
  BW_ASSIGN(const double value, tensor::perplexity(model, sequences));
  return write_out(fmt::format("perplexity {:.6f} over {} sequences\n", value, sequences.size()));
}

// Tells how far it has come, if that takes long.
Result<std::unique_ptr<tensor::Llama>> load_model(const tensor::gguf::File& file,
                                                  const std::shared_ptr<tensor::Runtime>& runtime) {
  uint64_t total_bytes = 0;
  for (const tensor::gguf::TensorInfo& tensor : file.tensors()) total_bytes += tensor.data.size();
  ProgressBar bar(stderr_terminal(), total_bytes);
  runtime->observe_uploads([&bar](uint64_t size_bytes) { bar.add(size_bytes); });
  auto model = tensor::Llama::load(file, runtime);
  runtime->observe_uploads({});
  return model;
}

Status run_with_model(const GenerateArguments& arguments, Verbosity verbosity, kfd::KernelDriver& driver) {
  BW_ASSIGN(const tensor::gguf::File file, tensor::gguf::File::open(arguments.model_path));
  BW_ASSIGN(const tensor::Tokenizer tokenizer, tensor::Tokenizer::create(file));
  tensor::RuntimeOptions options;
  options.cache_dir = default_cache_dir();
  options.compiler_threads = std::max(1u, std::thread::hardware_concurrency());
  options.tuning_candidates = arguments.tuning_candidates;
  options.wait_timeout_ns = static_cast<uint64_t>(arguments.timeout_seconds * 1e9);
  if (verbosity == Verbosity::kVerbose) {
    options.on_diagnostic = [](const std::string& line) { fmt::print(stderr, "barewave: {}\n", line); };
  }
  if (arguments.gpus > 1) {
    BW_ASSIGN(auto executors, tensor::DeviceExecutor::create_several(driver, arguments.gpus, options));
    std::vector<std::shared_ptr<tensor::Runtime>> runtimes;
    for (auto& executor : executors) runtimes.push_back(tensor::Runtime::create(std::move(executor)));
    BW_ASSIGN(std::unique_ptr<tensor::ParallelLlama> model, tensor::ParallelLlama::load(file, runtimes));
    return generate_text(arguments, tokenizer, *model);
  }
  BW_ASSIGN(std::shared_ptr<tensor::Runtime> runtime, tensor::Runtime::create(driver, options));
  BW_ASSIGN(std::unique_ptr<tensor::Llama> model, load_model(file, runtime));
  if (!arguments.perplexity_path.empty()) return print_perplexity(arguments, *model);
  return generate_text(arguments, tokenizer, *model);
}

Status run_generate(const GenerateArguments& arguments, const GlobalOptions& options) {
  if (!arguments.prompt && arguments.perplexity_path.empty()) {
    return error(StatusCode::kInvalidArgument, "generate: nothing to do (give --prompt TEXT or --perplexity FILE)");
  }
  if (arguments.gpus > 1 && !arguments.perplexity_path.empty()) {
    return error(StatusCode::kUnsupported, "generate: perplexity is measured on one card (leave --gpus out)");
  }
  DriverOptions driver_options = options;
  driver_options.card_count = arguments.gpus;
  BW_ASSIGN(ChosenDriver chosen, choose_driver(driver_options));
  return with_fault_reports(chosen, run_with_model(arguments, options.verbosity, chosen.driver()));
}

// Accepts what fits a uint64_t; CLI11's own checks let numbers wrap.
CLI::Validator whole_number() {
  return CLI::Validator(
      [](const std::string& text) -> std::string {
        uint64_t value = 0;
        const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
        const bool is_whole = problem == std::errc{} && end == text.data() + text.size();
        return is_whole ? "" : fmt::format("{} is not a whole number from 0 to 2^64-1", text);
      },
      "");
}

}  // namespace

Command add_generate_command(CLI::App& app) {
  auto arguments = std::make_shared<GenerateArguments>();
  CLI::App* command =
      app.add_subcommand("generate", "Continue a prompt with a language model, or measure its perplexity");
  command->add_option("--model", arguments->model_path, "GGUF file (LLaMA architecture; F32, F16, Q8_0, Q4_0)")
      ->required()
      ->type_name("FILE");
  auto* prompt = command->add_option("--prompt", arguments->prompt, "Text to continue")->type_name("TEXT");
  command->add_option("--tokens", arguments->tokens, "How many tokens to generate at most")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--temperature", arguments->sampling.temperature, "0: always the most likely token")
      ->check(CLI::Range(0.0, 1000.0))
      ->type_name("T")
      ->capture_default_str();
  command->add_option("--top-k", arguments->sampling.top_k, "Sample from so many of the most likely tokens; 0: all")
      ->check(whole_number())
      ->type_name("K")
      ->capture_default_str();
  command
      ->add_option("--top-p", arguments->sampling.top_p,
                   "Sample from the most likely tokens that reach this probability")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("P")
      ->capture_default_str();
  command->add_option("--seed", arguments->sampling.seed, "Of the sampling")
      ->check(whole_number())
      ->type_name("S")
      ->capture_default_str();
  auto* block = command
                    ->add_option("--block", arguments->block_tokens,
                                 "Tokens that the device decodes with one submission, without the host in between")
                    ->check(CLI::Range(int64_t{1}, int64_t{1} << 16))
                    ->type_name("N")
                    ->capture_default_str();
  command->add_flag("--host-loop", arguments->is_host_loop, "Let the host step in after each token")->excludes(block);
  command
      ->add_option("--gpus", arguments->gpus,
                   "Divide the model over so many cards: heads and feed-forward columns must divide by them")
      ->check(CLI::Range(1u, 7u))
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--ids", arguments->print_ids, "Print token ids instead of text");
  command
      ->add_option("--perplexity", arguments->perplexity_path,
                   "Print the perplexity of the token ids in this file: a sequence a line, or JSON")
      ->type_name("FILE")
      ->excludes(prompt);
  command
      ->add_option("--timeout", arguments->timeout_seconds,
                   "Give up when the card shows no progress for so many seconds")
      ->check(CLI::Range(0.001, 1e9))
      ->type_name("SECONDS")
      ->capture_default_str();
  add_tune_option(*command, arguments->tuning_candidates);
  return [arguments](const GlobalOptions& options) { return run_generate(*arguments, options); };
}

}  // namespace bw::tools
