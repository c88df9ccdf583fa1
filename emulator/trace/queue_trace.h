// Owns: what one queue tells a trace: doorbells, packets with the time they took, dispatches, interrupts and faults.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "amdgpu/gfx11/text/packet_text.h"
#include "emulator/queue/queue_processor.h"
#include "emulator/trace/recorder.h"

namespace bw::emulator {

// Called by the engine thread that has the queue's turn, but interrupt(), which may come from any. As a listener it
// passes on what it notes.
class QueueTrace final : public QueueListener {
 public:
  // `doorbell_unit`: what the doorbell counts. `recorder` and `inner` outlive this. The doorbell of `setup` has its
  // first value.
  QueueTrace(TraceRecorder& recorder, QueueListener& inner, const QueueSetup& setup, const std::string& engine,
             std::string doorbell_unit);
  // What the queue was at is told to be abandoned.
  ~QueueTrace() override;

  // The doorbell as the queue finds it; noted if it has changed.
  void see_doorbell(uint64_t value) {
    if (value != doorbell_) note_doorbell(value);
  }
  // A packet is begun. Nothing is written before it ends, or waits, or runs a program.
  void begin_packet() { begin_ns_ = TraceRecorder::now_ns(); }
  // It waits for memory.
  void packet_waits(amdgpu::gfx11::PacketText packet);
  // It runs a program, which is to count its instructions for the trace.
  void begin_dispatch(amdgpu::gfx11::PacketText packet, Dispatch* dispatch);
  // It is done.
  void end_packet(const amdgpu::gfx11::PacketText& packet);
  // It is done, and what follows stands in the buffer that it called, until buffer_ends().
  void call_buffer(const amdgpu::gfx11::PacketText& packet);
  void buffer_ends();

  void interrupt(uint32_t context_id) override;
  void fault(FaultReport report) override;

 private:
  struct Open {
    uint64_t begin_ns;
    std::string name;
  };

  void note_doorbell(uint64_t value);
  void open(uint64_t begin_ns, const std::string& name, std::span<const amdgpu::gfx11::FieldText> fields);
  void close(std::span<const amdgpu::gfx11::FieldText> fields);
  void abandon();
  void instant(const char* category, std::string_view name, std::string_view text);

  TraceRecorder& recorder_;
  QueueListener& inner_;
  const std::string doorbell_unit_;
  const TraceTrack& track_;
  uint64_t doorbell_;
  uint64_t begin_ns_ = 0;
  bool is_open_ = false;       // the packet at hand has a begin of its own
  uint64_t instructions_ = 0;  // of its program
  std::vector<Open> open_;     // slices that have begun and not ended
};

}  // namespace bw::emulator
