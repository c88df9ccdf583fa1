// Owns: this process as the KFD driver knows it (/dev/kfd) and each GPU that it has opened (a render node and the
// virtual address space bound to it). Not here: memory, queues and events, which borrow these and must go before them.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/check.h"
#include "base/status.h"
#include "kfd/driver.h"
#include "kfd/topology.h"
#include "kfd/uapi.h"

namespace bw::kfd {

struct DriverVersion {
  uint32_t major = 0;
  uint32_t minor = 0;
};

// One open /dev/kfd. Stays where it is, because everything else borrows it; its calls are safe from any thread.
class Process {
 public:
  // Opens /dev/kfd and checks its version. kNotFound (no driver), kPermissionDenied, kUnsupported (another major
  // version), each with advice.
  static Result<std::unique_ptr<Process>> open(KernelDriver& driver);

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  KernelDriver& driver() const { return driver_; }
  int fd() const { return fd_; }
  DriverVersion version() const { return version_; }
  bool has_minor(uint32_t minor) const { return version_.minor >= minor; }

  // One entry for each GPU that is open.
  Result<std::vector<uapi::DeviceApertures>> apertures();

  // An ioctl on /dev/kfd. A failure is the errno after the formatted operation: "freeing handle 0x5: invalid argument".
  template <typename Args, typename... T>
  Status call(unsigned long request, Args& args, fmt::format_string<T...> operation, T&&... values) {
    BW_CHECK(sizeof(Args) == uapi::request_size_bytes(request));
    int result = driver_.ioctl(fd_, request, &args);
    if (result >= 0) return Status::ok();
    return Status::from_errno(-result, fmt::format(operation, std::forward<T>(values)...));
  }

 private:
  Process(KernelDriver& driver, int fd) : driver_(driver), fd_(fd) {}

  KernelDriver& driver_;
  int fd_;
  DriverVersion version_;
};

struct ClockCounters {
  uint64_t gpu = 0;  // ticks of the GPU's counter
  uint64_t cpu_ns = 0;
  uint64_t system = 0;
  uint64_t system_hz = 0;
};

// One GPU opened by a process: its render node, and the address space that ACQUIRE_VM bound to the process. Stays where
// it is; its calls are safe from any thread. Must go before its process.
class Gpu {
 public:
  // Opens the node's render node, binds the address space, and announces the runtime where the driver knows that call.
  static Result<std::unique_ptr<Gpu>> open(Process& process, const Node& node);

  Gpu(const Gpu&) = delete;
  Gpu& operator=(const Gpu&) = delete;
  // Unmaps the doorbells and closes the render node.
  ~Gpu();

  Process& process() const { return process_; }
  KernelDriver& driver() const { return process_.driver(); }
  const Node& node() const { return node_; }
  uint32_t id() const { return node_.gpu_id; }
  int render_fd() const { return render_fd_; }

  Result<ClockCounters> clock_counters();
  // Device memory that can still be allocated. kUnsupported before KFD 1.9.
  Result<uint64_t> available_memory_bytes();

  // Host address of the doorbell at an offset that CREATE_QUEUE returned. The device's doorbells are mapped at the
  // first call and stay until the Gpu goes.
  Result<uint64_t*> map_doorbell(uint64_t doorbell_offset);

 private:
  Gpu(Process& process, Node node, int render_fd) : process_(process), node_(std::move(node)), render_fd_(render_fd) {}

  Process& process_;
  const Node node_;
  const int render_fd_;
  std::mutex doorbell_mutex_;  // guards the two below
  std::byte* doorbells_ = nullptr;
  uint64_t doorbells_offset_ = 0;
};

}  // namespace bw::kfd
