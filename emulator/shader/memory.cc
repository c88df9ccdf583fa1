#include "emulator/shader/memory.h"

#include <algorithm>
#include <cstring>

namespace bw::emulator {
namespace {

// Which of the step's address parts are present; see resolve.cc.
constexpr uint32_t kHasVgpr = 1, kHasSgpr = 2;

constexpr uint64_t kApertureShift = 32;
constexpr uint64_t kSharedAperture = static_cast<uint64_t>(kSharedApertureHi) << 16;
constexpr uint64_t kPrivateAperture = static_cast<uint64_t>(kPrivateApertureHi) << 16;

void scratch_addresses(Wave& w, const Step& s, unsigned half, LaneAddresses* out) {
  const uint32_t uniform = ((s.extra & kHasSgpr) != 0 ? read32(w, s.src[2]) : 0) + static_cast<uint32_t>(s.imm);
  const uint32_t* v = w.vgpr(s.src[0].index, half);
  for (unsigned l = 0; l < kLanes; ++l) out->address[l] = uniform + ((s.extra & kHasVgpr) != 0 ? v[l] : 0);
}

// Scratch interleaves the dwords of the lanes. Source: LLVM's AMDGPU usage guide, "Private memory".
uint64_t scratch_address(const Wave& w, uint64_t offset, unsigned lane) {
  return w.scratch_base + (offset / 4 * w.lane_count() + lane) * 4 + offset % 4;
}

// Applies `move` to each piece of a scratch access that lies in one dword.
template <class Move>
bool for_scratch_pieces(Wave& w, const Step& s, uint64_t offset, unsigned lane, uint32_t size_bytes, Access access,
                        Move move) {
  const uint64_t per_lane = w.scratch_bytes / w.lane_count();
  if (offset + size_bytes > per_lane) {
    w.fail_memory(s, access, offset, lane);
    w.group->fault->message += fmt::format(" (an offset into scratch memory, of which a lane has {} bytes)", per_lane);
    return false;
  }
  for (uint32_t done = 0; done < size_bytes;) {
    const uint32_t piece = std::min<uint32_t>(4 - static_cast<uint32_t>((offset + done) % 4), size_bytes - done);
    const uint64_t address = scratch_address(w, offset + done, lane);
    std::byte* host = w.group->tlb->translate(address, piece, access);
    if (host == nullptr) {
      w.fail_memory(s, access, address, lane);
      return false;
    }
    move(host, done, piece);
    done += piece;
  }
  return true;
}

// Where a lane's address of a FLAT instruction leads, and what it is there. What decides is the address before the
// instruction's offset is added. Source: RDNA3 ISA guide, "Flat Addressing", "Memory Error Checking".
enum class Place : uint8_t { kGlobal, kScratch, kLds };

uint64_t aperture_of(const Step& s, uint64_t address) {
  return (address - static_cast<uint64_t>(static_cast<int64_t>(s.imm))) >> kApertureShift;
}
Place place_of(Space space, const Step& s, uint64_t* address) {
  if (space == Space::kScratch) return Place::kScratch;
  if (space == Space::kGlobal) return Place::kGlobal;
  const uint64_t aperture = aperture_of(s, *address);
  if (aperture != kSharedAperture && aperture != kPrivateAperture) return Place::kGlobal;
  *address -= aperture << kApertureShift;
  return aperture == kSharedAperture ? Place::kLds : Place::kScratch;
}

}  // namespace

void compute_addresses(Wave& w, const Step& s, Space space, unsigned half, LaneAddresses* out) {
  if (space == Space::kScratch) return scratch_addresses(w, s, half, out);
  const uint32_t* lo = w.vgpr(s.src[0].index, half);
  const uint64_t offset = static_cast<uint64_t>(static_cast<int64_t>(s.imm));
  if ((s.extra & kHasSgpr) != 0) {
    const uint64_t base = read64(w, s.src[2]) + offset;
    for (unsigned l = 0; l < kLanes; ++l) out->address[l] = base + lo[l];
    return;
  }
  const uint32_t* hi = w.vgpr(s.src[0].index + 1u, half);
  for (unsigned l = 0; l < kLanes; ++l) {
    out->address[l] = (static_cast<uint64_t>(lo[l]) | static_cast<uint64_t>(hi[l]) << 32) + offset;
  }
}

std::byte* translate_span(Wave& w, const LaneAddresses& lanes, unsigned half, uint32_t size_bytes, Access access,
                          uint64_t* base) {
  const uint32_t* exec = w.exec_row(half);
  // Distances from the first active lane, signed, so that vector compares of the host do.
  const uint32_t active = static_cast<uint32_t>(w.exec() >> (half * kLanes));
  const uint64_t first = lanes.address[__builtin_ctz(active)];
  int64_t low = 0, high = 0;
  for (unsigned l = 0; l < kLanes; ++l) {
    const int64_t distance = exec[l] != 0 ? static_cast<int64_t>(lanes.address[l] - first) : 0;
    low = distance < low ? distance : low;
    high = distance > high ? distance : high;
  }
  constexpr int64_t kMaxSpan = int64_t{1} << 31;
  if (high > kMaxSpan || low < -kMaxSpan) return nullptr;
  *base = first + static_cast<uint64_t>(low);
  return w.group->tlb->translate(*base, static_cast<uint32_t>(high - low) + size_bytes, access);
}

bool is_in_aperture(const Step& s, uint64_t address) {
  const uint64_t aperture = aperture_of(s, address);
  return aperture == kSharedAperture || aperture == kPrivateAperture;
}

bool any_in_aperture(const Wave& w, const Step& s, const LaneAddresses& lanes, unsigned half) {
  const uint32_t* exec = w.exec_row(half);
  bool any = false;
  for (unsigned l = 0; l < kLanes; ++l) {
    any |= exec[l] != 0 && is_in_aperture(s, lanes.address[l]);
  }
  return any;
}

bool read_lane(Wave& w, const Step& s, Space space, uint64_t address, unsigned lane, void* out, uint32_t size_bytes) {
  const Place place = place_of(space, s, &address);
  if (place == Place::kLds) {
    const std::byte* host = lds_at(w, address, size_bytes);
    if (host != nullptr)
      std::memcpy(out, host, size_bytes);
    else
      std::memset(out, 0, size_bytes);
    return true;
  }
  if (place == Place::kScratch) {
    return for_scratch_pieces(w, s, address, lane, size_bytes, Access::kRead,
                              [&](std::byte* host, uint32_t done, uint32_t piece) {
                                std::memcpy(static_cast<std::byte*>(out) + done, host, piece);
                              });
  }
  const std::byte* host = w.group->tlb->translate(address, size_bytes, Access::kRead);
  if (host != nullptr) {
    std::memcpy(out, host, size_bytes);
    return true;
  }
  // The bytes may lie in two mappings.
  for (uint32_t i = 0; i < size_bytes; ++i) {
    host = w.group->tlb->translate(address + i, 1, Access::kRead);
    if (host == nullptr) {
      w.fail_memory(s, Access::kRead, address + i, lane);
      return false;
    }
    static_cast<std::byte*>(out)[i] = *host;
  }
  return true;
}

bool write_lane(Wave& w, const Step& s, Space space, uint64_t address, unsigned lane, const void* in,
                uint32_t size_bytes) {
  const Place place = place_of(space, s, &address);
  if (place == Place::kLds) {
    std::byte* host = lds_at(w, address, size_bytes);
    if (host != nullptr) std::memcpy(host, in, size_bytes);
    return true;
  }
  if (place == Place::kScratch) {
    return for_scratch_pieces(w, s, address, lane, size_bytes, Access::kWrite,
                              [&](std::byte* host, uint32_t done, uint32_t piece) {
                                std::memcpy(host, static_cast<const std::byte*>(in) + done, piece);
                              });
  }
  std::byte* host = w.group->tlb->translate(address, size_bytes, Access::kWrite);
  if (host != nullptr) {
    std::memcpy(host, in, size_bytes);
    return true;
  }
  for (uint32_t i = 0; i < size_bytes; ++i) {
    host = w.group->tlb->translate(address + i, 1, Access::kWrite);
    if (host == nullptr) {
      w.fail_memory(s, Access::kWrite, address + i, lane);
      return false;
    }
    *host = static_cast<const std::byte*>(in)[i];
  }
  return true;
}

std::byte* atomic_target(Wave& w, const Step& s, Space space, uint64_t address, unsigned lane, uint32_t size_bytes,
                         bool* faulted) {
  const Place place = place_of(space, s, &address);
  const bool is_aligned = address % size_bytes == 0;
  std::byte* host = nullptr;
  if (place == Place::kLds && is_aligned) {
    *faulted = false;
    return lds_at(w, address, size_bytes);
  }
  if (place == Place::kGlobal && is_aligned) host = w.group->tlb->translate(address, size_bytes, Access::kWrite);
  *faulted = host == nullptr;
  if (*faulted) {
    w.fail_memory(s, Access::kWrite, address, lane);
    if (!is_aligned) w.group->fault->message += " (a misaligned atomic)";
  }
  return host;
}

}  // namespace bw::emulator
