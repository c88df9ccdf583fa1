#include "tensor/device_executor.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "tensor/device_tuner.h"

namespace bw::tensor {
namespace {

// Memory of the GPU.
class GpuBuffer final : public DeviceBuffer {
 public:
  GpuBuffer(std::shared_ptr<amdgpu::Device> device, amdgpu::Buffer buffer)
      : device_(std::move(device)), buffer_(std::move(buffer)) {}

  uint64_t size_bytes() const override { return buffer_.size_bytes(); }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    return device_->write(buffer_, offset_bytes, data);
  }
  Status read(uint64_t offset_bytes, std::span<std::byte> data) override {
    return device_->read(buffer_, offset_bytes, data);
  }
  GpuAddr gpu_addr() const { return buffer_.gpu_addr(); }

 private:
  std::shared_ptr<amdgpu::Device> device_;
  amdgpu::Buffer buffer_;
};

Result<int64_t> value_of(const ir::NodePtr& variable, const VariableValues& values) {
  const auto& attribute = variable->attr<ir::VariableAttr>();
  const auto found = values.find(attribute.name);
  if (found == values.end()) {
    return error(StatusCode::kInvalidArgument, "running a program: the variable '{}' has no value", attribute.name);
  }
  if (found->second < attribute.min || found->second > attribute.max) {
    return error(StatusCode::kInvalidArgument, "running a program: the variable '{}' is {}, not in {}..{}",
                 attribute.name, found->second, attribute.min, attribute.max);
  }
  return found->second;
}

Result<int64_t> value_of(const ir::Dim& dim, const VariableValues& values) {
  if (dim.is_static()) return dim.offset;
  BW_ASSIGN(const int64_t value, value_of(dim.variable, values));
  return value + dim.offset;
}

// Which launches must wait for the ones before: those that read what was written, or write what was used, since the
// last barrier.
class HazardTracker {
 public:
  // Takes the launch in; true if a barrier must stand before it.
  bool enter(std::span<GpuBuffer* const> buffers, size_t written) {
    bool is_barrier = false;
    for (size_t i = 0; i < buffers.size(); ++i) {
      is_barrier |= written_.contains(buffers[i]) || (i < written && used_.contains(buffers[i]));
    }
    if (is_barrier) {
      written_.clear();
      used_.clear();
    }
    for (size_t i = 0; i < buffers.size(); ++i) {
      used_.insert(buffers[i]);
      if (i < written) written_.insert(buffers[i]);
    }
    return is_barrier;
  }

 private:
  std::set<GpuBuffer*> written_;
  std::set<GpuBuffer*> used_;
};

// A compiled program on the device. The commands are recorded anew only when the number of workgroups of a launch
// changes with the variables; otherwise a run patches the variables in the arguments.
class GpuProgram final : public PreparedProgram {
 public:
  GpuProgram(std::shared_ptr<amdgpu::Device> device, compiler::Program program)
      : device_(std::move(device)), program_(std::move(program)) {}

  Status load();
  Status bind(Executor& executor, const ParamBuffers& params);

  Status run(const VariableValues& variables) override;
  const std::vector<std::shared_ptr<DeviceBuffer>>& outputs() const override { return outputs_; }
  ProgramCost cost() const override;
  std::vector<LaunchDescription> launches() const override;

 private:
  struct Step {
    const amdgpu::Kernel* kernel = nullptr;
    std::vector<GpuBuffer*> buffers;
    std::vector<std::byte> arguments;  // buffer addresses, then the variables of the last run
    amdgpu::Dim3 groups{1, 1, 1};
    bool is_empty = false;  // no work-items with the present variables
  };

  // Sets arguments and group counts from the variables; true if a group count has changed.
  Result<bool> update(const VariableValues& variables);
  Status record();

