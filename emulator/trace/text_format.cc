// Traces as lines of text.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/trace/format.h"

namespace bw::emulator {
namespace {

// Microseconds to the nanosecond, in 14 columns. Relative to another process's start a time may be negative.
void add_time(int64_t nanoseconds, std::string* line) {
  const uint64_t size =
      nanoseconds < 0 ? uint64_t{0} - static_cast<uint64_t>(nanoseconds) : static_cast<uint64_t>(nanoseconds);
  const fmt::format_int whole(size / 1000);
  const fmt::format_int part(1000 + size % 1000);
  const size_t width = whole.size() + (nanoseconds < 0 ? 1 : 0) + 4;
  if (width < 14) line->append(14 - width, ' ');
  if (nanoseconds < 0) *line += '-';
  line->append(whole.data(), whole.size());
  *line += '.';
  line->append(part.data() + 1, 3);
}

class TextFormatter final : public TraceFormatter {
 public:
  explicit TextFormatter(uint64_t start_ns) : start_ns_(start_ns) {}

  std::string head() const override {
    return fmt::format("#{:>13}{:>14}  {:<24}  {}\n", "us", "took", "where", "what");
  }
  std::string foot() const override { return ""; }
  std::string track(const TraceTrack&) const override { return ""; }

  std::string event(const TraceTrack& track, const TraceEvent& event) const override {
    const bool is_end = event.phase == TracePhase::kEnd;
    std::string line;
    line.reserve(256);
    add_time(static_cast<int64_t>((is_end ? event.end_ns : event.begin_ns) - start_ns_), &line);
    if (is_end || event.phase == TracePhase::kSlice) {
      add_time(static_cast<int64_t>(event.end_ns - event.begin_ns), &line);
    } else {
      line += event.phase == TracePhase::kBegin ? "        begins" : "              ";
    }
    line += "  ";
    line += track.label;
    constexpr size_t kLabelColumns = 24;
    if (track.label.size() < kLabelColumns) line.append(kLabelColumns - track.label.size(), ' ');
    line.append(2 + 2 * event.depth, ' ');
    add_event(event, &line);
    // One event stays one line, whatever a path or a message has in it.
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    line += '\n';
    return line;
  }

 private:
  static void add_event(const TraceEvent& event, std::string* line) {
    if (event.phase == TracePhase::kEnd) *line += "end of ";
    if (!event.text.empty()) {
      *line += event.text;
      return;
    }
    *line += event.name;
    for (const auto& field : event.fields) {
      *line += ' ';
      *line += field.name;
      if (field.value.empty()) continue;
      *line += '=';
      *line += field.value;
    }
  }

  const uint64_t start_ns_;
};

}  // namespace

std::unique_ptr<TraceFormatter> make_text_formatter(uint64_t start_ns) {
  return std::make_unique<TextFormatter>(start_ns);
}

}  // namespace bw::emulator
