// Owns: what all queues of packets have in common: reading packets from the ring and from indirect buffers, the read
// pointer, waiting on a packet that is not satisfied, and stopping with a report. Not here: the packets (pm4_*,
// sdma_*).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "amdgpu/gfx11/text/packet_text.h"
#include "emulator/caches/memory_checker.h"
#include "emulator/memory/gpu_memory.h"
#include "emulator/queue/queue_processor.h"
#include "emulator/trace/queue_trace.h"

namespace bw::emulator {

class PacketQueue : public QueueProcessor {
 public:
  StepResult step(Turn turn) final;
  bool has_work() const final;
  void move_ring(uint64_t address, uint64_t size_bytes) final {
    setup_.ring_address = address;
    setup_.ring_bytes = size_bytes;
  }

 protected:
  enum class Outcome : uint8_t {
    kDone,
    kBlocked,    // try the same packet again later
    kSuspended,  // go on with the same packet in the next turn
    kFault,      // fail() or memory_fault() has been called
  };

  // `bytes_per_count` is the unit of the doorbell.
  PacketQueue(const QueueSetup& setup, const QueueContext& context, std::string engine, uint32_t bytes_per_count);

  // How many dwords the packet at `head` has, of which the first `have` (at least 1) are there; what is returned for
  // few dwords may be less than for all of them. 0: not a packet (fail() has been called).
  virtual uint32_t packet_dwords(const uint32_t* head, uint32_t have) = 0;
  virtual Outcome execute() = 0;
  // Of the packet at hand, for reports.
  virtual std::string packet_name() const = 0;
  // All of it, for traces.
  virtual amdgpu::gfx11::PacketText describe_packet() const = 0;
  // All before `count_dwords` (since the queue was made) is done: writes the read pointer back.
  virtual bool publish_read_pointer(uint64_t count_dwords) = 0;

  const std::vector<uint32_t>& packet() const { return packet_; }
  uint32_t dword(size_t index) const { return packet_[index]; }
  uint64_t address_at(size_t index) const { return uint64_t{packet_[index + 1]} << 32 | packet_[index]; }
  uint64_t ring_dwords() const { return setup_.ring_bytes / sizeof(uint32_t); }
  const QueueSetup& setup() const { return setup_; }
  const AddressSpace& space() const { return context_.memory; }
  GpuMemory& memory() { return memory_; }
  // For what orders other work by itself: fetching, polling and signalling. It is not held against that work.
  GpuMemory& ordering_memory() { return ordering_memory_; }
  // Strict mode's side of the queue; null: nobody checks.
  MemoryChecker::Queue* order() const { return order_.get(); }
  // The packet at hand is about to store what others may wait for.
  void signal(uint64_t address, std::optional<uint64_t> value) {
    if (order_ != nullptr) order_->signal(address, value);
  }
  // The packet does the cache actions, stores a value (nullopt: that is not known beforehand) and interrupts, when all
  // work so far has ended.
  struct StoredSignal {
    uint64_t address = 0;
    uint64_t size_bytes = 0;  // 0: none is stored
    std::optional<uint64_t> value;
  };
  Outcome signal_at_end(const StoredSignal& signal, const CacheActions& actions, MemoryChecker::Queue::Meaning meaning);
  // The packet at hand has found what it waited for, or goes on waiting.
  Outcome end_wait(bool holds, uint64_t address, const WorkOrder::Wanted& wanted) {
    if (holds && order_ != nullptr) order_->wait_for_value(address, wanted);
    return holds ? Outcome::kDone : Outcome::kBlocked;
  }
  QueueListener& listener() { return context_.listener; }
  // When the packet at hand is done, and the client has seen the read pointer that says so: who is woken by an
  // interrupt may look at once for room in the ring.
  void interrupt_when_done(uint32_t context_id) { interrupt_ = context_id; }
  // Those of the shaders, and the host's way to memory.
  Outcome acquire(const CacheActions& actions);
  void flush_host_path() {
    if (order_ != nullptr) order_->flush_host_path();
  }
  // Null unless there is one.
  QueueTrace* trace() const { return context_.trace.get(); }

  // Goes on in a buffer of packets: below the present one (returning afterwards), or instead of it.
  void call_buffer(uint64_t address, uint64_t count_dwords) { buffers_.push_back({address, count_dwords}); }
  void chain_buffer(uint64_t address, uint64_t count_dwords) { buffers_.back() = {address, count_dwords}; }
  size_t buffer_depth() const { return buffers_.size(); }
  // Drops what follows the packet at hand, which does not reach beyond the buffer it stands in; in the ring also what
  // is yet to be written.
  Outcome skip_dwords(uint64_t count);
  // Where a dword of the packet at hand stands in memory.
  uint64_t dword_address(size_t index) const;

  // Each remembers why the packet at hand cannot be executed.
  template <typename... Args>
  Outcome fail(fmt::format_string<Args...> format, Args&&... args) {
    reason_ = fmt::format(format, std::forward<Args>(args)...);
    return Outcome::kFault;
  }
  Outcome memory_fault() { return memory_fault(memory_); }
  Outcome ordering_fault() { return memory_fault(ordering_memory_); }
  Outcome shader_fault(ShaderFault fault);

 private:
  enum class Fetch : uint8_t { kReady, kNothing, kFault };
  struct PacketBuffer {
    uint64_t address;
    uint64_t remaining_dwords;
  };

  // Dwords that the client has written since the queue was made, by the doorbell.
  uint64_t written_dwords() const;
  // Makes that `written_`.
  void look_at_doorbell();
  // Of those that are known of, what was not taken yet.
  uint64_t available_dwords() const { return written_ - ring_next_; }
  Fetch fetch();
  Fetch fetch_from_ring();
  Fetch fetch_from_buffer();
  // Drops those of skip_dwords() that have been written.
  bool skip_in_ring();
  // Reads `count` dwords of the ring from position `at` (dwords since the queue was made).
  bool read_ring(uint64_t at, uint32_t count);
  bool read_buffer(uint64_t address, uint32_t count);
  bool retire();
  StepResult stop();
  // What that memory says.
  Outcome memory_fault(const GpuMemory& memory);
  // The packet is done; with buffers as deep as `depth` before it.
  void trace_packet(size_t depth);
  // The packet at hand is about to be executed, or has been: strict mode.
  void begin_packet();
  bool check_packet();

  QueueSetup setup_;
  const QueueContext context_;
  const std::string engine_;
  const uint32_t bytes_per_count_;
  // In strict mode, of the packet at hand.
  Accesses accesses_;
  StoredSignal stored_signal_;
  std::unique_ptr<MemoryChecker::Queue> order_;
  GpuMemory memory_;
  GpuMemory ordering_memory_;
  uint64_t seen_doorbell_ = 0;  // by order_

  uint64_t written_ = 0;      // as the doorbell said when it was last looked at
  uint64_t ring_next_ = 0;    // dwords taken from the ring since the queue was made
  uint64_t ring_packet_ = 0;  // where in the ring the packet stands that led here
  uint64_t published_ = 0;    // ring_next_ as the client knows it
  uint64_t skipping_ = 0;     // dwords of the ring to be dropped
  std::vector<PacketBuffer> buffers_;
  std::vector<uint32_t> packet_;
  uint64_t packet_address_ = 0;
  bool has_packet_ = false;
  bool blocked_ = false;               // on the packet at hand
  std::optional<uint32_t> interrupt_;  // context id of what the packet at hand raises
  bool stopped_ = false;

  std::string reason_;
  std::optional<MemoryFault> memory_fault_;
  std::optional<ShaderFault> shader_fault_;
};

}  // namespace bw::emulator
