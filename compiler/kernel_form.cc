#include "compiler/kernel_form.h"

#include <fmt/format.h>

namespace bw::compiler {
namespace {

std::string print(const LaneForm&) {
  return "lanes";
}

std::string print(const AttentionForm& form) {
  return fmt::format("attention, {} queries, {} waves", form.queries, form.waves);
}

}  // namespace

std::string print_form(const KernelForm& form) {
  return std::visit([](const auto& chosen) { return print(chosen); }, form);
}

}  // namespace bw::compiler
