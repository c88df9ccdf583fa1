// Owns: surviving client memory that goes away, or loses rights, while the emulator uses it: a program may unmap what
// it gave to the card (USERPTR) without telling the driver. The host's SIGSEGV or SIGBUS becomes a fault of the GPU.
// Not here: accesses that the page tables do not allow (address_space.h).
#pragma once

#include <csetjmp>
#include <cstdint>
#include <optional>

#include "emulator/memory/address_space.h"

namespace bw::emulator {

struct ClientFault {
  uint64_t address = 0;  // of the GPU
  Access access = Access::kRead;
};

// For touch_client_memory() only: where to go on after a fault of this thread. The first one puts the handlers of the
// two signals in place, for good; faults that are not on memory of the client reach the handlers from before.
class FaultCatcher {
 public:
  explicit FaultCatcher(Tlb& tlb);
  ~FaultCatcher();
  FaultCatcher(const FaultCatcher&) = delete;
  FaultCatcher& operator=(const FaultCatcher&) = delete;

  const AddressSpace& space() const { return space_; }
  // Cleans up behind a jump to `place`.
  const ClientFault& settle();

  sigjmp_buf place;   // set before the first access
  ClientFault fault;  // written by the signal handler before it jumps to `place`

 private:
  const AddressSpace& space_;
  const Tlb::Use use_;
  FaultCatcher* const outer_;
  const int client_accesses_;
};

// Calls `touch`, which may use host addresses that `tlb` gives it. Where the memory behind one is gone, `touch` is left
// on the spot, without destructors: it must not hold locks or memory then, other than in calls of this function.
template <class Touch>
[[gnu::noinline]] std::optional<ClientFault> touch_client_memory(Tlb& tlb, const Touch& touch) {
  FaultCatcher catcher(tlb);
  // The handler sees to the mask of signals.
  if (sigsetjmp(catcher.place, 0) != 0) return catcher.settle();
  touch();
  return std::nullopt;
}

// Copies what all lies in one mapping; false if it does not, or the client has taken it away.
bool read_client_memory(Tlb& tlb, uint64_t address, void* destination, uint32_t size_bytes, Access access);

}  // namespace bw::emulator
