// Owns: the list of benchmarks: tensor programs with known inputs, a reference in double precision on the host, and
// what they must move and compute at least. Not here: running them (bench_run.h), showing what came of it
// (bench_report.h).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/executor.h"
#include "tensor/runtime.h"
#include "tensor/tensor.h"

namespace bw::tools {

// [m, k] x [k, n], for what a tiling of it must read.
struct BenchProduct {
  int64_t m = 0;
  int64_t n = 0;
  uint64_t a_bytes = 0;
  uint64_t b_bytes = 0;
};

// A benchmark, compiled and with its inputs in place.
struct BenchProgram {
  std::function<Status()> run;
  std::function<std::vector<tensor::LaunchDescription>()> launches;
  std::function<Status()> verify;  // of the last run; kDataLoss with the place of a wrong result
  uint64_t minimum_bytes = 0;      // inputs and outputs once
  double flops = 0;                // a multiplication with an addition counts as two
  double tokens = 0;               // that a run decodes
  std::optional<BenchProduct> product;
};

struct BenchCase {
  std::string name;        // in the results of --counters
  std::string timed_name;  // in the results of timing; "": the same
  std::string summary;
  std::function<Result<BenchProgram>(const std::shared_ptr<tensor::Runtime>&)> make;
};

// gemm/TYPE/MxNxK and gemv/TYPE/MxK for other extents than those of the list; nothing for other names.
std::vector<BenchCase> shaped_case(const std::string& name);

// `model_path`: a GGUF file for the decode step; "": without that case.
std::vector<BenchCase> bench_cases(const std::string& model_path);

// Whole texts with that model, for timing: what the host costs that steps in after each token.
std::vector<BenchCase> decode_loop_cases(const std::string& model_path);

// What an element of the result is, and how far from it the device may be.
struct Expected {
  double value = 0;
  double tolerance = 0;
};

// A program with one output, whose elements are compared with `expected`: all of them, or a sample of large ones.
Result<BenchProgram> make_program(const tensor::Tensor& output, std::function<Expected(size_t index)> expected);

void add_simple_cases(std::vector<BenchCase>* cases);
void add_product_cases(std::vector<BenchCase>* cases);
void add_attention_cases(std::vector<BenchCase>* cases);

}  // namespace bw::tools
