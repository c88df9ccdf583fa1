#include "amdgpu/device.h"

#include <cstring>
#include <optional>
#include <utility>

#include "amdgpu/acquire_stub.h"
#include "amdgpu/gfx11/limits.h"
#include "amdgpu/kernel_arguments.h"
#include "amdgpu/queue_set.h"
#include "amdgpu/scratch_pool.h"
#include "amdgpu/transfer.h"
#include "kfd/topology.h"

namespace bw::amdgpu {

// Members go in reverse order: first the queues, which stops the GPU, last the driver.
struct Device::Impl {
  Impl(DeviceInfo device_info, std::shared_ptr<DriverSession> driver_session, kfd::Gpu& gpu)
      : info(std::move(device_info)),
        session(std::move(driver_session)),
        memory(MemoryManager::create(session, gpu)),
        scratch(memory, info) {}

  const DeviceInfo info;
  std::shared_ptr<DriverSession> session;
  std::shared_ptr<MemoryManager> memory;
  ScratchPool scratch;
  std::unique_ptr<Transfer> transfer;
  std::unique_ptr<QueueSet> queues;
};

namespace {

// `count` gfx1100 GPUs from that index on, or at least one and all there are.
Result<std::vector<kfd::Node>> find_nodes(kfd::KernelDriver& driver, uint32_t first, std::optional<uint32_t> count) {
  BW_ASSIGN(std::vector<kfd::Node> nodes, kfd::read_topology(driver));
  std::vector<kfd::Node> found;
  uint32_t index = 0;
  std::string others;
  for (kfd::Node& node : nodes) {
    if (!node.is_gpu()) continue;
    const uint64_t target = node.property("gfx_target_version");
    if (target != gfx11::kTargetVersion) {
      others += fmt::format("{}gfx_target_version {}", others.empty() ? "" : ", ", target);
    } else if (index++ >= first && (!count || found.size() < *count)) {
      found.push_back(std::move(node));
    }
  }
  if (found.size() >= count.value_or(1)) return found;
  const std::string what =
      count.value_or(1) == 1 ? fmt::format("GPU {}", first) : fmt::format("GPUs {} to {}", first, first + *count - 1);
  return error(StatusCode::kNotFound, "looking for {} of type {}: the driver shows {} such{}{}", what,
               gfx11::kTargetName, index, others.empty() ? "" : ", and others: ", others);
}

MemoryKind best_host_visible(const DeviceInfo& info) {
  return info.is_vram_host_visible ? MemoryKind::kVramHostVisible : MemoryKind::kGtt;
}

MemoryKind code_kind(const DeviceInfo& info) {
  return info.is_vram_host_visible ? MemoryKind::kVramHostVisible : MemoryKind::kVram;
}

CommandRecorder::Limits recording_limits(const DeviceInfo& info) {
  return {.lds_size_bytes = info.lds_size_bytes, .argument_kind = best_host_visible(info)};
}

// Instructions are fetched ahead of what is executed; the bytes after the last must be mapped.
constexpr uint64_t kFetchAheadBytes = 4096;

}  // namespace

Device::Device(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Device::~Device() = default;

Result<std::unique_ptr<Device>> Device::open(kfd::KernelDriver& driver, const DeviceOptions& options) {
  BW_ASSIGN(auto devices, open_several(driver, 1, options));
  return std::move(devices.front());
}

Result<std::vector<std::unique_ptr<Device>>> Device::open_several(kfd::KernelDriver& driver,
                                                                  std::optional<uint32_t> count,
                                                                  const DeviceOptions& options) {
  if (count == 0u) return error(StatusCode::kInvalidArgument, "opening 0 GPUs");
  // The process first: whether there is a driver, and whether this user may use it, is the most useful error.
  BW_ASSIGN(std::unique_ptr<kfd::Process> process, kfd::Process::open(driver));
  auto session = std::make_shared<DriverSession>(std::move(process));
  BW_ASSIGN(const std::vector<kfd::Node> nodes, find_nodes(driver, options.gpu_index, count));
  // Before anything is bound to them.
  std::vector<DeviceInfo> infos;
  for (const kfd::Node& node : nodes) {
    BW_ASSIGN(DeviceInfo info, read_device_info(session->process(), node));
    infos.push_back(std::move(info));
  }
  BW_RETURN_IF_ERROR(session->open(nodes));
  return make(std::move(session), std::move(infos), options);
}

std::shared_ptr<DriverSession> Device::session() const {
  return impl_->session;
}

Result<std::vector<std::unique_ptr<Device>>> Device::reopen(std::shared_ptr<DriverSession> session,
                                                            const DeviceOptions& options) {
  if (session == nullptr) return error(StatusCode::kInvalidArgument, "opening GPUs anew without a session");
  std::vector<DeviceInfo> infos;
  for (const std::unique_ptr<kfd::Gpu>& gpu : session->gpus()) {
    BW_ASSIGN(DeviceInfo info, read_device_info(session->process(), gpu->node()));
    infos.push_back(std::move(info));
  }
  return make(std::move(session), std::move(infos), options);
}

Result<std::vector<std::unique_ptr<Device>>> Device::make(std::shared_ptr<DriverSession> session,
                                                          std::vector<DeviceInfo> infos, const DeviceOptions& options) {
  std::vector<std::unique_ptr<Device>> devices;
  for (size_t i = 0; i < infos.size(); ++i) {
    kfd::Gpu& gpu = *session->gpus()[i];
    auto impl = std::make_unique<Impl>(std::move(infos[i]), session, gpu);
    BW_ASSIGN(impl->queues, QueueSet::create(*session, gpu, impl->info,
                                             {.wait_timeout_ns = options.wait_timeout_ns,
                                              .spin_ns = options.spin_ns,
                                              .compute_ring_size_bytes = options.compute_ring_size_bytes,
                                              .sdma_ring_size_bytes = options.sdma_ring_size_bytes}));
    impl->transfer = std::make_unique<Transfer>(*impl->memory, *impl->queues);
    devices.push_back(std::unique_ptr<Device>(new Device(std::move(impl))));  // NOLINT: private
  }
  return devices;
}

const DeviceInfo& Device::info() const {
  return impl_->info;
}

Result<Buffer> Device::allocate(MemoryKind kind, uint64_t size_bytes) {
  return impl_->memory->allocate(kind, size_bytes);
}

Result<Buffer> Device::import_host_memory(std::span<std::byte> pages) {
  return impl_->memory->import_host_memory(pages);
}

Status Device::write(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data) {
  return impl_->transfer->write(buffer, offset_bytes, data);
}

Result<Submission> Device::upload(const Buffer& buffer, uint64_t offset_bytes, std::span<const std::byte> data) {
  return impl_->transfer->upload(buffer, offset_bytes, data);
}

Status Device::read(const Buffer& buffer, uint64_t offset_bytes, std::span<std::byte> data) {
  return impl_->transfer->read(buffer, offset_bytes, data);
}

Status Device::fill(const Buffer& buffer, uint64_t offset_bytes, uint64_t size_bytes, uint32_t value) {
  return impl_->transfer->fill(buffer, offset_bytes, size_bytes, value);
}

Result<Submission> Device::copy(const Buffer& destination, uint64_t destination_offset_bytes, const Buffer& source,
                                uint64_t source_offset_bytes, uint64_t size_bytes, std::span<const Submission> after) {
  return impl_->transfer->copy(destination, destination_offset_bytes, source, source_offset_bytes, size_bytes, after);
}

Result<std::unique_ptr<CodeModule>> Device::load(std::span<const std::byte> code_object) {
  BW_ASSIGN(CodeObject object, CodeObject::parse(code_object));
  std::vector<std::optional<uint64_t>> stubs;
  for (const KernelInfo& info : object.kernels) stubs.push_back(append_acquire_stub(object.image, info.entry_offset()));
  object.image.resize(object.image.size() + kFetchAheadBytes);
  BW_ASSIGN(Buffer buffer, impl_->memory->allocate(code_kind(impl_->info), object.image.size()));
  for (const CodeObject::Relocation& relocation : object.relocations) {
    const uint64_t value = buffer.gpu_addr().value + static_cast<uint64_t>(relocation.addend);
    std::memcpy(object.image.data() + relocation.offset, &value, sizeof(value));
  }
  BW_RETURN_IF_ERROR(write(buffer, 0, object.image));
  auto code = std::make_shared<const Buffer>(std::move(buffer));
  std::vector<std::unique_ptr<const Kernel>> kernels;
  for (size_t i = 0; i < object.kernels.size(); ++i) {
    KernelInfo& info = object.kernels[i];
    Kernel kernel;
    kernel.entry = code->gpu_addr() + info.entry_offset();
    kernel.descriptor = code->gpu_addr() + info.descriptor_offset;
    kernel.code = code;
    if (stubs[i]) kernel.acquiring_entry = code->gpu_addr() + *stubs[i];
    kernel.pgm_rsrc1 = dispatched_pgm_rsrc1(info);
    kernel.info = std::move(info);
    kernels.push_back(std::make_unique<const Kernel>(std::move(kernel)));
  }
  return std::make_unique<CodeModule>(std::move(kernels));
}

Result<std::unique_ptr<const Kernel>> Device::load_program(const RawProgram& program) {
  auto kernel = std::make_unique<Kernel>();
  BW_ASSIGN(kernel->info, describe(program));
  std::vector<std::byte> image(program.code.begin(), program.code.end());
  image.resize(image.size() + kFetchAheadBytes);
  BW_ASSIGN(Buffer buffer, impl_->memory->allocate(code_kind(impl_->info), image.size()));
  BW_RETURN_IF_ERROR(write(buffer, 0, image));
  kernel->entry = buffer.gpu_addr();
  kernel->pgm_rsrc1 = privileged_pgm_rsrc1(program.pgm_rsrc1);
  kernel->code = std::make_shared<const Buffer>(std::move(buffer));
  return std::unique_ptr<const Kernel>(std::move(kernel));
}

CommandRecorder Device::record() {
  return CommandRecorder(impl_->memory, impl_->scratch, recording_limits(impl_->info));
}

Result<Submission> Device::submit(const CommandBuffer& commands, std::span<const Submission> after, QueueName queue) {
  if (!commands.is_valid())
    return error(StatusCode::kInvalidArgument, "submitting a command buffer that has no commands");
  return impl_->queues->submit({.commands = commands.commands_, .queue = queue, .after = after});
}

Result<DirectDispatch> Device::prepare_dispatch(const Kernel& kernel, const Dim3& workgroup_count,
                                                const Dim3& workgroup_size) {
  CommandRecorder::Limits limits = recording_limits(impl_->info);
  limits.groups_per_step = 0;
  CommandRecorder recorder(impl_->memory, impl_->scratch, limits);
  const std::vector<std::byte> none(explicit_argument_bytes(kernel.info));
  recorder.dispatch(kernel, workgroup_count, workgroup_size, none);
  return recorder.finish_direct(none.size());
}

Result<Submission> Device::submit(const DirectDispatch& dispatch, std::span<const std::byte> arguments,
                                  QueueName queue) {
  if (arguments.size() != dispatch.argument_bytes()) {
    return error(StatusCode::kInvalidArgument, "dispatching kernel {} with {} bytes of arguments, not {}",
                 dispatch.commands_->dispatches[0].kernel_name, arguments.size(), dispatch.argument_bytes());
  }
  return impl_->queues->submit(dispatch, arguments, queue);
}

GraphRecorder Device::record_graph(const GraphOptions& options) {
  CommandRecorder::Limits limits = recording_limits(impl_->info);
  limits.groups_per_step = options.groups_per_step;
  limits.chunk_dwords = options.chunk_dwords;
  return GraphRecorder(impl_->memory, impl_->scratch, limits, options);
}

Status Device::check_complete(const CommandGraph& graph) {
  if (!graph.is_valid()) return error(StatusCode::kInvalidArgument, "submitting a command graph that has no commands");
  if (const auto past_end = graph.find_word_past_end()) {
    return error(StatusCode::kInvalidArgument,
                 "submitting a command graph whose word {} has advanced beyond {}: set it", *past_end,
                 graph.parameters_[*past_end].most);
  }
  if (graph.pointers_ == nullptr) return Status::ok();
  if (graph.unset_pointer_count_ > 0) {
    return error(StatusCode::kInvalidArgument,
                 "submitting a command graph with {} pointer parameters that were not set", graph.unset_pointer_count_);
  }
  if (graph.changed_.empty()) return Status::ok();
  if (const auto both = graph.pointers_->find_overlap()) {
    return error(StatusCode::kInvalidArgument,
                 "submitting a command graph whose pointer parameters {} and {} overlap, and one is written through",
                 both->first, both->second);
  }
  return Status::ok();
}

Result<Submission> Device::submit(CommandGraph& graph, std::span<const Submission> after, QueueName queue) {
  const bool is_to_be_checked = !graph.is_valid() || graph.pointers_ != nullptr || !graph.advancing_.empty();
  if (is_to_be_checked) BW_RETURN_IF_ERROR(check_complete(graph));
  send_all_after_recovery(graph);
  BW_ASSIGN(graph.last_, impl_->queues->submit({.commands = graph.commands_.commands_,
                                                .queue = queue,
                                                .after = after,
                                                .patches = graph.patches(),
                                                // Its parameters and its memory serve one replay at a time.
                                                .previous = graph.last_}));
  graph.patches_were_sent();
  return graph.last_;
}

Status Device::share(const Buffer& buffer) {
  return impl_->memory->share(buffer);
}

Result<Submission> Device::submit_wait(const Device& peer, Submission of_peer, QueueName queue) {
  if (peer.impl_->session != impl_->session) {
    return error(StatusCode::kInvalidArgument, "gpu {} waiting for gpu {}: they were not opened together",
                 impl_->info.gpu_id, peer.impl_->info.gpu_id);
  }
  return impl_->queues->submit_wait(queue, *peer.impl_->queues, of_peer);
}

// Changes that were sent to queues which are gone may not have been made.
void Device::send_all_after_recovery(CommandGraph& graph) {
  if (graph.recovery_count_ != impl_->queues->recovery_count()) graph.send_all();
  graph.recovery_count_ = impl_->queues->recovery_count();
}

Result<ReplaySeries> Device::make_series(size_t capacity) {
  if (capacity == 0) return error(StatusCode::kInvalidArgument, "making a series of 0 replays");
  ReplaySeries series;
  BW_ASSIGN(series.slots_, allocate(MemoryKind::kGtt, ReplaySeries::memory_bytes(capacity)));
  series.set_wanted(1);
  return series;
}

Status Device::append(ReplaySeries& series, CommandGraph& graph, const Replay& replay) {
  BW_RETURN_IF_ERROR(check_complete(graph));
  if (series.is_submitted_) {
    BW_RETURN_IF_ERROR(impl_->queues->wait_to_submit(series.last_));
    series.discard();
  }
  if (series.count_ == 0) series.set_wanted(1);
  if (series.count_ == series.capacity() ||
      (series.count_ > 0 && series.kept_->commands != graph.commands_.commands_)) {
    return error(StatusCode::kInvalidArgument, "appending replay {} to a series for {} of one graph", series.count_ + 1,
                 series.capacity());
  }
  for (const Buffer* word : {replay.condition, replay.result}) {
    if (word == nullptr || (word->is_valid() && word->size_bytes() >= sizeof(uint32_t))) continue;
    return error(StatusCode::kInvalidArgument, "appending a replay with a word that has no memory");
  }
  send_all_after_recovery(graph);
  if (series.count_ == 0) series.after_ = graph.last_;
  series.graph_ = &graph;
  series.kept_->commands = graph.commands_.commands_;
  *series.slot(series.count_) = {};
  const size_t size_before = series.packets_.size();
  BW_RETURN_IF_ERROR(graph.append_to(series, replay));
  const size_t capacity_dwords = impl_->queues->capacity_dwords(QueueName::kCompute);
  if (series.packets_.size() <= capacity_dwords) return Status::ok();
  const size_t wanted_dwords = series.packets_.size();
  series.packets_.resize(size_before);
  --series.count_;
  graph.take_replay_back();
  return error(StatusCode::kUnsupported, "a series of {} replays has {} dwords, more than the ring's {}",
               series.count_ + 1, wanted_dwords, capacity_dwords);
}

Result<Submission> Device::submit(ReplaySeries& series, QueueName queue) {
  if (series.count_ == 0 || series.is_submitted_) {
    return error(StatusCode::kInvalidArgument, "submitting a series without replays since the last submission");
  }
  CommandGraph& graph = *series.graph_;
  // Replays change what the one before has left, and that of another submission may be anything.
  if (graph.last_.queue != series.after_.queue || graph.last_.value != series.after_.value) {
    const size_t count = series.count_;
    series.discard();
    graph.send_all();
    return error(
        StatusCode::kInvalidArgument,
        "submitting a series of {} replays of a graph that was submitted otherwise since the first of them was "
        "appended (append them anew)",
        count);
  }
  // The commands, and with them all that the series keeps.
  const std::shared_ptr<const RecordedCommands> commands(series.kept_, series.kept_->commands.get());
  BW_ASSIGN(
      series.last_,
      impl_->queues->submit({.commands = commands, .queue = queue, .previous = graph.last_, .entry = series.packets_}));
  series.is_submitted_ = true;
  graph.last_ = series.last_;
  if (graph.pointers_ != nullptr) graph.pointers_->was_submitted(series.last_);
  graph.send_all();  // some replays may be left out, and their changes with them
  return series.last_;
}

Result<bool> Device::wait_replay(const ReplaySeries& series, size_t replay) {
  if (!series.is_submitted_ || replay >= series.count_) {
    return error(StatusCode::kInvalidArgument, "waiting for replay {} of a series of {}", replay, series.count_);
  }
  return impl_->queues->wait_word(series.slot(replay)->serial, static_cast<uint32_t>(replay + 1), series.last_);
}

bool Device::is_done(Submission submission) const {
  return impl_->queues->is_done(submission);
}

Status Device::wait(Submission submission) {
  return impl_->queues->wait(submission);
}

Status Device::wait(Submission submission, uint64_t timeout_ns) {
  return impl_->queues->wait(submission, timeout_ns);
}

std::string Device::describe_running() const {
  return impl_->queues->describe_pending();
}

Status Device::wait_idle() {
  return impl_->queues->wait_idle();
}

Status Device::set_deadline(Submission submission, uint64_t limit_ns) {
  return impl_->queues->set_deadline(submission, limit_ns);
}

Status Device::check_deadlines() {
  return impl_->queues->check_deadlines();
}

Status Device::wait_for_users(const Buffer& buffer) {
  return impl_->transfer->wait_for_users(buffer);
}

Status Device::fault() const {
  return impl_->queues->fault();
}

Status Device::recover() {
  return impl_->queues->recover();
}

}  // namespace bw::amdgpu
