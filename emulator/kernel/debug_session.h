// Owns: what the driver keeps for a debugger of the process: exceptions that were raised and not cleared, which of them
// the debugger wants to hear of, and the descriptor on which it does. Semantics follow Linux, kfd_debug.c (6.6). Not
// here: the requests (emulator/kernel/debug_ioctls).
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>

#include "base/unique_fd.h"
#include "emulator/card.h"
#include "kfd/uapi_debug.h"

namespace bw::emulator {

// Safe from any thread. Calls that return int return 0 or a negative errno. Masks are of ExceptionCode.
class DebugSession {
 public:
  explicit DebugSession(std::span<const Card> cards);

  bool is_enabled() const;
  // Takes the descriptor over. -EALREADY if a session is on.
  int enable(UniqueFd notify);
  void disable();
  // What the debugger wants to hear of.
  void set_enabled_exceptions(uint64_t mask);

  void queue_created(uint32_t queue_id, uint32_t gpu_id);
  void queue_destroyed(uint32_t queue_id);
  void runtime_changed();
  // Whether the debugger has it, so that the process does not get it.
  bool memory_violation(const kfd::uapi::MemoryExceptionData& data);

  // One source with exceptions that the debugger wants; those of `clear` are gone afterwards. -EAGAIN: there is none.
  int query_event(uint64_t clear, kfd::uapi::DbgTrapQueryDebugEventArgs* found);
  // The exceptions of a source by exception code; nullptr if there is no such source or code.
  int query_exception(uint32_t code, uint32_t source_id, bool clear,
                      std::optional<kfd::uapi::MemoryExceptionData>* violation);
  uint64_t queue_exceptions(uint32_t queue_id, uint64_t clear);
  uint64_t device_exceptions(uint32_t gpu_id, uint64_t clear);
  std::optional<kfd::uapi::MemoryExceptionData> last_violation(uint32_t gpu_id) const;
  // Sets flags and tells the old ones.
  uint32_t exchange_flags(uint32_t flags);

 private:
  struct Queue {
    uint32_t gpu_id = 0;
    uint64_t exceptions = 0;
  };
  struct Device {
    uint64_t exceptions = 0;
    std::optional<kfd::uapi::MemoryExceptionData> violation;
  };

  // With mutex_ held.
  void notify(uint64_t mask);
  uint64_t* find(uint32_t code, uint32_t source_id);

  mutable std::mutex mutex_;
  bool enabled_ = false;
  UniqueFd notify_;
  uint64_t wanted_ = 0;
  uint32_t flags_ = 0;
  uint64_t process_exceptions_ = 0;
  std::map<uint32_t, Queue> queues_;
  std::map<uint32_t, Device> devices_;  // by gpu_id
};

}  // namespace bw::emulator
