#include "emulator/shader/wave.h"

#include "emulator/shader/step.h"

namespace bw::emulator {

void Wave::rebuild_exec_rows() {
  exec_rows_value = exec();
  for (unsigned h = 0; h < halves; ++h) {
    const uint32_t bits = static_cast<uint32_t>(exec_rows_value >> (h * kLanes));
    for (unsigned l = 0; l < kLanes; ++l) exec_rows[h].lane[l] = 0u - (bits >> l & 1);
  }
}

void Wave::fail(const Step& step, ShaderFaultKind kind, std::string reason) {
  stop = Stop::kFault;
  ShaderFault fault;
  fault.kind = kind;
  fault.pc = step.pc;
  fault.workgroup = group->id;
  fault.wave = index;
  fault.message = std::move(reason);
  group->fault = std::move(fault);
}

void Wave::fail_memory(const Step& step, Access access, uint64_t address, unsigned lane) {
  const char* verb = access == Access::kRead ? "read" : access == Access::kWrite ? "write" : "execute";
  fail(step, ShaderFaultKind::kMemory,
       fmt::format("{} of address {:#x} by lane {}, which is not mapped so", verb, address, lane));
  group->fault->address = address;
  group->fault->access = access;
  group->fault->lane = lane;
}

const uint32_t* fetch_modified(Wave& wave, const Source& source, unsigned dword, unsigned half, Row& spare) {
  const uint8_t modifiers = source.modifiers;
  Row scalar;
  const uint32_t* in;
  if ((modifiers & kFromScalar) != 0) {
    for (uint32_t& lane : scalar.lane) lane = wave.s[source.index + dword];
    in = scalar.lane;
  } else {
    in = wave.vgpr(source.index + dword, half);
  }
  const bool has_sign = (modifiers & kSign64) == 0 || dword == 1;
  const uint32_t sign = (modifiers & kSign16) != 0 ? 0x8000u : (modifiers & kSignPair) != 0 ? 0x80008000u : 0x80000000u;
  const uint32_t clear = has_sign && (modifiers & kAbs) != 0 ? sign : 0;
  const uint32_t flip = has_sign && (modifiers & kNeg) != 0 ? sign : 0;
  const unsigned shift = (modifiers & kHigh) != 0 ? 16 : 0;
  for (unsigned l = 0; l < kLanes; ++l) spare.lane[l] = ((in[l] >> shift) & ~clear) ^ flip;
  return spare.lane;
}

}  // namespace bw::emulator
