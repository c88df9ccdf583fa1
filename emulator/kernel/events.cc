#include "emulator/kernel/events.h"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace bw::emulator {
namespace {

using namespace kfd::uapi;

constexpr uint64_t kUnsignaledSlot = ~uint64_t{0};
// What user space is taken to have mapped of the driver's own page before it maps it (oldest user mode: 256 slots).
constexpr uint32_t kDefaultSlots = 256;
constexpr uint32_t kFirstOtherEventId = 0x40000000;  // upper half of the non-negative ids

bool has_slot(uint32_t type) {
  return type == static_cast<uint32_t>(EventType::kSignal) || type == static_cast<uint32_t>(EventType::kDebug);
}

}  // namespace

EventTable::EventTable(std::byte* default_page) : default_page_(default_page) {}

int EventTable::set_page(std::byte* host, uint64_t size_bytes, uint64_t handle) {
  std::lock_guard lock(mutex_);
  if (page_ != nullptr) return -EINVAL;
  page_ = host;
  page_handle_ = handle;
  slot_count_ = static_cast<uint32_t>(std::min(size_bytes / sizeof(uint64_t), uint64_t{kSignalEventLimit}));
  clear_slots();
  return 0;
}

uint64_t EventTable::page_handle() const {
  std::lock_guard lock(mutex_);
  return page_handle_;
}

int EventTable::map_default_page(uint64_t size_bytes) {
  std::lock_guard lock(mutex_);
  if (page_ != default_page_ || size_bytes > kEventPageBytes) return -EINVAL;
  slot_count_ = static_cast<uint32_t>(size_bytes / sizeof(uint64_t));
  return 0;
}

void EventTable::use_default_page() {
  page_ = default_page_;
  slot_count_ = kDefaultSlots;
  clear_slots();
}

void EventTable::clear_slots() {
  for (uint32_t id = 0; id < slot_count_; ++id) slot(id).store(kUnsignaledSlot, std::memory_order_relaxed);
}

int EventTable::create(uint32_t type, bool auto_reset, uint32_t* event_id) {
  std::lock_guard lock(mutex_);
  Event event;
  event.type = type;
  event.auto_reset = auto_reset;
  if (has_slot(type)) return create_signal_event(std::move(event), event_id);
  uint32_t id = kFirstOtherEventId;
  for (auto it = events_.lower_bound(id); it != events_.end() && it->first == id; ++it) ++id;
  event.id = id;
  events_.emplace(id, std::move(event));
  *event_id = id;
  return 0;
}

int EventTable::create_signal_event(Event event, uint32_t* event_id) {
  if (page_ == nullptr) use_default_page();
  if (signal_event_count_ >= slot_count_) return -ENOSPC;
  uint32_t id = 1;
  for (auto it = events_.begin(); it != events_.end() && it->first == id; ++it) ++id;
  event.id = id;
  events_.emplace(id, std::move(event));
  slot(id).store(kUnsignaledSlot, std::memory_order_relaxed);
  ++signal_event_count_;
  *event_id = id;
  return 0;
}

EventTable::Event* EventTable::find(uint32_t event_id) {
  auto it = events_.find(event_id);
  return it == events_.end() ? nullptr : &it->second;
}

std::atomic_ref<uint64_t> EventTable::slot(uint32_t event_id) {
  return std::atomic_ref<uint64_t>(reinterpret_cast<uint64_t*>(page_)[event_id]);
}

int EventTable::destroy(uint32_t event_id) {
  std::lock_guard lock(mutex_);
  Event* event = find(event_id);
  if (event == nullptr) return -EINVAL;
  for (Waiter* waiter : event->waiters) waiter->event = nullptr;
  for (Waiter* holder : event->holders) holder->event = nullptr;
  if (has_slot(event->type)) --signal_event_count_;
  events_.erase(event_id);
  changed_.notify_all();
  return 0;
}

int EventTable::set(uint32_t event_id) {
  std::lock_guard lock(mutex_);
  Event* event = find(event_id);
  if (event == nullptr || event->type != static_cast<uint32_t>(EventType::kSignal)) return -EINVAL;
  set_locked(*event);
  return 0;
}

int EventTable::reset(uint32_t event_id) {
  std::lock_guard lock(mutex_);
  Event* event = find(event_id);
  if (event == nullptr || event->type != static_cast<uint32_t>(EventType::kSignal)) return -EINVAL;
  event->signaled = false;
  return 0;
}

void EventTable::set_locked(Event& event) {
  // An event that resets itself does so at once if that wakes somebody; else it stays set for the next to ask.
  event.signaled = !event.auto_reset || event.waiters.empty();
  if (++event.age == 0) event.age = 2;  // 0 and 1 mean "unused" and "new"
  for (Waiter* waiter : event.waiters) waiter->activated = true;
  if (!event.waiters.empty()) changed_.notify_all();
}