  std::shared_ptr<amdgpu::Device> device_;
  compiler::Program program_;
  std::vector<std::unique_ptr<amdgpu::CodeModule>> modules_;
  std::vector<amdgpu::Kernel> kernels_;
  std::vector<std::shared_ptr<GpuBuffer>> buffers_;
  std::vector<std::shared_ptr<DeviceBuffer>> outputs_;
  std::vector<Step> steps_;
  amdgpu::CommandBuffer commands_;
};

Status GpuProgram::load() {
  std::map<const void*, amdgpu::CodeModule*> loaded;  // kernels may share a code object
  for (const compiler::CompiledKernel& kernel : program_.kernels) {
    amdgpu::CodeModule*& module = loaded[kernel.code_object.get()];
    if (module == nullptr) {
      BW_ASSIGN(std::unique_ptr<amdgpu::CodeModule> fresh, device_->load(*kernel.code_object));
      module = fresh.get();
      modules_.push_back(std::move(fresh));
    }
    BW_ASSIGN(const amdgpu::Kernel* found, module->kernel(kernel.symbol));
    kernels_.push_back(*found);
    kernels_.back().info.name = kernel.name;  // what reports of faults and time-outs show
  }
  return Status::ok();
}

Status GpuProgram::bind(Executor& executor, const ParamBuffers& params) {
  for (const compiler::BufferPlan& plan : program_.buffers) {
    std::shared_ptr<DeviceBuffer> buffer;
    if (plan.kind == compiler::BufferKind::kParam) {
      const auto found = params.find(plan.param_id);
      if (found == params.end()) {
        return error(StatusCode::kNotFound, "preparing a program: param {} has no buffer", plan.param_id);
      }
      buffer = found->second;
    } else {
      // An output without elements is a buffer all the same.
      BW_ASSIGN(buffer, executor.allocate(std::max<uint64_t>(plan.size_bytes, 1)));
    }
    if (buffer->size_bytes() < plan.size_bytes) {
      return error(StatusCode::kInvalidArgument, "preparing a program: param {} needs {} bytes, its buffer has {}",
                   plan.param_id, plan.size_bytes, buffer->size_bytes());
    }
    // All buffers of a device executor are GpuBuffers: nobody else makes them.
    buffers_.push_back(std::static_pointer_cast<GpuBuffer>(buffer));
  }
  for (size_t output : program_.outputs) outputs_.push_back(buffers_[output]);
  for (const compiler::Launch& launch : program_.launches) {
    Step step;
    step.kernel = &kernels_[launch.kernel];
    for (size_t buffer : launch.buffers) {
      step.buffers.push_back(buffers_[buffer].get());
      const uint64_t address = buffers_[buffer]->gpu_addr().value;
      const auto* bytes = reinterpret_cast<const std::byte*>(&address);
      step.arguments.insert(step.arguments.end(), bytes, bytes + sizeof address);
    }
    step.arguments.resize(step.arguments.size() + launch.variables.size() * sizeof(uint32_t));
    steps_.push_back(std::move(step));
  }
  return Status::ok();
}

Result<bool> GpuProgram::update(const VariableValues& variables) {
  bool has_changed = !commands_.is_valid();
  for (size_t i = 0; i < steps_.size(); ++i) {
    const compiler::Launch& launch = program_.launches[i];
    const compiler::CompiledKernel& kernel = program_.kernels[launch.kernel];
    Step& step = steps_[i];
    size_t at = launch.buffers.size() * sizeof(uint64_t);
    for (const ir::NodePtr& variable : launch.variables) {
      BW_ASSIGN(const int64_t value, value_of(variable, variables));
      const auto word = static_cast<uint32_t>(value);
      std::memcpy(step.arguments.data() + at, &word, sizeof word);
      at += sizeof word;
    }
    amdgpu::Dim3 groups{};
    for (size_t axis = 0; axis < groups.size(); ++axis) {
      BW_ASSIGN(const int64_t extent, value_of(kernel.grid[axis], variables));
      const int64_t size = kernel.group_extent[axis];
      groups[axis] = static_cast<uint32_t>((extent + size - 1) / size);
    }
    has_changed |= groups != step.groups;
    step.groups = groups;
    step.is_empty = groups[0] == 0 || groups[1] == 0 || groups[2] == 0;
  }
  return has_changed;
}

Status GpuProgram::record() {
  commands_ = {};  // a failure must not leave those of other group counts
  amdgpu::CommandRecorder recorder = device_->record();
  HazardTracker hazards;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    if (step.is_empty) continue;
    const compiler::Launch& launch = program_.launches[i];
    if (hazards.enter(step.buffers, launch.written_buffers)) recorder.barrier();
    const auto& size = program_.kernels[launch.kernel].workgroup_size;
    recorder.dispatch(*step.kernel, step.groups, {size[0], size[1], size[2]}, step.arguments);
  }
  BW_ASSIGN(commands_, recorder.finish());
  return Status::ok();
}

