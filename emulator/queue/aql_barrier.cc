// The AQL packets that wait for signals. Layouts: amdgpu/gfx11/abi.h.
#include <algorithm>

#include "emulator/queue/aql_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;

// hsa_signal_condition_t, ROCr's hsa.h.
enum class SignalCondition : uint32_t { kEqual = 0, kNotEqual = 1, kLess = 2, kGreaterOrEqual = 3 };

std::optional<bool> compare(uint32_t condition, int64_t value, int64_t reference) {
  switch (static_cast<SignalCondition>(condition)) {
    case SignalCondition::kEqual:
      return value == reference;
    case SignalCondition::kNotEqual:
      return value != reference;
    case SignalCondition::kLess:
      return value < reference;
    case SignalCondition::kGreaterOrEqual:
      return value >= reference;
  }
  return std::nullopt;
}

}  // namespace

// HSA Platform System Architecture 1.2, 2.9.9 and 2.9.10: a signal with handle 0 counts for nothing; with no signal at
// all both are satisfied.
AqlQueue::Outcome AqlQueue::barrier_and() {
  for (const uint64_t signal : packet_as<gfx11::hsa_barrier_and_packet_t>().dep_signal) {
    int64_t value = 0;
    if (signal != 0 && !signals_.load(signal, &value)) return memory_fault();
    if (value != 0) return Outcome::kBlocked;
  }
  return Outcome::kDone;
}

AqlQueue::Outcome AqlQueue::barrier_or() {
  bool waits = false;
  for (const uint64_t signal : packet_as<gfx11::hsa_barrier_or_packet_t>().dep_signal) {
    if (signal == 0) continue;
    int64_t value = 0;
    if (!signals_.load(signal, &value)) return memory_fault();
    if (value == 0) return Outcome::kDone;
    waits = true;
  }
  return waits ? Outcome::kBlocked : Outcome::kDone;
}

// hsa_ext_amd.h, hsa_amd_barrier_value_packet_t: one signal, masked, against a value.
AqlQueue::Outcome AqlQueue::barrier_value() {
  const auto packet = packet_as<gfx11::hsa_amd_barrier_value_packet_t>();
  if (packet.signal == 0) return Outcome::kDone;
  int64_t value = 0;
  if (!signals_.load(packet.signal, &value)) return memory_fault();
  const auto masked = static_cast<int64_t>(static_cast<uint64_t>(value) & static_cast<uint64_t>(packet.mask));
  const std::optional<bool> holds = compare(packet.cond, masked, static_cast<int64_t>(packet.value));
  if (!holds) return fail(queue_error::kVendorPacket, "there is no signal condition {}", packet.cond);
  return *holds ? Outcome::kDone : Outcome::kBlocked;
}

}  // namespace bw::emulator
