// Owns: the driver's events: the page of mailboxes, creating, setting and waiting, and what memory and hardware
// exceptions say. Not here: signals in memory, which the runtime spins on before it sleeps here (amdgpu).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/gpu_addr.h"
#include "base/status.h"
#include "kfd/memory.h"
#include "kfd/process.h"

namespace bw::kfd {

enum class EventReset : uint8_t { kManual, kAuto };

// An event of the driver; move-only. Goes before its process.
class Event {
 public:
  // Signal events need an EventPage first.
  static Result<Event> create(Process& process, uapi::EventType type, EventReset reset);

  Event() = default;
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) noexcept;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  // As destroy(), without the report.
  ~Event();

  bool is_valid() const { return process_ != nullptr; }
  uint32_t id() const { return id_; }
  uapi::EventType type() const { return type_; }
  // Signal events: the index of its mailbox, and what the GPU sends with the interrupt.
  uint32_t slot_index() const { return slot_index_; }
  uint32_t trigger_data() const { return trigger_data_; }

  Status set();
  Status reset();
  // Does not block. An auto-reset event that is set is reset by this.
  Result<bool> is_set() const;
  Status destroy();

 private:
  friend class EventPage;
  static Result<Event> create_with_page(Process& process, uapi::EventType type, EventReset reset, uint64_t page_handle);

  Process* process_ = nullptr;
  uint32_t id_ = 0;
  uapi::EventType type_ = uapi::EventType::kSignal;
  uint32_t slot_index_ = 0;
  uint32_t trigger_data_ = 0;
};

// The page of mailboxes of a process, of which there is one: a GPU that writes an event's id to its mailbox and raises
// an interrupt sets that event.
class EventPage {
 public:
  // The page comes from `gpu`; `peers` may signal too.
  static Result<EventPage> create(Gpu& gpu, std::span<Gpu* const> peers = {});

  EventPage() = default;
  EventPage(EventPage&&) noexcept = default;
  EventPage& operator=(EventPage&& other) noexcept;
  // Unmaps the page. The driver keeps its memory until /dev/kfd is closed, and refuses to free it before.
  ~EventPage();

  GpuAddr mailbox(const Event& event) const { return memory_.gpu_address() + uint64_t{event.slot_index()} * 8; }

 private:
  EventPage(Allocation memory, Event event) : memory_(std::move(memory)), event_(std::move(event)) {}
  void release();

  Allocation memory_;
  Event event_;  // the page is handed over with an event; this one has no other use
};

// A GPU's access to an address that its page tables do not have, or not with that right.
struct MemoryFault {
  uint32_t gpu_id = 0;
  GpuAddr address{};  // of the page
  bool not_present = false;
  bool read_only = false;
  bool no_execute = false;
  bool imprecise = false;
  uapi::MemoryErrorType error_type = uapi::MemoryErrorType::kNoRas;

  // "gpu 7: memory fault at 0x7000: page not present".
  std::string describe() const;
};

// The GPU hung, or was reset.
struct HwFault {
  uint32_t gpu_id = 0;
  uapi::ResetType reset_type = uapi::ResetType::kWholeGpu;
  uapi::ResetCause reset_cause = uapi::ResetCause::kGpuHang;
  bool memory_lost = false;

  std::string describe() const;
};

enum class WaitFor : uint8_t { kAny, kAll };

// Waits on a fixed set of events, again and again, without allocating. For one thread at a time. The events must stay.
class EventWaiter {
 public:
  EventWaiter(Process& process, std::span<const Event* const> events, WaitFor wait_for);

  // kComplete or kTimeout; the driver's kFail (an event that has gone) is an error. uapi::kWaitForever never times out.
  Result<uapi::WaitResult> wait(uint32_t timeout_ms);

  // What the last wait brought: the first of its kind. Older Linux sets a hardware exception event without saying
  // more; where a wait is complete and nothing else explains it, that event's is_set() tells.
  std::optional<MemoryFault> memory_fault() const;
  std::optional<HwFault> hw_fault() const;

 private:
  Process& process_;
  WaitFor wait_for_;
  std::vector<uapi::EventData> data_;
  std::vector<uapi::EventType> types_;
};

}  // namespace bw::kfd
