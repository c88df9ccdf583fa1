// Owns: a GPU through ROCr: an AQL queue, memory, code, an empty kernel, and the steps of a dispatch. Not here: what is
// timed (rocr_cases.h), tensor programs (rocr_executor.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "tools/barewave/bench/hsa_library.h"

namespace bw::tools {

// A kernel as its code object says.
struct RocrKernel {
  uint64_t object = 0;  // its descriptor, for the GPU
  uint32_t argument_bytes = 0;
  uint32_t group_bytes = 0;    // of LDS
  uint32_t private_bytes = 0;  // of scratch, a work-item
};

struct RocrLaunch {
  RocrKernel kernel;
  std::array<uint32_t, 3> workgroup_size{1, 1, 1};
  std::array<uint32_t, 3> grid_size{1, 1, 1};  // in work-items
  std::span<const std::byte> arguments;        // at most kMostArgumentBytes
};

class RocrMachine {
 public:
  // kNotFound without a library, or without a gfx1100 GPU that it knows.
  static Result<std::unique_ptr<RocrMachine>> create(const std::string& library_path);
  ~RocrMachine();
  RocrMachine(const RocrMachine&) = delete;
  RocrMachine& operator=(const RocrMachine&) = delete;

  static constexpr uint32_t kQueuePackets = 16384;
  static constexpr uint32_t kMostArgumentBytes = 256;

  const hsa::Functions& functions() const { return *functions_; }
  const std::string& version() const { return version_; }

  // Device memory that the GPU reaches; goes with the machine, or when it is freed.
  Result<void*> allocate_device(size_t size_bytes);
  void free_device(void* memory);
  // Loads a code object, which stays until the machine goes, by the loader of ROCr.
  Result<hsa::Executable> load(std::span<const std::byte> code_object);
  // `name` without ".kd".
  Result<RocrKernel> kernel(hsa::Executable executable, const std::string& name);
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
  uint64_t write(hsa::Signal completion) { return write(empty_, completion); }
  uint64_t write(const RocrLaunch& launch, hsa::Signal completion);
  void ring(uint64_t index) {
    functions_->signal_store_screlease(queue_->doorbell_signal, static_cast<int64_t>(index));
  }
  // kTimeout after some seconds.
  Status spin_until_done(hsa::Signal signal) const;
  // Of one that may take long: ROCr spins for a while and then sleeps, as this runtime does. kTimeout after minutes.
  Status wait_until_done(hsa::Signal signal) const;
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
  RocrLaunch empty_;                // of one wave's worth of work-items, each of which ends at once
  std::vector<void*> allocations_;
  std::vector<hsa::Executable> executables_;
  std::vector<hsa::Signal> signals_;
};

}  // namespace bw::tools
