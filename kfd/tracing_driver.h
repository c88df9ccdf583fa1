// Owns: KernelDriver calls written as text, one line each, for --verbose, for traces and for tests.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kfd/driver.h"
#include "kfd/ioctl_text.h"

namespace bw::kfd {

// A call that has returned or, where `begins` is set, one that is about to be made.
struct TracedCall {
  std::string name;       // "GET_VERSION", "mmap"
  std::string line;       // all of it
  uint64_t begin_ns = 0;  // CLOCK_MONOTONIC
  uint64_t end_ns = 0;
  bool begins = false;
  bool has_begun = false;  // its beginning was told
};

// Passes every call on to another driver and hands a line about it to the sink, after the call has returned:
//
//   open(/dev/kfd, O_RDWR) = 3
//   ioctl(3, ALLOC_MEMORY_OF_GPU, gpu=51166 va=@7f0000000000 size=0x1000 flags=VRAM) = 0 handle=#c0de mmap_offset=#1000
//   mmap(@7f0000000000, 0x1000, RW, SHARED|FIXED, 4, #1000) = @7f0000000000
//   ioctl(3, FREE_MEMORY_OF_GPU, handle=#c0de) = EINVAL
//
// What differs from run to run stands after '@' (addresses) or '#' (handles and offsets of the driver), as hex digits
// without 0x, so that a test can replace it; see TraceNormaliser.
class TracingDriver final : public KernelDriver {
 public:
  // Sinks are called from the thread that made the call, and bring their own lock if several threads call.
  using Sink = std::function<void(const std::string& line)>;
  using CallSink = std::function<void(const TracedCall& call)>;
  TracingDriver(KernelDriver& inner, Sink sink);
  // Is also told when a call begins that may wait for something. `memory`: of the caller, who may give addresses where
  // there is none; by default they are taken to be good, unless they are null.
  TracingDriver(KernelDriver& inner, CallSink sink, CallerMemory memory = trusting_memory());

  int open(const char* path, int flags) override;
  int close(int fd) override;
  int ioctl(int fd, unsigned long request, void* argument) override;
  int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset, void** result) override;
  int munmap(void* address, size_t length_bytes) override;
  int read_file(const std::string& path, std::string* content) override;
  int list_dir(const std::string& path, std::vector<std::string>* names) override;

 private:
  static CallerMemory trusting_memory();

  KernelDriver& inner_;
  const CallSink sink_;
  const CallerMemory memory_;
};

// Replaces each value after '@' or '#' by its order of first appearance ("@1", "@2", "#1"); zero stays.
class TraceNormaliser {
 public:
  std::string normalise(std::string_view line);

 private:
  std::vector<std::string> seen_addresses_;
  std::vector<std::string> seen_handles_;
};

}  // namespace bw::kfd
