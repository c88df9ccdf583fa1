// Owns: the command processor's view of one AQL queue: its packets of 64 bytes, in order, each to its end before the
// next begins (so the barrier bit of a packet is always honoured), and how it stops. The packets' handlers stand in
// aql_queue.cc (packets, vendor packets, errors), aql_dispatch.cc and aql_barrier.cc. Layouts: amdgpu/gfx11/abi.h.
//
// Sources: HSA Platform System Architecture 1.2, 2.8 to 2.9 (queues, packets); ROCr's amd_aql_queue.cpp for what the
// client expects of scratch memory and errors; LLVM's AMDGPU usage guide for kernel descriptors.
#pragma once

#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "amdgpu/gfx11/abi.h"
#include "emulator/memory/gpu_memory.h"
#include "emulator/queue/aql_signal.h"
#include "emulator/queue/pm4_queue.h"
#include "emulator/queue/queue_error.h"
#include "emulator/queue/queue_processor.h"
#include "emulator/trace/queue_trace.h"

namespace bw::emulator {

class AqlQueue final : public QueueProcessor {
 public:
  AqlQueue(const QueueSetup& setup, const QueueContext& context, ShaderCores& shader_cores);

  StepResult step(Turn turn) override;
  bool has_work() const override;
  void move_ring(uint64_t address, uint64_t size_bytes) override {
    setup_.ring_address = address;
    setup_.ring_bytes = size_bytes;
  }

 private:
  // What the next turn goes on with.
  enum class Phase : uint8_t {
    kFetch,            // the packet at next_, once there is one
    kPacket,           // packet_
    kIndirectBuffer,   // packet_ is a vendor packet whose PM4 packets are being executed
    kScratchAsked,     // packet_ is a dispatch that waits for the client to provide scratch memory
    kScratchReturned,  // no packet; the client has been given back the scratch memory of the last one
  };
  enum class Outcome : uint8_t {
    kDone,     // with the packet at hand
    kGoOn,     // with the same phase, or another one
    kNothing,  // there is no packet
    kBlocked,  // look again later
    kFault,    // fail() or one of its kin has been called
  };

  // What the PM4 processor of vendor packets says goes through here: faults are this queue's.
  class BufferListener final : public QueueListener {
   public:
    explicit BufferListener(QueueListener& outer) : outer_(outer) {}
    void interrupt(uint32_t context_id) override { outer_.interrupt(context_id); }
    void fault(FaultReport report) override { last = std::move(report); }
    std::optional<FaultReport> last;

   private:
    QueueListener& outer_;
  };

  Outcome advance();
  StepResult look();
  Outcome fetch();
  // Whether the client has begun to write a packet at next_, or beyond; kNothing, kDone or kFault.
  Outcome look_at_count();
  // Whether the packet at next_ is the queue's (its type is not INVALID); kNothing, kDone or kFault.
  Outcome look_at_header();
  Outcome execute();
  Outcome complete();
  Outcome free_slot();
  StepResult stop();
  void tell_client(FaultReport& report);

  Outcome barrier_and();
  Outcome barrier_or();
  Outcome barrier_value();

  Outcome vendor_packet();
  Outcome run_indirect_buffer();

  // Dispatches.
  Outcome dispatch();
  // Begins, or goes on with what is suspended.
  Outcome run(const Dispatch& dispatch);
  Outcome check_geometry(const amdgpu::gfx11::hsa_kernel_dispatch_packet_t& packet);
  Outcome describe_dispatch(const amdgpu::gfx11::hsa_kernel_dispatch_packet_t& packet, Dispatch* dispatch);
  Outcome describe_user_data(const amdgpu::gfx11::hsa_kernel_dispatch_packet_t& packet,
                             const amdgpu::gfx11::amdhsa_kernel_descriptor_t& kernel, Dispatch* dispatch);
  Outcome describe_scratch(const amdgpu::gfx11::amd_queue_t& queue, uint32_t private_bytes, Dispatch* dispatch);
  Outcome ask_for_scratch(const amdgpu::gfx11::amd_queue_t& queue, uint32_t private_bytes, uint32_t wave_size);
  Outcome return_scratch();
  Outcome await_inactive_signal(Phase next);
  Outcome read_queue(amdgpu::gfx11::amd_queue_t* queue);

  // Each remembers why the packet at hand cannot be executed.
  template <typename... Args>
  Outcome fail(QueueError error, fmt::format_string<Args...> format, Args&&... args) {
    error_ = error;
    reason_ = fmt::format(format, std::forward<Args>(args)...);
    return Outcome::kFault;
  }
  Outcome memory_fault();  // what memory_ says
  Outcome shader_fault(ShaderFault fault);

  template <typename Packet>
  Packet packet_as() const {
    static_assert(sizeof(Packet) == sizeof(packet_));
    Packet packet;
    std::memcpy(&packet, packet_.data(), sizeof(packet));
    return packet;
  }
  amdgpu::gfx11::hsa_packet_type_t packet_type() const;
  std::string packet_name() const;
  bool has_packets() const { return static_cast<int64_t>(written_ - next_) > 0; }
  uint64_t slots() const { return setup_.ring_bytes / sizeof(packet_); }
  uint64_t queue_address() const {
    return setup_.read_pointer_address - offsetof(amdgpu::gfx11::amd_queue_t, read_dispatch_id);
  }

  QueueSetup setup_;
  const QueueContext context_;
  ShaderCores& shader_cores_;
  GpuMemory memory_;
  AqlSignals signals_;

  // Executes the indirect buffers of vendor packets; its registers last from one to the next.
  BufferListener buffer_listener_;
  std::atomic<uint64_t> buffer_doorbell_{0};  // its ring stays empty
  Pm4Queue buffers_;
  const std::stop_callback<std::function<void()>> cancel_buffers_;

  Phase phase_ = Phase::kFetch;
  Suspension suspension_;  // of the dispatch at hand
  uint64_t next_ = 0;      // index of the packet at hand or, while fetching, of the next one
  uint64_t written_ = 0;   // the client's count of packets, as last seen
  uint64_t last_doorbell_ = kNoDoorbell;
  uint32_t looks_ = 0;            // that found nothing
  bool may_have_packets_ = true;  // as written_ has it, once it is known
  bool stalled_ = false;          // there is a packet at next_, whose header is not written yet
  bool blocked_ = false;          // on what the phase waits for
  bool stopped_ = false;
  bool returns_scratch_ = false;  // the dispatch at hand used scratch memory that is to be given back
  alignas(8) std::array<uint32_t, 16> packet_{};
  uint64_t packet_address_ = 0;
  PacketTime time_;

  QueueError error_;
  std::string reason_;
  std::optional<MemoryFault> memory_fault_;
  std::optional<ShaderFault> shader_fault_;
};

}  // namespace bw::emulator
