#include "compiler/kernel_form.h"

namespace bw::compiler {
namespace {

std::string print(const LaneForm&) {
  return "lanes";
}

}  // namespace

std::string print_form(const KernelForm& form) {
  return std::visit([](const auto& chosen) { return print(chosen); }, form);
}

}  // namespace bw::compiler
