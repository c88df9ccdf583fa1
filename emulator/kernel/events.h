// Owns: KFD events of one process: their slots in the event page, who waits for them, and how the engines raise them.
// Semantics follow Linux, drivers/gpu/drm/amd/amdkfd/kfd_events.c (6.6). Not here: the argument structs' way in and out
// (emulator/kernel/event_ioctls).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "kfd/uapi.h"

namespace bw::emulator {

// All calls are safe from any thread. Those that return int return 0 or a negative errno.
class EventTable {
 public:
  // `default_page` holds kEventPageBytes; it is used until, and unless, set_page() comes first.
  explicit EventTable(std::byte* default_page);

  // Takes a buffer of the client for the event page. -EINVAL once there is a page.
  int set_page(std::byte* host, uint64_t size_bytes, uint64_t handle);
  // The handle of the buffer that serves as event page; 0: none.
  uint64_t page_handle() const;
  // The default page has been mapped by the client, so that many bytes of it. -EINVAL if it is not in use.
  int map_default_page(uint64_t size_bytes);

  int create(uint32_t type, bool auto_reset, uint32_t* event_id);
  int destroy(uint32_t event_id);
  int set(uint32_t event_id);
  int reset(uint32_t event_id);
  // Waits for one or all of `events`, whose data it fills; `activated[i]` tells for which that happened.
  int wait(std::span<kfd::uapi::EventData> events, bool all, uint32_t timeout_ms, std::vector<bool>* activated,
           uint32_t* result);

  // An interrupt with `context_id`: the event whose slot the GPU has written, or else every event whose slot it has.
  void signal_from_gpu(uint32_t context_id);
  void raise_memory_exception(const kfd::uapi::MemoryExceptionData& data);
  // As raise_memory_exception(), without asking anybody.
  void signal_memory_exception(const kfd::uapi::MemoryExceptionData& data);
  // Who hears of memory exceptions first, and may keep them from the process by answering true. To be called before
  // there are any.
  using Watcher = std::function<bool(const kfd::uapi::MemoryExceptionData&)>;
  void watch_memory_exceptions(Watcher watcher) { watcher_ = std::move(watcher); }
  void raise_hw_exception(const kfd::uapi::HwExceptionData& data);

 private:
  struct Event;
  struct Waiter {
    Event* event = nullptr;  // becomes null when the event is destroyed
    bool activated = false;
    bool age_enabled = false;
  };
  struct Event {
    uint32_t id = 0;
    uint32_t type = 0;
    bool auto_reset = false;
    bool signaled = false;
    uint64_t age = 1;
    kfd::uapi::MemoryExceptionData memory_data{};
    kfd::uapi::HwExceptionData hw_data{};
    std::vector<Waiter*> waiters;  // who sleeps until it is set
    std::vector<Waiter*> holders;  // who found it set, and waits for others
  };

  // All below: with mutex_ held.
  Event* find(uint32_t event_id);
  std::atomic_ref<uint64_t> slot(uint32_t event_id);
  void use_default_page();
  void clear_slots();
  int create_signal_event(Event event, uint32_t* event_id);
  void set_locked(Event& event);
  void signal_slot(Event& event);
  int begin_wait(const kfd::uapi::EventData& data, Waiter* waiter);
  void end_wait(std::vector<Waiter>& waiters);
  static kfd::uapi::WaitResult test(const std::vector<Waiter>& waiters, bool all);
  static void report(const Waiter& waiter, kfd::uapi::EventData* data);

  Watcher watcher_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint32_t, Event> events_;
  std::byte* const default_page_;
  std::byte* page_ = nullptr;
  uint64_t page_handle_ = 0;
  uint32_t slot_count_ = 0;
  uint32_t signal_event_count_ = 1;  // id 0 is never given out: interrupts without a context carry it
};

}  // namespace bw::emulator
