// Owns: all that is known of a program's kernels before it runs, gathered for `barewave explain`. Not here: how it is
// shown (report.h, picture.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/codegen.h"
#include "compiler/kernel_resources.h"
#include "compiler/roofline.h"
#include "compiler/schedule.h"
#include "ir/analysis/access_proof.h"
#include "ir/node.h"

namespace bw::compiler::explain {

// All loads or all stores of one param: the indices stay within low..high, which is within the param. For single
// accesses see ir::analysis::AccessProof.
struct Proof {
  ir::Op op = ir::Op::kLoad;
  std::string param;
  int64_t low = 0;
  int64_t high = 0;
  int64_t elements = 0;  // of the param, in the dtype that is accessed
  size_t count = 0;      // of accesses as they stand in the kernel
  ir::analysis::ProofMethod method = ir::analysis::ProofMethod::kInterval;  // the strongest that was needed
};

// Of all parts of a launch together, with symbolic extents at their maximum.
struct KernelFacts {
  std::string name;
  uint32_t workgroup_size = 1;
  uint64_t workgroups = 0;
  KernelCosts costs;
  std::vector<std::vector<Proof>> proofs;  // of each part
  KernelResources resources;
  Occupancy occupancy;
  Roofline roofline;
  std::optional<double> model_seconds;  // of a launch of one part: what the cost model says of its tiles
  std::string diagnostic;               // as in CompiledKernel
  CodeObject code;                      // with listings where they were asked for
};

struct Explanation {
  std::vector<ir::NodePtr> outputs;
  Schedule schedule;
  std::vector<KernelFacts> kernels;             // one for each of schedule.kernels
  std::map<uint64_t, std::string> param_names;  // by ir::ParamAttr::id
  double total_seconds = 0;                     // of all kernels, one after the other
};

enum class Listings : uint8_t { kOfOne, kOfAll };

struct ExplainOptions {
  std::optional<size_t> kernel;          // must be there
  Listings listings = Listings::kOfOne;  // LLVM IR and assembly: of `kernel` alone, or of all
  size_t threads = 1;                    // kernels compiled side by side
};

// Schedules and compiles. Errors: as Compiler::compile; kInvalidArgument for a kernel that there is not.
Result<Explanation> explain(std::span<const ir::NodePtr> outputs, const ExplainOptions& options);

}  // namespace bw::compiler::explain
