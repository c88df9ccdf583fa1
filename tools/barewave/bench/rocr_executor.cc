#include "tools/barewave/bench/rocr_executor.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "base/bits.h"

namespace bw::tools {
namespace {

class RocrBuffer final : public tensor::DeviceBuffer {
 public:
  RocrBuffer(std::shared_ptr<RocrMachine> machine, void* memory, uint64_t size_bytes)
      : machine_(std::move(machine)), memory_(static_cast<std::byte*>(memory)), size_bytes_(size_bytes) {}
  ~RocrBuffer() override { machine_->free_device(memory_); }

  uint64_t size_bytes() const override { return size_bytes_; }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    BW_RETURN_IF_ERROR(check(offset_bytes, data.size()));
    return copy(memory_ + offset_bytes, data.data(), data.size());
  }
  Status read(uint64_t offset_bytes, std::span<std::byte> data) override {
    BW_RETURN_IF_ERROR(check(offset_bytes, data.size()));
    return copy(data.data(), memory_ + offset_bytes, data.size());
  }
  const std::byte* memory() const { return memory_; }

 private:
  Status check(uint64_t offset_bytes, uint64_t count_bytes) const {
    if (offset_bytes <= size_bytes_ && count_bytes <= size_bytes_ - offset_bytes) return Status::ok();
    return error(StatusCode::kInvalidArgument, "{} bytes at offset {} of a buffer of {} bytes", count_bytes,
                 offset_bytes, size_bytes_);
  }
  Status copy(void* to, const void* from, size_t count_bytes) {
    const hsa::Functions& f = machine_->functions();
    return hsa::check(f, f.memory_copy(to, from, count_bytes), "hsa_memory_copy");
  }

  std::shared_ptr<RocrMachine> machine_;
  std::byte* memory_;
  uint64_t size_bytes_;
};

class RocrProgram final : public tensor::PreparedProgram {
 public:
  RocrProgram(std::shared_ptr<RocrMachine> machine, compiler::Program program)
      : machine_(std::move(machine)), program_(std::move(program)) {}

  Status load();
  Status bind(tensor::Executor& executor, const tensor::ParamBuffers& params);

  Status run(const tensor::VariableValues& variables) override;
  const std::vector<std::shared_ptr<tensor::DeviceBuffer>>& outputs() const override { return outputs_; }
  tensor::ProgramCost cost() const override { return {.kernel_count = program_.launches.size()}; }
  std::vector<tensor::LaunchDescription> launches() const override;

 private:
  struct Step {
    RocrKernel kernel;
    std::array<uint32_t, 3> workgroup_size{};
    std::array<uint32_t, 3> grid_size{};
    std::vector<std::byte> arguments;
  };
  Status add_step(const compiler::Launch& launch);

