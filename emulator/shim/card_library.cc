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
#include "emulator/shim/settings.h"
#include "emulator/shim/sysfs_tree.h"

namespace bw::emulator::shim {
namespace {

std::atomic<EmulatedDriver*> driver{nullptr};

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
  } else if (name != "jit") {
    return error(StatusCode::kInvalidArgument, "BAREWAVE_ENGINE='{}' is neither jit nor interpreter", name);
  } else if (is_strict) {
    return error(StatusCode::kInvalidArgument, "strict mode is the interpreter's (leave BAREWAVE_ENGINE out)");
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

int start(void (*enter)()) {
  enter_thread = enter;
  Result<EmulatedOptions> options = read_options();
  if (!options.is_ok()) {
    say(fmt::format("shim: {}", options.status().message()));
    return -ENODEV;
  }
  auto made = EmulatedDriver::create(std::move(options).value());
  if (!made.is_ok()) {
    say(fmt::format("shim: {}", made.status().message()));
    return -ENODEV;
  }
  driver.store(std::move(made).value().release(), std::memory_order_release);
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

constexpr CardLibrary kLibrary = {
    .start = start,
    .tree = tree,
    .open = [](const char* path, int flags) { return machine().open(path, flags); },
    .close = [](int fd) { return machine().close(fd); },
    .ioctl = [](int fd, unsigned long request, void* argument) { return machine().ioctl(fd, request, argument); },
    .mmap = [](void* address, size_t length, int protection, int flags, int fd, off_t offset,
               void** result) { return machine().mmap(address, length, protection, flags, fd, offset, result); },
    .munmap = [](void* address, size_t length) { return machine().munmap(address, length); },
    .add_duplicate = [](int copy, int fd) { return machine().add_duplicate(copy, fd); },
    .forget = [](int fd) { machine().forget(fd); },
};

}  // namespace
}  // namespace bw::emulator::shim

extern "C" [[gnu::visibility("default")]] const bw::emulator::shim::CardLibrary* barewave_card_library() {
  return &bw::emulator::shim::kLibrary;
}
