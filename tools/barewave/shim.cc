// Owns: `barewave shim`: starting a program with the library that shows it the emulated card (emulator/shim). The
// program takes this process's place, so signals, exit status and terminal are its own.
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "emulator/shim/settings.h"
#include "emulator/shim/sysfs_tree.h"
#include "emulator/trace/recorder.h"
#include "tools/barewave/commands.h"
#include "tools/barewave/program_file.h"
#include "tools/barewave/shim.h"

namespace bw::tools {
namespace {

namespace shim = emulator::shim;

void set(const char* name, const std::string& value) {
  ::setenv(name, value.c_str(), 1);
}

// Puts `value` before what the variable, a list with colons, has already.
void put_first(const char* name, const std::string& value) {
  const char* before = std::getenv(name);
  set(name, before == nullptr || *before == '\0' ? value : fmt::format("{}:{}", value, before));
}

// The library lies beside this program, or in a folder lib beside the program's.
Result<std::string> find_library() {
  std::error_code failure;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return Status::from_errno(failure.value(), "looking for the place of this program");
  const std::filesystem::path folder = self.parent_path();
  for (const auto& place : {folder, folder.parent_path() / "lib"}) {
    const std::string path = place / shim::kPreloadedLibrary;
    if (::access(path.c_str(), R_OK) != 0) continue;
    if (path.find_first_of(": ") == std::string::npos) return path;
    return error(StatusCode::kUnsupported,
                 "{} cannot be preloaded, as its path has a colon or a space (move the build)", path);
  }
  return error(StatusCode::kNotFound, "no {} in {} (build the target barewave_shim)", shim::kPreloadedLibrary,
               folder.string());
}

// Engine, strictness and watchdog are set as their own options' environment variables.
Status describe_machine(const GlobalOptions& global, const ShimOptions& options) {
  set(shim::kGpusVariable, std::to_string(options.gpus));
  if (options.kfd_minor) set(shim::kKfdMinorVariable, std::to_string(*options.kfd_minor));
  if (global.engine) {
    set("BAREWAVE_ENGINE", name_of(*global.engine));
  }
  if (global.strictness == emulator::Strictness::kOn) set("BAREWAVE_STRICT", "1");
  if (global.watchdog_instructions) set("BAREWAVE_WATCHDOG", std::to_string(*global.watchdog_instructions));
  BW_ASSIGN(const shim::MachineFiles files, shim::lay_out_files(options.gpus, emulator::EmulatedOptions().vram_bytes));
  set(shim::kTreeVariable, files.root);
  put_first("PATH", files.commands);
  return Status::ok();
}

// Begins the file of the trace, unless the caller has, and tells the program of it.
Status describe_trace(const TraceChoice& trace) {
  if (trace.path.empty()) return Status::ok();
  std::error_code failure;
  const std::string path = std::filesystem::absolute(trace.path, failure);  // the program may change its folder
  if (failure) return Status::from_errno(failure.value(), "looking for the current folder");
  const uint64_t now_ns = emulator::TraceRecorder::now_ns();
  if (trace.begun_by == TraceChoice::BegunBy::kNobody) {
    using File = emulator::TraceOptions::File;
    BW_ASSIGN(const auto begun,
              emulator::TraceRecorder::create({.path = path, .format = trace.format, .file = File::kBegun}));
  }
  set(shim::kTraceVariable, path);
  set(shim::kTraceFormatVariable, trace.format == emulator::TraceFormat::kChrome ? "chrome" : "text");
  set(shim::kTraceStartVariable, std::to_string(now_ns));
  return Status::ok();
}

}  // namespace

void add_shim_options(CLI::App* command, ShimOptions* options) {
  command->add_option("--gpus", options->gpus, "How many cards there are")
      ->check(CLI::Range(1, 7))
      ->type_name("N")
      ->capture_default_str();
  command->add_option("--kfd-minor", options->kfd_minor, "Which minor version the driver gives itself: 12 to 17")
      ->check(CLI::Range(12, 17))
      ->type_name("M")
      ->default_str(std::to_string(emulator::EmulatedOptions().kfd_minor_version));
}

Status exec_under_shim(const GlobalOptions& global, const ShimOptions& options, const TraceChoice& trace,
                       const std::vector<std::string>& program) {
  if (global.device == DeviceChoice::kKfd) {
    return error(StatusCode::kInvalidArgument,
                 "it is an emulated card only that programs are shown (leave --device kfd out)");
  }
  BW_ASSIGN(const std::string library, find_library());
  BW_RETURN_IF_ERROR(describe_machine(global, options));
  BW_RETURN_IF_ERROR(describe_trace(trace));
  if (const std::string file = find_program(program[0]); is_static_program(file)) {
    fmt::print(stderr, "barewave: warning: {} is linked statically: it will not see the card, what it starts may\n",
               file);
  }
  put_first("LD_PRELOAD", library);
  std::vector<std::string> words = program;
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  return Status::from_errno(errno, fmt::format("starting {}", words[0]));
}

Command add_shim_command(CLI::App& app, const std::vector<std::string>& program) {
  auto options = std::make_shared<ShimOptions>();
  CLI::App* command = app.add_subcommand(
      "shim",
      "Run any program with the emulated card in the place of a real one: barewave shim [OPTIONS] -- COMMAND...");
  command->footer(
      "COMMAND finds /dev/kfd, /dev/dri and their sysfs files as on a machine with the cards, through a library that\n"
      "is preloaded into it and what it starts. Programs without the C library's calls (static ones, Go) do not see\n"
      "them. Faults of the emulated card go to stderr, and `barewave trace` shows what the program does with it.");
  add_shim_options(command, options.get());
  return [options, &program](const GlobalOptions& global) -> Status {
    if (program.empty()) {
      return error(StatusCode::kInvalidArgument, "shim: no program to start (see barewave shim --help)");
    }
    const TraceChoice trace{.path = global.trace_path, .format = emulator::trace_format_of(global.trace_path)};
    return exec_under_shim(global, *options, trace, program).with_context("shim");
  };
}

}  // namespace bw::tools
