// Owns: libbarewave-card.so: the emulated machine of this process behind the seam of card_library.h, set up as the
// environment says. Nothing here is ever destroyed: programs use the card in the destructors of their static objects
// and after them, and the threads of the engines go on until the process ends, as a real card does.
#include "emulator/shim/card_library.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/file_cache.h"
#include "emulator/driver.h"
#include "emulator/kernel/user_memory.h"
#include "emulator/shim/settings.h"
#include "emulator/shim/sysfs_tree.h"
#include "emulator/trace/recorder.h"
#include "kfd/tracing_driver.h"

namespace bw::emulator::shim {
namespace {

std::atomic<EmulatedDriver*> driver{nullptr};
std::atomic<kfd::KernelDriver*> calls_driver{nullptr};  // the same, or the tracer before it

// One line, in one piece, as other programs write to stderr at the same time.
void say(std::string_view text) {
  const std::string line = fmt::format("barewave: {}\n", text);
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

template <typename T>
Status read_number(const char* name, T* value) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return Status::ok();
  const std::string_view digits = text;
  const auto [end, problem] = std::from_chars(digits.begin(), digits.end(), *value);
  if (problem == std::errc() && end == digits.end()) return Status::ok();
  return error(StatusCode::kInvalidArgument, "{}='{}' is no number in range", name, digits);
}

Status read_engine(EmulatedOptions* options) {
  // As the command's flags are read from the environment.
  const char* strict = std::getenv("BAREWAVE_STRICT");
  const std::string_view strictness = strict == nullptr ? "" : strict;
  const bool is_strict = !strictness.empty() && strictness != "0" && strictness != "false" && strictness != "off";
  if (is_strict) options->strictness = Strictness::kOn;
  const char* engine = std::getenv("BAREWAVE_ENGINE");
  if (engine == nullptr || *engine == '\0') return Status::ok();
  const std::string_view name = engine;
  if (name == "interpreter") {
    options->engine = ShaderEngine::kInterpreter;
  } else if (name != "jit" && name != "none") {
    return error(StatusCode::kInvalidArgument, "BAREWAVE_ENGINE='{}' is neither jit, interpreter nor none", name);
  } else if (is_strict) {
    return error(StatusCode::kInvalidArgument, "strict mode is the interpreter's (leave BAREWAVE_ENGINE out)");
  } else if (name == "none") {
    options->engine = ShaderEngine::kNone;
  }
  return Status::ok();
}

Result<EmulatedOptions> read_options() {
  EmulatedOptions options;
  BW_RETURN_IF_ERROR(read_number(kGpusVariable, &options.card_count));
  BW_RETURN_IF_ERROR(read_number(kKfdMinorVariable, &options.kfd_minor_version));
  BW_RETURN_IF_ERROR(read_number("BAREWAVE_WATCHDOG", &options.watchdog_instructions));
  BW_RETURN_IF_ERROR(read_engine(&options));
  options.cache_dir = default_cache_dir();
  options.warn = [](const Status& status) { say(fmt::format("warning: {}", status.message())); };
  options.on_fault = [](const FaultReport& report) { say(fmt::format("emulated card: {}", report.message)); };
  return options;
}

// The trace of this process; null if none is asked for.
Result<std::shared_ptr<TraceRecorder>> open_trace() {
  const char* path = std::getenv(kTraceVariable);
  if (path == nullptr || *path == '\0') return std::shared_ptr<TraceRecorder>();
  TraceOptions options;
  options.path = path;
  options.file = TraceOptions::File::kShared;
  options.format = trace_format_of(options.path);
  const char* format = std::getenv(kTraceFormatVariable);
  if (format != nullptr)
    options.format = std::string_view(format) == "chrome" ? TraceFormat::kChrome : TraceFormat::kText;
  BW_RETURN_IF_ERROR(read_number(kTraceStartVariable, &options.start_ns));
  options.warn = [](const Status& status) { say(fmt::format("warning: {}", status.message())); };
  BW_ASSIGN(std::unique_ptr<TraceRecorder> recorder, TraceRecorder::create(std::move(options)));
  return std::shared_ptr<TraceRecorder>(std::move(recorder));
}

bool copy_of_caller(void* destination, uint64_t address, size_t size_bytes) {
  return copy_from_user(destination, address, size_bytes) == 0;
}

int start(void (*enter)()) {
  enter_thread = enter;
  Result<EmulatedOptions> options = read_options();
  if (!options.is_ok()) {
    say(fmt::format("shim: {}", options.status().message()));
    return -ENODEV;
  }
  Result<std::shared_ptr<TraceRecorder>> trace = open_trace();
  if (!trace.is_ok()) {
    say(fmt::format("shim: {}", trace.status().message()));
    return -ENODEV;
  }
  TraceRecorder* recorder = trace.value().get();
  options.value().trace = std::move(trace).value();
  auto made = EmulatedDriver::create(std::move(options).value());
  if (!made.is_ok()) {
    say(fmt::format("shim: {}", made.status().message()));
    return -ENODEV;
  }
  EmulatedDriver* machine = std::move(made).value().release();
  kfd::KernelDriver* seen = machine;
  if (recorder != nullptr) {
    const kfd::TracingDriver::CallSink sink = call_sink(*recorder);
    seen = std::make_unique<kfd::TracingDriver>(*machine, sink, copy_of_caller).release();
  }
  driver.store(machine, std::memory_order_release);
  calls_driver.store(seen, std::memory_order_release);
  return 0;
}

const char* tree() {
  static const std::string* root = [] {
    const Result<EmulatedOptions> options = read_options();
    if (!options.is_ok()) return new std::string;  // start() says what is wrong
    const Result<MachineFiles> files = lay_out_files(options.value().card_count, options.value().vram_bytes);
    if (files.is_ok()) return new std::string(files.value().root);
    say(fmt::format("shim: {}", files.status().message()));
    return new std::string;
  }();
  return root->c_str();
}

EmulatedDriver& machine() {
  return *driver.load(std::memory_order_acquire);
}

kfd::KernelDriver& calls() {
  return *calls_driver.load(std::memory_order_acquire);
}

constexpr CardLibrary kLibrary = {
    .start = start,
    .tree = tree,
    .open = [](const char* path, int flags) { return calls().open(path, flags); },
    .close = [](int fd) { return calls().close(fd); },
    .ioctl = [](int fd, unsigned long request, void* argument) { return calls().ioctl(fd, request, argument); },
    .mmap = [](void* address, size_t length, int protection, int flags, int fd, off_t offset,
               void** result) { return calls().mmap(address, length, protection, flags, fd, offset, result); },
    .munmap = [](void* address, size_t length) { return calls().munmap(address, length); },
    .add_duplicate = [](int copy, int fd) { return machine().add_duplicate(copy, fd); },
    .forget = [](int fd) { machine().forget(fd); },
};

}  // namespace
}  // namespace bw::emulator::shim

extern "C" [[gnu::visibility("default")]] const bw::emulator::shim::CardLibrary* barewave_card_library() {
  return &bw::emulator::shim::kLibrary;
}
