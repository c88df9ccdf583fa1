#include "kfd/tracing_driver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "kfd/ioctl_text.h"
#include "kfd/value_text.h"

namespace bw::kfd {
namespace {

constexpr std::array kMmapFlagNames = {
    FlagName{MAP_SHARED, "SHARED"},       FlagName{MAP_PRIVATE, "PRIVATE"},     FlagName{MAP_FIXED, "FIXED"},
    FlagName{MAP_ANONYMOUS, "ANONYMOUS"}, FlagName{MAP_NORESERVE, "NORESERVE"},
};
constexpr std::array kProtectionNames = {
    FlagName{PROT_READ, "R"},
    FlagName{PROT_WRITE, "W"},
    FlagName{PROT_EXEC, "X"},
};
constexpr std::array kOpenFlagNames = {
    FlagName{O_WRONLY, "O_WRONLY"},
    FlagName{O_RDWR, "O_RDWR"},
    FlagName{O_CLOEXEC, "O_CLOEXEC"},
};

uint64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// A call that begins now.
TracedCall begin(std::string name) {
  TracedCall call;
  call.name = std::move(name);
  call.begin_ns = now_ns();
  return call;
}

std::string join(std::string_view before, const std::string& text) {
  return text.empty() ? "" : fmt::format("{}{}", before, text);
}

}  // namespace

TracingDriver::TracingDriver(KernelDriver& inner, Sink sink)
    : TracingDriver(inner, [sink = std::move(sink)](const TracedCall& call) {
        if (!call.begins) sink(call.line);
      }) {}

TracingDriver::TracingDriver(KernelDriver& inner, CallSink sink, CallerMemory memory)
    : inner_(inner), sink_(std::move(sink)), memory_(std::move(memory)) {}

CallerMemory TracingDriver::trusting_memory() {
  return [](void* destination, uint64_t address, size_t size_bytes) {
    if (address != 0) std::memcpy(destination, reinterpret_cast<const void*>(address), size_bytes);
    return address != 0 || size_bytes == 0;
  };
}

int TracingDriver::open(const char* path, int flags) {
  TracedCall call = begin("open");
  int result = inner_.open(path, flags);
  call.end_ns = now_ns();
  call.line =
      fmt::format("open({}, {}) = {}", path == nullptr ? "null" : path,
                  flags_text(static_cast<uint64_t>(flags), kOpenFlagNames, "|", "O_RDONLY"), result_text(result));
  sink_(call);
  return result;
}

int TracingDriver::close(int fd) {
  TracedCall call = begin("close");
  int result = inner_.close(fd);
  call.end_ns = now_ns();
  call.line = fmt::format("close({}) = {}", fd, result_text(result));
  sink_(call);
  return result;
}

int TracingDriver::ioctl(int fd, unsigned long request, void* argument) {
  // Before the call, which may write over its arguments.
  const std::string in = join(", ", request_arguments(request, argument, memory_));
  TracedCall call = begin(request_name(request));
  if (request_may_block(request)) {
    call.begins = true;
    call.line = fmt::format("ioctl({}, {}{})", fd, call.name, in);
    sink_(call);
    call.begins = false;
    call.has_begun = true;
  }
  int result = inner_.ioctl(fd, request, argument);
  call.end_ns = now_ns();
  const std::string out = result < 0 ? "" : join(" ", request_results(request, argument, memory_));
  call.line = fmt::format("ioctl({}, {}{}) = {}{}", fd, call.name, in, result_text(result), out);
  sink_(call);
  return result;
}

int TracingDriver::mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset,
                        void** result) {
  TracedCall call = begin("mmap");
  int code = inner_.mmap(address, length_bytes, protection, flags, fd, offset, result);
  call.end_ns = now_ns();
  call.line =
      fmt::format("mmap({}, {:#x}, {}, {}, {}, {}) = {}", address_text(address), length_bytes,
                  flags_text(static_cast<uint64_t>(protection), kProtectionNames, "", "NONE"),
                  flags_text(static_cast<uint64_t>(flags), kMmapFlagNames), fd,
                  handle_text(static_cast<uint64_t>(offset)), code < 0 ? errno_text(code) : address_text(*result));
  sink_(call);
  return code;
}

int TracingDriver::munmap(void* address, size_t length_bytes) {
  TracedCall call = begin("munmap");
  int result = inner_.munmap(address, length_bytes);
  call.end_ns = now_ns();
  call.line = fmt::format("munmap({}, {:#x}) = {}", address_text(address), length_bytes, result_text(result));
  sink_(call);
  return result;
}

int TracingDriver::read_file(const std::string& path, std::string* content) {
  TracedCall call = begin("read");
  int result = inner_.read_file(path, content);
  call.end_ns = now_ns();
  call.line =
      fmt::format("read({}) = {}", path, result < 0 ? errno_text(result) : fmt::format("{} bytes", content->size()));
  sink_(call);
  return result;
}

int TracingDriver::list_dir(const std::string& path, std::vector<std::string>* names) {
  TracedCall call = begin("list");
  int result = inner_.list_dir(path, names);
  call.end_ns = now_ns();
  call.line =
      fmt::format("list({}) = {}", path, result < 0 ? errno_text(result) : fmt::format("{} names", names->size()));
  sink_(call);
  return result;
}

std::string TraceNormaliser::normalise(std::string_view line) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < line.size();) {
    const char mark = line[i++];
    text += mark;
    if (mark != '@' && mark != '#') continue;
    const size_t end = std::min(line.find_first_not_of(kHexDigits, i), line.size());
    const std::string_view value = line.substr(i, end - i);
    i = end;
    if (value.empty() || value == "0") {
      text += value;
      continue;
    }
    std::vector<std::string>& seen = mark == '@' ? seen_addresses_ : seen_handles_;
    auto found = std::find(seen.begin(), seen.end(), value);
    text += fmt::format("{}", found - seen.begin() + 1);
    if (found == seen.end()) seen.emplace_back(value);
  }
  return text;
}

}  // namespace bw::kfd
