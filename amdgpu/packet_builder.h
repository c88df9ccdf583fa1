// Owns: writing the fields of hardware packets into a growing list of dwords, with every value checked against its
// field. Not here: which packets there are (pm4_builder.h, sdma_builder.h) or where their fields stand (gfx11).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "amdgpu/gfx11/packet_field.h"
#include "base/gpu_addr.h"
#include "base/status.h"

namespace bw::amdgpu {

// Fails stickily: after the first error nothing more is written, and finish() returns that error.
class PacketBuilder {
 public:
  uint32_t size_dwords() const { return static_cast<uint32_t>(dwords_.size()); }
  const Status& status() const { return status_; }
  // What was written so far; a prefix of what finish() returns.
  std::span<const uint32_t> dwords() const { return dwords_; }

  // The packets, or the first error with the name of its packet; the builder is empty and fresh afterwards.
  Result<std::vector<uint32_t>> finish();

 protected:
  explicit PacketBuilder(std::string_view family) : family_(family) {}
  ~PacketBuilder() = default;

  // Appends `count_dwords` zeros for the packet that the following calls fill; false after an error.
  bool begin(std::string_view packet, uint32_t count_dwords);
  void set(const gfx11::PacketField& field, uint64_t value);
  // The low field holds address bits from its lowest bit on, so that bit is also the alignment.
  void set_address(const gfx11::PacketField& lo, const gfx11::PacketField& hi, GpuAddr address);
  // Raw payload from `dword` of the current packet on; the packet must have room.
  void set_payload(uint32_t dword, std::span<const uint32_t> values);
  void fail(std::string_view what);

 private:
  std::string_view family_;
  std::string_view packet_;
  size_t packet_begin_ = 0;
  std::vector<uint32_t> dwords_;
  Status status_;
};

}  // namespace bw::amdgpu