  std::shared_ptr<RocrMachine> machine_;
  compiler::Program program_;
  std::vector<RocrKernel> kernels_;
  std::vector<std::shared_ptr<RocrBuffer>> buffers_;
  std::vector<std::shared_ptr<tensor::DeviceBuffer>> outputs_;
  std::vector<Step> steps_;
  hsa::Signal done_;
};

Status RocrProgram::load() {
  std::map<const void*, hsa::Executable> loaded;  // kernels may share a code object
  for (const compiler::CompiledKernel& kernel : program_.kernels) {
    const void* const key = kernel.code_object.get();
    if (!loaded.contains(key)) {
      BW_ASSIGN(loaded[key], machine_->load(*kernel.code_object));
    }
    BW_ASSIGN(const RocrKernel found, machine_->kernel(loaded[key], kernel.symbol));
    kernels_.push_back(found);
  }
  BW_ASSIGN(const std::vector<hsa::Signal> signals, machine_->make_signals(1));
  done_ = signals.front();
  return Status::ok();
}

Status RocrProgram::bind(tensor::Executor& executor, const tensor::ParamBuffers& params) {
  for (const compiler::BufferPlan& plan : program_.buffers) {
    std::shared_ptr<tensor::DeviceBuffer> buffer;
    if (plan.kind == compiler::BufferKind::kParam) {
      const auto found = params.find(plan.param_id);
      if (found == params.end()) {
        return error(StatusCode::kNotFound, "preparing a program: param {} has no buffer", plan.param_id);
      }
      buffer = found->second;
    } else {
      BW_ASSIGN(buffer, executor.allocate(std::max<uint64_t>(plan.size_bytes, 1)));
    }
    // All buffers of this executor are RocrBuffers: nobody else makes them.
    buffers_.push_back(std::static_pointer_cast<RocrBuffer>(buffer));
  }
  for (size_t output : program_.outputs) outputs_.push_back(buffers_[output]);
  for (const compiler::Launch& launch : program_.launches) BW_RETURN_IF_ERROR(add_step(launch));
  return Status::ok();
}

Status RocrProgram::add_step(const compiler::Launch& launch) {
  const compiler::CompiledKernel& compiled = program_.kernels[launch.kernel];
  Step step{.kernel = kernels_[launch.kernel], .workgroup_size = compiled.workgroup_size, .arguments = {}};
  bool is_empty = false;
  for (size_t axis = 0; axis < step.grid_size.size(); ++axis) {
    if (!compiled.grid[axis].is_static()) {
      return error(StatusCode::kUnsupported, "kernel {} depends on variables, which ROCr's side does not set",
                   compiled.name);
    }
    const auto groups = static_cast<uint32_t>(ceil_div(compiled.grid[axis].offset, compiled.group_extent[axis]));
    step.grid_size[axis] = groups * compiled.workgroup_size[axis];
    is_empty |= groups == 0;
  }
  const size_t size_bytes = launch.buffers.size() * sizeof(uint64_t);
  if (!launch.variables.empty() || step.kernel.argument_bytes != size_bytes ||
      size_bytes > RocrMachine::kMostArgumentBytes) {
    return error(StatusCode::kUnsupported, "kernel {} takes {} bytes of arguments, of which {} are buffers",
                 compiled.name, step.kernel.argument_bytes, size_bytes);
  }
  for (size_t buffer : launch.buffers) {
    const std::byte* const address = buffers_[buffer]->memory();
    const auto* bytes = reinterpret_cast<const std::byte*>(&address);
    step.arguments.insert(step.arguments.end(), bytes, bytes + sizeof address);
  }
  if (!is_empty) steps_.push_back(std::move(step));
  return Status::ok();
}

Status RocrProgram::run(const tensor::VariableValues&) {
  if (steps_.empty()) return Status::ok();
  machine_->wait_for_room(steps_.size());
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const RocrLaunch launch{step.kernel, step.workgroup_size, step.grid_size, step.arguments};
    machine_->ring(machine_->write(launch, i + 1 == steps_.size() ? done_ : hsa::Signal{}));
  }
  return machine_->wait_until_done(done_);
}

std::vector<tensor::LaunchDescription> RocrProgram::launches() const {
  std::vector<tensor::LaunchDescription> launches;
  for (const compiler::Launch& launch : program_.launches) {
    tensor::LaunchDescription description;
    description.kernel = program_.kernels[launch.kernel].name;
    launches.push_back(std::move(description));
  }
  return launches;
}

}  // namespace

Result<std::unique_ptr<tensor::Executor>> RocrExecutor::create(std::shared_ptr<RocrMachine> machine,
                                                               const tensor::RuntimeOptions& options) {
  BW_ASSIGN(auto compiler,
            compiler::Compiler::create({.cache_dir = options.cache_dir, .threads = options.compiler_threads}));
  return std::unique_ptr<tensor::Executor>(new RocrExecutor(std::move(machine), std::move(compiler)));  // NOLINT
}

Result<std::shared_ptr<tensor::DeviceBuffer>> RocrExecutor::allocate(uint64_t size_bytes) {
  BW_ASSIGN(void* const memory, machine_->allocate_device(size_bytes));
  return std::shared_ptr<tensor::DeviceBuffer>(std::make_shared<RocrBuffer>(machine_, memory, size_bytes));
}

Result<std::unique_ptr<tensor::PreparedProgram>> RocrExecutor::prepare(std::span<const ir::NodePtr> outputs,
                                                                       const tensor::ParamBuffers& params) {
  BW_ASSIGN(compiler::Program program, compiler_->compile(outputs));
  auto prepared = std::make_unique<RocrProgram>(machine_, std::move(program));
  BW_RETURN_IF_ERROR(prepared->load());
  BW_RETURN_IF_ERROR(prepared->bind(*this, params));
  return std::unique_ptr<tensor::PreparedProgram>(std::move(prepared));
}

}  // namespace bw::tools
