// Owns: the clients of SMI_EVENTS: who listens to which events of which card, and the text they get. Semantics follow
// Linux, kfd_smi_events.c (6.6).
//
// A client's descriptor is one end of a socket pair, which can be polled, read without waiting and written to (the
// mask, 8 bytes) by ordinary system calls; Linux's is a file of its own, which refuses a mask of another size. Events
// are those of this process: when the client has not read what fills the socket, further ones are dropped.
#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "emulator/card.h"
#include "emulator/kernel/svm.h"
#include "kfd/uapi.h"

namespace bw::emulator {

// Safe from any thread.
class SmiClients {
 public:
  // Why the card takes queues off the hardware. Linux kfd_ioctl.h, enum KFD_QUEUE_EVICTION_TRIGGERS.
  enum class EvictionTrigger : uint32_t { kSvm = 0, kUserptr = 1 };

  // A descriptor for the client, or a negative errno.
  int open(uint32_t card);
  void vm_fault(uint32_t card);
  // A prefetch, as one of its cards tells it.
  void migrated(const Card& card, const SvmMigration& migration);
  // Memory of the client changed under the card's queues, which were off the hardware for that long.
  void queues_evicted_and_restored(const Card& card, EvictionTrigger trigger);

 private:
  struct Client {
    UniqueFd socket;
    uint32_t card = 0;
    uint64_t mask = 0;
  };

  void emit(uint32_t card, kfd::uapi::SmiEvent event, const std::string& text);

  std::mutex mutex_;
  std::vector<Client> clients_;
};

}  // namespace bw::emulator
