#include "kfd/queue.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <atomic>
#include <cerrno>
#include <utility>

namespace bw::kfd {
namespace {

std::string_view name_of(uapi::QueueType type) {
  switch (type) {
    case uapi::QueueType::kCompute:
      return "PM4 compute";
    case uapi::QueueType::kSdma:
    case uapi::QueueType::kSdmaXgmi:
    case uapi::QueueType::kSdmaByEngineId:
      return "SDMA";
    case uapi::QueueType::kComputeAql:
      return "AQL compute";
  }
  return "unknown";
}

uapi::CreateQueueArgs arguments_of(uint32_t gpu_id, const QueueRequest& request) {
  uapi::CreateQueueArgs args{};
  args.ring_base_address = request.ring.value;
  args.ring_size = request.ring_size_bytes;
  args.write_pointer_address = request.write_pointer.value;
  args.read_pointer_address = request.read_pointer.value;
  args.gpu_id = gpu_id;
  args.queue_type = static_cast<uint32_t>(request.type);
  args.queue_percentage = request.percentage;
  args.queue_priority = request.priority;
  args.eop_buffer_address = request.end_of_pipe.value;
  args.eop_buffer_size = request.end_of_pipe_size_bytes;
  args.ctx_save_restore_address = request.context_save.value;
  args.ctx_save_restore_size = request.context_save_size_bytes;
  args.ctl_stack_size = request.control_stack_size_bytes;
  args.sdma_engine_id = request.sdma_engine_id;
  return args;
}

}  // namespace

Result<Queue> Queue::create(Gpu& gpu, const QueueRequest& request) {
  Process& process = gpu.process();
  if (request.type == uapi::QueueType::kSdmaByEngineId && !process.has_minor(uapi::kMinorSdmaByEngineId)) {
    return error(StatusCode::kUnsupported,
                 "creating an SDMA queue on engine {} of gpu {}: the driver is KFD {}.{}, needed is {}.{}",
                 request.sdma_engine_id, gpu.id(), process.version().major, process.version().minor,
                 uapi::kMajorVersion, uapi::kMinorSdmaByEngineId);
  }
  uapi::CreateQueueArgs args = arguments_of(gpu.id(), request);
  Status status = process.call(uapi::kCreateQueue, args, "creating a {} queue of {} bytes on gpu {}",
                               name_of(request.type), request.ring_size_bytes, gpu.id());
  if (status.sys_errno() == ENOMEM) return std::move(status).with_advice("all hardware queues may be taken");
  BW_RETURN_IF_ERROR(std::move(status));

  Queue queue;  // its destructor destroys the hardware queue
  queue.gpu_ = &gpu;
  queue.id_ = args.queue_id;
  BW_ASSIGN(queue.doorbell_, gpu.map_doorbell(args.doorbell_offset));
  return queue;
}

void Queue::ring_doorbell(uint64_t value) {
  // The release orders this thread's writes to ordinary memory before the doorbell. Writes through the PCIe bar may
  // still wait in the processor's write-combining buffers; a fence of stores has them leave before it, too.
#if defined(__x86_64__)
  _mm_sfence();
#else
  std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
  std::atomic_ref<uint64_t>(*doorbell_).store(value, std::memory_order_release);
}

Status Queue::update(const QueueUpdate& update) {
  uapi::UpdateQueueArgs args{};
  args.ring_base_address = update.ring.value;
  args.queue_id = id_;
  args.ring_size = update.ring_size_bytes;
  args.queue_percentage = update.percentage;
  args.queue_priority = update.priority;
  return gpu_->process().call(uapi::kUpdateQueue, args, "updating queue {} of gpu {}", id_, gpu_->id());
}

Status Queue::destroy() {
  if (gpu_ == nullptr) return Status::ok();
  Gpu& gpu = *std::exchange(gpu_, nullptr);
  uapi::DestroyQueueArgs args{};
  args.queue_id = id_;
  return gpu.process().call(uapi::kDestroyQueue, args, "destroying queue {} of gpu {}", id_, gpu.id());
}

Queue::~Queue() {
  static_cast<void>(destroy().is_ok());
}

Queue::Queue(Queue&& other) noexcept {
  *this = std::move(other);
}

Queue& Queue::operator=(Queue&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(destroy().is_ok());
  gpu_ = std::exchange(other.gpu_, nullptr);
  id_ = other.id_;
  doorbell_ = std::exchange(other.doorbell_, nullptr);
  return *this;
}

}  // namespace bw::kfd
