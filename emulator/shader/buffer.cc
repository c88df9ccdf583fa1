// Owns: loads and stores of MUBUF and MTBUF. Reads out of range give 0, writes there are dropped; untyped accesses of
// several dwords are checked dword by dword, typed ones as a whole. Source: RDNA3 ISA guide, "Memory buffer
// instructions". Not here: atomics (buffer_atomic.cc).
#include <cstring>

#include "emulator/memory/client_access.h"
#include "emulator/shader/buffer_access.h"
#include "emulator/shader/buffer_format.h"
#include "emulator/shader/handlers.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::BufferFormatInfo;

constexpr unsigned kMaxDwords = 4;

// Which part of its data register an access has.
enum class Part : uint8_t { kAll, kLow, kHigh };

struct LoadedRows {
  Row rows[kMaxDwords];
};

void write_part(Wave& w, const Step& s, unsigned h, Part part, unsigned dwords, LoadedRows& loaded) {
  const uint32_t* old = w.vgpr(s.dst, h);
  for (unsigned l = 0; l < kLanes && part != Part::kAll; ++l) {
    uint32_t& value = loaded.rows[0].lane[l];
    value = part == Part::kLow ? (old[l] & 0xffff0000) | (value & 0xffff) : (old[l] & 0xffff) | value << 16;
  }
  for (unsigned i = 0; i < dwords; ++i) store_lanes(w, s.dst + i, h, loaded.rows[i].lane);
}

// One lane's value of 1, 2 or 4 bytes; false: the wave has faulted.
bool load_value(Wave& w, const Step& s, const BufferAccess& access, unsigned h, unsigned l, uint32_t displacement,
                unsigned size_bytes, uint32_t* out) {
  *out = 0;
  const auto address = access.address(w, h, l, displacement, size_bytes);
  return !address || read_lane(w, s, Space::kGlobal, *address, h * kLanes + l, out, size_bytes);
}

template <unsigned kBytes, bool kSigned, Part kPart>
void run_load(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  constexpr unsigned kDwords = (kBytes + 3) / 4, kPiece = kBytes < 4 ? kBytes : 4;
  const BufferAccess access(w, s);
  LoadedRows loaded[2];
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      for (unsigned i = 0; i < kDwords; ++i) {
        uint32_t value;
        if (!load_value(w, s, access, h, l, i * 4, kPiece, &value)) return;
        loaded[h].rows[i].lane[l] = kSigned ? static_cast<uint32_t>(sign_extend(value, kPiece * 8)) : value;
      }
    }
  }
  for (unsigned h = 0; h < w.halves; ++h) write_part(w, s, h, kPart, kDwords, loaded[h]);
}

template <unsigned kBytes, bool kHigh = false>
void run_store(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  constexpr unsigned kDwords = (kBytes + 3) / 4, kPiece = kBytes < 4 ? kBytes : 4;
  const BufferAccess access(w, s);
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      for (unsigned i = 0; i < kDwords; ++i) {
        const uint32_t value = w.vgpr(s.dst + i, h)[l] >> (kHigh ? 16 : 0);
        const auto address = access.address(w, h, l, i * 4, kPiece);
        if (address && !write_lane(w, s, Space::kGlobal, *address, h * kLanes + l, &value, kPiece)) return;
      }
    }
  }
}

// To LDS: lane l's value as a dword at M0 + the offset + 4 * l.
template <unsigned kBytes, bool kSigned>
void run_load_lds(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  const BufferAccess access(w, s);
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      uint32_t value;
      if (!load_value(w, s, access, h, l, 0, kBytes, &value)) return;
      if (kSigned) value = static_cast<uint32_t>(sign_extend(value, kBytes * 8));
      const uint64_t place = (w.s[kM0Slot] & 0xffff) + static_cast<uint32_t>(s.imm) + (h * kLanes + l) * 4;
      if (std::byte* host = lds_at(w, place, 4)) std::memcpy(host, &value, 4);
    }
  }
}

// The format of a typed access: of the instruction (MTBUF) or of the resource. nullptr: none; reads give 0 then.
const BufferFormatInfo* format_of(const Step& s, const BufferAccess& access, bool by_instruction) {
  return find_buffer_format(by_instruction ? s.extra >> kBufferFormatShift : access.format());
}

// What destination component `i` takes: as the resource selects.
uint32_t selected(const BufferAccess& access, unsigned i, const std::array<uint32_t, 4>& components, uint32_t one) {
  using namespace amdgpu::gfx11;
  const uint32_t select = access.select(i);
  if (select >= kSelectX && select <= kSelectW) return components[select - kSelectX];
  return select == kSelectOne ? one : 0;
}

