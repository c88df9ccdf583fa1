// Owns: the fuzzer of the compiler as a program: `graph_fuzz --seconds N --seed S [--strict] [--only KIND]`. Ends with
// status 1 at the first failure, which it prints so that it can be repeated.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <set>
#include <string>

#include "tests/fuzz/graph_fuzz.h"
#include "tests/fuzz/random_workload.h"

int main(int argc, char** argv) {
  CLI::App app("Random tensor programs, compiled and run on the emulated card, against an evaluator on the host",
               "graph_fuzz");
  bw::test::GraphFuzzOptions options;
  options.seconds = 10;
  options.count = UINT64_MAX;
  std::string engine = "jit";
  const std::set<std::string> kinds(bw::test::workload_kinds().begin(), bw::test::workload_kinds().end());
  app.add_option("--seed", options.seed, "Of the first program; each takes the next")->capture_default_str();
  app.add_option("--seconds", options.seconds, "How long")->check(CLI::Range(0.0, 1e6))->capture_default_str();
  app.add_option("--count", options.count, "How many programs at most");
  app.add_option("--only", options.only, "Only programs of this kind")->check(CLI::IsMember(kinds));
  app.add_option("--engine", engine, "jit, jit-at-once (nothing is interpreted) or interpreter")
      ->check(CLI::IsMember({"jit", "jit-at-once", "interpreter"}))
      ->capture_default_str();
  app.add_flag_callback(
      "--strict", [&] { options.strictness = bw::emulator::Strictness::kOn; }, "Strict mode of the card (interpreter)");
  CLI11_PARSE(app, argc, argv);
  if (engine == "interpreter") options.engine = bw::emulator::ShaderEngine::kInterpreter;
  if (engine == "jit-at-once") options.engine = bw::emulator::ShaderEngine::kJitAtOnce;
  const bw::test::GraphFuzzResult result = bw::test::fuzz_graphs(options);
  fmt::print("{} programs, {} kernels\n", result.programs, result.kernels);
  if (result.failure.empty()) return 0;
  fmt::print("{}\n", result.failure);
  return 1;
}