int EventTable::begin_wait(const EventData& data, Waiter* waiter) {
  Event* event = find(data.event_id);
  if (event == nullptr) return -EINVAL;
  waiter->event = event;
  waiter->activated = event->signaled;
  event->signaled = event->signaled && !event->auto_reset;
  if (event->type == static_cast<uint32_t>(EventType::kSignal) && data.signal_event_data.last_event_age != 0) {
    waiter->age_enabled = true;
    if (event->age != data.signal_event_data.last_event_age) waiter->activated = true;
  }
  (waiter->activated ? event->holders : event->waiters).push_back(waiter);
  return 0;
}

void EventTable::end_wait(std::vector<Waiter>& waiters) {
  for (Waiter& waiter : waiters) {
    if (waiter.event == nullptr) continue;
    std::erase(waiter.event->waiters, &waiter);
    std::erase(waiter.event->holders, &waiter);
  }
}

WaitResult EventTable::test(const std::vector<Waiter>& waiters, bool all) {
  size_t activated = 0;
  for (const Waiter& waiter : waiters) {
    if (waiter.event == nullptr) return WaitResult::kFail;
    if (!waiter.activated) continue;
    if (!all) return WaitResult::kComplete;
    ++activated;
  }
  return activated == waiters.size() ? WaitResult::kComplete : WaitResult::kTimeout;
}

void EventTable::report(const Waiter& waiter, EventData* data) {
  if (waiter.event->type == static_cast<uint32_t>(EventType::kMemory)) {
    data->memory_exception_data = waiter.event->memory_data;
  } else if (waiter.event->type == static_cast<uint32_t>(EventType::kHwException)) {
    data->hw_exception_data = waiter.event->hw_data;
  } else if (waiter.age_enabled) {
    data->signal_event_data.last_event_age = waiter.event->age;
  }
}

int EventTable::wait(std::span<EventData> events, bool all, uint32_t timeout_ms, std::vector<bool>* activated,
                     uint32_t* result) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  std::unique_lock lock(mutex_);
  std::vector<Waiter> waiters(events.size());
  int status = 0;
  for (size_t i = 0; i < events.size() && status == 0; ++i) status = begin_wait(events[i], &waiters[i]);
  WaitResult outcome = WaitResult::kFail;
  if (status == 0) {
    while ((outcome = test(waiters, all)) == WaitResult::kTimeout && timeout_ms != 0) {
      if (timeout_ms == kWaitForever) {
        changed_.wait(lock);
      } else if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
        outcome = test(waiters, all);
        break;
      }
    }
    if (outcome == WaitResult::kFail) status = -EIO;
  }
  activated->assign(events.size(), false);
  if (outcome == WaitResult::kComplete) {
    for (size_t i = 0; i < events.size(); ++i) {
      if (waiters[i].event == nullptr || !waiters[i].activated) continue;
      report(waiters[i], &events[i]);
      (*activated)[i] = true;
    }
  }
  end_wait(waiters);
  *result = static_cast<uint32_t>(outcome);
  return status;
}

void EventTable::signal_slot(Event& event) {
  slot(event.id).store(kUnsignaledSlot, std::memory_order_relaxed);
  set_locked(event);
}

void EventTable::signal_from_gpu(uint32_t context_id) {
  std::lock_guard lock(mutex_);
  if (page_ == nullptr) return;
  if (context_id < slot_count_ && slot(context_id).load(std::memory_order_acquire) != kUnsignaledSlot) {
    if (Event* event = find(context_id); event != nullptr) {
      signal_slot(*event);
      return;
    }
  }
  for (auto& [id, event] : events_) {
    if (id >= slot_count_) break;
    if (has_slot(event.type) && slot(id).load(std::memory_order_acquire) != kUnsignaledSlot) signal_slot(event);
  }
}

void EventTable::raise_memory_exception(const MemoryExceptionData& data) {
  if (watcher_ && watcher_(data)) return;
  signal_memory_exception(data);
}

void EventTable::signal_memory_exception(const MemoryExceptionData& data) {
  std::lock_guard lock(mutex_);
  for (auto& [id, event] : events_) {
    if (event.type != static_cast<uint32_t>(EventType::kMemory)) continue;
    event.memory_data = data;
    set_locked(event);
  }
}

void EventTable::raise_hw_exception(const HwExceptionData& data) {
  std::lock_guard lock(mutex_);
  for (auto& [id, event] : events_) {
    if (event.type != static_cast<uint32_t>(EventType::kHwException)) continue;
    event.hw_data = data;
    set_locked(event);
  }
}

}  // namespace bw::emulator
