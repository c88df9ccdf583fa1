// Traces in Chrome's trace event format ("Trace Event Format", JSON array form), as chrome://tracing and Perfetto read.
#include <fmt/format.h>

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

// A JSON string with its quotes; a byte that is no UTF-8 becomes '?'.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  while (!text.empty()) {
    const char c = text[0];
    const size_t length = utf8_length(text);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (static_cast<uint8_t>(c) < 0x20) {
      result += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else if (length == 0) {
      result += '?';
    } else {
      result += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return result + '"';
}

// Microseconds, to the nanosecond.
std::string time_text(uint64_t nanoseconds) {
  return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
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
    const bool is_end = event.phase == TracePhase::kEnd;
    std::string line =
        fmt::format("{{\"ph\":\"{}\",\"pid\":{},\"tid\":{},\"ts\":{},\"cat\":\"{}\",\"name\":{}",
                    phase_letter(event.phase), track.process, track.thread,
                    time_text(is_end ? event.end_ns : event.begin_ns), event.category, quoted(event.name));
    if (event.phase == TracePhase::kSlice) line += fmt::format(",\"dur\":{}", time_text(event.end_ns - event.begin_ns));
    if (event.phase == TracePhase::kInstant) line += ",\"s\":\"t\"";
    return line + arguments(event) + "},\n";
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

  static std::string arguments(const TraceEvent& event) {
    std::string text;
    const auto add = [&](std::string_view name, std::string_view value) {
      text += fmt::format("{}{}:{}", text.empty() ? ",\"args\":{" : ",", quoted(name), quoted(value));
    };
    if (!event.text.empty()) add("text", event.text);
    for (const auto& field : event.fields) add(field.name, field.value.empty() ? "1" : field.value);
    return text.empty() ? text : text + '}';
  }
};

}  // namespace

std::unique_ptr<TraceFormatter> make_chrome_formatter() {
  return std::make_unique<ChromeFormatter>();
}

}  // namespace bw::emulator
