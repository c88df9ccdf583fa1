// Owns: what the fields of each request mean, for the fuzzer that fills them (tests/fuzz/ioctl_fuzz).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace bw::test {

enum class Field : uint8_t {
  kGpu,
  kNodeCount,
  kVa,       // an address for the card, page-aligned
  kSize,     // of memory
  kPointer,  // to memory that the call reads or fills
  kHandle,   // of a buffer of KFD
  kGemHandle,
  kQueue,
  kEvent,
  kFd,
  kFlags,    // of an allocation
  kSmall,    // a number, an operation, a mask
  kTimeout,  // milliseconds, few
  kOwnPid,
  kRing,  // the rest is what CREATE_QUEUE wants
  kRingBytes,
  kReadPointer,
  kWritePointer,
  kQueueType,
  kPercentage,
  kContextSave,
  kContextSaveBytes,
  kControlStackBytes,
  kDeviceList,  // pointer to gpu_ids
  kEventList,   // pointer to EventData
  kArenaOffset,
  kShareHandle,  // halves of an IPC handle
  kShareTail,
};

struct FieldAt {
  uint16_t offset;
  uint8_t bytes;
  Field field;
  bool is_result;  // what the call leaves there is of use to later calls
};

struct Template {
  unsigned long request;
  bool is_render;
  std::span<const FieldAt> fields;
};

std::span<const Template> ioctl_templates();

}  // namespace bw::test
