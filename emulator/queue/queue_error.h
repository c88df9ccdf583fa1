// Owns: the errors of an AQL queue as its client learns of them: a bit of the queue's inactive signal, or, where the
// client has enabled the runtime (RUNTIME_ENABLE), a code of the driver. Not here: who tells (aql_queue.cc,
// emulator/kernel/queues.cc).
#pragma once

#include <cstdint>

namespace bw::emulator {

struct QueueError {
  // Linux include/uapi/linux/kfd_ioctl.h, enum kfd_dbg_trap_exception_code.
  uint32_t exception_code = 0;
  // As ROCr's AqlQueue::DynamicQueueEventsHandler() reads them.
  uint64_t inactive_bits = 0;
};

namespace queue_error {
inline constexpr QueueError kWaveAbort{1, 0x80000000};  // the client's handler knows one bit for all traps
inline constexpr QueueError kWaveTrap{2, 0x80000000};
inline constexpr QueueError kIllegalInstruction{4, 0x40000000};
inline constexpr QueueError kApertureViolation{6, 0x20000000};
inline constexpr QueueError kDimensions{16, 0x2};
inline constexpr QueueError kGroupSegment{17, 0x4};
inline constexpr QueueError kCode{18, 0x8};
inline constexpr QueueError kUnsupportedPacket{20, 0x20};
inline constexpr QueueError kWorkgroupSize{21, 0x40};
inline constexpr QueueError kRegisters{22, 0x80};
inline constexpr QueueError kVendorPacket{23, 0x100};
}  // namespace queue_error

// What the inactive signal holds while the queue waits for scratch memory, or offers it back.
namespace scratch_request {
inline constexpr int64_t kWave64 = 0x1;
inline constexpr int64_t kWave32 = 0x400;
inline constexpr int64_t kReturned = 0x200;
}  // namespace scratch_request

}  // namespace bw::emulator
