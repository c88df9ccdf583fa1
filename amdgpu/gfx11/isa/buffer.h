// Owns: buffer resources (V#) and the formats of typed buffers, as data. Not here: what accesses do
// (emulator/shader/buffer_access.h, buffer_format.h).
#pragma once

#include <cstdint>
#include <span>

#include "base/bits.h"

namespace bw::amdgpu::gfx11 {

// The four dwords of a buffer resource. Source: RDNA3 ISA guide, "Buffer resource", and Mesa's register description of
// gfx11 (SQ_BUF_RSRC_WORD0..3).
struct BufferResource {
  // Dword 0: address bits 31:0.
  struct Word1 {
    static constexpr BitField address_hi{15, 0};
    static constexpr BitField stride{29, 16};
    static constexpr BitField swizzle{31, 30};  // 0: linear, otherwise elements of 4, 8 or 16 bytes
  };
  // Dword 2: number of records, in strides or in bytes as OOB_SELECT has it.
  struct Word3 {
    static constexpr BitField select_x{2, 0};
    static constexpr BitField select_y{5, 3};
    static constexpr BitField select_z{8, 6};
    static constexpr BitField select_w{11, 9};
    static constexpr BitField format{17, 12};
    static constexpr BitField index_stride{22, 21};  // 8 << this: indices that are swizzled together
    static constexpr BitField add_tid{23, 23};
    static constexpr BitField oob_select{29, 28};
  };
};

// How an access is held against the number of records. Payload: the bytes of the access.
// Source: the comment on gfx11 in Mesa's radv_buffer_view.c.
enum class OobSelect : uint8_t {
  kStructured = 0,  // out if index >= records or offset + payload > stride
  kIndex = 1,       // out if index >= records
  kEmpty = 2,       // out if there are no records
  kRaw = 3,         // swizzled with a stride: as kStructured; otherwise out if offset + payload > records
};

// What a destination component takes: a constant or a component of the data.
enum ComponentSelect : uint32_t { kSelectZero = 0, kSelectOne = 1, kSelectX = 4, kSelectW = 7 };

enum class BufferNumber : uint8_t { kInvalid, kUnorm, kSnorm, kUscaled, kSscaled, kUint, kSint, kFloat };

struct BufferFormatInfo {
  const char* name;
  BufferNumber number;
  uint8_t component_count;
  uint8_t bits[4];  // of each component from x on, x in the lowest bits
};

// By format number; entries that gfx11 does not define are kInvalid. Numbers beyond the end are invalid too.
std::span<const BufferFormatInfo> buffer_formats();

namespace tables {  // generated
extern const BufferFormatInfo kBufferFormats[];
extern const size_t kBufferFormatCount;
}  // namespace tables

}  // namespace bw::amdgpu::gfx11
