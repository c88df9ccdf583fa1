#include "emulator/testing/machine.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <thread>

namespace bw::emulator::testing {

using namespace kfd::uapi;

std::optional<ShaderFault> NotingCores::run(const Dispatch& dispatch, const AddressSpace& memory,
                                            std::stop_token cancel, Suspension*) {
  ++notes_->count;
  Action action;
  {
    std::lock_guard lock(notes_->mutex);
    notes_->dispatches.push_back(dispatch);
    action = notes_->on_run;
  }
  return action ? action(dispatch, memory, std::move(cancel)) : std::nullopt;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return true;
}

Machine::Machine(EmulatedOptions options, Cores cores) {
  if (cores == Cores::kNoting) {
    options.make_shader_cores = [notes = notes_]() -> Result<std::unique_ptr<ShaderCores>> {
      return std::unique_ptr<ShaderCores>(std::make_unique<NotingCores>(notes));
    };
  }
  auto driver = EmulatedDriver::create(std::move(options));
  if (!driver.is_ok()) {
    ADD_FAILURE() << driver.status().message();
    std::abort();
  }
  driver_ = std::move(driver).value();
  kfd_ = driver_->open("/dev/kfd", O_RDWR | O_CLOEXEC);
  render_ = driver_->open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
  std::string id;
  EXPECT_EQ(driver_->read_file("/sys/class/kfd/kfd/topology/nodes/1/gpu_id", &id), 0);
  gpu_id_ = static_cast<uint32_t>(std::stoul(id));
  AcquireVmArgs acquire{.drm_fd = static_cast<uint32_t>(render_), .gpu_id = gpu_id_};
  EXPECT_EQ(ioctl(kAcquireVm, acquire), 0);
}

Machine::~Machine() {
  driver_.reset();
  for (const TestBuffer& buffer : host_mappings_) ::munmap(buffer.dwords(), buffer.size_bytes);
}

TestBuffer Machine::allocate(uint64_t size_bytes, uint32_t flags) {
  TestBuffer buffer;
  buffer.size_bytes = size_bytes;
  void* address = nullptr;
  EXPECT_EQ(driver_->mmap(nullptr, size_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0, &address),
            0);
  buffer.va = reinterpret_cast<uint64_t>(address);
  AllocMemoryArgs args{};
  args.va_addr = buffer.va;
  args.size = size_bytes;
  args.gpu_id = gpu_id_;
  args.flags = flags;
  EXPECT_EQ(ioctl(kAllocMemory, args), 0);
  buffer.handle = args.handle;
  EXPECT_EQ(driver_->mmap(address, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, render_,
                          static_cast<off_t>(args.mmap_offset), &address),
            0);
  EXPECT_EQ(map(buffer), 0);
  host_mappings_.push_back(buffer);
  return buffer;
}

TestBuffer Machine::gtt(uint64_t size_bytes) {
  return allocate(size_bytes, 0xd6000002);  // GTT, coherent, uncached, writable, executable
}

TestBuffer Machine::vram(uint64_t size_bytes) {
  return allocate(size_bytes, 0xf0000001);  // VRAM, public, writable, executable
}

TestBuffer Machine::user(uint64_t size_bytes) {
  TestBuffer buffer;
  buffer.size_bytes = size_bytes;
  void* address = nullptr;
  EXPECT_EQ(driver_->mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0, &address),
            0);
  buffer.va = reinterpret_cast<uint64_t>(address);
  AllocMemoryArgs args{};
  args.va_addr = buffer.va;
  args.size = size_bytes;
  args.mmap_offset = buffer.va;
  args.gpu_id = gpu_id_;
  args.flags = 0xd6000004;  // USERPTR, coherent, uncached, writable, executable
  EXPECT_EQ(ioctl(kAllocMemory, args), 0);
  buffer.handle = args.handle;
  EXPECT_EQ(map(buffer), 0);
  return buffer;
}

int Machine::map(const TestBuffer& buffer) {
  MapMemoryArgs args{};
  args.handle = buffer.handle;
  args.device_ids_array_ptr = reinterpret_cast<uint64_t>(&gpu_id_);
  args.n_devices = 1;
  return ioctl(kMapMemory, args);
}

int Machine::unmap(const TestBuffer& buffer) {
  UnmapMemoryArgs args{};
  args.handle = buffer.handle;
  args.device_ids_array_ptr = reinterpret_cast<uint64_t>(&gpu_id_);
  args.n_devices = 1;
  return ioctl(kUnmapMemory, args);
}

int Machine::free(const TestBuffer& buffer) {
  FreeMemoryArgs args{.handle = buffer.handle};
  return ioctl(kFreeMemory, args);
}

