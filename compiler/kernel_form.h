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
  bool operator==(const LaneForm&) const = default;
};

// softmax(scores) times values with an online softmax (compiler/attention_emit.h). A workgroup does `queries` rows of
// the range along y and all columns along x for one place along z; its `waves` share the positions, 32 at a time.
struct AttentionForm {
  uint32_t queries = 1;
  uint32_t waves = 1;
  bool operator==(const AttentionForm&) const = default;
};

using KernelForm = std::variant<LaneForm, AttentionForm>;

// One line, the same for equal forms only: part of the key of cached code objects, and what `explain` shows.
std::string print_form(const KernelForm& form);

}  // namespace bw::compiler
