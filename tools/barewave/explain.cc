// Owns: `barewave explain`: what a program is compiled to, without running it. Not here: what is known of its kernels
// (compiler/explain).
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "compiler/explain/explanation.h"
#include "compiler/explain/picture.h"
#include "compiler/explain/report.h"
#include "ir/text.h"
#include "tensor/expression/expression.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/llama.h"
#include "tensor/planning_executor.h"
#include "tensor/runtime.h"
#include "tools/barewave/commands.h"

namespace bw::tools {
namespace {

namespace explain = compiler::explain;

// A program in text form is not larger than this.
constexpr size_t kMaxTextBytes = size_t{64} << 20;

struct ExplainArguments {
  std::string path;
  std::string expression;
  std::optional<size_t> kernel;
  int64_t prefill = 0;  // positions of the step; 0: one
  bool all = false;
  bool assembly = false;
  bool llvm_ir = false;
  bool dot = false;
  bool html = false;
  bool list_functions = false;
};

// What is explained, and what its graph needs to stay alive.
struct Subject {
  std::shared_ptr<tensor::Runtime> runtime;
  std::vector<ir::NodePtr> outputs;
};

Status write_out(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return Status::from_errno(errno, "writing the explanation to stdout");
  }
  return Status::ok();
}

Result<std::string> read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Status::from_errno(errno, "opening " + path);
  std::string text(kMaxTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return error(StatusCode::kIo, "reading {}: it cannot be read (is it a file?)", path);
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxTextBytes) {
    return error(StatusCode::kInvalidArgument, "reading {}: it has more than {} bytes", path, kMaxTextBytes);
  }
  return text;
}

std::shared_ptr<tensor::Runtime> planning_runtime() {
  return tensor::Runtime::create(std::make_unique<tensor::PlanningExecutor>());
}

Result<Subject> subject_of_expression(const std::string& text) {
  Subject subject{planning_runtime(), {}};
  auto outputs = tensor::parse_expression(subject.runtime, text);
  if (!outputs.is_ok()) return std::move(outputs).status().with_context("--expr");
  for (const tensor::Tensor& output : outputs.value()) subject.outputs.push_back(output.node());
  return subject;
}

Result<Subject> subject_of_model(const std::string& path, int64_t tokens) {
  BW_ASSIGN(const tensor::gguf::File file, tensor::gguf::File::open(path));
  Subject subject{planning_runtime(), {}};
  BW_ASSIGN(const std::unique_ptr<tensor::Llama> model, tensor::Llama::load(file, subject.runtime));
  BW_ASSIGN(subject.outputs, model->step_graph(tokens));
  return subject;
}

// A GGUF model if the file begins like one, else a program in text form.
Result<Subject> subject_of_file(const ExplainArguments& arguments) {
  BW_ASSIGN(const std::string text, read_text(arguments.path));
  if (text.starts_with("GGUF")) return subject_of_model(arguments.path, std::max<int64_t>(arguments.prefill, 1));
  if (arguments.prefill > 0) {
    return error(StatusCode::kInvalidArgument, "explain: --prefill is for GGUF models, which {} is not",
                 arguments.path);
  }
  auto outputs = ir::parse_graph(text);
  if (!outputs.is_ok()) return std::move(outputs).status().with_context(arguments.path);
  return Subject{nullptr, std::move(outputs).value()};
}

Status print_text(const ExplainArguments& arguments, const explain::Explanation& explanation) {
  const auto shown = [](bool is_shown) { return is_shown ? explain::Listing::kShown : explain::Listing::kNone; };
  if (arguments.dot) return write_out(explain::print_dot(explanation));
  if (arguments.html) {
    const std::string title = arguments.path.empty() ? arguments.expression : arguments.path;
    BW_ASSIGN(const std::string page, explain::print_html(explanation, title));
    return write_out(page);
  }
  const explain::ReportOptions options{shown(arguments.assembly), shown(arguments.llvm_ir)};
  if (!arguments.kernel) BW_RETURN_IF_ERROR(write_out(explain::print_summary(explanation)));
  for (size_t i = 0; i < explanation.kernels.size(); ++i) {
    if (arguments.kernel ? *arguments.kernel != i : !arguments.all) continue;
    BW_ASSIGN(const std::string report, explain::print_kernel_report(explanation, i, options));
    BW_RETURN_IF_ERROR(write_out((arguments.kernel ? "" : "\n") + report));
  }
  return Status::ok();
}

Status run_explain(const ExplainArguments& arguments) {
  if (arguments.list_functions) {
    std::string text;
    for (const std::string& signature : tensor::expression_functions()) text += signature + "\n";
    return write_out(text);
  }
  if (arguments.path.empty() == arguments.expression.empty()) {
    return error(StatusCode::kInvalidArgument, "explain: give a FILE or --expr EXPRESSION");
  }
  BW_ASSIGN(const Subject subject,
            arguments.path.empty() ? subject_of_expression(arguments.expression) : subject_of_file(arguments));
  explain::ExplainOptions options;
  options.kernel = arguments.kernel;
  // A page has the listings that were asked for, of every kernel.
  const bool in_page = arguments.html && (arguments.assembly || arguments.llvm_ir);
  options.listings = arguments.all || in_page ? explain::Listings::kOfAll : explain::Listings::kOfOne;
  options.threads = std::max(1u, std::thread::hardware_concurrency());
  BW_ASSIGN(const explain::Explanation explanation, explain::explain(subject.outputs, options));
  return print_text(arguments, explanation);
}

}  // namespace

Command add_explain_command(CLI::App& app) {
  auto arguments = std::make_shared<ExplainArguments>();
  CLI::App* command = app.add_subcommand(
      "explain",
      "Show what a program is compiled to: its kernels, their costs, resources and least times; no card is "
      "needed");
  command->add_option("file", arguments->path, "GGUF model (its decode step) or a program in the text form of the IR")
      ->type_name("FILE");
  command
      ->add_option("--expr", arguments->expression,
                   "A tensor expression: 'softmax(x[64, 512] * 0.125)', 'x[32, 64]:f16 @ w[64, 32]:f16' "
                   "(docs/explain.md)")
      ->type_name("EXPRESSION")
      ->excludes("file");
  command->add_option("--kernel", arguments->kernel, "All about the kernel of this number instead of the list")
      ->check(CLI::NonNegativeNumber)
      ->type_name("N");
  command->add_flag("--all", arguments->all, "The list, then all about every kernel");
  command->add_flag("--asm", arguments->assembly, "With --kernel, --all or --html: the assembly too");
  command->add_flag("--ir", arguments->llvm_ir,
                    "With --kernel, --all or --html: the LLVM IR too, before LLVM optimises it");
  command
      ->add_option("--prefill", arguments->prefill, "Of a model: the step over N positions of a prompt, not one token")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31))
      ->type_name("N");
  auto* dot = command->add_flag("--dot", arguments->dot, "A graph for Graphviz instead: kernels and what is in them");
  command->add_flag("--html", arguments->html, "A page for a browser instead: the list, a picture, every kernel")
      ->excludes(dot);
  command->add_flag("--functions", arguments->list_functions, "List the functions of expressions and exit");
  return [arguments](const GlobalOptions&) { return run_explain(*arguments); };
}

}  // namespace bw::tools
