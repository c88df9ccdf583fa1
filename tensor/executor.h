// Owns: the seam between tensors and what carries out their programs: the GPU (device_executor.h), or the host in tests
// (testing/host_executor.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "compiler/kernel_resources.h"
#include "ir/node.h"

namespace bw::tensor {

// Memory of an executor. Contents are undefined until written.
class DeviceBuffer {
 public:
  virtual ~DeviceBuffer() = default;

  virtual uint64_t size_bytes() const = 0;
  // From and to the host; both return when the data has arrived. Errors: kInvalidArgument past the end; the device's.
  virtual Status write(uint64_t offset_bytes, std::span<const std::byte> data) = 0;
  virtual Status read(uint64_t offset_bytes, std::span<std::byte> data) = 0;
  // As write(), but may return as soon as the data has been taken; reads and programs that run later see it.
  virtual Status upload(uint64_t offset_bytes, std::span<const std::byte> data) { return write(offset_bytes, data); }
};

// The buffers of a program's params, by ir::ParamAttr::id.
using ParamBuffers = std::map<uint64_t, std::shared_ptr<DeviceBuffer>>;
// Values of ir variables, by name.
using VariableValues = std::map<std::string, int64_t>;

// Where programs of several cards meet, each between two of its parts: each tells the others that they may read what it
// publishes, and waits until they have told it the same. Programs that meet run at the same time, each its own, with
// the same meetings in the same order; of those there are two at least, or none.
struct Meeting {
  // A 32-bit word of memory that all reach, 0 before the first run and after each.
  struct Word {
    std::shared_ptr<DeviceBuffer> buffer;
    uint64_t offset_bytes = 0;
  };
  struct Arrival {
    Word word;                                           // of this card
    std::vector<std::shared_ptr<DeviceBuffer>> buffers;  // of another card, which this one reads afterwards
  };
  std::vector<Word> told;                                // of the other cards
  std::vector<std::shared_ptr<DeviceBuffer>> publishes;  // of this card
  std::vector<Arrival> awaits;
};

// What a program does until the next meeting, or its end.
struct ProgramPart {
  std::vector<ir::NodePtr> outputs;
  ParamBuffers params;  // Runtime::prepare_parts() fills it
  std::optional<Meeting> meeting = {};
};

// What a program costs each time it runs.
struct ProgramCost {
  size_t kernel_count = 0;
  uint64_t flops = 0;  // at most
  uint64_t bytes = 0;  // loaded and stored by the kernels, at most
};

// An argument of a kernel launch that is memory.
struct BufferDescription {
  uint64_t address = 0;  // for the GPU
  uint64_t size_bytes = 0;
};

// A kernel launch of a program, for reports.
struct LaunchDescription {
  std::string kernel;            // tells what it computes
  std::string form;              // how its work is dealt out
  uint64_t program_address = 0;  // of the kernel's first instruction, for the GPU
  // Of the same with an invalidation of caches before it, with which some launches begin; 0: there is none.
  uint64_t acquiring_address = 0;
  uint32_t workgroup_lanes = 1;
  std::array<int64_t, 3> grid{};                  // what there is to do along x, y, z; with a symbolic extent at most
  std::array<uint32_t, 3> group_extent{1, 1, 1};  // how much of it a workgroup does
  uint64_t flops = 0;                             // at most, as the next
  uint64_t bytes = 0;                             // that it must load and store
  compiler::KernelResources resources;
  std::vector<BufferDescription> buffers;  // in argument order
};

// Several runs of a program, one after the other without the host in between.
struct RunBlock {
  std::span<const VariableValues> runs;
  // A 32-bit word that the program may write: if it is 0 when a run has ended, those after it are left out.
  DeviceBuffer* go_on = nullptr;
  // A 32-bit word that is reported as each run ends.
  DeviceBuffer* result = nullptr;
  // Runs that are handed over at a time, and those after them while they go on; 0: as many as the device takes.
  size_t most_at_once = 0;
};

// Called as each run has ended, while later ones go on. False: those that have not begun are left out, and it is not
// called again.
using RunCallback = std::function<bool(uint32_t result)>;

// A program that was compiled and loaded once, bound to its buffers, to be run any number of times.
class PreparedProgram {
 public:
  virtual ~PreparedProgram() = default;

  // Runs all kernels and waits for their end. Errors: kInvalidArgument for a variable that is missing or outside its
  // bounds; the device's.
  virtual Status run(const VariableValues& variables) = 0;
  // As run(), but without waiting where the executor can do so: Executor::wait() does. What is started later sees its
  // results.
  virtual Status start(const VariableValues& variables) { return run(variables); }
  // Runs a block and waits for its end. Unless an executor can do better, the host steps in after each run.
  virtual Status run_block(const RunBlock& block, const RunCallback& on_run);
  // Hands over the first runs of a block, as many as go at once, and returns how many that is. The next may be handed
  // over while they go on; before a third, the first has ended. kUnsupported for an executor that runs nothing in the
  // background.
  virtual Result<size_t> start_block(const RunBlock& /*block*/) {
    return error(StatusCode::kUnsupported, "starting a block of runs on an executor that runs none in the background");
  }
  // The result of a run that was handed over last, or before that; nothing if it was left out.
  enum class Started : uint8_t { kLast, kBeforeLast };
  virtual Result<std::optional<uint32_t>> wait_run(Started /*block*/, size_t /*run*/) {
    return std::optional<uint32_t>();
  }
  // One for each output of the graph, in order; overwritten by every run. The output of a store is its param's buffer.
  virtual const std::vector<std::shared_ptr<DeviceBuffer>>& outputs() const = 0;
  virtual ProgramCost cost() const = 0;
  // In order; empty where nothing is launched on a GPU.
  virtual std::vector<LaunchDescription> launches() const { return {}; }
};

// Runs a block in parts, the next of which is handed over while one goes on: `start` hands over the first of the runs
// it is given and says how many, `cancel` sees to it that what has not begun is left out; it is called when on_run
// wants no more, and after an error. Results are those of `program`. The end of the last run may still be under way.
Status run_in_turns(PreparedProgram& program, std::span<const VariableValues> runs,
                    const std::function<Result<size_t>(std::span<const VariableValues>)>& start,
                    const RunCallback& on_run, const std::function<Status()>& cancel);

class Executor {
 public:
  virtual ~Executor() = default;

  // size_bytes > 0.
  virtual Result<std::shared_ptr<DeviceBuffer>> allocate(uint64_t size_bytes) = 0;
  // Errors: what the compiler says about the graph, kNotFound for a param without a buffer, the device's.
  virtual Result<std::unique_ptr<PreparedProgram>> prepare(std::span<const ir::NodePtr> outputs,
                                                           const ParamBuffers& params) = 0;

  // One program of several parts. Executors without peers run only those that meet nobody.
  virtual Result<std::unique_ptr<PreparedProgram>> prepare_parts(std::span<const ProgramPart> /*parts*/) {
    return error(StatusCode::kUnsupported, "preparing a program that meets others on an executor that has no peers");
  }
  // Lets the programs of all executors that were made together with this one use the buffer, which is this one's.
  virtual Status share(DeviceBuffer& /*buffer*/) {
    return error(StatusCode::kUnsupported, "sharing a buffer of an executor that has no peers");
  }
  // What is running and what waits, for reports; "" if nobody can say.
  virtual std::string describe_running() const { return ""; }
  // For all that was started here.
  virtual Status wait() { return Status::ok(); }
};

}  // namespace bw::tensor
