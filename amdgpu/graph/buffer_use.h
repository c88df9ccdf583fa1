// Owns: how the nodes of a graph say which memory they read and write.
#pragma once

#include <cstdint>

#include "amdgpu/memory.h"

namespace bw::amdgpu {

enum class Access : uint8_t { kRead, kWrite, kReadWrite };

inline bool reads(Access access) {
  return access != Access::kWrite;
}
inline bool writes(Access access) {
  return access != Access::kRead;
}

// Bytes of a buffer. What two nodes use of different parts of it does not order them.
struct BufferUse {
  const Buffer* buffer = nullptr;
  Access access = Access::kRead;
  uint64_t offset_bytes = 0;
  uint64_t size_bytes = 0;  // 0: to the end of the buffer
};

// The same as addresses, [begin, end).
struct AddressUse {
  uint64_t begin = 0;
  uint64_t end = 0;
  Access access = Access::kRead;
};

}  // namespace bw::amdgpu
