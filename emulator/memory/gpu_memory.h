// Owns: how the engines (command processor, SDMA) reach memory by GPU virtual address, and what is remembered of an
// access that fails. Not here: the shader cores' accesses, which go through a Tlb of their own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "emulator/caches/access_set.h"
#include "emulator/memory/address_space.h"
#include "emulator/memory/client_fault.h"

namespace bw::emulator {

enum class MemoryFaultReason : uint8_t { kNotPresent, kReadOnly, kNoExecute };

struct MemoryFault {
  uint64_t address = 0;
  Access access = Access::kRead;
  MemoryFaultReason reason = MemoryFaultReason::kNotPresent;
};

// Why `access` at `address` fails in `space`.
MemoryFault explain_fault(const AddressSpace& space, uint64_t address, Access access);
// "write of 0x1000: the page is read-only".
std::string describe(const MemoryFault& fault);

// One per queue, used only by the thread that runs the queue. Every call returns false on a fault and leaves it in
// fault(); what was done before the fault stays done, as on the card. Loads are acquire and stores are release, so that
// a value that another processor polls publishes all that came before it. Addresses of atomic accesses must be aligned.
class GpuMemory {
 public:
  // What is accessed is noted there, as a packet's; null: nobody asks.
  explicit GpuMemory(const AddressSpace& space, Accesses* noted = nullptr)
      : space_(space), tlb_(space), noted_(noted) {}

  bool load_u32(uint64_t address, uint32_t* value);
  bool load_u64(uint64_t address, uint64_t* value);
  bool store_u32(uint64_t address, uint32_t value);
  bool store_u64(uint64_t address, uint64_t value);
  bool read(uint64_t address, void* destination, uint64_t size_bytes);
  bool write(uint64_t address, const void* source, uint64_t size_bytes);
  bool copy(uint64_t destination, uint64_t source, uint64_t size_bytes);
  // Repeats the `unit_bytes` (1, 2 or 4) low bytes of `value`; size_bytes is a multiple of it.
  bool fill(uint64_t address, uint32_t value, uint32_t unit_bytes, uint64_t size_bytes);
  // Calls `use` with the host address of one aligned word, for atomic operations.
  template <class Use>
  bool with_word(uint64_t address, uint32_t size_bytes, Access access, const Use& use) {
    note(access == Access::kWrite ? AccessKind::kAtomic : AccessKind::kFarLoad, address, size_bytes);
    return use_word(address, size_bytes, access, use);
  }

  // While one lives, several accesses share what each would do by itself, so they are quicker; what is unmapped stays
  // in place meanwhile. To be held shortly.
  Tlb::Use hold() { return Tlb::Use(tlb_); }

  // An access that the caller has found to be impossible: notes it as a fault; always false.
  bool refuse(uint64_t address, Access access) {
    fault_ = {address, access, MemoryFaultReason::kNotPresent};
    return false;
  }

  const MemoryFault& fault() const { return fault_; }

 private:
  void note(AccessKind kind, uint64_t address, uint64_t size_bytes) {
    if (noted_ != nullptr) noted_->of(kind).add(address, size_bytes, 0);
  }
  template <class Use>
  bool use_word(uint64_t address, uint32_t size_bytes, Access access, const Use& use) {
    return touch([&] {
      std::byte* host = word(address, size_bytes, access);
      if (host != nullptr) use(host);
      return host != nullptr;
    });
  }
  // Calls `use`, which touches memory and says whether it could.
  template <class Use>
  bool touch(const Use& use) {
    bool done = false;
    const std::optional<ClientFault> lost = touch_client_memory(tlb_, [&] { done = use(); });
    if (lost) fault_ = {lost->address, lost->access, MemoryFaultReason::kNotPresent};
    return done && !lost;
  }
  // Host address of one word; nullptr on a fault.
  std::byte* word(uint64_t address, uint32_t size_bytes, Access access);
  // Host address of the longest run from `address`, at most *size_bytes, which it sets to the run's length.
  std::byte* run(uint64_t address, Access access, uint64_t* size_bytes);

  const AddressSpace& space_;
  Tlb tlb_;
  Accesses* const noted_;
  MemoryFault fault_;
};

}  // namespace bw::emulator
