#include "emulator/kernel/queues.h"

#include <bit>
#include <cerrno>
#include <optional>

#include "base/bits.h"
#include "emulator/caches/memory_checker.h"
#include "emulator/card_facts.h"
#include "emulator/kernel/user_memory.h"
#include "emulator/trace/queue_trace.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;

// How long Linux lets a queue take to leave the hardware (queue_preemption_timeout_ms). Linux saves the waves of a
// queue that leaves; here they are kept where they were by the shader cores, but for those that destroying gives up.
constexpr std::chrono::milliseconds kPreemptionTimeout{9000};
constexpr int kKernelNotSupported = 524;  // ENOTSUPP, which Linux lets through to user space
constexpr size_t kMaxQueuesPerProcess = 1024;
constexpr uint32_t kMaxQueuesPerDevice = 127;  // kfd_process_queue_manager.c, pqm_create_queue(): "HWS limit"
constexpr uint32_t kDoorbells = kDoorbellAreaBytes / kDoorbellBytes;

bool is_sdma(uint32_t type) {
  return type == static_cast<uint32_t>(QueueType::kSdma) || type == static_cast<uint32_t>(QueueType::kSdmaByEngineId);
}

// Whether all of [address, address + size) is in the page tables.
bool is_mapped(const AddressSpace& space, uint64_t address, uint64_t size_bytes) {
  const uint64_t end = address + size_bytes;
  if (end < address) return false;
  Mapping mapping;
  while (address < end) {
    if (!space.find(address, &mapping)) return false;
    address = mapping.end;
  }
  return true;
}

// What stands at the start of a queue's context save area. Linux include/uapi/linux/kfd_ioctl.h,
// struct kfd_context_save_area_header.
struct ContextSaveHeader {
  uint32_t control_stack_offset;
  uint32_t control_stack_size;
  uint32_t wave_state_offset;
  uint32_t wave_state_size;
  uint32_t debug_offset;
  uint32_t debug_size;
  uint64_t error_reason_address;
  uint32_t error_event_id;
  uint32_t reserved;
};
static_assert(sizeof(ContextSaveHeader) == 40 && offsetof(ContextSaveHeader, error_reason_address) == 24);

// gfx11's SDMA_TRAP and end-of-pipe interrupts reach the process's events; a fault reaches its exception events.
class Listener : public QueueListener {
 public:
  Listener(uint32_t gpu_id, EventTable& events, FaultLog& log, std::function<void()> evict)
      : gpu_id_(gpu_id), events_(events), log_(log), evict_(std::move(evict)) {}

  void interrupt(uint32_t context_id) override { events_.signal_from_gpu(context_id); }

  void fault(FaultReport report) override {
    log_.add(report);  // first: who is woken by the event reads the log
    if (report.memory) {
      evict_();
      events_.raise_memory_exception(exception_of(*report.memory));
    } else if (report.notice == FaultNotice::kHwException) {
      events_.raise_hw_exception({.reset_type = static_cast<uint32_t>(ResetType::kPerEngine),
                                  .reset_cause = static_cast<uint32_t>(ResetCause::kGpuHang),
                                  .memory_lost = 0,
                                  .gpu_id = gpu_id_});
    } else if (report.notice == FaultNotice::kRuntime) {
      tell_runtime(report);
    }
  }

 private:
  // As Linux's kfd_send_exception_to_runtime(): the header says where the reason goes, and which event to set. What
  // the client has spoiled is not told.
  void tell_runtime(const FaultReport& report) {
    ContextSaveHeader header;
    if (copy_from_user(&header, report.context_save_address, sizeof(header)) != 0) return;
    uint64_t reason = 0;
    if (copy_from_user(&reason, header.error_reason_address, sizeof(reason)) != 0) return;
    reason |= uint64_t{1} << (report.exception_code - 1);
    if (copy_to_user(header.error_reason_address, &reason, sizeof(reason)) != 0) return;
    events_.set(header.error_event_id);
  }

  // As Linux's kfd_signal_vm_fault_event(): the address of the page.
  MemoryExceptionData exception_of(const MemoryFault& memory) const {
    return {.failure = {.NotPresent = memory.reason == MemoryFaultReason::kNotPresent,
                        .ReadOnly = memory.reason == MemoryFaultReason::kReadOnly,
                        .NoExecute = memory.reason == MemoryFaultReason::kNoExecute,
                        .imprecise = 0},
            .va = align_down(memory.address, 4096),
            .gpu_id = gpu_id_,
            .ErrorType = static_cast<uint32_t>(MemoryErrorType::kNoRas)};
  }

  const uint32_t gpu_id_;
  EventTable& events_;
  FaultLog& log_;
  const std::function<void()> evict_;  // after a memory fault
};

}  // namespace

