// KFD's requests about events.
#include <cerrno>
#include <vector>

#include "base/bits.h"
#include "emulator/kernel/handlers.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::ioctls {
namespace {

using namespace kfd::uapi;

// The caller gives a buffer of its own for the event page, by handle. Linux kfd_kmap_event_page().
int take_event_page(Process& process, uint64_t handle) {
  std::lock_guard lock(process.mutex());
  ProcessDevice* device = nullptr;
  if (process.find_device(hi32(handle)) == nullptr) return -EINVAL;
  if (int status = process.bind(hi32(handle), &device); status != 0) return status;
  const Buffer* buffer = process.buffers().find(handle);
  if (buffer == nullptr) return -EINVAL;
  if ((buffer->flags & alloc_flag::kGtt) == 0) return -EINVAL;
  return process.events().set_page(buffer->host, buffer->size_bytes, handle);
}

bool has_slot(uint32_t type) {
  return type == static_cast<uint32_t>(EventType::kSignal) || type == static_cast<uint32_t>(EventType::kDebug);
}

}  // namespace

int create_event(Process& process, CreateEventArgs& args) {
  if (args.event_page_offset != 0) {
    if (int status = take_event_page(process, args.event_page_offset); status != 0) return status;
  }
  args.event_page_offset = 0;
  if (int status = process.events().create(args.event_type, args.auto_reset != 0, &args.event_id); status != 0) {
    return status;
  }
  args.event_trigger_data = args.event_id;
  if (has_slot(args.event_type)) {
    // User space takes 0 for "no mailbox" and then never wakes up.
    args.event_page_offset = kMmapTypeEvents;
    args.event_slot_index = args.event_id;
  }
  return 0;
}

int destroy_event(Process& process, DestroyEventArgs& args) {
  return process.events().destroy(args.event_id);
}

int set_event(Process& process, SetEventArgs& args) {
  return process.events().set(args.event_id);
}

int reset_event(Process& process, ResetEventArgs& args) {
  return process.events().reset(args.event_id);
}

int wait_events(Process& process, WaitEventsArgs& args) {
  constexpr uint32_t kMaxEvents = 1u << 16;  // about what one kernel allocation for the waiters holds
  args.wait_result = static_cast<uint32_t>(WaitResult::kFail);
  if (args.num_events > kMaxEvents) return -ENOMEM;
  std::vector<EventData> events(args.num_events);
  if (int status = copy_from_user(events.data(), args.events_ptr, events.size() * sizeof(EventData)); status != 0) {
    return status;
  }
  std::vector<bool> activated;
  if (process.minor_version() < kMinorEventAge) {
    for (EventData& event : events) event.signal_event_data.last_event_age = 0;
  }
  const int status = process.events().wait(events, args.wait_for_all != 0, args.timeout, &activated, &args.wait_result);
  for (size_t i = 0; i < events.size(); ++i) {
    if (!activated[i]) continue;
    const uint64_t address = args.events_ptr + i * sizeof(EventData);
    if (copy_to_user(address, &events[i], sizeof(MemoryExceptionData)) != 0) {
      args.wait_result = static_cast<uint32_t>(WaitResult::kFail);
      return -EFAULT;
    }
  }
  return status;
}

}  // namespace bw::emulator::ioctls
