// The SDMA packets that copy and fill memory.
#include "base/bits.h"
#include "emulator/queue/sdma_queue.h"

namespace bw::emulator {
namespace {

namespace sdma = amdgpu::gfx11::sdma;

// One side of a sub-window copy, in bytes.
struct Window {
  uint64_t address;
  uint64_t pitch;
  uint64_t slice_pitch;

  uint64_t row(uint64_t y, uint64_t z) const { return address + y * pitch + z * slice_pitch; }
};

}  // namespace

PacketQueue::Outcome SdmaQueue::copy() {
  const uint32_t sub_opcode = sdma::HEADER::sub_op.get(packet().data());
  if (sub_opcode == sdma::COPY_LINEAR_SUBWIN::kSubOpcode) return copy_linear_subwin();
  return sdma::COPY_LINEAR::broadcast.get(packet().data()) != 0 ? copy_broadcast_linear() : copy_linear();
}

// What overlaps is copied as if the source had been read first; the hardware copies piece by piece.
PacketQueue::Outcome SdmaQueue::copy_linear() {
  using Packet = sdma::COPY_LINEAR;
  const uint32_t* data = packet().data();
  if (Packet::backwards.get(data) != 0) return fail("BACKWARDS is not implemented");
  if (Packet::tmz.get(data) != 0 || Packet::encrypt.get(data) != 0) return fail("there is no protected memory");
  if (Packet::dst_sw.get(data) != 0 || Packet::src_sw.get(data) != 0) return fail("byte swapping is not implemented");
  return copy_run(address_at(5), address_at(3), uint64_t{Packet::count.get(data)} + 1);
}

PacketQueue::Outcome SdmaQueue::copy_broadcast_linear() {
  using Packet = sdma::COPY_BROADCAST_LINEAR;
  const uint32_t* data = packet().data();
  if (Packet::tmz.get(data) != 0 || Packet::encrypt.get(data) != 0) return fail("there is no protected memory");
  if (Packet::dst1_sw.get(data) != 0 || Packet::dst2_sw.get(data) != 0 || Packet::src_sw.get(data) != 0) {
    return fail("byte swapping is not implemented");
  }
  const uint64_t size_bytes = uint64_t{Packet::count.get(data)} + 1;
  const Outcome first = copy_run(address_at(5), address_at(3), size_bytes);
  return first == Outcome::kDone ? copy_run(address_at(7), address_at(3), size_bytes) : first;
}

PacketQueue::Outcome SdmaQueue::copy_run(uint64_t destination, uint64_t source, uint64_t size_bytes) {
  return memory().copy(destination, source, size_bytes) ? Outcome::kDone : memory_fault();
}

// Offsets, pitches and sizes count elements of 1 << ELEMENTSIZE bytes; pitches and sizes are given less one (ROCr's
// amd_blit_sdma.cpp, BuildCopyRectCommand(), which also says that base addresses are multiples of 4).
PacketQueue::Outcome SdmaQueue::copy_linear_subwin() {
  using Packet = sdma::COPY_LINEAR_SUBWIN;
  const uint32_t* data = packet().data();
  constexpr uint32_t kLargestElement = 4;
  const uint32_t element = Packet::elementsize.get(data);
  if (element > kLargestElement) return fail("ELEMENTSIZE {}", element);
  if (Packet::tmz.get(data) != 0) return fail("there is no protected memory");
  if (Packet::dst_sw.get(data) != 0 || Packet::src_sw.get(data) != 0) return fail("byte swapping is not implemented");
  for (uint64_t base : {address_at(1), address_at(6)}) {
    if (!is_aligned(base, 4)) return misaligned(base, 4);
  }
  const auto bytes = [&](uint64_t elements) { return elements << element; };
  Window source{address_at(1), bytes(uint64_t{Packet::src_pitch.get(data)} + 1),
                bytes(uint64_t{Packet::src_slice_pitch.get(data)} + 1)};
  Window destination{address_at(6), bytes(uint64_t{Packet::dst_pitch.get(data)} + 1),
                     bytes(uint64_t{Packet::dst_slice_pitch.get(data)} + 1)};
  source.address = source.row(Packet::src_y.get(data), Packet::src_z.get(data)) + bytes(Packet::src_x.get(data));
  destination.address =
      destination.row(Packet::dst_y.get(data), Packet::dst_z.get(data)) + bytes(Packet::dst_x.get(data));
  const uint64_t row_bytes = bytes(uint64_t{Packet::rect_x.get(data)} + 1);
  uint64_t rows = uint64_t{Packet::rect_y.get(data)} + 1;
  uint64_t run_bytes = row_bytes;
  if (source.pitch == row_bytes && destination.pitch == row_bytes) {
    run_bytes *= rows;
    rows = 1;
  }
  for (uint64_t z = 0; z <= Packet::rect_z.get(data); ++z) {
    for (uint64_t y = 0; y < rows; ++y) {
      const Outcome done = copy_run(destination.row(y, z), source.row(y, z), run_bytes);
      if (done != Outcome::kDone) return done;
    }
  }
  return Outcome::kDone;
}

// COUNT is the size in bytes less one; FILLSIZE says how many bytes of the value repeat, 1 << FILLSIZE, and thereby the
// granularity (Linux sdma_v6_0_emit_fill_buffer(); ROCr's blit_sdma uses 2 with COUNT in bytes). unverified:
// FILLSIZE 1.
PacketQueue::Outcome SdmaQueue::constant_fill() {
  using Packet = sdma::CONSTANT_FILL;
  const uint32_t* data = packet().data();
  const uint32_t fill_size = Packet::fillsize.get(data);
  constexpr uint32_t kLargestFillSize = 2;
  if (fill_size > kLargestFillSize) return fail("FILLSIZE {}", fill_size);
  if (Packet::sw.get(data) != 0) return fail("byte swapping is not implemented");
  const uint32_t unit_bytes = 1u << fill_size;
  if (!is_aligned(address_at(1), unit_bytes)) return misaligned(address_at(1), unit_bytes);
  const uint64_t size_bytes = align_down(Packet::count.get(data), unit_bytes) + unit_bytes;
  return memory().fill(address_at(1), dword(3), unit_bytes, size_bytes) ? Outcome::kDone : memory_fault();
}

}  // namespace bw::emulator
