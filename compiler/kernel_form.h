// Owns: how the work of a kernel is dealt out to workgroups, waves and lanes where its ranges alone do not say: the
// scheduler chooses a form, code generation follows it. What a kernel computes is the same in every form.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace bw::compiler {

// Each lane goes through the kernel's loops by itself; kGlobal ranges are its place in the grid, and a kGroup range its
// place among those that work together there (ir/kernel.h).
struct LaneForm {
  // Which lanes of a workgroup are a group: neighbours, or, strided, those that are as far from each other as the
  // workgroup has places (a multiple of a wave): neighbouring lanes are neighbouring places then.
  enum class Groups : uint8_t { kNeighbours, kStrided };
  Groups groups = Groups::kNeighbours;

  bool operator==(const LaneForm&) const = default;
};

// softmax(scores) times values with an online softmax (compiler/attention_emit.h). A workgroup does `queries` rows of
// the range along y and all columns along x for one place along z; its `waves` share the positions, 32 at a time.
struct AttentionForm {
  uint32_t queries = 1;
  uint32_t waves = 1;
  bool operator==(const AttentionForm&) const = default;
};

// What multiplies: v_fma or an integer multiply-add in each lane, or one of the v_wmma 16x16x16 instructions.
enum class ProductUnit : uint8_t { kFma, kWmmaF16, kWmmaBf16, kWmmaI8 };

// A matrix product (compiler/contraction_match.h) through tiles in LDS. kGlobalY is the row of an element, kGlobalX its
// column, kGlobalZ its batch. A workgroup computes block_m x block_n elements, each of its waves wave_m x wave_n of
// them, after it has staged block_k elements of depth of both operands in LDS; then the next block_k.
// With two buffers one is filled while the other is read.
struct ContractionForm {
  // When what a step stages is loaded: ahead, while the step before multiplies, which keeps it in registers all the
  // while; or at once, so that these registers are free for larger tiles, and other waves have to hide the latency.
  enum class Loads : uint8_t { kAhead, kAtOnce };
  ProductUnit unit = ProductUnit::kFma;
  uint32_t block_m = 0;
  uint32_t block_n = 0;
  uint32_t block_k = 0;
  uint32_t wave_m = 0;
  uint32_t wave_n = 0;
  uint32_t buffers = 1;
  Loads loads = Loads::kAhead;

  uint32_t waves() const { return block_m / wave_m * (block_n / wave_n); }
  uint32_t lanes() const { return waves() * 32; }
  bool operator==(const ContractionForm&) const = default;
};

using KernelForm = std::variant<LaneForm, AttentionForm, ContractionForm>;

// One line, the same for equal forms only: part of the key of cached code objects, and what `explain` shows.
std::string print_form(const KernelForm& form);

}  // namespace bw::compiler