// What one card lends to the queues on it.
class QueueTable::Device {
 public:
  Device(const Card& card, const ArenaRegion& doorbells, EventTable& events, FaultLog& log)
      : gpu_id(card.gpu_id), listener(card.gpu_id, events, log, [this] { evict(); }), doorbells_(doorbells) {}

  // An unused doorbell, set to zero.
  std::optional<uint32_t> take_doorbell() {
    for (uint32_t i = 0; i < kDoorbells; ++i) {
      if (used_[i]) continue;
      used_.set(i);
      doorbell(i)->store(0, std::memory_order_relaxed);
      return i;
    }
    return std::nullopt;
  }
  void give_back_doorbell(uint32_t index) { used_.reset(index); }
  std::atomic<uint64_t>* doorbell(uint32_t index) const {
    static_assert(sizeof(std::atomic<uint64_t>) == kDoorbellBytes);
    return reinterpret_cast<std::atomic<uint64_t>*>(doorbells_.host + index * kDoorbellBytes);
  }
  uint64_t doorbell_offset(uint32_t index) const { return doorbells_.offset + index * kDoorbellBytes; }

  void attach(const std::shared_ptr<QueueProcessor>& queue) {
    std::lock_guard lock(mutex_);
    queues_.push_back(queue);
  }
  void detach(const std::shared_ptr<QueueProcessor>& queue) {
    std::lock_guard lock(mutex_);
    std::erase(queues_, queue);
  }
  size_t queue_count() const {
    std::lock_guard lock(mutex_);
    return queues_.size();
  }

  const uint32_t gpu_id;
  Listener listener;
  std::shared_ptr<MemoryChecker> checker;  // null: not strict
  // A hardware queue of the SDMA engines, which share them in turns, or of the one engine that is asked for (Linux,
  // allocate_sdma_queue()).
  std::optional<uint32_t> find_sdma_queue(const CreateQueueArgs& args) const {
    const bool is_by_engine = args.queue_type == static_cast<uint32_t>(QueueType::kSdmaByEngineId);
    for (uint32_t i = is_by_engine ? args.sdma_engine_id : 0; i < sdma_used_.size();
         i += is_by_engine ? facts::kSdmaEngines : 1) {
      if (!sdma_used_[i]) return i;
    }
    return std::nullopt;
  }
  void take_sdma_queue(uint32_t index) { sdma_used_.set(index); }
  void give_back_sdma_queue(uint32_t index) { sdma_used_.reset(index); }

 private:
  // From any engine's thread. After a memory fault Linux takes all queues of the process off the card, for good
  // (kfd_int_process_v11.c; kfd_process.c, kfd_evict_process_device()). It leaves those off too that are made later
  // (kfd_device_queue_manager.c, create_queue_cpsch()); here they run.
  void evict() {
    std::lock_guard lock(mutex_);
    for (const auto& queue : queues_) queue->cancel();
  }

  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<QueueProcessor>> queues_;  // guarded by mutex_
  const ArenaRegion& doorbells_;
  std::bitset<kDoorbells> used_;
  std::bitset<facts::kSdmaEngines * facts::kSdmaQueuesPerEngine> sdma_used_;
};

struct QueueTable::Queue {
  Device* device = nullptr;
  uint32_t card = 0;
  uint32_t type = 0;
  uint32_t doorbell = 0;
  uint32_t sdma_queue = 0;  // of the hardware's, if it is one
  uint32_t priority = 0;
  QueueSetup setup;
  std::shared_ptr<QueueProcessor> processor;
  bool running = false;
  CreateQueueArgs args{};
  std::vector<uint32_t> cu_mask;  // empty: all

  QueueInfo info() const { return {.args = args, .card = card, .is_active = running}; }
};

QueueTable::QueueTable(const Arena& arena, std::span<const Card> cards, BufferTable& buffers, EventTable& events,
                       ShaderCoresFactory make_shader_cores, std::shared_ptr<TraceRecorder> trace, QueueChecks checks)
    : arena_(arena),
      buffers_(buffers),
      make_shader_cores_(std::move(make_shader_cores)),
      trace_(std::move(trace)),
      checks_(std::move(checks)),
      engine_(static_cast<uint32_t>(cards.size()) + 1) {
  for (const Card& card : cards) {
    devices_.push_back(std::make_unique<Device>(card, arena_.doorbells(card.index), events, fault_log_));
    if (checks_.strictness != Strictness::kOff) devices_.back()->checker = std::make_shared<MemoryChecker>();
  }
}

QueueTable::~QueueTable() = default;

