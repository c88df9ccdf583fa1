#include "tensor/device_executor.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "amdgpu/kernel_arguments.h"
#include "base/bits.h"
#include "tensor/device_tuner.h"
#include "tensor/gpu_buffer.h"
#include "tensor/program_parts.h"

namespace bw::tensor {
namespace {

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

// A compiled program on the device: one command graph. Its variables are words of memory, which each replay of a block
// leaves as the next one needs them if values follow each other; parameters are what is sent otherwise, and the numbers
// of workgroups that change with variables. It is recorded anew only when a launch gets work or loses all it had.
class GpuProgram final : public PreparedProgram {
 public:
  // Before the launch of that number, or after the last.
  struct PlacedMeeting {
    size_t launch = 0;
    Meeting meeting;
  };

  GpuProgram(std::shared_ptr<amdgpu::Device> device, compiler::Program program, std::vector<PlacedMeeting> meetings,
             std::shared_ptr<amdgpu::Submission> started)
      : device_(std::move(device)),
        program_(std::move(program)),
        meetings_(std::move(meetings)),
        started_(std::move(started)) {}

  Status load();
  Status bind(Executor& executor, const ParamBuffers& params);

  Status run(const VariableValues& variables) override;
  Status start(const VariableValues& variables) override;
  Status run_block(const RunBlock& block, const RunCallback& on_run) override;
  Result<size_t> start_block(const RunBlock& block) override;
  Result<std::optional<uint32_t>> wait_run(Started block, size_t run) override;
  const std::vector<std::shared_ptr<DeviceBuffer>>& outputs() const override { return outputs_; }
  ProgramCost cost() const override;
  std::vector<LaunchDescription> launches() const override;

 private:
  struct Step {
    const amdgpu::Kernel* kernel = nullptr;
    std::vector<GpuBuffer*> buffers;
    std::vector<std::byte> arguments;  // addresses of the buffers, then of the variables' words
    amdgpu::Dim3 groups{1, 1, 1};
    bool is_empty = false;                                               // no work-items with the present variables
    std::array<std::optional<amdgpu::ParameterId>, 3> group_parameters;  // where the number depends on a variable
  };
  struct Variable {
    ir::NodePtr node;
    uint32_t value = 0;  // of the next run
    amdgpu::ParameterId parameter;
  };

  // Sets values and group counts from the variables; true if the graph does not fit them any more.
  Result<bool> update(const VariableValues& variables);
  Status record();
  void record(const Step& step, const compiler::Launch& launch, amdgpu::GraphRecorder& recorder) const;
  Status bind_variables();
  // Brings the graph's parameters up to date.
  Status set_parameters();
  size_t variable_index(const ir::NodePtr& variable) const;
  // Hands over the first runs as series_, as many as one submission can take; how many that is.
  Result<size_t> submit_runs(const RunBlock& block, std::span<const VariableValues> runs);

  std::shared_ptr<amdgpu::Device> device_;
  compiler::Program program_;
  const std::vector<PlacedMeeting> meetings_;    // in the order of the launches
  std::shared_ptr<amdgpu::Submission> started_;  // the last one of the executor
  std::vector<std::unique_ptr<amdgpu::CodeModule>> modules_;
  std::vector<amdgpu::Kernel> kernels_;
  std::vector<std::shared_ptr<GpuBuffer>> buffers_;
  std::vector<std::shared_ptr<DeviceBuffer>> outputs_;
  std::vector<Step> steps_;
  std::vector<Variable> variables_;  // of all launches, each once
  amdgpu::Buffer words_;             // one for each
  bool advances_ = false;            // each replay adds 1 to all words
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
      amdgpu::append_address(buffers_[buffer]->buffer().gpu_addr(), step.arguments);
    }
    steps_.push_back(std::move(step));
  }
  return bind_variables();
}

