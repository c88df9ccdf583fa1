#include "compiler/kernel_form.h"

#include <fmt/format.h>

namespace bw::compiler {
namespace {

std::string print(const LaneForm& form) {
  return form.groups == LaneForm::Groups::kStrided ? "lanes, strided groups" : "lanes";
}

std::string print(const AttentionForm& form) {
  return fmt::format("attention, {} queries, {} waves", form.queries, form.waves);
}

const char* name(ProductUnit unit) {
  switch (unit) {
    case ProductUnit::kFma:
      return "fma";
    case ProductUnit::kWmmaF16:
      return "wmma_f16";
    case ProductUnit::kWmmaBf16:
      return "wmma_bf16";
    case ProductUnit::kWmmaI8:
      return "wmma_iu8";
  }
  return "";
}

std::string print(const ContractionForm& form) {
  return fmt::format("contraction {}: block {}x{}x{}, wave {}x{}, {} LDS buffer{}{}", name(form.unit), form.block_m,
                     form.block_n, form.block_k, form.wave_m, form.wave_n, form.buffers, form.buffers == 1 ? "" : "s",
                     form.loads == ContractionForm::Loads::kAtOnce ? ", loaded at once" : "");
}

}  // namespace

std::string print_form(const KernelForm& form) {
  return std::visit([](const auto& chosen) { return print(chosen); }, form);
}

}  // namespace bw::compiler
