// Owns: the fuzzer of the driver's calls as a program: `ioctl_fuzz --seconds N --seed S --threads T`. Ends with status
// 1 at the first failure, which it prints so that it can be repeated.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>

#include "tests/fuzz/ioctl_fuzz.h"

int main(int argc, char** argv) {
  CLI::App app("Random calls of the emulated driver", "ioctl_fuzz");
  uint32_t seed = 1;
  double seconds = 10;
  unsigned threads = 1;
  app.add_option("--seed", seed, "Where the random numbers start")->capture_default_str();
  app.add_option("--seconds", seconds, "How long")->check(CLI::Range(0.0, 1e6))->capture_default_str();
  app.add_option("--threads", threads, "How many use each machine at once")
      ->check(CLI::Range(1, 16))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  const bw::test::IoctlFuzzResult result = bw::test::fuzz_ioctls(seed, seconds, UINT64_MAX, threads);
  fmt::print("{} machines, {} calls, {} of them successful\n", result.machines, result.calls, result.successes);
  if (result.failure.empty()) return 0;
  fmt::print("{}\n", result.failure);
  return 1;
}
