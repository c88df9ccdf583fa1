// Owns: the fuzzers as a program: `isa_fuzz decode|programs|threads --seconds N --seed S`. Ends with status 1 at the
// first failure, which it prints so that it can be repeated.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "tests/fuzz/decode_fuzz.h"
#include "tests/fuzz/program_fuzz.h"

namespace bw::test {
namespace {

int finish(const std::string& failure) {
  if (failure.empty()) return 0;
  fmt::print("{}\n", failure);
  return 1;
}

int run_decode(uint32_t seed, double seconds) {
  const DecodeFuzzResult result = fuzz_decoder(seed, seconds, UINT64_MAX);
  fmt::print("{} instructions: both take {}, both reject {}\n", result.count, result.both_take, result.both_reject);
  for (const auto& [reason, count] : result.one_sided) fmt::print("  {}: {}\n", reason, count);
  return finish(result.failure);
}

// The interpreter on one thread against the engine, on as many.
int run_programs(Engine engine, size_t threads, uint32_t seed, double seconds) {
  const FaultReports reports = threads == 1 ? FaultReports::kIdentical : FaultReports::kSamePlace;
  for (const uint32_t wave_size : {32u, 64u}) {
    Gpu reference(1, Engine::kInterpreter), other(threads, engine);
    const ProgramFuzzResult result = fuzz_programs(reference, other, reports, wave_size, seed, seconds / 2, UINT64_MAX);
    fmt::print("wave{}: {} programs of {} instructions, {} with faults\n", wave_size, result.programs,
               result.instructions, result.faults);
    if (!result.failure.empty()) return finish(result.failure);
  }
  return 0;
}

int run(int argc, char** argv) {
  CLI::App app("Random instructions and programs of gfx1100", "isa_fuzz");
  uint32_t seed = 1;
  double seconds = 10;
  app.add_option("--seed", seed, "Where the random numbers start")->capture_default_str();
  app.add_option("--seconds", seconds, "How long")->check(CLI::Range(0.0, 1e6))->capture_default_str();
  app.require_subcommand(1);
  app.fallthrough();
  CLI::App* decode = app.add_subcommand("decode", "Random bytes: the decoder against LLVM's disassembler");
  CLI::App* threads = app.add_subcommand("threads", "Random programs: one host thread against three");
  app.add_subcommand("programs", "Random programs: the interpreter against the JIT");
  CLI11_PARSE(app, argc, argv);
  if (decode->parsed()) return run_decode(seed, seconds);
  return threads->parsed() ? run_programs(Engine::kInterpreter, 3, seed, seconds)
                           : run_programs(Engine::kJit, 1, seed, seconds);
}

}  // namespace
}  // namespace bw::test

int main(int argc, char** argv) {
  return bw::test::run(argc, argv);
}
