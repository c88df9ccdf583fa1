#include "emulator/shader/memory_lanes.h"

#include <bit>

#include "emulator/shader/buffer_access.h"
#include "emulator/shader/buffer_format.h"
#include "emulator/shader/memory.h"

namespace bw::emulator {
namespace {

using Reach = CountedInstruction::Reach;

constexpr uint64_t kDwordAligned = ~uint64_t{3};

uint32_t global_addresses(Wave& wave, const Step& step, const CountedInstruction& in, unsigned half,
                          LaneArray* addresses, uint32_t* in_aperture) {
  const bool is_flat = in.reach == Reach::kFlat;
  LaneAddresses lanes;
  if (in.is_by_lane) {
    const uint64_t base =
        ((step.extra & 2) != 0 ? read64(wave, step.src[2]) : 0) + static_cast<uint64_t>(static_cast<int64_t>(step.imm));
    for (unsigned l = 0; l < kLanes; ++l) lanes.address[l] = base + (half * kLanes + l) * 4;
  } else {
    compute_addresses(wave, step, is_flat ? Space::kFlat : Space::kGlobal, half, &lanes);
  }
  const bool mixes = is_flat && any_in_aperture(wave, step, lanes, half);
  uint32_t count = 0;
  for (uint32_t active = active_lanes(wave, half); active != 0; active &= active - 1) {
    const uint64_t address = lanes.address[std::countr_zero(active)];
    if (mixes && is_in_aperture(step, address)) {
      ++*in_aperture;
      continue;
    }
    (*addresses)[count++] = address;
  }
  return count;
}

uint32_t buffer_addresses(Wave& wave, const Step& step, uint32_t size_bytes, unsigned half, LaneArray* addresses) {
  const BufferAccess access(wave, step);
  uint32_t count = 0;
  for (uint32_t active = active_lanes(wave, half); active != 0; active &= active - 1) {
    const auto lane = static_cast<unsigned>(std::countr_zero(active));
    if (const auto address = access.address(wave, half, lane, 0, size_bytes)) (*addresses)[count++] = *address;
  }
  return count;
}

}  // namespace

ByteRange scalar_range(const Wave& wave, const Step& step, const CountedInstruction& in) {
  const int64_t imm = step.imm;
  const uint64_t offset = (read32(wave, step.src[1]) & kDwordAligned) + (static_cast<uint64_t>(imm) & kDwordAligned);
  constexpr uint64_t kAddressBits = (uint64_t{1} << 48) - 1;
  const uint64_t base = wave.s64(step.src[0].index) & kDwordAligned & kAddressBits;
  return {base + offset, base + offset + in.bytes};
}

std::optional<uint32_t> lane_bytes(const Wave& wave, const Step& step, const CountedInstruction& in) {
  if (in.reach != Reach::kTypedBuffer) return in.bytes;
  const uint32_t own_format = step.extra >> kBufferFormatShift;
  const auto* format = find_buffer_format(own_format != 0 ? own_format : BufferAccess(wave, step).format());
  if (format == nullptr) return std::nullopt;
  return size_bytes(*format);
}

uint32_t memory_addresses(Wave& wave, const Step& step, const CountedInstruction& in, uint32_t size_bytes,
                          unsigned half, LaneArray* addresses, uint32_t* in_aperture) {
  const bool is_buffer = in.reach == Reach::kBuffer || in.reach == Reach::kTypedBuffer;
  return is_buffer ? buffer_addresses(wave, step, size_bytes, half, addresses)
                   : global_addresses(wave, step, in, half, addresses, in_aperture);
}

}  // namespace bw::emulator
