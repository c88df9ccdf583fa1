#include "emulator/jit/host_calls.h"

#include "base/check.h"
#include "emulator/jit/strip.h"

namespace bw::emulator::jit {

extern "C" bool barewave_jit_run_steps(Wave* wave, const Step* first, uint32_t count) {
  for (const Step* step = first; step != first + count; ++step) {
    wave->next = step + 1;
    step->run(*wave, *step);
    wave->instructions += step->weight;
    if (wave->stop != Stop::kNone || wave->next != step + 1) return false;
  }
  return true;
}

const void* address_of(HostCall call) {
  switch (call) {
    case HostCall::kRunSteps:
      return reinterpret_cast<const void*>(&barewave_jit_run_steps);
    case HostCall::kRecoverPiece:
      return reinterpret_cast<const void*>(&barewave_jit_recover_piece);
    case HostCall::kCount:
      break;
  }
  BW_CHECK(call < HostCall::kCount);
  return nullptr;
}

}  // namespace bw::emulator::jit
