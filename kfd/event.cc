#include "kfd/event.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace bw::kfd {
namespace {

constexpr uint64_t kNoPage = 0;

std::string_view name_of(uapi::EventType type) {
  switch (type) {
    case uapi::EventType::kSignal:
      return "signal";
    case uapi::EventType::kHwException:
      return "hardware exception";
    case uapi::EventType::kMemory:
      return "memory exception";
    default:
      return "other";
  }
}

std::string_view name_of(uapi::MemoryErrorType type) {
  switch (type) {
    case uapi::MemoryErrorType::kNoRas:
      return "";
    case uapi::MemoryErrorType::kSramEcc:
      return ", SRAM ECC error";
    case uapi::MemoryErrorType::kPoisonConsumed:
      return ", poison consumed";
    case uapi::MemoryErrorType::kGpuHang:
      return ", GPU hang";
  }
  return ", unknown error type";
}

}  // namespace

Result<Event> Event::create(Process& process, uapi::EventType type, EventReset reset) {
  return create_with_page(process, type, reset, kNoPage);
}

Result<Event> Event::create_with_page(Process& process, uapi::EventType type, EventReset reset, uint64_t page_handle) {
  uapi::CreateEventArgs args{};
  args.event_page_offset = page_handle;
  args.event_type = static_cast<uint32_t>(type);
  args.auto_reset = reset == EventReset::kAuto ? 1 : 0;
  Status status = process.call(uapi::kCreateEvent, args, "creating a {} event", name_of(type));
  if (status.sys_errno() == ENOSPC) {
    return std::move(status).with_advice(fmt::format("a process has {} signal events", uapi::kSignalEventLimit));
  }
  BW_RETURN_IF_ERROR(std::move(status));
  Event event;
  event.process_ = &process;
  event.id_ = args.event_id;
  event.type_ = type;
  event.slot_index_ = args.event_slot_index;
  event.trigger_data_ = args.event_trigger_data;
  if (type == uapi::EventType::kSignal && event.slot_index_ >= uapi::kSignalEventLimit) {
    return error(StatusCode::kIo, "creating event {}: the driver named mailbox {} of {}", event.id_, event.slot_index_,
                 uapi::kSignalEventLimit);
  }
  return event;
}

Status Event::set() {
  uapi::SetEventArgs args{};
  args.event_id = id_;
  return process_->call(uapi::kSetEvent, args, "setting event {}", id_);
}

Status Event::reset() {
  uapi::ResetEventArgs args{};
  args.event_id = id_;
  return process_->call(uapi::kResetEvent, args, "resetting event {}", id_);
}

Result<bool> Event::is_set() const {
  const Event* self = this;
  EventWaiter waiter(*process_, {&self, 1}, WaitFor::kAny);
  BW_ASSIGN(uapi::WaitResult result, waiter.wait(0));
  return result == uapi::WaitResult::kComplete;
}

Status Event::destroy() {
  if (process_ == nullptr) return Status::ok();
  Process& process = *std::exchange(process_, nullptr);
  uapi::DestroyEventArgs args{};
  args.event_id = id_;
  return process.call(uapi::kDestroyEvent, args, "destroying event {}", id_);
}

Event::~Event() {
  static_cast<void>(destroy().is_ok());
}

Event::Event(Event&& other) noexcept {
  *this = std::move(other);
}

Event& Event::operator=(Event&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(destroy().is_ok());
  process_ = std::exchange(other.process_, nullptr);
  id_ = other.id_;
  type_ = other.type_;
  slot_index_ = other.slot_index_;
  trigger_data_ = other.trigger_data_;
  return *this;
}

Result<EventPage> EventPage::create(Gpu& gpu, std::span<Gpu* const> peers) {
  BW_ASSIGN(Allocation memory,
            Allocation::create(gpu, {.kind = MemoryKind::kGtt, .size_bytes = uapi::kEventPageBytes}, peers));
  // If this fails the memory is freed; should the driver have adopted it all the same, it refuses, and keeps it.
  BW_ASSIGN(Event event,
            Event::create_with_page(gpu.process(), uapi::EventType::kSignal, EventReset::kAuto, memory.handle()));
  return EventPage(std::move(memory), std::move(event));
}

EventPage& EventPage::operator=(EventPage&& other) noexcept {
  if (this == &other) return *this;
  release();
  memory_ = std::move(other.memory_);
  event_ = std::move(other.event_);
  return *this;
}

