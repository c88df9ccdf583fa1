// Owns: the file that a trace is written to, and the tracks in it. Not here: the layout of the lines (format.h), what
// queues tell (queue_trace.h).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "emulator/trace/event.h"
#include "emulator/trace/format.h"

namespace bw::emulator {

enum class TraceFormat : uint8_t {
  kText,
  kChrome,  // JSON for Perfetto and chrome://tracing
};

struct TraceOptions {
  enum class File : uint8_t {
    kOwn,     // begun here, over what is there, and ended here
    kBegun,   // begun here; others go on with it, and nobody ends it
    kShared,  // others have begun it, and write to it too
  };
  std::string path;
  TraceFormat format = TraceFormat::kText;
  File file = File::kOwn;
  // Where the times of a text begin (CLOCK_MONOTONIC); 0: now.
  uint64_t start_ns = 0;
  // Is told once if writing fails, whereupon the trace ends.
  std::function<void(const Status&)> warn{};
};

// ".json" stands for Chrome's format, all else for text.
TraceFormat trace_format_of(const std::string& path);

// Writes events as they come, each with one write() that appends: a program that is killed leaves all that it did, and
// several processes may share a file. Lines stand in the order in which events ended. Calls are safe from any thread;
// the formatting is done by the caller's, and nothing is locked but a new track.
class TraceRecorder {
 public:
  static Result<std::unique_ptr<TraceRecorder>> create(TraceOptions options);
  ~TraceRecorder();
  TraceRecorder(const TraceRecorder&) = delete;
  TraceRecorder& operator=(const TraceRecorder&) = delete;

  // CLOCK_MONOTONIC.
  static uint64_t now_ns();

  const TraceTrack& add_queue(uint32_t gpu_id, uint32_t queue_id, const std::string& engine);
  void add(const TraceTrack& track, const TraceEvent& event);

  // A call that this thread made, `line` being all of it, arguments and result.
  void add_call(uint64_t begin_ns, uint64_t end_ns, std::string_view name, std::string_view line);
  // The same in two, for a call that may take long.
  void begin_call(uint64_t begin_ns, std::string_view name, std::string_view line);
  void end_call(uint64_t begin_ns, uint64_t end_ns, std::string_view name, std::string_view line);

 private:
  TraceRecorder(TraceOptions options, UniqueFd fd);
  void tell_call(TracePhase phase, uint64_t begin_ns, uint64_t end_ns, std::string_view name, std::string_view line);
  const TraceTrack& this_thread();
  const TraceTrack& keep(TraceTrack track);
  bool is_our_file() const;
  void write(const std::string& lines);

  const TraceOptions options_;
  const uint64_t serial_;  // tells recorders apart, also from those before a fork
  const std::unique_ptr<TraceFormatter> formatter_;
  UniqueFd fd_;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
  const int process_;
  std::string process_name_;
  std::atomic<bool> has_failed_{false};
  std::mutex mutex_;
  std::vector<std::unique_ptr<TraceTrack>> tracks_;  // guarded by mutex_, as all below; what they point to is constant
  std::vector<uint32_t> gpu_ids_;
  uint32_t queue_count_ = 0;
};

// What takes calls from a tracer of system calls (kfd/tracing_driver.h) to `recorder`, which outlives it.
inline auto call_sink(TraceRecorder& recorder) {
  return [&recorder](const auto& call) {
    if (call.begins) {
      recorder.begin_call(call.begin_ns, call.name, call.line);
    } else if (call.has_begun) {
      recorder.end_call(call.begin_ns, call.end_ns, call.name, call.line);
    } else {
      recorder.add_call(call.begin_ns, call.end_ns, call.name, call.line);
    }
  };
}

}  // namespace bw::emulator
