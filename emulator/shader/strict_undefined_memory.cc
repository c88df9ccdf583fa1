// Owns: undefined bits in instructions that access memory: what may not be undefined, and what LDS and scratch memory
// keep.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <string_view>

#include "emulator/shader/strict_undefined.h"

namespace bw::emulator {

using namespace amdgpu::gfx11;

namespace {

bool is_data(Field field) {
  return field == Field::data || field == Field::data0 || field == Field::data1 || field == Field::vdata;
}

bool moves_between_lanes(Op op) {
  return op == Op::ds_permute_b32 || op == Op::ds_bpermute_b32 || op == Op::ds_swizzle_b32;
}

// The dword that `undefined` bits of a loaded byte or half become.
uint32_t extended(const MemoryAccess& access, uint32_t undefined) {
  const unsigned bits = access.bytes * 8u;
  if (access.is_signed && bits < 32 && (undefined >> (bits - 1) & 1) != 0) undefined |= ~0u << bits;
  return undefined << access.dst_shift;
}

}  // namespace

// One dword, or less, of what one lane accesses.
struct UndefinedChecker::Piece {
  uint64_t address;
  unsigned lane;
  unsigned part;   // of two addresses
  unsigned dword;  // within the part
  uint32_t bytes;
};

// `data_lanes`: those whose data goes where undefined bits may not.
std::optional<StrictFinding> UndefinedChecker::check_operands(const Wave& wave, const StrictInstruction& in,
                                                              uint64_t data_lanes) const {
  const uint64_t active = in.unit == Unit::kSmem ? ~uint64_t{0} : wave.exec();
  for (const RegisterSpan& span : in.reads) {
    const bool data = is_data(span.field);
    const uint64_t lanes = data ? data_lanes & active : active;
    for (RegisterId id = span.first; id < span.first + span.count; ++id) {
      const uint64_t undefined = lanes_of({id, 1}, span.bits) & lanes;
      if (undefined == 0) continue;
      const std::string by = span.is_vgpr() ? fmt::format(" by lane {}", std::countr_zero(undefined)) : "";
      return finding(id, (data ? "stored to memory" : "used as an address") + by);
    }
  }
  return std::nullopt;
}

void UndefinedChecker::deliver(const StrictInstruction& in, const Piece& piece, uint32_t undefined, RegisterId origin) {
  if (in.access.dst == 0) return;
  const unsigned dwords = (in.access.bytes + 3u) / 4;
  const unsigned vgpr = in.access.dst - kFirstVgprId + piece.part * dwords + piece.dword;
  uint32_t& lane = shadow_.vgpr(vgpr, piece.lane / kLanes)[piece.lane % kLanes];
  const uint32_t bits = in.access.dst_bits;
  lane = (lane & ~bits) | (extended(in.access, undefined) & bits);
  if (undefined == 0) return;
  any_[vgpr] = true;
  origins_[vgpr + kFirstVgprId] = {origin, in.pc};
}

std::optional<StrictFinding> UndefinedChecker::access_lds(const StrictInstruction& in, const Piece& piece,
                                                          LdsChecker& lds, uint64_t sequence) {
  if (const auto pc = lds.unordered_store(piece.address, piece.bytes, shadow_.index)) {
    return StrictFinding{fmt::format("missing wait for lgkmcnt before s_barrier: LDS at {:#x} is accessed by lane {}, "
                                     "but the store of another wave",
                                     piece.address, piece.lane),
                         *pc, "had not ended at"};
  }
  const MemoryAccess& access = in.access;
  const uint32_t old = lds.undefined(piece.address, piece.bytes);
  if (access.kind != MemoryAccess::kStore) deliver(in, piece, old, kLdsOrigin);
  if (access.kind == MemoryAccess::kLoad) return std::nullopt;
  const RegisterId data = static_cast<RegisterId>(access.data[piece.part] + piece.dword);
  const uint32_t stored = shadow_.vgpr(data - kFirstVgprId, piece.lane / kLanes)[piece.lane % kLanes];
  uint32_t result = stored >> access.data_shift;
  if (access.kind == MemoryAccess::kAtomic && !access.exchanges) {
    // The second operand of compare-and-store and the like decides as well.
    const RegisterId other = access.data[1];
    const uint32_t second =
        other == 0 ? 0 : shadow_.vgpr(other - kFirstVgprId + piece.dword, piece.lane / kLanes)[piece.lane % kLanes];
    result = (old | stored | second) != 0 ? ~0u : 0;
  }
  lds.write(piece.address, piece.bytes, result);
  lds.note_store(piece.address, piece.bytes, shadow_.index, sequence, in.pc);
  return std::nullopt;
}

void UndefinedChecker::access_scratch(const StrictInstruction& in, const Piece& piece) {
  const MemoryAccess& access = in.access;
  const size_t per_lane = scratch_.size() / (shadow_.halves * kLanes);
  // What lies outside is a memory fault.
  if (piece.address + piece.bytes > per_lane) return;
  uint8_t* bytes = scratch_.data() + piece.lane * per_lane + piece.address;
  uint32_t old = 0;
  for (unsigned i = 0; i < piece.bytes; ++i) old |= static_cast<uint32_t>(bytes[i]) << (i * 8);
  if (access.kind != MemoryAccess::kStore) deliver(in, piece, old, kScratchOrigin);
  if (access.kind == MemoryAccess::kLoad) return;
  const RegisterId data = static_cast<RegisterId>(access.data[piece.part] + piece.dword);
  uint32_t result = shadow_.vgpr(data - kFirstVgprId, piece.lane / kLanes)[piece.lane % kLanes] >> access.data_shift;
  if (access.kind == MemoryAccess::kAtomic) result = (old | result) != 0 ? ~0u : 0;
  for (unsigned i = 0; i < piece.bytes; ++i) bytes[i] = static_cast<uint8_t>(result >> (i * 8));
}

// One part of one lane's access, a dword at a time.
std::optional<StrictFinding> UndefinedChecker::access(const StrictInstruction& in, Space space, uint64_t address,
                                                      unsigned part, unsigned lane, LdsChecker& lds,
                                                      uint64_t sequence) {
  for (uint32_t done = 0; done < in.access.bytes; done += 4) {
    const Piece piece{address + done, lane, part, done / 4, std::min<uint32_t>(4, in.access.bytes - done)};
    if (space == Space::kScratch) {
      access_scratch(in, piece);
    } else if (auto found = access_lds(in, piece, lds, sequence)) {
      return found;
    }
  }
  return std::nullopt;
}

std::optional<StrictFinding> UndefinedChecker::local(Wave& wave, const Step& step, const StrictInstruction& in,
                                                     LdsChecker& lds, uint64_t sequence) {
  const bool by_m0 = in.op() == Op::ds_append || in.op() == Op::ds_consume;
  const bool by_lane = in.op() == Op::ds_load_addtid_b32 || in.op() == Op::ds_store_addtid_b32;
  for (uint64_t rest = wave.exec(); rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    uint64_t base = 0;
    if (by_m0) {
      base = wave.s[kM0Slot] >> 16;
    } else if (by_lane) {
      base = (wave.s[kM0Slot] & 0xffff) + lane * 4;
    } else {
      base = wave.vgpr(step.src[0].index, lane / kLanes)[lane % kLanes];
    }
    for (unsigned part = 0; part < in.access.parts; ++part) {
      const uint64_t offset = in.access.parts == 1 ? static_cast<uint32_t>(step.imm)
                                                   : (part == 0 ? step.offset0 : step.offset1) * in.access.offset_unit;
      uint64_t address = base + offset;
      if (in.access.kind == MemoryAccess::kAtomic) address &= ~uint64_t{in.access.bytes - 1u};
      if (auto found = access(in, Space::kGlobal, address, part, lane, lds, sequence)) return found;
    }
  }
  note_writes(in);
  return std::nullopt;
}

// FLAT and SCRATCH: lanes whose accesses stay within the wave or the workgroup are followed there.
std::optional<StrictFinding> UndefinedChecker::flat(Wave& wave, const Step& step, const StrictInstruction& in,
                                                    LdsChecker& lds, uint64_t sequence) {
  const bool is_scratch = in.in.info->encoding == Encoding::SCRATCH;
  std::array<LaneAddresses, 2> addresses;
  uint64_t to_scratch = is_scratch ? ~uint64_t{0} : 0, to_lds = 0;
  for (unsigned h = 0; h < wave.halves; ++h) {
    compute_addresses(wave, step, is_scratch ? Space::kScratch : Space::kFlat, h, &addresses[h]);
    for (unsigned l = 0; l < kLanes && !is_scratch; ++l) {
      const uint64_t aperture = addresses[h].address[l] >> 48, bit = uint64_t{1} << (h * kLanes + l);
      if (aperture == kPrivateApertureHi) to_scratch |= bit;
      if (aperture == kSharedApertureHi) to_lds |= bit;
    }
  }
  const uint64_t followed = (to_scratch | to_lds) & wave.exec();
  if (auto found = check_operands(wave, in, ~followed)) return found;
  define_writes(in, wave.exec() & ~followed);
  if ((to_scratch & followed) != 0 && scratch_.size() < wave.scratch_bytes) scratch_.assign(wave.scratch_bytes, 0xff);
  for (uint64_t rest = followed; rest != 0; rest &= rest - 1) {
    const unsigned lane = static_cast<unsigned>(std::countr_zero(rest));
    const Space space = (to_scratch >> lane & 1) != 0 ? Space::kScratch : Space::kGlobal;
    const uint64_t address = addresses[lane / kLanes].address[lane % kLanes];
    if (auto found = access(in, space, is_scratch ? address : lo32(address), 0, lane, lds, sequence)) return found;
  }
  note_writes(in);
  return std::nullopt;
}

// The value of LDS that M0 names, for all lanes.
void UndefinedChecker::direct(Wave& wave, const StrictInstruction& in, const LdsChecker& lds) {
  define_writes(in, wave.exec());
  const uint32_t undefined = lds.undefined(wave.s[kM0Slot] & 0xffff, 4);
  if (undefined == 0 || in.writes.empty()) return;
  Row row;
  for (uint32_t& lane : row.lane) lane = ~0u;
  const unsigned vgpr = in.writes[0].first - kFirstVgprId;
  for (unsigned h = 0; h < wave.halves; ++h) write_vgpr(vgpr, h, row.lane, ~0u, wave.exec());
  note_any(vgpr);
  origins_[in.writes[0].first] = {kLdsOrigin, in.pc};
}

// ds_permute and its kin: their handlers move undefined bits as they move values. Undefined lane numbers make all
// undefined.
void UndefinedChecker::exchange(Wave& wave, const Step& step, const StrictInstruction& in) {
  const bool swizzles = in.op() == Op::ds_swizzle_b32;
  Step shadow = step;
  bool unknown_lanes = false;
  pass_origins(in);
  if (!swizzles) {
    for (unsigned h = 0; h < wave.halves; ++h)
      std::copy_n(wave.vgpr(step.src[0].index, h), kLanes, shadow_.vgpr(kSpareVgpr, h));
    shadow.src[0].index = kSpareVgpr;
    for (const RegisterSpan& span : in.reads) {
      unknown_lanes = unknown_lanes || (span.field == Field::addr && (lanes_of(span, ~0u) & wave.exec()) != 0);
    }
  }
  run_on_shadow(wave, shadow);
  const unsigned vgpr = step.dst;
  if (unknown_lanes) {
    Row row;
    for (uint32_t& lane : row.lane) lane = ~0u;
    for (unsigned h = 0; h < wave.halves; ++h) write_vgpr(vgpr, h, row.lane, ~0u, wave.exec());
  }
  note_any(vgpr);
}

std::optional<StrictFinding> UndefinedChecker::memory(Wave& wave, const Step& step, const StrictInstruction& in,
                                                      LdsChecker& lds, uint64_t sequence) {
  if (moves_between_lanes(in.op())) {
    exchange(wave, step, in);
    return std::nullopt;
  }
  const bool followed = in.access.kind != MemoryAccess::kNone;
  if (followed && in.unit != Unit::kLds) return flat(wave, step, in, lds, sequence);
  const bool keeps_data = in.unit == Unit::kLds;
  if (auto found = check_operands(wave, in, keeps_data ? 0 : ~uint64_t{0})) return found;
  if (followed) return local(wave, step, in, lds, sequence);
  if (in.op() == Op::lds_direct_load) {
    direct(wave, in, lds);
  } else {
    define_writes(in, in.unit == Unit::kSmem ? ~uint64_t{0} : wave.exec());
  }
  return std::nullopt;
}

}  // namespace bw::emulator