Status GpuProgram::run(const VariableValues& variables) {
  BW_ASSIGN(const bool has_changed, update(variables));
  if (steps_.empty()) return Status::ok();
  if (has_changed) {
    BW_RETURN_IF_ERROR(record());
  } else {
    size_t dispatch = 0;
    for (const Step& step : steps_) {
      if (step.is_empty) continue;
      std::memcpy(commands_.arguments(dispatch).data(), step.arguments.data(), step.arguments.size());
      ++dispatch;
    }
  }
  BW_ASSIGN(const amdgpu::Submission submission, device_->submit(commands_));
  return device_->wait(submission);
}

ProgramCost GpuProgram::cost() const {
  ProgramCost cost;
  for (const compiler::Launch& launch : program_.launches) {
    ++cost.kernel_count;
    cost.flops += program_.kernels[launch.kernel].flops;
    cost.bytes += program_.kernels[launch.kernel].bytes;
  }
  return cost;
}

std::vector<LaunchDescription> GpuProgram::launches() const {
  std::vector<LaunchDescription> all;
  for (size_t i = 0; i < steps_.size(); ++i) {
    const compiler::Launch& launch = program_.launches[i];
    const compiler::CompiledKernel& kernel = program_.kernels[launch.kernel];
    LaunchDescription description;
    description.kernel = kernel.name;
    description.form = kernel.form;
    description.program_address = kernels_[launch.kernel].entry.value;
    for (const uint32_t size : kernel.workgroup_size) description.workgroup_lanes *= size;
    for (size_t axis = 0; axis < kernel.grid.size(); ++axis) description.grid[axis] = kernel.grid[axis].max();
    description.group_extent = kernel.group_extent;
    description.flops = kernel.flops;
    description.bytes = kernel.bytes;
    description.resources = kernel.resources;
    for (size_t buffer : launch.buffers) {
      description.buffers.push_back({buffers_[buffer]->gpu_addr().value, program_.buffers[buffer].size_bytes});
    }
    all.push_back(std::move(description));
  }
  return all;
}

}  // namespace

Result<std::shared_ptr<Runtime>> Runtime::create(kfd::KernelDriver& driver, const RuntimeOptions& options) {
  BW_ASSIGN(std::unique_ptr<Executor> executor, DeviceExecutor::create(driver, options));
  return create(std::move(executor));
}

Result<std::unique_ptr<Executor>> DeviceExecutor::create(kfd::KernelDriver& driver, const RuntimeOptions& options) {
  amdgpu::DeviceOptions device_options;
  device_options.gpu_index = options.gpu_index;
  BW_ASSIGN(std::unique_ptr<amdgpu::Device> opened, amdgpu::Device::open(driver, device_options));
  std::shared_ptr<amdgpu::Device> device = std::move(opened);
  std::shared_ptr<compiler::Tuner> tuner;
  if (options.tuning_candidates > 1) tuner = std::make_shared<DeviceTuner>(device);
  BW_ASSIGN(std::unique_ptr<compiler::Compiler> compiler,
            compiler::Compiler::create({.cache_dir = options.cache_dir,
                                        .threads = options.compiler_threads,
                                        .tuning_candidates = options.tuning_candidates,
                                        .tuner = std::move(tuner)}));
  return std::unique_ptr<Executor>(
      new DeviceExecutor(std::move(device), std::move(compiler), options.on_diagnostic));  // NOLINT: private
}

Result<std::shared_ptr<DeviceBuffer>> DeviceExecutor::allocate(uint64_t size_bytes) {
  const auto kind =
      device_->info().is_vram_host_visible ? amdgpu::MemoryKind::kVramHostVisible : amdgpu::MemoryKind::kVram;
  BW_ASSIGN(amdgpu::Buffer buffer, device_->allocate(kind, size_bytes));
  return std::shared_ptr<DeviceBuffer>(std::make_shared<GpuBuffer>(device_, std::move(buffer)));
}

Result<std::unique_ptr<PreparedProgram>> DeviceExecutor::prepare(std::span<const ir::NodePtr> outputs,
                                                                 const ParamBuffers& params) {
  BW_ASSIGN(compiler::Program program, compiler_->compile(outputs));
  for (const compiler::CompiledKernel& kernel : program.kernels) {
    if (on_diagnostic_ == nullptr || kernel.diagnostic.empty()) continue;
    on_diagnostic_(fmt::format("kernel {}: {}", kernel.name, kernel.diagnostic));
  }
  auto prepared = std::make_unique<GpuProgram>(device_, std::move(program));
  BW_RETURN_IF_ERROR(prepared->load());
  BW_RETURN_IF_ERROR(prepared->bind(*this, params));
  return std::unique_ptr<PreparedProgram>(std::move(prepared));
}

}  // namespace bw::tensor
