// Owns: `barewave trace`: a program under the shim with a trace, and this process beside it to end the file.
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tools/barewave/commands.h"
#include "tools/barewave/shim.h"

namespace bw::tools {
namespace {

struct TraceCommandOptions {
  ShimOptions shim;
  std::string format;
  std::string output;
};

// The file and its format, of which each may say the other.
TraceChoice choose_trace(const GlobalOptions& global, const TraceCommandOptions& options) {
  TraceChoice trace;
  trace.path = options.output.empty() ? global.trace_path : options.output;
  trace.format = options.format.empty()       ? emulator::trace_format_of(trace.path)
                 : options.format == "chrome" ? emulator::TraceFormat::kChrome
                                              : emulator::TraceFormat::kText;
  trace.begun_by = TraceChoice::BegunBy::kCaller;
  if (trace.path.empty()) {
    trace.path = trace.format == emulator::TraceFormat::kChrome ? "barewave-trace.json" : "barewave-trace.txt";
  }
  return trace;
}

// The status that a shell would give the program.
int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Status run_trace(const GlobalOptions& global, const TraceCommandOptions& options,
                 const std::vector<std::string>& program) {
  if (program.empty()) {
    return error(StatusCode::kInvalidArgument, "trace: no program to start (see barewave trace --help)");
  }
  const TraceChoice trace = choose_trace(global, options);
  BW_ASSIGN(std::unique_ptr<emulator::TraceRecorder> file,
            emulator::TraceRecorder::create({.path = trace.path, .format = trace.format}));
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return Status::from_errno(errno, "trace: starting a process");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);  // an end of this command is one of the program
    if (::getppid() != parent) ::_exit(1);
    const Status status = exec_under_shim(global, options.shim, trace, program);
    fmt::print(stderr, "barewave: trace: {}\n", status.message());
    ::_exit(1);
  }
  // The terminal's signals are the program's to act upon.
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGQUIT, SIG_IGN);
  const int exit_status = wait_for(child);
  file.reset();
  if (exit_status != 0) std::exit(exit_status);
  return Status::ok();
}

}  // namespace

Command add_trace_command(CLI::App& app, const std::vector<std::string>& program) {
  auto options = std::make_shared<TraceCommandOptions>();
  CLI::App* command =
      app.add_subcommand("trace",
                         "Run any program on the emulated card and write down each system call, doorbell "
                         "and packet: barewave trace [OPTIONS] -- COMMAND...");
  command->footer(
      "Text has a line for each event. Chrome's JSON opens in ui.perfetto.dev, with a track for each thread and "
      "queue.\n"
      "The exit status is the program's. See docs/trace.md.");
  command->add_option("--format", options->format, "How to write it: text or chrome; without it the file's name says")
      ->check(CLI::IsMember({"text", "chrome"}))
      ->type_name("text|chrome");
  command->add_option("--output", options->output, "Where to write it; NAME.json is Chrome's format")
      ->type_name("FILE")
      ->default_str("barewave-trace.txt or .json");
  add_shim_options(command, &options->shim);
  return [options, &program](const GlobalOptions& global) { return run_trace(global, *options, program); };
}

}  // namespace bw::tools