EventPage::~EventPage() {
  release();
}

void EventPage::release() {
  static_cast<void>(event_.destroy().is_ok());
  // FREE_MEMORY_OF_GPU answers EPERM for the event page. (Linux, kfd_chardev.c, kfd_ioctl_free_memory_of_gpu.)
  static_cast<void>(memory_.release(Allocation::HandleFate::kLeaveToProcess).is_ok());
}

std::string MemoryFault::describe() const {
  std::string reason;
  const auto add = [&reason](bool is_set, std::string_view text) {
    if (is_set) reason += fmt::format("{}{}", reason.empty() ? "" : ", ", text);
  };
  add(not_present, "page not present");
  add(read_only, "write to a read-only page");
  add(no_execute, "execution of a page without that right");
  if (reason.empty()) reason = "no reason given";
  return fmt::format("gpu {}: memory fault at {}{}: {}{}", gpu_id, address, imprecise ? " (imprecise)" : "", reason,
                     name_of(error_type));
}

std::string HwFault::describe() const {
  return fmt::format("gpu {}: {}, {}{}", gpu_id,
                     reset_cause == uapi::ResetCause::kGpuHang ? "the GPU hung" : "uncorrectable ECC error",
                     reset_type == uapi::ResetType::kWholeGpu ? "the whole GPU was reset" : "an engine was reset",
                     memory_lost ? ", its memory is lost" : "");
}

EventWaiter::EventWaiter(Process& process, std::span<const Event* const> events, WaitFor wait_for)
    : process_(process), wait_for_(wait_for) {
  for (const Event* event : events) {
    uapi::EventData data{};
    data.event_id = event->id();
    data_.push_back(data);
    types_.push_back(event->type());
  }
}

Result<uapi::WaitResult> EventWaiter::wait(uint32_t timeout_ms) {
  for (uapi::EventData& data : data_) data.memory_exception_data = {};  // the largest of the union
  uapi::WaitEventsArgs args{};
  args.events_ptr = reinterpret_cast<uint64_t>(data_.data());
  args.num_events = static_cast<uint32_t>(data_.size());
  args.wait_for_all = wait_for_ == WaitFor::kAll ? 1 : 0;
  args.timeout = timeout_ms;
  BW_RETURN_IF_ERROR(process_.call(uapi::kWaitEvents, args, "waiting for {} events", data_.size()));
  switch (static_cast<uapi::WaitResult>(args.wait_result)) {
    case uapi::WaitResult::kComplete:
      return uapi::WaitResult::kComplete;
    case uapi::WaitResult::kTimeout:
      return uapi::WaitResult::kTimeout;
    case uapi::WaitResult::kFail:
      return error(StatusCode::kIo, "waiting for {} events: one of them was destroyed", data_.size());
  }
  return error(StatusCode::kIo, "waiting for {} events: the driver answered {}", data_.size(), args.wait_result);
}

std::optional<MemoryFault> EventWaiter::memory_fault() const {
  for (size_t i = 0; i < data_.size(); ++i) {
    const uapi::MemoryExceptionData& data = data_[i].memory_exception_data;
    if (types_[i] != uapi::EventType::kMemory || data.gpu_id == 0) continue;
    return MemoryFault{.gpu_id = data.gpu_id,
                       .address = {data.va},
                       .not_present = data.failure.NotPresent != 0,
                       .read_only = data.failure.ReadOnly != 0,
                       .no_execute = data.failure.NoExecute != 0,
                       .imprecise = data.failure.imprecise != 0,
                       .error_type = static_cast<uapi::MemoryErrorType>(data.ErrorType)};
  }
  return std::nullopt;
}

std::optional<HwFault> EventWaiter::hw_fault() const {
  for (size_t i = 0; i < data_.size(); ++i) {
    const uapi::HwExceptionData& data = data_[i].hw_exception_data;
    if (types_[i] != uapi::EventType::kHwException || data.gpu_id == 0) continue;
    return HwFault{.gpu_id = data.gpu_id,
                   .reset_type = static_cast<uapi::ResetType>(data.reset_type),
                   .reset_cause = static_cast<uapi::ResetCause>(data.reset_cause),
                   .memory_lost = data.memory_lost != 0};
  }
  return std::nullopt;
}

}  // namespace bw::kfd