uint32_t Machine::create_event(uint32_t type) {
  CreateEventArgs args{};
  if (!event_page_) {
    event_page_ = gtt(0x8000);
    args.event_page_offset = event_page_->handle;
  }
  args.event_type = type;
  args.auto_reset = 1;
  EXPECT_EQ(ioctl(kCreateEvent, args), 0);
  return args.event_id;
}

uint64_t Machine::mailbox(uint32_t event_id) {
  return event_page_->va + uint64_t{event_id} * 8;
}

uint32_t Machine::wait_event(uint32_t event_id, uint32_t timeout_ms, EventData* data) {
  EventData local{};
  if (data == nullptr) data = &local;
  data->event_id = event_id;
  WaitEventsArgs args{};
  args.events_ptr = reinterpret_cast<uint64_t>(data);
  args.num_events = 1;
  args.timeout = timeout_ms;
  EXPECT_EQ(ioctl(kWaitEvents, args), 0);
  return args.wait_result;
}

CreateQueueArgs Machine::queue_args(TestQueue* queue, uint32_t type, uint64_t ring_bytes) {
  queue->type = type;
  queue->ring = gtt(ring_bytes);
  queue->pointers = gtt();
  CreateQueueArgs args{};
  args.ring_base_address = queue->ring.va;
  args.ring_size = static_cast<uint32_t>(ring_bytes);
  args.read_pointer_address = queue->pointers.va;
  args.write_pointer_address = queue->pointers.va + 8;
  args.gpu_id = gpu_id_;
  args.queue_type = type;
  args.queue_percentage = 100;
  args.queue_priority = 7;
  if (type == 0 || type == 2) {
    if (!context_save_) context_save_ = vram(0x2c02000);
    args.ctx_save_restore_address = context_save_->va;
    args.ctx_save_restore_size = 0x2bea000;
    args.ctl_stack_size = 0xa000;
  }
  return args;
}

TestQueue Machine::make_queue(uint32_t type, uint64_t ring_bytes) {
  TestQueue queue;
  CreateQueueArgs args = queue_args(&queue, type, ring_bytes);
  create(args, &queue);
  return queue;
}

void Machine::create(CreateQueueArgs& args, TestQueue* queue) {
  EXPECT_EQ(ioctl(kCreateQueue, args), 0);
  queue->id = args.queue_id;
  if (doorbells_ == nullptr) {
    void* address = nullptr;
    EXPECT_EQ(driver_->mmap(nullptr, 0x2000, PROT_READ | PROT_WRITE, MAP_SHARED, kfd_,
                            static_cast<off_t>(args.doorbell_offset & ~uint64_t{0x1fff}), &address),
              0);
    doorbells_ = static_cast<std::byte*>(address);
    host_mappings_.push_back({0, reinterpret_cast<uint64_t>(address), 0x2000});
  }
  queue->doorbell = reinterpret_cast<std::atomic<uint64_t>*>(doorbells_ + (args.doorbell_offset & 0x1fff));
}

TestQueue Machine::compute_queue(uint64_t ring_bytes) {
  return make_queue(0, ring_bytes);
}

TestQueue Machine::sdma_queue(uint64_t ring_bytes) {
  return make_queue(1, ring_bytes);
}

int Machine::destroy(const TestQueue& queue) {
  DestroyQueueArgs args{.queue_id = queue.id, .pad = 0};
  return ioctl(kDestroyQueue, args);
}

void Machine::submit(TestQueue& queue, const std::vector<uint32_t>& dwords) {
  const uint64_t ring_dwords = queue.ring.size_bytes / 4;
  for (uint32_t value : dwords) queue.ring.dwords()[queue.written_dwords++ % ring_dwords] = value;
  const uint64_t position = queue.type == 0 ? queue.written_dwords : queue.written_dwords * 4;
  queue.pointers.qword(1).store(position);
  queue.doorbell->store(position, std::memory_order_release);
}

bool Machine::drain(const TestQueue& queue) {
  const uint64_t ring_dwords = queue.ring.size_bytes / 4;
  const uint64_t done = queue.type == 0 ? queue.written_dwords % ring_dwords : queue.written_dwords * 4;
  const bool drained = eventually([&] { return read_pointer(queue) == done || !driver_->fault_reports().empty(); });
  for (const FaultReport& report : driver_->fault_reports()) ADD_FAILURE() << report.message;
  return drained && read_pointer(queue) == done;
}

FaultReport Machine::wait_fault(size_t count) {
  if (!eventually([&] { return driver_->fault_reports().size() >= count; })) {
    ADD_FAILURE() << "no fault was reported";
    return {};
  }
  return driver_->fault_reports().back();
}

}  // namespace bw::emulator::testing