// Typed loads of MTBUF do not go through the selects: what the format has not is 0. Source: RDNA3 ISA guide, "Buffer
// Data".
uint32_t unselected(const BufferFormatInfo& format, unsigned i, const std::array<uint32_t, 4>& components) {
  return i < format.component_count ? components[i] : 0;
}

// kCount components; 16-bit ones (d16) are packed in pairs. kByInstruction: MTBUF.
template <unsigned kCount, RegisterWidth kWidth, bool kByInstruction, Part kPart>
void run_load_format(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  constexpr bool kPacked = kWidth == RegisterWidth::k16;
  constexpr unsigned kDwords = kPacked ? (kCount + 1) / 2 : kCount;
  const BufferAccess access(w, s);
  const BufferFormatInfo* format = format_of(s, access, kByInstruction);
  LoadedRows loaded[2] = {};
  for (unsigned h = 0; h < w.halves && format != nullptr; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      std::array<uint32_t, 4> components{};
      std::byte bytes[16];
      if (const auto address = access.address(w, h, l, 0, size_bytes(*format))) {
        if (!read_lane(w, s, Space::kGlobal, *address, h * kLanes + l, bytes, size_bytes(*format))) return;
        components = unpack_element(*format, kWidth, bytes);
      }
      for (unsigned i = 0; i < kCount; ++i) {
        const uint32_t value = kByInstruction ? unselected(*format, i, components)
                                              : selected(access, i, components, one_of(*format, kWidth));
        uint32_t& dword = loaded[h].rows[kPacked ? i / 2 : i].lane[l];
        dword = kPacked && i % 2 == 1 ? dword | value << 16 : value;
      }
    }
  }
  for (unsigned h = 0; h < w.halves; ++h) write_part(w, s, h, kPart, kDwords, loaded[h]);
}

// unverified: components of the format that the instruction does not have are written as 0.
template <unsigned kCount, RegisterWidth kWidth, bool kByInstruction, bool kHigh = false>
void run_store_format(Wave& w, const Step& s) {
  w.sync_exec();
  const ClientAccess client;
  constexpr bool kPacked = kWidth == RegisterWidth::k16;
  const BufferAccess access(w, s);
  const BufferFormatInfo* format = format_of(s, access, kByInstruction);
  for (unsigned h = 0; h < w.halves && format != nullptr; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      std::array<uint32_t, 4> components{};
      for (unsigned i = 0; i < kCount; ++i) {
        const uint32_t dword = w.vgpr(s.dst + (kPacked ? i / 2 : i), h)[l];
        const bool upper = kPacked && (kHigh || i % 2 == 1);
        components[i] = upper ? dword >> 16 : kPacked ? dword & 0xffff : dword;
      }
      const auto address = access.address(w, h, l, 0, size_bytes(*format));
      if (!address) continue;
      std::byte bytes[16];
      pack_element(*format, kWidth, components, bytes);
      if (!write_lane(w, s, Space::kGlobal, *address, h * kLanes + l, bytes, size_bytes(*format))) return;
    }
  }
}

void run_load_lds_format(Wave& w, const Step& s) {
  w.sync_exec();
  const BufferAccess access(w, s);
  const BufferFormatInfo* format = format_of(s, access, false);
  for (unsigned h = 0; h < w.halves; ++h) {
    for (unsigned l = 0; l < kLanes; ++l) {
      if (w.exec_row(h)[l] == 0) continue;
      std::array<uint32_t, 4> components{};
      std::byte bytes[16];
      const auto address = format != nullptr ? access.address(w, h, l, 0, size_bytes(*format)) : std::nullopt;
      if (address) {
        if (!read_lane(w, s, Space::kGlobal, *address, h * kLanes + l, bytes, size_bytes(*format))) return;
        components = unpack_element(*format, RegisterWidth::k32, bytes);
      }
      const uint32_t one = format != nullptr ? one_of(*format, RegisterWidth::k32) : 0;
      const uint32_t value = selected(access, 0, components, one);
      const uint64_t place = (w.s[kM0Slot] & 0xffff) + static_cast<uint32_t>(s.imm) + (h * kLanes + l) * 4;
      if (std::byte* host = lds_at(w, place, 4)) std::memcpy(host, &value, 4);
    }
  }
}

