// Owns: what the table of KFD's requests in the tests is made of: cases, and the machine that each has to itself.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <vector>

#include "emulator/testing/machine.h"
#include "kfd/uapi_debug.h"

namespace bw::emulator::testing {

inline constexpr uint64_t kWild = 8;
// The call of old that knows at most seven cards.
inline constexpr unsigned long kGetProcessAperturesOld = _IOR('K', 0x06, std::byte[400]);
inline constexpr uint32_t kNoGpu = 1;
inline constexpr int kNotSupported = -524;

inline EmulatedOptions newest_driver() {
  EmulatedOptions options;
  options.kfd_minor_version = 17;
  return options;
}

// What cases share: one machine for each, with the newest driver.
struct Bench {
  Machine machine{newest_driver()};
  uint32_t gpu = machine.gpu_id();
  int null_request(unsigned long request) { return machine.driver().ioctl(machine.kfd(), request, nullptr); }
  template <typename Args>
  int call(unsigned long request, Args args) {
    return machine.ioctl(request, args);
  }
  // A driver whose card has not been acquired.
  template <typename Args>
  int unbound(unsigned long request, Args args) {
    auto driver = EmulatedDriver::create(newest_driver());
    EXPECT_TRUE(driver.is_ok());
    const int kfd = driver.value()->open("/dev/kfd", O_RDWR);
    return driver.value()->ioctl(kfd, request, &args);
  }
  kfd::uapi::MapMemoryArgs map_args(uint64_t handle) {
    return {.handle = handle, .device_ids_array_ptr = address(&gpu), .n_devices = 1, .n_success = 0};
  }
  kfd::uapi::AllocMemoryArgs alloc_args(uint32_t flags, uint64_t size = 4096) {
    kfd::uapi::AllocMemoryArgs args{};
    args.va_addr = 0x700000000000;
    args.size = size;
    args.gpu_id = gpu;
    args.flags = flags;
    return args;
  }
  uint64_t allocate(uint32_t flags) {
    kfd::uapi::AllocMemoryArgs args = alloc_args(flags);
    EXPECT_EQ(machine.ioctl(kfd::uapi::kAllocMemory, args), 0);
    return args.handle;
  }
  kfd::uapi::CreateQueueArgs queue_args(uint32_t type = 1) {
    TestQueue queue;
    return machine.queue_args(&queue, type, 4096);
  }
  static uint64_t address(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }
};

struct Case {
  const char* name;
  unsigned long request;
  int expected;
  std::function<int(Bench&)> run;
};

// By what they are about; each in a file of its own beside the requests.
std::vector<Case> process_cases();
std::vector<Case> memory_cases();
std::vector<Case> queue_cases();
std::vector<Case> event_cases();

}  // namespace bw::emulator::testing
