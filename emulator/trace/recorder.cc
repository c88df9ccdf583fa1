#include "emulator/trace/recorder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace bw::emulator {
namespace {

// Queues stand under process numbers that the system does not give (its own are below 1 << 22, Linux threads.h).
constexpr int kCardShift = 22;
// Programs that close or count their descriptors rarely look up here.
constexpr int kLowestFd = 600;

std::atomic<uint64_t> g_next_serial{1};

std::string thread_name() {
  std::array<char, 17> name{};
  ::prctl(PR_GET_NAME, name.data());
  return name.data();
}

// The name of the program, not of the thread.
std::string process_name() {
  std::array<char, 64> name{};
  const UniqueFd fd(::open("/proc/self/comm", O_RDONLY | O_CLOEXEC));
  const ssize_t count = fd.is_valid() ? ::read(fd.get(), name.data(), name.size()) : 0;
  return count > 1 ? std::string(name.data(), static_cast<size_t>(count) - 1) : "program";
}

std::unique_ptr<TraceFormatter> make_formatter(const TraceOptions& options) {
  if (options.format == TraceFormat::kChrome) return make_chrome_formatter();
  return make_text_formatter(options.start_ns != 0 ? options.start_ns : TraceRecorder::now_ns());
}

}  // namespace

TraceFormat trace_format_of(const std::string& path) {
  return path.ends_with(".json") ? TraceFormat::kChrome : TraceFormat::kText;
}

Result<std::unique_ptr<TraceRecorder>> TraceRecorder::create(TraceOptions options) {
  const bool goes_on = options.file == TraceOptions::File::kShared;
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (goes_on ? 0 : O_TRUNC);
  UniqueFd fd(::open(options.path.c_str(), flags, 0666));
  if (!fd.is_valid()) return Status::from_errno(errno, fmt::format("opening the trace file {}", options.path));
  if (UniqueFd high(::fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestFd)); high.is_valid()) fd = std::move(high);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    return Status::from_errno(errno, fmt::format("looking at the trace file {}", options.path));
  }
  std::unique_ptr<TraceRecorder> recorder(new TraceRecorder(std::move(options), std::move(fd)));
  recorder->device_ = status.st_dev;
  recorder->inode_ = status.st_ino;
  if (status.st_size == 0) recorder->write(recorder->formatter_->head());
  return recorder;
}

TraceRecorder::TraceRecorder(TraceOptions options, UniqueFd fd)
    : options_(std::move(options)),
      serial_(g_next_serial.fetch_add(1, std::memory_order_relaxed)),
      formatter_(make_formatter(options_)),
      fd_(std::move(fd)),
      process_(::getpid()),
      process_name_(process_name()) {}

TraceRecorder::~TraceRecorder() {
  if (options_.file == TraceOptions::File::kOwn) write(formatter_->foot());
  if (!is_our_file()) static_cast<void>(fd_.release());
}

uint64_t TraceRecorder::now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

const TraceTrack& TraceRecorder::keep(TraceTrack track) {
  write(formatter_->track(track));
  std::lock_guard lock(mutex_);
  tracks_.push_back(std::make_unique<TraceTrack>(std::move(track)));
  return *tracks_.back();
}

const TraceTrack& TraceRecorder::add_queue(uint32_t gpu_id, uint32_t queue_id, const std::string& engine) {
  TraceTrack track;
  {
    std::lock_guard lock(mutex_);
    auto card = std::find(gpu_ids_.begin(), gpu_ids_.end(), gpu_id);
    if (card == gpu_ids_.end()) card = gpu_ids_.insert(gpu_ids_.end(), gpu_id);
    track.process = static_cast<int>(card - gpu_ids_.begin() + 1) << kCardShift | process_;
    track.thread = static_cast<int>(++queue_count_);
  }
  track.process_name = fmt::format("card {} of {} ({})", gpu_id, process_name_, process_);
  track.name = fmt::format("{} queue {}", engine, queue_id);
  track.label = fmt::format("gpu {} {} {}", gpu_id, engine, queue_id);
  return keep(std::move(track));
}

const TraceTrack& TraceRecorder::this_thread() {
  struct Known {
    uint64_t serial = 0;
    const TraceTrack* track = nullptr;
  };
  thread_local Known known;
  if (known.serial == serial_) return *known.track;
  TraceTrack track;
  track.process = process_;
  track.thread = ::gettid();
  track.process_name = process_name_;
  track.name = thread_name();
  track.label = fmt::format("{}/{}", track.name, track.thread);
  known = {serial_, &keep(std::move(track))};
  return *known.track;
}

void TraceRecorder::add(const TraceTrack& track, const TraceEvent& event) {
  if (has_failed_.load(std::memory_order_relaxed)) return;
  write(formatter_->event(track, event));
}

void TraceRecorder::tell_call(TracePhase phase, uint64_t begin_ns, uint64_t end_ns, std::string_view name,
                              std::string_view line) {
  add(this_thread(),
      {.phase = phase, .category = "call", .begin_ns = begin_ns, .end_ns = end_ns, .name = name, .text = line});
}

void TraceRecorder::add_call(uint64_t begin_ns, uint64_t end_ns, std::string_view name, std::string_view line) {
  tell_call(TracePhase::kSlice, begin_ns, end_ns, name, line);
}

void TraceRecorder::begin_call(uint64_t begin_ns, std::string_view name, std::string_view line) {
  tell_call(TracePhase::kBegin, begin_ns, begin_ns, name, line);
}

void TraceRecorder::end_call(uint64_t begin_ns, uint64_t end_ns, std::string_view name, std::string_view line) {
  tell_call(TracePhase::kEnd, begin_ns, end_ns, name, line);
}

// The program may have closed our descriptor, and opened a file of its own under that number.
bool TraceRecorder::is_our_file() const {
  struct stat status {};
  return ::fstat(fd_.get(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_;
}

void TraceRecorder::write(const std::string& lines) {
  if (lines.empty() || has_failed_.load(std::memory_order_relaxed)) return;
  std::string_view rest = lines;
  errno = EBADF;
  while (!rest.empty() && is_our_file()) {
    const ssize_t count = ::write(fd_.get(), rest.data(), rest.size());
    if (count < 0) break;
    rest.remove_prefix(static_cast<size_t>(count));
  }
  if (rest.empty()) return;
  const Status status = Status::from_errno(errno, fmt::format("writing the trace file {}", options_.path));
  if (!has_failed_.exchange(true) && options_.warn) options_.warn(status);
}

}  // namespace bw::emulator
