#include "tensor/device_executor.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/bits.h"
#include "tensor/device_tuner.h"

namespace bw::tensor {
namespace {

// Memory of the GPU.
class GpuBuffer final : public DeviceBuffer {
 public:
  GpuBuffer(std::shared_ptr<amdgpu::Device> device, amdgpu::Buffer buffer)
      : device_(std::move(device)), buffer_(std::move(buffer)) {}
  // The copy engine must not write to memory that others have got meanwhile.
  ~GpuBuffer() override { (void)device_->wait(last_upload_); }

  uint64_t size_bytes() const override { return buffer_.size_bytes(); }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    return device_->write(buffer_, offset_bytes, data);
  }
  Status read(uint64_t offset_bytes, std::span<std::byte> data) override {
    return device_->read(buffer_, offset_bytes, data);
  }
  Status upload(uint64_t offset_bytes, std::span<const std::byte> data) override {
    BW_ASSIGN(last_upload_, device_->upload(buffer_, offset_bytes, data));
    return Status::ok();
  }
  const amdgpu::Buffer& buffer() const { return buffer_; }

 private:
  std::shared_ptr<amdgpu::Device> device_;
  amdgpu::Buffer buffer_;
  amdgpu::Submission last_upload_;
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

// The kernels of a step after which the command processor says how far it has come: a report after a time-out names
// that many.
constexpr uint32_t kGroupsPerStep = 4;

// A compiled program on the device: one command graph, of which the variables are parameters, and the numbers of
// workgroups that change with them. It is recorded anew only when a launch gets work or loses all it had.
class GpuProgram final : public PreparedProgram {
 public:
  GpuProgram(std::shared_ptr<amdgpu::Device> device, compiler::Program program,
             std::shared_ptr<amdgpu::Submission> started)
      : device_(std::move(device)), program_(std::move(program)), started_(std::move(started)) {}

  Status load();
  Status bind(Executor& executor, const ParamBuffers& params);

  Status run(const VariableValues& variables) override;
  Status start(const VariableValues& variables) override;
  Status run_block(const RunBlock& block, const RunCallback& on_run) override;
  const std::vector<std::shared_ptr<DeviceBuffer>>& outputs() const override { return outputs_; }
  ProgramCost cost() const override;
  std::vector<LaunchDescription> launches() const override;

 private:
  struct Step {
    const amdgpu::Kernel* kernel = nullptr;
    std::vector<GpuBuffer*> buffers;
    std::vector<std::byte> arguments;  // buffer addresses, then the variables of the last recording
    amdgpu::Dim3 groups{1, 1, 1};
    bool is_empty = false;                                               // no work-items with the present variables
    std::array<std::optional<amdgpu::ParameterId>, 3> group_parameters;  // where the number depends on a variable
  };
  struct Variable {
    ir::NodePtr node;
    uint32_t value = 0;
    amdgpu::ParameterId parameter;
  };

  // Sets values and group counts from the variables; true if the graph does not fit them any more.
  Result<bool> update(const VariableValues& variables);
  Status record();
  void record(const Step& step, const compiler::Launch& launch, amdgpu::GraphRecorder& recorder) const;
  // Brings the graph's parameters up to date.
  Status set_parameters();
  size_t variable_index(const ir::NodePtr& variable) const;
  // Both, for so many runs.
  Status make_series(size_t runs);
  // Calls on_run for the runs of a series as they end; false: no more are wanted.
  Result<bool> follow(const amdgpu::ReplaySeries& series, size_t count, const RunCallback& on_run);
  // Hands over the first runs as series_, as many as one submission can take; how many that is.
  Result<size_t> submit_runs(const RunBlock& block, std::span<const VariableValues> runs);