Status GpuProgram::bind_variables() {
  for (const compiler::Launch& launch : program_.launches) {
    for (const ir::NodePtr& variable : launch.variables) {
      if (variable_index(variable) == variables_.size()) variables_.push_back({.node = variable, .parameter = {}});
    }
  }
  if (variables_.empty()) return Status::ok();
  BW_ASSIGN(words_, device_->allocate(amdgpu::MemoryKind::kVram, variables_.size() * sizeof(uint32_t)));
  for (size_t i = 0; i < steps_.size(); ++i) {
    for (const ir::NodePtr& variable : program_.launches[i].variables) {
      amdgpu::append_address(words_.gpu_addr() + variable_index(variable) * sizeof(uint32_t), steps_[i].arguments);
    }
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
  for (size_t i = 0; i < variables_.size(); ++i) {
    const auto& bounds = variables_[i].node->attr<ir::VariableAttr>();
    variables_[i].parameter = recorder.word(words_, i * sizeof(uint32_t), variables_[i].value,
                                            static_cast<uint32_t>(bounds.min), static_cast<uint32_t>(bounds.max));
  }
  size_t meeting = 0;
  const auto record_meetings_before = [&](size_t launch) {
    for (; meeting < meetings_.size() && meetings_[meeting].launch <= launch; ++meeting) {
      record_meeting(meetings_[meeting].meeting, meeting == 0 ? nullptr : &meetings_[meeting - 1].meeting, recorder);
    }
  };
  for (size_t i = 0; i < steps_.size(); ++i) {
    record_meetings_before(i);
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
  record_meetings_before(steps_.size());
  if (advances_) {
    for (const Variable& variable : variables_) recorder.advance(variable.parameter);
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
  for (const ir::NodePtr& variable : launch.variables) {
    uses.push_back({&words_, amdgpu::Access::kRead, variable_index(variable) * sizeof(uint32_t), sizeof(uint32_t)});
  }
  std::vector<amdgpu::ParameterUse> parameters;
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

// What runs and what is handed over next are two series that take turns, so that the device never waits for the host.
Result<size_t> GpuProgram::start_block(const RunBlock& block) {
  if (steps_.empty()) return PreparedProgram::start_block(block);
  if (!advances_) advances_ = is_graph_old_ = true;
  std::swap(series_, series_before_);
  const size_t runs = std::min(block.runs.size(), block.most_at_once == 0 ? SIZE_MAX : block.most_at_once);
  for (amdgpu::ReplaySeries* series : {&series_, &series_before_}) {
    if (series->is_valid() && series->capacity() >= runs) continue;
    if (series->is_valid()) BW_RETURN_IF_ERROR(device_->wait(*started_));
    BW_ASSIGN(*series, device_->make_series(std::max<size_t>(runs, 1)));
  }
  auto count = submit_runs(block, block.runs.first(runs));
  if (!count.is_ok()) series_ = {};  // some of its runs may be in it
  return count;
}

Result<std::optional<uint32_t>> GpuProgram::wait_run(Started block, size_t run) {
  const amdgpu::ReplaySeries& series = block == Started::kLast ? series_ : series_before_;
  BW_ASSIGN(const bool has_run, device_->wait_replay(series, run));
  return has_run ? std::optional(series.result(run)) : std::nullopt;
}

Status GpuProgram::run_block(const RunBlock& block, const RunCallback& on_run) {
  if (steps_.empty()) return PreparedProgram::run_block(block, on_run);
  const auto cancel = [this] {
    for (amdgpu::ReplaySeries* series : {&series_, &series_before_}) {
      if (series->is_valid()) series->cancel();
    }
    return Status::ok();
  };
  const auto start = [&](std::span<const VariableValues> runs) {
    RunBlock part = block;
    part.runs = runs;
    return start_block(part);
  };
  BW_RETURN_IF_ERROR(run_in_turns(*this, block.runs, start, on_run, cancel));
  return device_->wait(*started_);
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

// All buffers of device executors are GpuBuffers.
Status DeviceExecutor::share(DeviceBuffer& buffer) {
  return device_->share(static_cast<GpuBuffer&>(buffer).buffer());
}

Result<std::shared_ptr<DeviceBuffer>> DeviceExecutor::allocate(uint64_t size_bytes) {
  const auto kind =
      device_->info().is_vram_host_visible ? amdgpu::MemoryKind::kVramHostVisible : amdgpu::MemoryKind::kVram;
  BW_ASSIGN(amdgpu::Buffer buffer, device_->allocate(kind, size_bytes));
  return std::shared_ptr<DeviceBuffer>(std::make_shared<GpuBuffer>(device_, std::move(buffer)));
}

Result<compiler::Program> DeviceExecutor::compile(std::span<const ir::NodePtr> outputs) {
  BW_ASSIGN(compiler::Program program, compiler_->compile(outputs));
  for (const compiler::CompiledKernel& kernel : program.kernels) {
    if (on_diagnostic_ == nullptr || kernel.diagnostic.empty()) continue;
    on_diagnostic_(fmt::format("kernel {}: {}", kernel.name, kernel.diagnostic));
  }
  return program;
}

Result<std::unique_ptr<PreparedProgram>> DeviceExecutor::prepare(std::span<const ir::NodePtr> outputs,
                                                                 const ParamBuffers& params) {
  const ProgramPart whole{.outputs = {outputs.begin(), outputs.end()}, .params = params};
  return prepare_parts(std::span(&whole, 1));
}

Result<std::unique_ptr<PreparedProgram>> DeviceExecutor::prepare_parts(std::span<const ProgramPart> parts) {
  compiler::Program program;
  ParamBuffers params;
  std::vector<GpuProgram::PlacedMeeting> meetings;
  for (const ProgramPart& part : parts) {
    BW_ASSIGN(compiler::Program compiled, compile(part.outputs));
    append_part(std::move(compiled), program);
    params.insert(part.params.begin(), part.params.end());
    if (part.meeting) meetings.push_back({program.launches.size(), *part.meeting});
  }
  auto prepared = std::make_unique<GpuProgram>(device_, std::move(program), std::move(meetings), started_);
  BW_RETURN_IF_ERROR(prepared->load());
  BW_RETURN_IF_ERROR(prepared->bind(*this, params));
  return std::unique_ptr<PreparedProgram>(std::move(prepared));
}

}  // namespace bw::tensor
