#include "amdgpu/hardware_queue.h"

#include <algorithm>
#include <bit>

#include "amdgpu/gfx11/limits.h"
#include "base/check.h"

namespace bw::amdgpu {
namespace {

// An 8-byte word of GPU-visible memory.
std::atomic_ref<uint64_t> word_at(const kfd::Allocation& allocation, uint64_t offset) {
  return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(allocation.host_data() + offset));
}

// Has this processor take the cache line for writing meanwhile; a hint.
void prepare_to_write([[maybe_unused]] const std::byte& line) {
#if defined(__x86_64__)
  asm volatile("prefetchw %0" : : "m"(line));
#endif
}

// So many lines of the ring are taken ahead, as most submissions need. The GPU has read them since the host wrote them
// last, so that each store would wait for its line: about a tenth of a submission's time on the emulated card
// (`barewave bench dispatch graph_replay`).
constexpr uint64_t kLinesAhead = 5;
constexpr uint64_t kLineBytes = 64;

}  // namespace

// Rings and pointers are memory that neither side caches (GTT), zeroed by the driver.
Result<HardwareQueue> HardwareQueue::create_memory(kfd::Gpu& gpu, uint32_t ring_size_bytes,
                                                   std::span<kfd::Gpu* const> peers) {
  if (!std::has_single_bit(ring_size_bytes) || ring_size_bytes < kfd::kPageBytes) {
    return error(StatusCode::kInvalidArgument, "a ring of {} bytes, expected a power of two of at least {}",
                 ring_size_bytes, kfd::kPageBytes);
  }
  HardwareQueue queue;
  queue.ring_dwords_ = ring_size_bytes / sizeof(uint32_t);
  queue.begins_dwords_.resize(queue.max_in_flight());
  queue.across_.reserve(queue.capacity_dwords());
  BW_ASSIGN(queue.ring_, kfd::Allocation::create(gpu, {.kind = kfd::MemoryKind::kGtt, .size_bytes = ring_size_bytes}));
  BW_ASSIGN(queue.pointers_,
            kfd::Allocation::create(gpu, {.kind = kfd::MemoryKind::kGtt, .size_bytes = kfd::kPageBytes}, peers));
  return queue;
}

kfd::QueueRequest HardwareQueue::request() const {
  kfd::QueueRequest request;
  request.ring = ring_.gpu_address();
  request.ring_size_bytes = ring_dwords_ * static_cast<uint32_t>(sizeof(uint32_t));
  request.read_pointer = pointers_.gpu_address() + kReadPointerOffset;
  request.write_pointer = pointers_.gpu_address() + kWritePointerOffset;
  return request;
}

Result<HardwareQueue> HardwareQueue::create_compute(kfd::Gpu& gpu, const DeviceInfo& info, uint32_t ring_size_bytes,
                                                    std::span<kfd::Gpu* const> peers) {
  BW_ASSIGN(HardwareQueue queue, create_memory(gpu, ring_size_bytes, peers));
  const ContextSaveSizes sizes = context_save_sizes(info);
  BW_ASSIGN(queue.context_save_,
            kfd::Allocation::create(gpu, {.kind = kfd::MemoryKind::kVram, .size_bytes = sizes.buffer_bytes}));
  BW_ASSIGN(queue.end_of_pipe_,
            kfd::Allocation::create(gpu, {.kind = kfd::MemoryKind::kVram, .size_bytes = gfx11::kEndOfPipeBytes}));
  kfd::QueueRequest request = queue.request();
  request.type = kfd::uapi::QueueType::kCompute;
  request.end_of_pipe = queue.end_of_pipe_.gpu_address();
  request.end_of_pipe_size_bytes = gfx11::kEndOfPipeBytes;
  request.context_save = queue.context_save_.gpu_address();
  request.context_save_size_bytes = sizes.save_restore_bytes;
  request.control_stack_size_bytes = sizes.control_stack_bytes;
  BW_ASSIGN(queue.queue_, kfd::Queue::create(gpu, request));
  return queue;
}

Result<HardwareQueue> HardwareQueue::create_sdma(kfd::Gpu& gpu, uint32_t ring_size_bytes,
                                                 std::span<kfd::Gpu* const> peers) {
  BW_ASSIGN(HardwareQueue queue, create_memory(gpu, ring_size_bytes, peers));
  queue.wrap_ = Wrap::kAtPackets;
  queue.doorbell_unit_bytes_ = 1;
  kfd::QueueRequest request = queue.request();
  request.type = kfd::uapi::QueueType::kSdma;
  BW_ASSIGN(queue.queue_, kfd::Queue::create(gpu, request));
  return queue;
}

kfd::Allocation HardwareQueue::abandon() {
  stop();
  word_at(pointers_, kTimelineOffset).store(submitted_, std::memory_order_release);
  return std::move(pointers_);
}

uint64_t HardwareQueue::completed() const {
  return word_at(pointers_, kTimelineOffset).load(std::memory_order_acquire);
}

void HardwareQueue::start_after(uint64_t value) {
  BW_CHECK(submitted_ == 0);
  submitted_ = known_completed_ = value;
  word_at(pointers_, kTimelineOffset).store(value, std::memory_order_release);
}

uint32_t* HardwareQueue::place(size_t count_dwords) {
  begin_of(submitted_ + 1) = written_dwords_;
  next_dwords_ = count_dwords;
  uint64_t position = ring_position(written_dwords_);
  if (const uint32_t padding = padding_for(count_dwords); padding != 0) {
    std::fill_n(ring() + position, padding, 0);
    written_dwords_ += padding;
    position = 0;
  }
  if (position + count_dwords <= ring_dwords_) return ring() + position;
  across_.resize(count_dwords);
  return across_.data();
}

void HardwareQueue::push() {
  const uint64_t position = ring_position(written_dwords_);
  if (position + next_dwords_ > ring_dwords_) {
    const auto middle = across_.begin() + static_cast<ptrdiff_t>(ring_dwords_ - position);
    std::copy(across_.begin(), middle, ring() + position);
    std::copy(middle, across_.end(), ring());
  }
  written_dwords_ += next_dwords_;
  ++submitted_;
  const uint64_t pointer = written_dwords_ * (sizeof(uint32_t) / doorbell_unit_bytes_);
  word_at(pointers_, kWritePointerOffset).store(pointer, std::memory_order_release);
  queue_.ring_doorbell(pointer);
  const uint64_t position_bytes = written_dwords_ * sizeof(uint32_t);
  for (uint64_t i = 1; i <= kLinesAhead; ++i) {
    prepare_to_write(ring_.host_data()[(position_bytes + i * kLineBytes) & (ring_.size_bytes() - 1)]);
  }
}

}  // namespace bw::amdgpu