  std::shared_ptr<amdgpu::Device> device_;
  compiler::Program program_;
  std::shared_ptr<amdgpu::Submission> started_;  // the last one of the executor
  std::vector<std::unique_ptr<amdgpu::CodeModule>> modules_;
  std::vector<amdgpu::Kernel> kernels_;
  std::vector<std::shared_ptr<GpuBuffer>> buffers_;
  std::vector<std::shared_ptr<DeviceBuffer>> outputs_;
  std::vector<Step> steps_;
  std::vector<Variable> variables_;  // of all launches, each once
  amdgpu::CommandGraph graph_;
  bool is_graph_old_ = false;           // it does not fit the variables of the last update()
  amdgpu::ReplaySeries series_;         // handed over last; for the largest block so far
  amdgpu::ReplaySeries series_before_;  // before that
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
      const uint64_t address = buffers_[buffer]->buffer().gpu_addr().value;
      const auto* bytes = reinterpret_cast<const std::byte*>(&address);
      step.arguments.insert(step.arguments.end(), bytes, bytes + sizeof address);
    }
    step.arguments.resize(step.arguments.size() + launch.variables.size() * sizeof(uint32_t));
    for (const ir::NodePtr& variable : launch.variables) {
      if (variable_index(variable) == variables_.size()) variables_.push_back({.node = variable, .parameter = {}});
    }
    steps_.push_back(std::move(step));
  }
  return Status::ok();
}

size_t GpuProgram::variable_index(const ir::NodePtr& variable) const {
  const auto found =
      std::find_if(variables_.begin(), variables_.end(), [&](const Variable& known) { return known.node == variable; });
  return static_cast<size_t>(found - variables_.begin());
}

Result<bool> GpuProgram::update(const VariableValues& variables) {
  bool has_changed = !graph_.is_valid() || is_graph_old_;
  for (Variable& variable : variables_) {
    BW_ASSIGN(const int64_t value, value_of(variable.node, variables));
    variable.value = static_cast<uint32_t>(value);
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    const compiler::CompiledKernel& kernel = program_.kernels[program_.launches[i].kernel];
    Step& step = steps_[i];
    for (size_t axis = 0; axis < step.groups.size(); ++axis) {
      BW_ASSIGN(const int64_t extent, value_of(kernel.grid[axis], variables));
      step.groups[axis] = static_cast<uint32_t>(ceil_div(extent, kernel.group_extent[axis]));
    }
    const bool is_empty = step.groups[0] == 0 || step.groups[1] == 0 || step.groups[2] == 0;
    has_changed |= is_empty != step.is_empty;
    step.is_empty = is_empty;
  }
  is_graph_old_ = has_changed;
  return has_changed;
}

Status GpuProgram::record() {
  graph_ = {};  // a failure must not leave that of other values
  amdgpu::GraphRecorder recorder = device_->record_graph({.groups_per_step = kGroupsPerStep});
  for (Variable& variable : variables_) {
    variable.parameter = recorder.parameter(sizeof(uint32_t), variable.value);
  }
  for (size_t i = 0; i < steps_.size(); ++i) {
    Step& step = steps_[i];
    if (step.is_empty) continue;
    const compiler::Launch& launch = program_.launches[i];
    for (size_t axis = 0; axis < step.groups.size(); ++axis) {
      const compiler::CompiledKernel& kernel = program_.kernels[launch.kernel];
      if (kernel.grid[axis].is_static()) continue;
      const auto most = static_cast<uint64_t>(ceil_div(kernel.grid[axis].max(), kernel.group_extent[axis]));
      step.group_parameters[axis] = recorder.parameter(sizeof(uint32_t), step.groups[axis], 1, most);
    }
    record(step, launch, recorder);
  }
  BW_ASSIGN(graph_, recorder.finish());
  is_graph_old_ = false;
  return Status::ok();
}

void GpuProgram::record(const Step& step, const compiler::Launch& launch, amdgpu::GraphRecorder& recorder) const {
  std::vector<amdgpu::BufferUse> uses;
  for (size_t i = 0; i < step.buffers.size(); ++i) {
    // A result may stand in the place of an operand, so what is written may be read too.
    const auto access = i < launch.written_buffers ? amdgpu::Access::kReadWrite : amdgpu::Access::kRead;
    uses.push_back({&step.buffers[i]->buffer(), access});
  }
  std::vector<amdgpu::ParameterUse> parameters;
  auto offset = static_cast<uint32_t>(launch.buffers.size() * sizeof(uint64_t));
  for (const ir::NodePtr& variable : launch.variables) {
    parameters.push_back(
        {variables_[variable_index(variable)].parameter, amdgpu::ParameterUse::Place::kArgument, offset});
    offset += sizeof(uint32_t);
  }
  for (uint32_t axis = 0; axis < step.group_parameters.size(); ++axis) {
    if (!step.group_parameters[axis]) continue;
    parameters.push_back({*step.group_parameters[axis], amdgpu::ParameterUse::Place::kWorkgroupCount, axis});
  }
  const auto& size = program_.kernels[launch.kernel].workgroup_size;
  recorder.launch({.kernel = step.kernel,
                   .workgroup_count = step.groups,
                   .workgroup_size = {size[0], size[1], size[2]},
                   .arguments = step.arguments,
                   .uses = uses,
                   .pointers = {},
                   .parameters = parameters});
}

