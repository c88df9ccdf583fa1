// Owns: packets and registers as people read them, with AMD's names of packets, fields and values. Only reading: what
// is malformed is written out as far as it goes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace bw::amdgpu::gfx11 {

struct FieldText {
  std::string name;
  std::string value;  // empty for a flag, which is there or not
};

struct PacketText {
  std::string name;  // "RELEASE_MEM"; "opcode 0x77" for one that does not exist
  std::vector<FieldText> fields;
};

// One packet from its header on. Fields that are zero and say nothing are left out, the halves of addresses are joined,
// lists of values end after eight. A type-3 packet other than the header's count says is told by a field `dwords`.
PacketText describe_pm4(std::span<const uint32_t> packet);
PacketText describe_sdma(std::span<const uint32_t> packet);
// The 16 dwords of an AQL packet.
PacketText describe_aql(std::span<const uint32_t> packet);

// "RELEASE_MEM event_type=CACHE_FLUSH_AND_INV_TS_EVENT address=0x7f0000001000 ..."
std::string to_string(const PacketText& packet);

}  // namespace bw::amdgpu::gfx11
