// Owns: a GPU through ROCr: an AQL queue, memory, an empty kernel, and the steps of a dispatch. Not here: what is timed
// (rocr_cases.h).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/bench/hsa_library.h"

namespace bw::tools {

class RocrMachine {
 public:
  // kNotFound without a library, or without a gfx1100 GPU that it knows.
  static Result<std::unique_ptr<RocrMachine>> create(const std::string& library_path);
  ~RocrMachine();
  RocrMachine(const RocrMachine&) = delete;
  RocrMachine& operator=(const RocrMachine&) = delete;

  static constexpr uint32_t kQueuePackets = 16384;
  static constexpr uint32_t kArgumentBytes = 64;

  const hsa::Functions& functions() const { return *functions_; }
  const std::string& version() const { return version_; }

  // Device memory that the GPU reaches; goes with the machine.
  Result<void*> allocate_device(size_t size_bytes);
  Result<std::vector<hsa::Signal>> make_signals(size_t count);

  // Waits for `count` places in the ring, spinning.
  void wait_for_room(uint64_t count) const;
  // Sets the signal to 1, writes arguments and packet, the header last, and rings the doorbell. The kernel begins when
  // those before have ended. There must be room.
  void dispatch(hsa::Signal completion) {
    const uint64_t index = write(completion);
    functions_->signal_store_screlease(queue_->doorbell_signal, static_cast<int64_t>(index));
  }
  // The same without doorbell; without signal for handle 0. Returns what the doorbell is to be told.
  uint64_t write(hsa::Signal completion);
  void ring(uint64_t index) {
    functions_->signal_store_screlease(queue_->doorbell_signal, static_cast<int64_t>(index));
  }
  // kTimeout after some seconds.
  Status spin_until_done(hsa::Signal signal) const;
  // Of a signal that is to become 0, active.
  void wait(hsa::Signal signal) const {
    functions_->signal_wait_scacquire(signal, hsa::kSignalConditionLess, 1, UINT64_MAX, hsa::kWaitStateActive);
  }

 private:
  RocrMachine() = default;
  Status find_agents();
  Status find_pools();
  Status load_kernel();

  const hsa::Functions* functions_ = nullptr;
  std::string version_;
  hsa::Agent cpu_, gpu_;
  hsa::Pool device_pool_, kernarg_pool_;
  hsa::Queue* queue_ = nullptr;
  std::byte* arguments_ = nullptr;  // a place for each packet of the ring
  uint64_t kernel_ = 0;             // its descriptor
  std::vector<void*> allocations_;
  std::vector<hsa::Signal> signals_;
};

}  // namespace bw::tools
