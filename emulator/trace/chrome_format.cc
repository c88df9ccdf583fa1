// Traces in Chrome's trace event format ("Trace Event Format", JSON array form), as chrome://tracing and Perfetto read.
#include <fmt/format.h>

#include <algorithm>

#include "emulator/trace/format.h"

namespace bw::emulator {
namespace {

// The length of the UTF-8 sequence at the head of `text`; 0 if it is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t length = byte(0) < 0x80 ? 1 : byte(0) >= 0xf0 && byte(0) < 0xf5 ? 4 : byte(0) >= 0xe0 ? 3 : 2;
  if (byte(0) >= 0xf5 || (byte(0) >= 0x80 && byte(0) < 0xc2) || length > text.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Surrogates, and what is longer than it must be or beyond Unicode.
  if ((byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) >= 0xa0) ||
      (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) >= 0x90)) {
    return 0;
  }
  return length;
}

bool is_plain(char c) {
  return c >= 0x20 && c != '"' && c != '\\' && static_cast<uint8_t>(c) < 0x80;
}

// A JSON string with its quotes; a byte that is no UTF-8 becomes '?'.
void add_quoted(std::string_view text, std::string* line) {
  *line += '"';
  while (!text.empty()) {
    const auto plain = static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin());
    line->append(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    const char c = text[0];
    const size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      *line += '\\';
      *line += c;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      *line += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (length == 0) {
      *line += '?';
    } else {
      line->append(text.substr(0, length));
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  *line += '"';
}

std::string quoted(std::string_view text) {
  std::string result;
  add_quoted(text, &result);
  return result;
}

void add_number(std::string_view before, uint64_t value, std::string* line) {
  const fmt::format_int digits(value);
  line->append(before);
  line->append(digits.data(), digits.size());
}

// Microseconds, to the nanosecond.
void add_time(std::string_view before, uint64_t nanoseconds, std::string* line) {
  const fmt::format_int part(1000 + nanoseconds % 1000);
  add_number(before, nanoseconds / 1000, line);
  *line += '.';
  line->append(part.data() + 1, 3);
}

class ChromeFormatter final : public TraceFormatter {
 public:
  std::string head() const override { return "[\n"; }
  // Every line before ends with a comma.
  std::string foot() const override { return "{\"ph\":\"M\",\"pid\":0,\"name\":\"trace_complete\",\"args\":{}}\n]\n"; }

  std::string track(const TraceTrack& track) const override {
    constexpr std::string_view kMetadata =
        "{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"{}\",\"args\":{{\"name\":{}}}}},\n";
    return fmt::format(kMetadata, track.process, track.thread, "process_name", quoted(track.process_name)) +
           fmt::format(kMetadata, track.process, track.thread, "thread_name", quoted(track.name));
  }

  std::string event(const TraceTrack& track, const TraceEvent& event) const override {
    std::string line;
    line.reserve(512);
    line += "{\"ph\":\"";
    line += phase_letter(event.phase);
    add_number("\",\"pid\":", static_cast<uint64_t>(track.process), &line);
    add_number(",\"tid\":", static_cast<uint64_t>(track.thread), &line);
    add_time(",\"ts\":", event.phase == TracePhase::kEnd ? event.end_ns : event.begin_ns, &line);
    if (event.phase == TracePhase::kSlice) add_time(",\"dur\":", event.end_ns - event.begin_ns, &line);
    if (event.phase == TracePhase::kInstant) line += ",\"s\":\"t\"";
    line += ",\"cat\":\"";
    line += event.category;
    line += "\",\"name\":";
    add_quoted(event.name, &line);
    add_arguments(event, &line);
    line += "},\n";
    return line;
  }

 private:
  static char phase_letter(TracePhase phase) {
    switch (phase) {
      case TracePhase::kSlice:
        return 'X';
      case TracePhase::kBegin:
        return 'B';
      case TracePhase::kEnd:
        return 'E';
      case TracePhase::kInstant:
        break;
    }
    return 'i';
  }

  static void add_arguments(const TraceEvent& event, std::string* line) {
    std::string_view before = ",\"args\":{";
    const auto add = [&](std::string_view name, std::string_view value) {
      line->append(before);
      add_quoted(name, line);
      *line += ':';
      add_quoted(value, line);
      before = ",";
    };
    if (!event.text.empty()) add("text", event.text);
    for (const auto& field : event.fields) add(field.name, field.value.empty() ? "1" : field.value);
    if (before == ",") *line += '}';
  }
};

}  // namespace

std::unique_ptr<TraceFormatter> make_chrome_formatter() {
  return std::make_unique<ChromeFormatter>();
}

}  // namespace bw::emulator