void bind_untyped(HandlerTable& t) {
  t.bind(Op::buffer_load_u8, run_load<1, false, Part::kAll>);
  t.bind(Op::buffer_load_i8, run_load<1, true, Part::kAll>);
  t.bind(Op::buffer_load_u16, run_load<2, false, Part::kAll>);
  t.bind(Op::buffer_load_i16, run_load<2, true, Part::kAll>);
  t.bind(Op::buffer_load_b32, run_load<4, false, Part::kAll>);
  t.bind(Op::buffer_load_b64, run_load<8, false, Part::kAll>);
  t.bind(Op::buffer_load_b96, run_load<12, false, Part::kAll>);
  t.bind(Op::buffer_load_b128, run_load<16, false, Part::kAll>);
  t.bind(Op::buffer_load_d16_u8, run_load<1, false, Part::kLow>);
  t.bind(Op::buffer_load_d16_i8, run_load<1, true, Part::kLow>);
  t.bind(Op::buffer_load_d16_b16, run_load<2, false, Part::kLow>);
  t.bind(Op::buffer_load_d16_hi_u8, run_load<1, false, Part::kHigh>);
  t.bind(Op::buffer_load_d16_hi_i8, run_load<1, true, Part::kHigh>);
  t.bind(Op::buffer_load_d16_hi_b16, run_load<2, false, Part::kHigh>);
  t.bind(Op::buffer_store_b8, run_store<1>);
  t.bind(Op::buffer_store_b16, run_store<2>);
  t.bind(Op::buffer_store_b32, run_store<4>);
  t.bind(Op::buffer_store_b64, run_store<8>);
  t.bind(Op::buffer_store_b96, run_store<12>);
  t.bind(Op::buffer_store_b128, run_store<16>);
  t.bind(Op::buffer_store_d16_hi_b8, run_store<1, true>);
  t.bind(Op::buffer_store_d16_hi_b16, run_store<2, true>);
  t.bind(Op::buffer_load_lds_u8, run_load_lds<1, false>);
  t.bind(Op::buffer_load_lds_i8, run_load_lds<1, true>);
  t.bind(Op::buffer_load_lds_u16, run_load_lds<2, false>);
  t.bind(Op::buffer_load_lds_i16, run_load_lds<2, true>);
  t.bind(Op::buffer_load_lds_b32, run_load_lds<4, false>);
  t.bind(Op::buffer_load_lds_format_x, run_load_lds_format);
}

#define BW_BIND_TYPED(prefix, by_instruction)                                                                    \
  t.bind(Op::prefix##_load_format_x, run_load_format<1, RegisterWidth::k32, by_instruction, Part::kAll>);        \
  t.bind(Op::prefix##_load_format_xy, run_load_format<2, RegisterWidth::k32, by_instruction, Part::kAll>);       \
  t.bind(Op::prefix##_load_format_xyz, run_load_format<3, RegisterWidth::k32, by_instruction, Part::kAll>);      \
  t.bind(Op::prefix##_load_format_xyzw, run_load_format<4, RegisterWidth::k32, by_instruction, Part::kAll>);     \
  t.bind(Op::prefix##_load_d16_format_x, run_load_format<1, RegisterWidth::k16, by_instruction, Part::kLow>);    \
  t.bind(Op::prefix##_load_d16_format_xy, run_load_format<2, RegisterWidth::k16, by_instruction, Part::kAll>);   \
  t.bind(Op::prefix##_load_d16_format_xyz, run_load_format<3, RegisterWidth::k16, by_instruction, Part::kAll>);  \
  t.bind(Op::prefix##_load_d16_format_xyzw, run_load_format<4, RegisterWidth::k16, by_instruction, Part::kAll>); \
  t.bind(Op::prefix##_store_format_x, run_store_format<1, RegisterWidth::k32, by_instruction>);                  \
  t.bind(Op::prefix##_store_format_xy, run_store_format<2, RegisterWidth::k32, by_instruction>);                 \
  t.bind(Op::prefix##_store_format_xyz, run_store_format<3, RegisterWidth::k32, by_instruction>);                \
  t.bind(Op::prefix##_store_format_xyzw, run_store_format<4, RegisterWidth::k32, by_instruction>);               \
  t.bind(Op::prefix##_store_d16_format_x, run_store_format<1, RegisterWidth::k16, by_instruction>);              \
  t.bind(Op::prefix##_store_d16_format_xy, run_store_format<2, RegisterWidth::k16, by_instruction>);             \
  t.bind(Op::prefix##_store_d16_format_xyz, run_store_format<3, RegisterWidth::k16, by_instruction>);            \
  t.bind(Op::prefix##_store_d16_format_xyzw, run_store_format<4, RegisterWidth::k16, by_instruction>)

}  // namespace

void bind_buffer(HandlerTable& t) {
  bind_untyped(t);
  BW_BIND_TYPED(buffer, false);
  BW_BIND_TYPED(tbuffer, true);
  t.bind(Op::buffer_load_d16_hi_format_x, run_load_format<1, RegisterWidth::k16, false, Part::kHigh>);
  t.bind(Op::buffer_store_d16_hi_format_x, run_store_format<1, RegisterWidth::k16, false, true>);
}

}  // namespace bw::emulator
