// Owns: how a trace is written: one line for each event, as text or as JSON. Files: recorder.h.
#pragma once

#include <memory>
#include <string>

#include "emulator/trace/event.h"

namespace bw::emulator {

class TraceFormatter {
 public:
  virtual ~TraceFormatter() = default;
  // What stands at the head and at the foot of a file.
  virtual std::string head() const = 0;
  virtual std::string foot() const = 0;
  // What introduces a track; may be nothing.
  virtual std::string track(const TraceTrack& track) const = 0;
  virtual std::string event(const TraceTrack& track, const TraceEvent& event) const = 0;
};

// Columns: microseconds since `start_ns`, microseconds it took, where, what.
std::unique_ptr<TraceFormatter> make_text_formatter(uint64_t start_ns);
// The array of Chrome's trace event format, which Perfetto reads too; it may stay unclosed.
std::unique_ptr<TraceFormatter> make_chrome_formatter();

}  // namespace bw::emulator
