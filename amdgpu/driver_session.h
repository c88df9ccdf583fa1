// Owns: the open driver with the GPUs of this process that are in use, and the page of events that they share: what all
// memory and all queues stand on. Not here: what is done with a GPU (device.h).
//
// The driver knows one address space and one page of events for a process, whatever the number of its GPUs (amdkfd,
// kfd_process and kfd_event_page_set), so cards that shall reach each other's memory belong to one session.
#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "kfd/event.h"
#include "kfd/memory.h"
#include "kfd/process.h"
#include "kfd/topology.h"

namespace bw::amdgpu {

class DriverSession {
 public:
  explicit DriverSession(std::unique_ptr<kfd::Process> process) : process_(std::move(process)) {}
  DriverSession(const DriverSession&) = delete;
  DriverSession& operator=(const DriverSession&) = delete;

  // Opens the GPUs of `nodes`, and makes the page of events, which all of them may signal. Once.
  Status open(std::span<const kfd::Node> nodes);

  kfd::Process& process() const { return *process_; }
  std::span<const std::unique_ptr<kfd::Gpu>> gpus() const { return gpus_; }
  // All GPUs but this one.
  std::vector<kfd::Gpu*> peers_of(const kfd::Gpu& gpu) const;
  const kfd::EventPage& events() const { return events_; }
  // Memory that GPUs may look at although its owner has gone stays as long as the session. From one thread at a time.
  void keep(kfd::Allocation memory) { kept_.push_back(std::move(memory)); }

 private:
  std::unique_ptr<kfd::Process> process_;
  std::vector<std::unique_ptr<kfd::Gpu>> gpus_;
  kfd::EventPage events_;              // goes before the GPUs, as the next
  std::vector<kfd::Allocation> kept_;  // a page for each queue that peers might wait for
};

}  // namespace bw::amdgpu
