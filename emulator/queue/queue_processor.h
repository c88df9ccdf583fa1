// Owns: what an engine thread needs of a queue, and what a queue needs of the device around it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>

#include "emulator/fault_report.h"
#include "emulator/memory/address_space.h"
#include "emulator/shader/dispatch.h"

namespace bw::emulator {

enum class StepResult : uint8_t {
  kProgress,  // did something; call again soon
  kBlocked,   // waits for memory to change
  kIdle,      // has nothing to do until the doorbell moves
  kStopped,   // faulted; will never do anything again
};

// What a turn may be used for.
enum class Turn : uint8_t {
  kLook,  // has_work() was false: to look whether there is anything, and no more
  kWork,
};

// One hardware queue as a state machine. step() and has_work() are called by one engine thread at a time.
class QueueProcessor {
 public:
  virtual ~QueueProcessor() = default;
  virtual StepResult step(Turn turn) = 0;
  // Whether the next step() may take long: false if it would find nothing to do, or look again at what it waits for.
  virtual bool has_work() const = 0;
  // Goes on at the same position in another ring. Not during a turn.
  virtual void move_ring(uint64_t address, uint64_t size_bytes) = 0;
  // Asks a running step() to return soon: after the packet at hand or, if that runs a program, in the middle of it,
  // which goes on with the next turn. From any thread.
  void request_stop() {
    stop_requested_.store(true, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    suspend_.request_stop();
  }
  // Asks for that soon, for good: a program that runs is abandoned, and nothing is begun any more. From any thread.
  void cancel() {
    request_stop();
    cancel_.request_stop();
  }
  // Before the queue gets turns again.
  void allow_running() {
    stop_requested_.store(false, std::memory_order_relaxed);
    std::lock_guard lock(mutex_);
    if (suspend_.stop_requested()) suspend_ = std::stop_source();
  }

 protected:
  bool stop_requested() const { return stop_requested_.load(std::memory_order_relaxed) || is_cancelled(); }
  bool is_cancelled() const { return cancel_.stop_requested(); }
  std::stop_token cancellation() const { return cancel_.get_token(); }
  // Requested by request_stop(), until running is allowed again.
  std::stop_token suspension_request() const {
    std::lock_guard lock(mutex_);
    return suspend_.get_token();
  }

 private:
  std::atomic<bool> stop_requested_{false};
  std::stop_source cancel_;
  mutable std::mutex mutex_;
  std::stop_source suspend_;  // guarded by mutex_
};

// Where a queue's interrupts and faults go. Called by engine threads.
class QueueListener {
 public:
  virtual ~QueueListener() = default;
  virtual void interrupt(uint32_t context_id) = 0;
  virtual void fault(FaultReport report) = 0;
};

// A queue as CREATE_QUEUE describes it.
struct QueueSetup {
  uint32_t gpu_id = 0;
  uint32_t queue_id = 0;
  uint64_t ring_address = 0;  // GPU virtual addresses
  uint64_t ring_bytes = 0;    // power of two
  uint64_t read_pointer_address = 0;
  // Written by the client with release, read by the engine with acquire: the write pointer, counting up for ever, in
  // dwords (compute) or bytes (SDMA).
  // For AQL it says no more than that there is something to look at; kNoDoorbell: it has not been rung yet.
  std::atomic<uint64_t>* doorbell = nullptr;
  // AQL: where the client counts the packets that it has begun to write.
  uint64_t write_pointer_address = 0;
  // AQL: whether the client has enabled the runtime, and so hears of errors by the header of the context save area.
  bool reports_to_runtime = false;
  uint64_t context_save_address = 0;
};

inline constexpr uint64_t kNoDoorbell = ~uint64_t{0};

class MemoryChecker;
class QueueTrace;

// Changes a packet before it is executed, and not its size: for tests that leave out what a program relies on.
using PacketEdit = std::function<void(std::span<uint32_t> packet)>;

// The device around a queue. All of it outlives the queue.
struct QueueContext {
  const AddressSpace& memory;
  QueueListener& listener;
  // What the queue does, for a trace (emulator/trace); null: nobody asks. It is the listener too, then.
  std::shared_ptr<QueueTrace> trace = nullptr;
  // Of the card, in strict mode; null: nobody checks.
  std::shared_ptr<MemoryChecker> checker = nullptr;
  // Of packets of PM4 and SDMA; none: they are executed as they are.
  PacketEdit edit_packet = {};
};

std::unique_ptr<QueueProcessor> make_pm4_queue(const QueueSetup& setup, const QueueContext& context,
                                               ShaderCores& shader_cores);
std::unique_ptr<QueueProcessor> make_aql_queue(const QueueSetup& setup, const QueueContext& context,
                                               ShaderCores& shader_cores);
std::unique_ptr<QueueProcessor> make_sdma_queue(const QueueSetup& setup, const QueueContext& context);

}  // namespace bw::emulator
