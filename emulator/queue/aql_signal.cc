#include "emulator/queue/aql_signal.h"

#include <atomic>

#include "amdgpu/gfx11/abi.h"
#include "base/bits.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::amd_signal_t;

constexpr uint64_t kSignalAlignment = 8;  // what atomic access needs; clients align to 64

template <typename T>
std::atomic_ref<T> field(std::byte* signal, size_t offset) {
  return std::atomic_ref<T>(*reinterpret_cast<T*>(signal + offset));
}

}  // namespace

bool AqlSignals::load(uint64_t handle, int64_t* value) {
  uint64_t bits = 0;
  if (!is_aligned(handle, kSignalAlignment)) return memory_.refuse(handle, Access::kRead);
  if (!memory_.load_u64(handle + offsetof(amd_signal_t, value), &bits)) return false;
  *value = static_cast<int64_t>(bits);
  return true;
}

template <class Change>
bool AqlSignals::update(uint64_t handle, const Change& change) {
  if (!is_aligned(handle, kSignalAlignment)) return memory_.refuse(handle, Access::kWrite);
  uint64_t mailbox = 0;
  uint32_t event_id = 0;
  const bool done = memory_.with_word(handle, sizeof(amd_signal_t), Access::kWrite, [&](std::byte* signal) {
    // Read first: once the value is changed, the client may free the signal.
    mailbox = field<uint64_t>(signal, offsetof(amd_signal_t, event_mailbox_ptr)).load(std::memory_order_relaxed);
    event_id = field<uint32_t>(signal, offsetof(amd_signal_t, event_id)).load(std::memory_order_relaxed);
    change(signal);
  });
  if (!done || mailbox == 0) return done;
  if (!is_aligned(mailbox, sizeof(uint64_t))) return memory_.refuse(mailbox, Access::kWrite);
  if (!memory_.store_u64(mailbox, event_id)) return false;
  listener_.interrupt(event_id);
  return true;
}

bool AqlSignals::complete(uint64_t handle, PacketTime time) {
  return update(handle, [&](std::byte* signal) {
    field<uint64_t>(signal, offsetof(amd_signal_t, start_ts)).store(time.start, std::memory_order_relaxed);
    field<uint64_t>(signal, offsetof(amd_signal_t, end_ts)).store(time.end, std::memory_order_relaxed);
    field<int64_t>(signal, offsetof(amd_signal_t, value)).fetch_sub(1, std::memory_order_release);
  });
}

bool AqlSignals::store(uint64_t handle, int64_t value) {
  return update(handle, [&](std::byte* signal) {
    field<int64_t>(signal, offsetof(amd_signal_t, value)).store(value, std::memory_order_release);
  });
}

}  // namespace bw::emulator
