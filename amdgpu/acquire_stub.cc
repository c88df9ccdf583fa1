#include "amdgpu/acquire_stub.h"

#include <array>
#include <cstring>
#include <limits>

#include "base/bits.h"

namespace bw::amdgpu {
namespace {

constexpr uint64_t kProgramAlignment = 256;
constexpr uint32_t kBranch = 0xbfa00000;  // s_branch; the low half counts dwords from its end
constexpr std::array<uint32_t, 8> kInstructions = {
    0xe0b00000, 0x00000000,  // buffer_gl1_inv
    0xe0ac0000, 0x00000000,  // buffer_gl0_inv
    0xf4840000, 0x00000000,  // s_dcache_inv
    0xbf89fc07,              // s_waitcnt lgkmcnt(0)
    kBranch,
};

}  // namespace

std::optional<uint64_t> append_acquire_stub(std::vector<std::byte>& image, uint64_t entry_offset) {
  const uint64_t begin = align_up(image.size(), kProgramAlignment);
  const uint64_t end = begin + sizeof kInstructions;
  const int64_t distance_dwords = (static_cast<int64_t>(entry_offset) - static_cast<int64_t>(end)) / 4;
  if (distance_dwords < std::numeric_limits<int16_t>::min() || distance_dwords > std::numeric_limits<int16_t>::max()) {
    return std::nullopt;
  }
  std::array<uint32_t, kInstructions.size()> instructions = kInstructions;
  instructions.back() |= static_cast<uint16_t>(distance_dwords);
  image.resize(end);
  std::memcpy(image.data() + begin, instructions.data(), sizeof instructions);
  return begin;
}

}  // namespace bw::amdgpu
