// Owns: the list of subcommands. Each declares its options on the command line parser and is run after parsing.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/driver_choice.h"

namespace bw::tools {

struct GlobalOptions : DriverOptions {
  std::string trace_path;  // of `trace`, which commands that start another program leave to that; "": none
};

using Command = std::function<Status(const GlobalOptions&)>;

// Each adds a subcommand to `app` and returns what carries it out.
Command add_info_command(CLI::App& app);
Command add_explain_command(CLI::App& app);
Command add_generate_command(CLI::App& app);
Command add_bench_command(CLI::App& app);
Command add_isa_command(CLI::App& app);
Command add_isa_test_command(CLI::App& app);
// `program`: the words after "--".
Command add_shim_command(CLI::App& app, const std::vector<std::string>& program);
Command add_trace_command(CLI::App& app, const std::vector<std::string>& program);

// --tune, for commands that run programs.
inline void add_tune_option(CLI::App& command, size_t& candidates) {
  command
      .add_option(
          "--tune", candidates,
          "Time the N most promising forms of each product and reduction on the device and take the fastest; choices "
          "are remembered in the cache. 0, 1: by prediction alone")
      ->check(CLI::Range(0u, 1000u))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace bw::tools