uint64_t QueueTable::instruction_count() const {
  const ShaderCores* cores = shader_cores_view_.load(std::memory_order_acquire);
  return cores == nullptr ? 0 : cores->instruction_count();
}

TranslationCounts QueueTable::translation_counts() const {
  const ShaderCores* cores = shader_cores_view_.load(std::memory_order_acquire);
  return cores == nullptr ? TranslationCounts{} : cores->translation_counts();
}

// The order and the errors of Linux: type, ring and pointers (kfd_queue.c, kfd_queue_acquire_buffers()), engines.
int QueueTable::check(uint32_t card, const CreateQueueArgs& args) const {
  const AddressSpace& space = buffers_.space(card);
  switch (static_cast<QueueType>(args.queue_type)) {
    case QueueType::kCompute:
    case QueueType::kComputeAql:
    case QueueType::kSdma:
    case QueueType::kSdmaByEngineId:
      break;
    case QueueType::kSdmaXgmi:
      return -ENOMEM;  // Linux counts its engines: this card has none
    default:
      return -kKernelNotSupported;
  }
  if (args.queue_type == static_cast<uint32_t>(QueueType::kSdmaByEngineId) &&
      args.sdma_engine_id >= facts::kSdmaEngines) {
    return -EINVAL;
  }
  if (args.ring_size < kMinQueueRingBytes || !is_mapped(space, args.ring_base_address, args.ring_size)) return -EINVAL;
  if (!is_aligned(args.ring_base_address, 256)) return -EINVAL;  // the hardware holds the address in units of 256
  for (uint64_t pointer : {args.read_pointer_address, args.write_pointer_address}) {
    if (!is_aligned(pointer, sizeof(uint64_t)) || !is_mapped(space, pointer, sizeof(uint64_t))) return -EINVAL;
  }
  if (is_sdma(args.queue_type)) {
    return devices_[card]->find_sdma_queue(args) ? 0 : -ENOMEM;
  }
  return check_compute_buffers(space, args);
}

int QueueTable::check_compute_buffers(const AddressSpace& space, const CreateQueueArgs& args) const {
  if (args.eop_buffer_address != 0) {
    if (args.eop_buffer_size != facts::kEopBufferBytes) return -EINVAL;
    if (!is_mapped(space, args.eop_buffer_address, facts::kEopBufferBytes)) return -EINVAL;
  }
  if (args.ctl_stack_size != facts::kControlStackBytes) return -EINVAL;
  if (args.ctx_save_restore_size != facts::kContextSaveBytes) return -EINVAL;
  constexpr uint64_t kTotal = facts::kContextSaveBytes + facts::kContextDebugBytes;
  return is_mapped(space, args.ctx_save_restore_address, kTotal) ? 0 : -EINVAL;
}

int QueueTable::require_shader_cores() {
  if (shader_cores_ != nullptr) return 0;
  auto made = make_shader_cores_();
  if (!made.is_ok()) {
    FaultReport report;
    report.kind = FaultKind::kShader;
    report.engine = "compute";
    report.message = fmt::format("starting the shader cores: {}", made.status().message());
    fault_log_.add(std::move(report));
    return -ENODEV;
  }
  shader_cores_ = std::move(made).value();
  shader_cores_view_.store(shader_cores_.get(), std::memory_order_release);
  return 0;
}

int QueueTable::create(uint32_t card, bool runtime_enabled, CreateQueueArgs& args) {
  if (int status = check(card, args); status != 0) return status;
  if (queues_.size() >= kMaxQueuesPerProcess) return -ENOMEM;
  if (!is_sdma(args.queue_type)) {
    if (int status = require_shader_cores(); status != 0) return status;
  }
  Device& device = *devices_[card];
  if (device.queue_count() >= kMaxQueuesPerDevice) return -ENOSPC;
  const auto doorbell = device.take_doorbell();
  if (!doorbell) return -EBUSY;

  uint32_t id = 0;
  while (queues_.contains(id)) ++id;
  auto queue = std::make_unique<Queue>();
  queue->device = &device;
  queue->card = card;
  queue->type = args.queue_type;
  queue->doorbell = *doorbell;
  queue->setup = {.gpu_id = device.gpu_id,
                  .queue_id = id,
                  .ring_address = args.ring_base_address,
                  .ring_bytes = args.ring_size,
                  .read_pointer_address = args.read_pointer_address,
                  .doorbell = device.doorbell(*doorbell),
                  .write_pointer_address = args.write_pointer_address,
                  .reports_to_runtime = runtime_enabled && args.ctx_save_restore_address != 0,
                  .context_save_address = args.ctx_save_restore_address};
  if (is_sdma(args.queue_type)) {
    queue->processor = make_sdma_queue(queue->setup, context_of(*queue, "sdma", "bytes"));
    queue->sdma_queue = device.find_sdma_queue(args).value();
    device.take_sdma_queue(queue->sdma_queue);
  } else if (args.queue_type == static_cast<uint32_t>(QueueType::kComputeAql)) {
    queue->setup.doorbell->store(kNoDoorbell, std::memory_order_relaxed);
    queue->processor = make_aql_queue(queue->setup, context_of(*queue, "aql", "packets"), *shader_cores_);
  } else {
    queue->processor = make_pm4_queue(queue->setup, context_of(*queue, "compute", "dwords"), *shader_cores_);
  }
  device.attach(queue->processor);
  queue->priority = args.queue_priority;
  if ((args.queue_percentage & 0xff) != 0) start(*queue);
  args.queue_id = id;
  args.doorbell_offset = device.doorbell_offset(*doorbell);
  queue->args = args;
  queues_.emplace(id, std::move(queue));
  return 0;
}

