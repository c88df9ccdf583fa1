// Owns: the least time that a kernel can take on an RX 7900 XTX, by what it asks of each part of the card, and which
// part that is. Not here: the rates of the parts (amdgpu/gfx11/rates.h). It is a bound: nothing is said about waiting,
// and what is read again is taken to come from a cache.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/status.h"
#include "compiler/kernel_form.h"
#include "compiler/kernel_resources.h"
#include "ir/kernel.h"

namespace bw::compiler {

enum class CardUnit : uint8_t {
  kMemory,          // bytes of VRAM
  kLatency,         // round trips to VRAM, one after the other: loads whose address was loaded
  kValu,            // lanes of results of f32 and smaller integer and floating-point arithmetic
  kTranscendental,  // exp2, log2, sin, sqrt, recip
  kIntegerProduct,  // of 32 bits and more, and divisions
  kF64,
  kWmma,  // FLOPs
  kLds,   // bytes that waves read; of matrix products in tiles alone
};
inline constexpr size_t kCardUnitCount = 8;

// "memory", "latency", "VALU", "transcendental", "integer products", "f64", "WMMA", "LDS".
const char* name(CardUnit unit);

// Of one launch, with every symbolic extent at its maximum.
struct KernelCosts {
  uint64_t flops = 0;  // floating-point operations that the form carries out; a multiply-add is two, a conversion none
  uint64_t bytes = 0;  // of memory touched: each element once for each param that is read, and once where it is written
};

// What one launch asks for, with every symbolic extent at its maximum. Arithmetic on indices is left out: code
// generation takes most of it out of the loops.
struct KernelWork {
  std::array<uint64_t, kCardUnitCount> units{};  // what is asked of each, as told above
  uint64_t flops = 0;                            // see KernelCosts

  KernelCosts costs() const { return {flops, of(CardUnit::kMemory)}; }
  uint64_t& of(CardUnit unit) { return units[static_cast<size_t>(unit)]; }
  uint64_t of(CardUnit unit) const { return units[static_cast<size_t>(unit)]; }
};

// Errors: see plan_kernel.
Result<KernelWork> count_work(const ir::Kernel& kernel, const KernelForm& form);
// What the cost model of tiles says (compiler/cost_model.h), by which the form was chosen; nothing for other forms.
std::optional<double> model_seconds(const ir::Kernel& kernel, const KernelForm& form);

// Of two kernels side by side: round trips overlap, the rest adds up.
KernelWork together(const KernelWork& a, const KernelWork& b);

struct Roofline {
  std::array<double, kCardUnitCount> seconds{};  // that each unit is busy
  CardUnit bound = CardUnit::kMemory;            // the busiest
  double filled = 1;                             // part of the card's SIMDs that has a wave

  double total_seconds() const { return seconds[static_cast<size_t>(bound)]; }
};

// `workgroups` of one launch. A grid that leaves SIMDs without a wave has the arithmetic of the others only.
Roofline roofline(const KernelWork& work, const Occupancy& occupancy, uint64_t workgroups);

}  // namespace bw::compiler
