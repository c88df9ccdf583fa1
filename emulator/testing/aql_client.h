// Owns: a client of AQL queues for tests: it knows queues, packets and signals by their literal offsets and bits, from
// AMD's documents, and takes nothing from the tables that the emulator reads.
#pragma once

#include <array>
#include <cstdint>

#include "emulator/testing/machine.h"

namespace bw::emulator::testing {

using AqlPacket = std::array<uint32_t, 16>;

// Headers: type, and acquire and release fences of system scope.
inline constexpr uint32_t kAqlVendor = 0x1400;
inline constexpr uint32_t kAqlInvalid = 0x0001;
inline constexpr uint32_t kAqlDispatch = 0x1402;
inline constexpr uint32_t kAqlBarrierAnd = 0x1403;
inline constexpr uint32_t kAqlAgentDispatch = 0x1404;
inline constexpr uint32_t kAqlBarrierOr = 0x1405;
inline constexpr uint32_t kAqlBarrierBit = 0x0100;

// amd_signal_t.
struct AqlSignal {
  uint64_t handle = 0;

  std::atomic_ref<int64_t> value() const { return word<int64_t>(8); }
  std::atomic_ref<uint64_t> mailbox() const { return word<uint64_t>(0x10); }
  std::atomic_ref<uint32_t> event_id() const { return word<uint32_t>(0x18); }
  uint64_t start() const { return word<uint64_t>(0x20).load(); }
  uint64_t end() const { return word<uint64_t>(0x28).load(); }

 private:
  template <typename T>
  std::atomic_ref<T> word(uint64_t offset) const {
    return std::atomic_ref<T>(*reinterpret_cast<T*>(handle + offset));
  }
};

struct AqlGrid {
  std::array<uint32_t, 3> grid{1, 1, 1};  // work-items
  std::array<uint16_t, 3> workgroup{1, 1, 1};
  uint16_t dimensions = 3;
};

AqlPacket dispatch_packet(const AqlGrid& grid, uint64_t kernel, uint64_t kernarg, const AqlSignal& signal);
AqlPacket barrier_packet(uint32_t header, const std::array<uint64_t, 5>& dependencies, const AqlSignal& signal);
// PM4 packets at `address`, as ROCr's vendor packet has them executed.
AqlPacket indirect_buffer_packet(uint64_t address, uint32_t count_dwords, const AqlSignal& signal);

// A queue and its amd_queue_t. Calls may come from several threads, but for those that are marked.
class AqlClient {
 public:
  explicit AqlClient(Machine& machine, uint64_t ring_packets = 64);

  AqlSignal signal(int64_t value = 1);  // not from several threads
  // Kernel descriptor and code, at the descriptor's address. `code` begins 256 bytes behind it; not from several
  // threads.
  uint64_t load(uint32_t rsrc1, uint32_t rsrc2, uint16_t properties, const std::vector<uint32_t>& code);

  // Waits for a free slot, writes the packet, header last, and rings.
  uint64_t submit(const AqlPacket& packet);
  // The steps of submit(): an index, the packet without its header, the header, the doorbell.
  uint64_t reserve(uint64_t count = 1);
  void write_body(uint64_t index, const AqlPacket& packet);
  void write_header(uint64_t index, uint32_t header);
  void ring(uint64_t index) { queue_.doorbell->store(index, std::memory_order_release); }
  // submit(), and until the packet's signal has gone down to 0; false after some seconds, with the faults told.
  bool run(AqlPacket packet);

  // The driver has been told already, and the queue is empty.
  void move_ring(const TestBuffer& ring) { queue_.ring = ring; }

  Machine& machine() { return machine_; }
  const TestQueue& queue() const { return queue_; }
  uint64_t ring_packets() const { return queue_.ring.size_bytes / 64; }
  uint64_t packet_address(uint64_t index) const { return queue_.ring.va + index % ring_packets() * 64; }
  uint64_t amd_queue() const { return queue_.pointers.va; }
  std::atomic_ref<uint64_t> qword(uint64_t offset) const { return queue_.pointers.qword(offset / 8); }
  std::atomic_ref<uint32_t> dword(uint64_t offset) const { return queue_.pointers.dword(offset / 4); }
  uint64_t read_index() const { return qword(0x80).load(); }
  uint16_t header(uint64_t index) const;
  // A fresh signal as the queue's inactive signal.
  AqlSignal watch_inactive();

 private:
  Machine& machine_;
  TestQueue queue_;
  TestBuffer signals_;
  TestBuffer code_;
  uint64_t signals_used_ = 0;
  uint64_t code_used_ = 0;
};

}  // namespace bw::emulator::testing
