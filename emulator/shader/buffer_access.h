// Owns: where a buffer instruction's lanes reach memory: index and offset, swizzling, the range check. Not here: moving
// the bytes (buffer.cc, buffer_atomic.cc), typed data (buffer_format.h).
#pragma once

#include <optional>

#include "amdgpu/gfx11/isa/buffer.h"
#include "emulator/shader/step.h"

namespace bw::emulator {

// What resolving puts into Step::extra of a buffer instruction. src[0]: the VGPRs of index and offset, in this order,
// as far as there are; src[1]: the resource; src[2]: the scalar offset; dst: the first data VGPR; imm: the offset.
enum BufferExtra : uint32_t {
  kBufferOffset = 1 << 0,  // offset from a VGPR
  kBufferIndex = 1 << 1,   // index from a VGPR
  kBufferFormatShift = 8,  // MTBUF: the format number
};

// One buffer instruction of a wave. Source: RDNA3 ISA guide, "Memory buffer instructions".
class BufferAccess {
 public:
  BufferAccess(const Wave& wave, const Step& step);

  // Address of `size_bytes` bytes, `displacement` bytes behind what the lane addresses; nullopt: out of range.
  std::optional<uint64_t> address(Wave& wave, unsigned half, unsigned lane, uint32_t displacement,
                                  uint32_t size_bytes) const;
  uint32_t format() const;
  // ComponentSelect of destination component 0 to 3.
  uint32_t select(unsigned component) const;

 private:
  bool in_range(uint64_t index, uint64_t offset, uint32_t size_bytes) const;
  uint64_t place_of(uint64_t index, uint64_t offset) const;

  const Step& step_;
  uint64_t base_;  // resource and scalar offset
  uint32_t records_;
  uint32_t stride_;
  uint32_t element_bytes_;  // 0: linear
  uint32_t index_stride_;
  uint32_t word3_;
};

}  // namespace bw::emulator
