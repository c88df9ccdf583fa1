// Owns: what is asked of a copy engine: one copy or one fill. Not here: queues and waiting (queue_set.h), which memory
// of the host stands behind it (transfer.h).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <variant>

#include "amdgpu/graph/buffer_use.h"
#include "amdgpu/sdma_builder.h"
#include "base/gpu_addr.h"

namespace bw::amdgpu {

struct CopyWork {
  GpuAddr destination;
  std::variant<GpuAddr, uint32_t> source;  // memory, or the dword to fill with
  uint64_t size_bytes = 0;

  void emit(SdmaBuilder& builder) const;
  // The destination, and the source (of a fill: no memory).
  std::array<AddressUse, 2> uses() const;
  bool conflicts_with(const AddressUse& other) const;
  // "copying 4096 bytes from 0x1000 to 0x2000".
  std::string describe() const;
};

}  // namespace bw::amdgpu
