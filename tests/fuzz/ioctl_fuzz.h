// Owns: random calls of the emulated driver: each request of /dev/kfd and of the render node with arguments that are
// mostly near to what it takes, mappings that come and go, and queues with random packets. Looks for crashes (best
// under AddressSanitizer), calls that do not return, answers that no driver gives, and descriptors and mappings left
// behind.
#pragma once

#include <cstdint>
#include <string>

namespace bw::test {

struct IoctlFuzzResult {
  uint64_t machines = 0;  // each lives for some hundred calls
  uint64_t calls = 0;
  uint64_t successes = 0;  // calls that gave 0
  std::string failure;     // "": none
};

// Until the time is over or so many machines have lived. `threads` use each machine at once; with one, the same seed
// makes the same calls.
IoctlFuzzResult fuzz_ioctls(uint32_t seed, double seconds, uint64_t machines, unsigned threads);

}  // namespace bw::test