int QueueTable::set_cu_mask(uint32_t queue_id, std::span<const uint32_t> mask) {
  auto it = queues_.find(queue_id);
  if (it == queues_.end()) return -EFAULT;
  // The two compute units of a work-group processor go together. Linux kfd_process_queue_manager.c, pqm_update_mqd().
  constexpr uint32_t kFirstOfPairs = 0x55555555;
  for (uint32_t word : mask) {
    if ((word & kFirstOfPairs) != (word >> 1 & kFirstOfPairs)) return -EINVAL;
  }
  it->second->cu_mask.assign(mask.begin(), mask.end());
  return 0;
}

std::optional<QueueInfo> QueueTable::find(uint32_t queue_id) const {
  auto it = queues_.find(queue_id);
  if (it == queues_.end()) return std::nullopt;
  return it->second->info();
}

std::vector<QueueInfo> QueueTable::list() const {
  std::vector<QueueInfo> result;
  for (const auto& [id, queue] : queues_) result.push_back(queue->info());
  return result;
}

QueueContext QueueTable::context_of(const Queue& queue, const std::string& engine, const std::string& doorbell_unit) {
  const AddressSpace& space = buffers_.space(queue.card);
  QueueListener& listener = queue.device->listener;
  QueueContext context{space, listener, nullptr, queue.device->checker, checks_.edit_packet};
  if (trace_ == nullptr) return context;
  const auto trace = std::make_shared<QueueTrace>(*trace_, listener, queue.setup, engine, doorbell_unit);
  return {space, *trace, trace, context.checker, context.edit_packet};
}

void QueueTable::start(Queue& queue) {
  engine_.add(queue.processor, queue.priority);
  queue.running = true;
}

bool QueueTable::stop(Queue& queue) {
  queue.running = false;
  return engine_.remove(queue.processor.get(), kPreemptionTimeout);
}

int QueueTable::destroy(uint32_t queue_id) {
  auto it = queues_.find(queue_id);
  if (it == queues_.end()) return -EINVAL;
  Queue& queue = *it->second;
  // Should a program not even give up in time: Linux would reset the card. The engine keeps what it still uses.
  queue.processor->cancel();
  const bool stopped = stop(queue);
  if (is_sdma(queue.type)) queue.device->give_back_sdma_queue(queue.sdma_queue);
  queue.device->detach(queue.processor);
  queue.device->give_back_doorbell(queue.doorbell);
  queues_.erase(it);
  return stopped ? 0 : -ETIME;
}

// As pqm_update_queue_properties(): the queue goes on where it was, in the new ring.
int QueueTable::update(const UpdateQueueArgs& args) {
  auto it = queues_.find(args.queue_id);
  if (it == queues_.end()) return -EFAULT;
  Queue& queue = *it->second;
  // No ring, like no share of the hardware, suspends the queue.
  const bool has_ring = args.ring_base_address != 0 && args.ring_size != 0;
  if (has_ring && !is_mapped(buffers_.space(queue.card), args.ring_base_address, args.ring_size)) return -EFAULT;
  const bool moves =
      has_ring && (args.ring_base_address != queue.args.ring_base_address || args.ring_size != queue.args.ring_size);
  const bool shall_run = has_ring && (args.queue_percentage & 0xff) != 0;
  if (queue.running && (!shall_run || moves) && !stop(queue)) return -ETIME;
  if (moves) queue.processor->move_ring(args.ring_base_address, args.ring_size);
  queue.priority = args.queue_priority;
  queue.args.ring_base_address = args.ring_base_address;
  queue.args.ring_size = args.ring_size;
  queue.args.queue_percentage = args.queue_percentage;
  queue.args.queue_priority = args.queue_priority;
  if (shall_run) start(queue);
  return 0;
}

}  // namespace bw::emulator
