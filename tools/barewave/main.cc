// Owns: the `barewave` command: global options, choosing the subcommand, and the one line that every error becomes.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "tools/barewave/commands.h"
#include "tools/barewave/interrupt.h"

namespace bw::tools {
namespace {

void add_global_options(CLI::App& app, GlobalOptions* options) {
  const std::map<std::string, DeviceChoice> devices = {
      {"auto", DeviceChoice::kAuto}, {"kfd", DeviceChoice::kKfd}, {"emulated", DeviceChoice::kEmulated}};
  app.add_option_function<std::string>(
         "--device", [options, devices](const std::string& name) { options->device = devices.at(name); },
         "Card to use: auto (a real one if there is one), kfd (a real one), emulated")
      ->check(CLI::IsMember({"auto", "kfd", "emulated"}))
      ->type_name("auto|kfd|emulated")
      ->default_str("auto");
  app.add_flag_callback(
      "--verbose", [options] { options->verbosity = Verbosity::kVerbose; },
      "Write every system call to stderr, and kernels whose registers LLVM spills");
  app.add_option(
         "--trace", options->trace_path,
         "Write down each system call and, of the emulated card, each doorbell and packet: NAME.json for Perfetto, "
         "else text")
      ->type_name("FILE");
  const std::map<std::string, emulator::ShaderEngine> engines = {{"jit", emulator::ShaderEngine::kJit},
                                                                 {"interpreter", emulator::ShaderEngine::kInterpreter},
                                                                 {"none", emulator::ShaderEngine::kNone}};
  app.add_option_function<std::string>(
         "--engine", [options, engines](const std::string& name) { options->engine = engines.at(name); },
         "What executes programs on the emulated card: jit (translates those that are hot), interpreter, none (they "
         "end "
         "as soon as they begin: for what the host's part costs)")
      ->check(CLI::IsMember({"jit", "interpreter", "none"}))
      ->type_name("jit|interpreter|none")
      ->default_str("jit")
      ->envname("BAREWAVE_ENGINE");
  app.add_flag_callback(
         "--strict", [options] { options->strictness = emulator::Strictness::kOn; },
         "Let the emulated card fault on missing waits, hazards of the hardware and the use of undefined values; its "
         "interpreter only")
      ->envname("BAREWAVE_STRICT");
  app.add_option("--watchdog", options->watchdog_instructions,
                 "Let the emulated card fault when a wave has executed more than N instructions; 0: any number")
      ->envname("BAREWAVE_WATCHDOG")
      ->type_name("N")
      ->default_str("0; isa-test 10000000");
  app.set_version_flag("--version", BAREWAVE_VERSION, "Print the version and exit");
  app.set_help_flag("-h,--help", "Print this help and exit");
}

// Takes all from the first "--" on out of the words of the command line; returns what stands behind it: another program
// with its own options.
std::vector<std::string> take_program(std::vector<std::string>* words) {
  const auto mark = std::find(words->begin(), words->end(), "--");
  if (mark == words->end()) return {};
  std::vector<std::string> program(mark + 1, words->end());
  words->erase(mark, words->end());
  return program;
}

Status begin_trace(GlobalOptions* options) {
  if (options->trace_path.empty()) return Status::ok();
  BW_ASSIGN(options->trace,
            emulator::TraceRecorder::create(
                {.path = options->trace_path, .format = emulator::trace_format_of(options->trace_path), .warn = warn}));
  return Status::ok();
}

int run(int argc, char** argv) {
  std::vector<std::string> words(argv + 1, argv + argc);
  const std::vector<std::string> program = take_program(&words);
  CLI::App app("Tensor programs on a Radeon RX 7900 XTX through KFD, or on an emulated one", "barewave");
  GlobalOptions options;
  add_global_options(app, &options);
  app.require_subcommand(1);
  app.fallthrough();  // global options may stand after the subcommand too

  const std::vector<std::pair<std::string, Command>> commands = {
      {"info", add_info_command(app)},
      {"generate", add_generate_command(app)},
      {"explain", add_explain_command(app)},
      {"bench", add_bench_command(app)},
      {"isa", add_isa_command(app)},
      {"isa-test", add_isa_test_command(app)},
      {"shim", add_shim_command(app, program)},
      {"trace", add_trace_command(app, program)},
  };
  try {
    std::reverse(words.begin(), words.end());  // the order that the parser takes them in
    app.parse(words);
  } catch (const CLI::ParseError& parse_error) {
    if (parse_error.get_exit_code() == 0) return app.exit(parse_error);
    fmt::print(stderr, "barewave: {} (see barewave --help)\n", parse_error.what());
    return 2;
  }
  for (const auto& [name, command] : commands) {
    if (!app.got_subcommand(name)) continue;
    const bool starts_program = name == "shim" || name == "trace";
    if (!program.empty() && !starts_program) {
      fmt::print(stderr, "barewave: {} starts no other program (leave -- and what follows out)\n", name);
      return 2;
    }
    if (options.engine == emulator::ShaderEngine::kNone && !starts_program && name != "bench") {
      fmt::print(stderr, "barewave: {} needs an engine that executes (--engine none is for bench)\n", name);
      return 2;
    }
    Status status = starts_program ? Status::ok() : begin_trace(&options);
    if (status.is_ok()) status = command(options);
    if (status.is_ok()) return InterruptCatcher::was_interrupted() ? kInterruptedExitCode : 0;
    fmt::print(stderr, "barewave: {}\n", status.message());
    return 1;
  }
  return 2;
}

}  // namespace
}  // namespace bw::tools

int main(int argc, char** argv) {
  return bw::tools::run(argc, argv);
}
