// Owns: what a command processor does to the signals of AQL's clients (amd_signal_t). Not here: the event that a
// mailbox belongs to (emulator/kernel/events).
#pragma once

#include <cstdint>

#include "emulator/memory/gpu_memory.h"
#include "emulator/queue/queue_processor.h"

namespace bw::emulator {

// The time of a packet on the card's clock.
struct PacketTime {
  uint64_t start = 0;
  uint64_t end = 0;
};

// Signals are named by their handle, a GPU address. Calls return false where memory() has faulted; a handle that is
// not aligned faults as not present.
class AqlSignals {
 public:
  AqlSignals(GpuMemory& memory, QueueListener& listener) : memory_(memory), listener_(listener) {}

  // Acquires what was done before the value was set.
  bool load(uint64_t handle, int64_t* value);
  // Writes the time, then takes one from the value, then wakes up who waits; in this order, and all memory effects
  // before it are published.
  bool complete(uint64_t handle, PacketTime time);
  // Sets the value and wakes up who waits.
  bool store(uint64_t handle, int64_t value);

 private:
  // Calls `change` with the signal's host address, then raises its event.
  template <class Change>
  bool update(uint64_t handle, const Change& change);

  GpuMemory& memory_;
  QueueListener& listener_;
};

}  // namespace bw::emulator
