// Owns: a gfx1100 that obeys packets and runs no shaders, behind the fake driver: for tests of this room. It works only
// while the runtime waits for events, in the waiting thread, so that every test runs the same way each time.
// Not here: the device that computes (the emulator).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kfd/driver.h"
#include "kfd/testing/fake_driver.h"
#include "kfd/uapi.h"

namespace bw::amdgpu::testing {

class FakeGpu {
 public:
  FakeGpu();

  // The driver to open a device with; its first GPU is this one.
  kfd::testing::FakeDriver& driver() { return driver_; }

  struct Dispatch {
    std::map<uint32_t, uint32_t> registers;  // COMPUTE_*, by absolute dword offset
    std::array<uint32_t, 3> workgroup_count{};
    uint32_t initiator = 0;
  };
  // Called with each packet of a compute queue, wherever it stands.
  std::function<void(std::span<const uint32_t>)> on_packet;
  // Called for each dispatch.
  std::function<void(const Dispatch&)> on_dispatch;
  // Before the dispatch of that number (from 0, over the life of the GPU) the compute queue stops for good ...
  std::optional<uint64_t> stop_before_dispatch;
  // ... and the driver tells of a memory fault at this address.
  std::optional<uint64_t> fault_address;
  // Or of a hardware exception.
  bool has_hw_exception = false;
  bool is_copy_engine_hung = false;
  // How many submissions of a queue end while the runtime waits once, and how long that takes.
  uint32_t submissions_per_wait = ~0u;
  uint64_t wait_takes_ns = 0;

  const std::vector<kfd::uapi::CreateQueueArgs>& queues() const { return queue_args_; }
  const std::vector<kfd::uapi::AllocMemoryArgs>& allocations() const { return allocations_; }
  const std::vector<uint32_t>& dispatched_opcodes() const { return opcodes_; }
  uint64_t dispatch_count() const { return dispatch_count_; }
  uint64_t wait_count() const { return wait_count_; }
  // The first packet that this GPU did not understand; "" if there was none.
  const std::string& complaint() const { return complaint_; }

 private:
  struct Queue {
    kfd::uapi::CreateQueueArgs args;
    uint64_t position_dwords = 0;
    bool is_stopped = false;
    std::map<uint32_t, uint32_t> registers = {};  // set by SET_SH_REG, by absolute dword offset
  };

  std::optional<int> on_ioctl(unsigned long request, void* argument);
  void on_wait(kfd::uapi::WaitEventsArgs& args);
  void run(Queue& queue);
  uint32_t execute_pm4(Queue& queue, std::span<const uint32_t> packets);
  void execute_indirect(Queue& queue, uint64_t address, uint32_t count_dwords);
  void release_mem(const uint32_t* packet);
  void dma_data(const uint32_t* packet);
  void copy_data(const uint32_t* packet);
  void atomic_mem(const uint32_t* packet);
  uint32_t cond_exec(std::span<const uint32_t> packets);
  uint32_t execute_sdma(Queue& queue, std::span<const uint32_t> packets);
  void complain(const std::string& text);

  kfd::testing::FakeDriver driver_;
  std::map<uint32_t, Queue> queues_;
  std::vector<kfd::uapi::CreateQueueArgs> queue_args_;
  std::vector<kfd::uapi::AllocMemoryArgs> allocations_;
  std::map<uint32_t, kfd::uapi::EventType> events_;
  std::vector<uint32_t> opcodes_;
  uint64_t dispatch_count_ = 0;
  uint64_t wait_count_ = 0;
  std::string complaint_;
};

}  // namespace bw::amdgpu::testing
