// Owns: an emulated machine for tests that speak to it in raw ioctls and literal dwords, as a client of Linux does,
// with shader cores that only take notes, or real ones.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "emulator/driver.h"
#include "kfd/uapi.h"

namespace bw::emulator::testing {

// Notes every dispatch; does what it was told.
class NotingCores final : public ShaderCores {
 public:
  using Action = std::function<std::optional<ShaderFault>(const Dispatch&, const AddressSpace&, std::stop_token)>;
  // Shared by the test and the engines' threads.
  struct Notes {
    std::mutex mutex;  // guards the two below
    std::vector<Dispatch> dispatches;
    Action on_run;
    std::atomic<uint64_t> count{0};

    void tell(Action action) {
      std::lock_guard lock(mutex);
      on_run = std::move(action);
    }
  };
  explicit NotingCores(std::shared_ptr<Notes> notes) : notes_(std::move(notes)) {}

  std::optional<ShaderFault> run(const Dispatch& dispatch, const AddressSpace& memory, std::stop_token cancel,
                                 Suspension* suspension) override;
  void set_watchdog(uint64_t) override {}
  uint64_t instruction_count() const override { return notes_->count; }

 private:
  std::shared_ptr<Notes> notes_;
};

// A buffer at the same address for host and card.
struct TestBuffer {
  uint64_t handle = 0;
  uint64_t va = 0;
  uint64_t size_bytes = 0;

  uint32_t* dwords() const { return reinterpret_cast<uint32_t*>(va); }
  std::atomic_ref<uint32_t> dword(size_t index) const { return std::atomic_ref<uint32_t>(dwords()[index]); }
  std::atomic_ref<uint64_t> qword(size_t index) const {
    return std::atomic_ref<uint64_t>(reinterpret_cast<uint64_t*>(va)[index]);
  }
};

struct TestQueue {
  uint32_t id = 0;
  uint32_t type = 0;
  TestBuffer ring;
  TestBuffer pointers;  // read pointer at 0, write pointer at 8
  std::atomic<uint64_t>* doorbell = nullptr;
  uint64_t written_dwords = 0;
};

enum class Cores : uint8_t { kNoting, kReal };

class Machine {
 public:
  explicit Machine(EmulatedOptions options = {}, Cores cores = Cores::kNoting);
  ~Machine();

  EmulatedDriver& driver() { return *driver_; }
  NotingCores::Notes& cores() { return *notes_; }
  int kfd() const { return kfd_; }
  int render() const { return render_; }
  uint32_t gpu_id() const { return gpu_id_; }

  // The result of the ioctl on /dev/kfd.
  template <typename Args>
  int ioctl(unsigned long request, Args& args) {
    return driver_->ioctl(kfd_, request, &args);
  }

  TestBuffer allocate(uint64_t size_bytes, uint32_t flags);
  TestBuffer gtt(uint64_t size_bytes = 4096);
  TestBuffer vram(uint64_t size_bytes = 4096);
  // The client's own memory (USERPTR), writable by the card. The caller unmaps it from the host.
  TestBuffer user(uint64_t size_bytes = 4096);
  int map(const TestBuffer& buffer);
  int unmap(const TestBuffer& buffer);
  int free(const TestBuffer& buffer);

  uint32_t create_event(uint32_t type);
  // The event page, made at the first call; slot `event_id` of it.
  uint64_t mailbox(uint32_t event_id);
  // The result of waiting for one event: 0 complete, 1 time-out.
  uint32_t wait_event(uint32_t event_id, uint32_t timeout_ms, kfd::uapi::EventData* data = nullptr);

  TestQueue compute_queue(uint64_t ring_bytes = 4096);
  TestQueue sdma_queue(uint64_t ring_bytes = 4096);
  kfd::uapi::CreateQueueArgs queue_args(TestQueue* queue, uint32_t type, uint64_t ring_bytes);
  // Sets the queue's id and doorbell.
  void create(kfd::uapi::CreateQueueArgs& args, TestQueue* queue);
  // The context save area of all compute queues; there once the first has been made.
  const TestBuffer& context_save() const { return *context_save_; }
  int destroy(const TestQueue& queue);
  void submit(TestQueue& queue, const std::vector<uint32_t>& dwords);
  uint64_t read_pointer(const TestQueue& queue) const { return queue.pointers.qword(0).load(); }
  // Until all that was submitted is done; false after some seconds.
  bool drain(const TestQueue& queue);
  // Until there are that many fault reports; the last of them.
  FaultReport wait_fault(size_t count = 1);

 private:
  TestQueue make_queue(uint32_t type, uint64_t ring_bytes);

  std::shared_ptr<NotingCores::Notes> notes_ = std::make_shared<NotingCores::Notes>();
  std::unique_ptr<EmulatedDriver> driver_;
  int kfd_ = -1;
  int render_ = -1;
  uint32_t gpu_id_ = 0;
  std::optional<TestBuffer> event_page_;
  std::optional<TestBuffer> context_save_;
  std::byte* doorbells_ = nullptr;
  std::vector<TestBuffer> host_mappings_;
};

// Whether `condition` comes true within some seconds.
bool eventually(const std::function<bool()>& condition);

}  // namespace bw::emulator::testing