Status GpuProgram::set_parameters() {
  for (const Variable& variable : variables_) BW_RETURN_IF_ERROR(graph_.set(variable.parameter, variable.value));
  for (const Step& step : steps_) {
    if (step.is_empty) continue;
    for (size_t axis = 0; axis < step.groups.size(); ++axis) {
      if (!step.group_parameters[axis]) continue;
      BW_RETURN_IF_ERROR(graph_.set(*step.group_parameters[axis], step.groups[axis]));
    }
  }
  return Status::ok();
}

Status GpuProgram::run(const VariableValues& variables) {
  BW_RETURN_IF_ERROR(start(variables));
  return steps_.empty() ? Status::ok() : device_->wait(*started_);
}

Status GpuProgram::start(const VariableValues& variables) {
  BW_ASSIGN(const bool has_changed, update(variables));
  if (steps_.empty()) return Status::ok();
  if (has_changed) BW_RETURN_IF_ERROR(record());
  BW_RETURN_IF_ERROR(set_parameters());
  BW_ASSIGN(*started_, device_->submit(graph_));
  return Status::ok();
}

Result<size_t> GpuProgram::submit_runs(const RunBlock& block, std::span<const VariableValues> runs) {
  const amdgpu::Replay replay{.condition = &static_cast<const GpuBuffer*>(block.go_on)->buffer(),
                              .result = &static_cast<const GpuBuffer*>(block.result)->buffer()};
  size_t count = 0;
  for (; count < runs.size(); ++count) {
    BW_ASSIGN(const bool has_changed, update(runs[count]));
    if (has_changed && count > 0) break;  // another graph: another submission
    if (has_changed) BW_RETURN_IF_ERROR(record());
    BW_RETURN_IF_ERROR(set_parameters());
    const Status status = device_->append(series_, graph_, replay);
    if (status.code() == StatusCode::kUnsupported && count > 0) break;
    BW_RETURN_IF_ERROR(status);
  }
  BW_ASSIGN(*started_, device_->submit(series_));
  return count;
}

Status GpuProgram::make_series(size_t runs) {
  for (amdgpu::ReplaySeries* series : {&series_, &series_before_}) {
    if (series->is_valid() && series->capacity() >= runs) continue;
    BW_ASSIGN(*series, device_->make_series(runs));
  }
  return Status::ok();
}

Result<bool> GpuProgram::follow(const amdgpu::ReplaySeries& series, size_t count, const RunCallback& on_run) {
  for (size_t i = 0; i < count; ++i) {
    BW_ASSIGN(const bool has_run, device_->wait_replay(series, i));
    if (!has_run || !on_run(series.result(i))) return false;
  }
  return true;
}

