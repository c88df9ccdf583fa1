// Owns: the way from a program graph to code objects and a list of launches. What users of this room include.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/kernel_resources.h"
#include "ir/node.h"

namespace bw::compiler {

// A kernel ready to be loaded. Kernel arguments are 64-bit addresses, in order: one per buffer, then one per variable,
// of a 32-bit word that holds its value and does not change while the kernel runs.
struct CompiledKernel {
  std::string name;    // for messages: tells what the kernel computes
  std::string form;    // of its parts, each once: how the work is dealt out (print_form())
  std::string symbol;  // of the kernel in the code object (without ".kd")
  std::shared_ptr<const std::vector<std::byte>> code_object;
  std::array<uint32_t, 3> workgroup_size{1, 1, 1};
  // What there is to do along x, y, z, and how much of it a workgroup does: workgroups = ceil(grid / group_extent). The
  // kernel itself leaves out the surplus.
  std::array<ir::Dim, 3> grid;
  std::array<uint32_t, 3> group_extent{1, 1, 1};
  uint32_t kernarg_size_bytes = 0;
  uint64_t flops = 0;  // floating-point operations of one launch, at most; a fused multiply-add counts as two
  uint64_t bytes = 0;  // of memory that one launch reads and writes, at most; each element once (ir/analysis/costs.h)
  KernelResources resources;
  std::string diagnostic;  // what LLVM could not do well, for the user: registers that are spilled; "" if all is well
};

enum class BufferKind : uint8_t { kParam, kTemporary };

struct BufferPlan {
  BufferKind kind = BufferKind::kTemporary;
  uint64_t param_id = 0;  // kParam: ir::ParamAttr::id
  uint64_t size_bytes = 0;
};

// One launch. A launch may start when those before it have ended (or, where no buffer is shared, at once).
struct Launch {
  size_t kernel = 0;                   // index into Program::kernels
  std::vector<size_t> buffers;         // indices into Program::buffers, in argument order
  std::vector<ir::NodePtr> variables;  // kVariable nodes, in argument order
  size_t written_buffers = 1;          // the first so many of `buffers` are written, the others read only
};

struct Program {
  std::vector<CompiledKernel> kernels;
  std::vector<BufferPlan> buffers;
  std::vector<Launch> launches;
  std::vector<size_t>
      outputs;  // buffer of each output of the graph, row-major and dense (symbolic extents at their maximum)
};

// Times kernels where they are to run. Compilers call it from one thread at a time.
class Tuner {
 public:
  virtual ~Tuner() = default;
  // Whose times they are: choices made on one device do not count on another.
  virtual std::string device_name() const = 0;
  // How long one launch takes, its variables at their largest, on buffers of these sizes that the tuner makes for it
  // and whose contents are any that the kernel can work on. Errors: whatever keeps the kernel from running.
  virtual Result<uint64_t> time_ns(const CompiledKernel& kernel, std::span<const uint64_t> buffer_sizes_bytes,
                                   std::span<const ir::NodePtr> variables) = 0;
};

struct CompilerOptions {
  std::string cache_dir;  // "" : no cache on disk. See default_cache_dir() (base/file_cache.h). It need not exist yet
  size_t threads = 1;     // kernels compiled side by side
  // Kernels that reduce (matrix products, matrix-vector products, norms) run in the fastest by `tuner` of the first so
  // many forms in the order of the cost models, and of as many workgroup sizes; below 2, or without a tuner, as the
  // models choose. The results are remembered in `cache_dir`.
  size_t tuning_candidates = 0;
  std::shared_ptr<Tuner> tuner = {};
};

// Compiles graphs for gfx1100. Keeps code objects in memory and, if told to, on disk. Safe to use from several threads.
class Compiler {
 public:
  static Result<std::unique_ptr<Compiler>> create(CompilerOptions options);
  virtual ~Compiler() = default;

  // Outputs are values (each gets a temporary buffer) or kStore nodes (their param is the output).
  // Kernels that are equal and have the same grid are one kernel of the program.
  // Errors: kInvalidArgument for a graph that does not verify, kUnsupported for what cannot be lowered, both with the
  // node.
  virtual Result<Program> compile(std::span<const ir::NodePtr> outputs) = 0;

  // Why the cache directory is not written to (it may be read-only or the disk full), in one line for the user; ""
  // while all is well. Compilation does not fail for it.
  virtual std::string cache_problem() const = 0;
};

}  // namespace bw::compiler
