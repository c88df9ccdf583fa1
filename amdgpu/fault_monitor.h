// Owns: this device's events in the driver: the one that queues signal when work ends, and those of memory faults and
// hardware exceptions; sleeping on all three. Not here: which kernel was to blame (device.cc).
//
// The driver tells faults to a process, not to a GPU. Where a process uses several cards each of them reports the fault
// of any: work of the others may wait for what the stopped one will never do. The report names the GPU.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/gpu_addr.h"
#include "base/status.h"
#include "kfd/event.h"

namespace bw::amdgpu {

// Stays where it is, as do process and page. For one thread at a time.
class FaultMonitor {
 public:
  static Result<std::unique_ptr<FaultMonitor>> create(kfd::Process& process, const kfd::EventPage& page);

  // Where a queue writes event_id() before it interrupts, to wake a sleeper.
  GpuAddr mailbox() const { return page_.mailbox(work_done_); }
  uint32_t event_id() const { return work_done_.id(); }

  // Sleeps until work has ended, a fault came, or the time is over (0: only looks). The description of the fault, if
  // one came: address and flags, as the driver tells them.
  Result<std::optional<std::string>> sleep(uint32_t timeout_ms);
  // Forgets all that the events have seen. The mailbox changes: no queue may be left that writes to the old one.
  Status renew();

 private:
  FaultMonitor(kfd::Process& process, const kfd::EventPage& page) : process_(process), page_(page) {}

  kfd::Process& process_;
  const kfd::EventPage& page_;
  kfd::Event work_done_;
  kfd::Event memory_fault_;
  kfd::Event hw_exception_;
  std::optional<kfd::EventWaiter> waiter_;
};

}  // namespace bw::amdgpu