// What runs and what is handed over next are two series that take turns, so that the device never waits for the host.
Status GpuProgram::run_block(const RunBlock& block, const RunCallback& on_run) {
  if (steps_.empty()) return PreparedProgram::run_block(block, on_run);
  std::span<const VariableValues> left = block.runs;
  if (left.empty()) return Status::ok();
  const size_t most = block.most_at_once == 0 ? left.size() : block.most_at_once;
  const auto submit_next = [&]() -> Result<size_t> {
    if (left.empty()) return size_t{0};
    std::swap(series_, series_before_);
    BW_ASSIGN(const size_t count, submit_runs(block, left.first(std::min(most, left.size()))));
    left = left.subspan(count);
    return count;
  };
  BW_RETURN_IF_ERROR(make_series(std::min(most, left.size())));
  BW_ASSIGN(size_t running, submit_next());
  while (running != 0) {
    auto next = submit_next();
    const bool has_next = next.is_ok() && next.value() != 0;
    auto goes_on = next.is_ok() ? follow(has_next ? series_before_ : series_, running, on_run)
                                : Result<bool>(std::move(next).status());
    if (!goes_on.is_ok() || !goes_on.value()) {
      // What has not begun is left out: that is soon over.
      series_.cancel();
      series_before_.cancel();
      if (!next.is_ok()) series_ = {};  // some of its runs may be in it
      BW_RETURN_IF_ERROR(goes_on.status());
      return device_->wait(*started_);
    }
    running = next.value();
  }
  return Status::ok();
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
    description.acquiring_address = kernels_[launch.kernel].acquiring_entry.value_or(GpuAddr{}).value;
    for (const uint32_t size : kernel.workgroup_size) description.workgroup_lanes *= size;
    for (size_t axis = 0; axis < kernel.grid.size(); ++axis) description.grid[axis] = kernel.grid[axis].max();
    description.group_extent = kernel.group_extent;
    description.flops = kernel.flops;
    description.bytes = kernel.bytes;
    description.resources = kernel.resources;
    for (size_t buffer : launch.buffers) {
      description.buffers.push_back({buffers_[buffer]->buffer().gpu_addr().value, program_.buffers[buffer].size_bytes});
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
  if (options.wait_timeout_ns != 0) device_options.wait_timeout_ns = options.wait_timeout_ns;
  BW_ASSIGN(std::unique_ptr<amdgpu::Device> opened, amdgpu::Device::open(driver, device_options));
  return create(std::shared_ptr<amdgpu::Device>(std::move(opened)), options);
}

Result<std::unique_ptr<Executor>> DeviceExecutor::create(std::shared_ptr<amdgpu::Device> device,
                                                         const RuntimeOptions& options) {
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

Result<std::vector<std::unique_ptr<Executor>>> DeviceExecutor::create_several(kfd::KernelDriver& driver, uint32_t count,
                                                                              const RuntimeOptions& options) {
  amdgpu::DeviceOptions device_options;
  device_options.gpu_index = options.gpu_index;
  if (options.wait_timeout_ns != 0) device_options.wait_timeout_ns = options.wait_timeout_ns;
  BW_ASSIGN(auto devices, amdgpu::Device::open_several(driver, count, device_options));
  std::vector<std::unique_ptr<Executor>> executors;
  for (auto& device : devices) {
    BW_ASSIGN(std::unique_ptr<Executor> executor, create(std::shared_ptr<amdgpu::Device>(std::move(device)), options));
    executors.push_back(std::move(executor));
  }
  return executors;
}

Status DeviceExecutor::send(DeviceBuffer& source, Executor& peer, DeviceBuffer& destination) {
  auto* other = dynamic_cast<DeviceExecutor*>(&peer);
  if (other == nullptr || source.size_bytes() != destination.size_bytes()) {
    return error(StatusCode::kInvalidArgument, "sending a buffer of {} bytes to one of {}{}", source.size_bytes(),
                 destination.size_bytes(), other == nullptr ? " that is on no GPU" : "");
  }
  // All buffers of device executors are GpuBuffers.
  const amdgpu::Buffer& from = static_cast<GpuBuffer&>(source).buffer();
  const amdgpu::Buffer& to = static_cast<GpuBuffer&>(destination).buffer();
  BW_RETURN_IF_ERROR(other->device_->share(to));
  const std::array after = {*started_};
  BW_ASSIGN(const amdgpu::Submission copied, device_->copy(to, 0, from, 0, from.size_bytes(), after));
  return other->device_->submit_wait(*device_, copied).status();
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
  auto prepared = std::make_unique<GpuProgram>(device_, std::move(program), started_);
  BW_RETURN_IF_ERROR(prepared->load());
  BW_RETURN_IF_ERROR(prepared->bind(*this, params));
  return std::unique_ptr<PreparedProgram>(std::move(prepared));
}

}  // namespace bw::tensor
