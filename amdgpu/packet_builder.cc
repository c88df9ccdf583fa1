#include "amdgpu/packet_builder.h"

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"

namespace bw::amdgpu {

Result<std::vector<uint32_t>> PacketBuilder::finish() {
  std::vector<uint32_t> dwords = std::move(dwords_);
  Status status = std::move(status_);
  dwords_.clear();
  status_ = Status::ok();
  if (!status.is_ok()) return status;
  return dwords;
}

bool PacketBuilder::begin(std::string_view packet, uint32_t count_dwords) {
  if (!status_.is_ok()) return false;
  packet_ = packet;
  packet_begin_ = dwords_.size();
  dwords_.resize(packet_begin_ + count_dwords);
  return true;
}

void PacketBuilder::set(const gfx11::PacketField& field, uint64_t value) {
  if (!status_.is_ok()) return;
  if (!field.bits.fits(value)) {
    fail(fmt::format("{} is {:#x}, but has {} bits", field.name, value, field.bits.width()));
    return;
  }
  BW_CHECK(packet_begin_ + field.dword < dwords_.size());
  uint32_t& word = dwords_[packet_begin_ + field.dword];
  word = field.bits.set(word, static_cast<uint32_t>(value));
}

void PacketBuilder::set_address(const gfx11::PacketField& lo, const gfx11::PacketField& hi, GpuAddr address) {
  const uint64_t alignment = uint64_t{1} << lo.bits.lo;
  if (!is_aligned(address.value, alignment)) {
    fail(fmt::format("address {} is not a multiple of {}", address, alignment));
    return;
  }
  set(lo, lo32(address.value) >> lo.bits.lo);
  set(hi, hi32(address.value));
}

void PacketBuilder::set_payload(uint32_t dword, std::span<const uint32_t> values) {
  if (!status_.is_ok()) return;
  BW_CHECK(packet_begin_ + dword + values.size() <= dwords_.size());
  std::copy(values.begin(), values.end(), dwords_.begin() + static_cast<ptrdiff_t>(packet_begin_ + dword));
}

void PacketBuilder::fail(std::string_view what) {
  if (!status_.is_ok()) return;
  status_ = error(StatusCode::kInvalidArgument, "building {} packet {}: {}", family_, packet_, what);
}

}  // namespace bw::amdgpu
