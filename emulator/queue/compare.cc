#include "emulator/queue/compare.h"

#include "amdgpu/gfx11/pm4.h"

namespace bw::emulator {

bool compare(uint32_t function, uint64_t value, uint64_t reference, bool* holds) {
  using Packet = amdgpu::gfx11::pm4::WAIT_REG_MEM;
  switch (function) {
    case Packet::function__always_pass:
      *holds = true;
      return true;
    case Packet::function__less_than_ref_value:
      *holds = value < reference;
      return true;
    case Packet::function__less_than_equal_to_the_ref_value:
      *holds = value <= reference;
      return true;
    case Packet::function__equal_to_the_reference_value:
      *holds = value == reference;
      return true;
    case Packet::function__not_equal_reference_value:
      *holds = value != reference;
      return true;
    case Packet::function__greater_than_or_equal_reference_value:
      *holds = value >= reference;
      return true;
    case Packet::function__greater_than_reference_value:
      *holds = value > reference;
      return true;
    default:
      return false;
  }
}

}  // namespace bw::emulator
