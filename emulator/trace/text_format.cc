// Traces as lines of text.
#include <fmt/format.h>

#include "emulator/trace/format.h"

namespace bw::emulator {
namespace {

double microseconds(uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1000.0;
}

class TextFormatter final : public TraceFormatter {
 public:
  explicit TextFormatter(uint64_t start_ns) : start_ns_(start_ns) {}

  std::string head() const override {
    return fmt::format("#{:>13} {:>12}  {:<24}  {}\n", "us", "took", "where", "what");
  }
  std::string foot() const override { return ""; }
  std::string track(const TraceTrack&) const override { return ""; }

  std::string event(const TraceTrack& track, const TraceEvent& event) const override {
    const bool is_end = event.phase == TracePhase::kEnd;
    const bool has_length = is_end || event.phase == TracePhase::kSlice;
    // Relative to another process's start a time may be negative.
    const auto at = static_cast<int64_t>((is_end ? event.end_ns : event.begin_ns) - start_ns_);
    std::string line = fmt::format("{:14.3f} {:>12}  {:<24}  {:{}}", static_cast<double>(at) / 1000.0,
                                   has_length ? fmt::format("{:.3f}", microseconds(event.end_ns - event.begin_ns))
                                   : event.phase == TracePhase::kBegin ? "begins"
                                                                       : "",
                                   track.label, "", 2 * event.depth);
    if (is_end) line += "end of ";
    if (!event.text.empty()) {
      line += event.text;
    } else {
      line += event.name;
      for (const auto& field : event.fields) {
        line += fmt::format(" {}{}{}", field.name, field.value.empty() ? "" : "=", field.value);
      }
    }
    // One event stays one line, whatever a path or a message has in it.
    for (char& c : line) {
      if (c == '\n' || c == '\r') c = ' ';
    }
    return line + '\n';
  }

 private:
  const uint64_t start_ns_;
};

}  // namespace

std::unique_ptr<TraceFormatter> make_text_formatter(uint64_t start_ns) {
  return std::make_unique<TextFormatter>(start_ns);
}

}  // namespace bw::emulator
