// Owns: what a trace is made of: events on tracks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "amdgpu/gfx11/text/packet_text.h"

namespace bw::emulator {

// A line of time: one thread of the program, or one queue of the card.
struct TraceTrack {
  int process = 0;  // of the system; queues have a number of their own here, so that they stand together
  int thread = 0;
  std::string process_name;
  std::string name;   // "compute queue 0"
  std::string label;  // of both, short: "gpu 28445 compute 0", "rocminfo/4711"
};

enum class TracePhase : uint8_t {
  kSlice,    // from begin_ns to end_ns
  kBegin,    // at begin_ns; the end comes as an event of its own, later and on the same track
  kEnd,      // of the last kBegin on the track, from begin_ns to end_ns
  kInstant,  // at begin_ns
};

// Views are read before add() returns.
struct TraceEvent {
  TracePhase phase = TracePhase::kInstant;
  const char* category = "";  // "call", "packet", "doorbell", "interrupt", "fault"
  uint64_t begin_ns = 0;      // CLOCK_MONOTONIC
  uint64_t end_ns = 0;
  std::string_view name{};  // what happened, in a word or two
  std::string_view text{};  // all of it; empty: the name and the fields
  std::span<const amdgpu::gfx11::FieldText> fields{};
  uint32_t depth = 0;  // slices of the track that are open around this one
};

}  // namespace bw::emulator
