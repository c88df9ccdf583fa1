#include "amdgpu/fault_monitor.h"

#include <array>

namespace bw::amdgpu {

using kfd::uapi::EventType;

Result<std::unique_ptr<FaultMonitor>> FaultMonitor::create(kfd::Gpu& gpu) {
  std::unique_ptr<FaultMonitor> monitor(new FaultMonitor());
  kfd::Process& process = gpu.process();
  BW_ASSIGN(monitor->page_, kfd::EventPage::create(gpu));
  BW_ASSIGN(monitor->work_done_, kfd::Event::create(process, EventType::kSignal, kfd::EventReset::kAuto));
  BW_ASSIGN(monitor->memory_fault_, kfd::Event::create(process, EventType::kMemory, kfd::EventReset::kManual));
  BW_ASSIGN(monitor->hw_exception_, kfd::Event::create(process, EventType::kHwException, kfd::EventReset::kManual));
  const std::array<const kfd::Event*, 3> events = {&monitor->work_done_, &monitor->memory_fault_,
                                                   &monitor->hw_exception_};
  monitor->waiter_.emplace(process, events, kfd::WaitFor::kAny);
  return monitor;
}

Result<std::optional<std::string>> FaultMonitor::sleep(uint32_t timeout_ms) {
  BW_RETURN_IF_ERROR(waiter_->wait(timeout_ms).status());
  std::optional<std::string> description;
  if (auto fault = waiter_->memory_fault()) {
    description = fault->describe();
  } else if (auto exception = waiter_->hw_fault()) {
    description = exception->describe();
  }
  return description;
}

}  // namespace bw::amdgpu
