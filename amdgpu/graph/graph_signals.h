// Owns: how the nodes of a graph say what they tell other queues and devices, and wait for. Not here: who the others
// are; a word of memory that both reach is all they share (Device::share()).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "amdgpu/graph/buffer_use.h"
#include "amdgpu/pm4_builder.h"

namespace bw::amdgpu {

// Of one graph; made by GraphRecorder.
struct ParameterId {
  uint32_t index = ~0u;
};

// A word of 32 bits. `offset_bytes` is a multiple of 4.
struct SignalWord {
  const Buffer* buffer = nullptr;
  uint64_t offset_bytes = 0;
};

// The word gets the value when all has ended that this graph has done before to what is published, and its results
// can be seen everywhere.
struct GraphSignal {
  SignalWord word;
  uint32_t value = 1;
  std::optional<ParameterId> parameter = {};  // of 4 bytes, in place of `value`
  // What others read, or write again, once they see the signal. Empty: everything that was recorded before.
  std::span<const BufferUse> publishes = {};
};

// What follows, and uses what arrives, begins when the word compares with the value, and sees what others wrote before
// they signalled it.
struct GraphWait {
  SignalWord word;
  Compare compare = Compare::kGreaterEqual;
  uint32_t value = 1;
  std::optional<ParameterId> parameter = {};  // of 4 bytes, in place of `value`
  // What the word becomes when the wait is over, so that it can be waited for again.
  std::optional<uint32_t> reset = {};
  // What others have written, and what they have read. Empty: everything that is recorded afterwards waits.
  std::span<const BufferUse> arrives = {};
};

}  // namespace bw::amdgpu
