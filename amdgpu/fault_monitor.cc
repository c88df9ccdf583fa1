#include "amdgpu/fault_monitor.h"

#include <array>

namespace bw::amdgpu {

using kfd::uapi::EventType;

Result<std::unique_ptr<FaultMonitor>> FaultMonitor::create(kfd::Process& process, const kfd::EventPage& page) {
  std::unique_ptr<FaultMonitor> monitor(new FaultMonitor(process, page));  // NOLINT: private
  BW_RETURN_IF_ERROR(monitor->renew());
  return monitor;
}

Status FaultMonitor::renew() {
  BW_ASSIGN(work_done_, kfd::Event::create(process_, EventType::kSignal, kfd::EventReset::kAuto));
  BW_ASSIGN(memory_fault_, kfd::Event::create(process_, EventType::kMemory, kfd::EventReset::kManual));
  BW_ASSIGN(hw_exception_, kfd::Event::create(process_, EventType::kHwException, kfd::EventReset::kManual));
  const std::array<const kfd::Event*, 3> events = {&work_done_, &memory_fault_, &hw_exception_};
  waiter_.emplace(process_, events, kfd::WaitFor::kAny);
  return Status::ok();
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
