// Owns: a kernel's loops as text for people: which of them are lanes, which are repeated, what is computed where. Not
// here: the exact form that parses back (ir/text.h).
//
//   for global_x1 in 0..4096            # one lane each, 256 to a workgroup
//     sum3 = 0
//     for loop2 in 0..512
//       sum3 += x[global_x1*512 + loop2] * 0.5
//     y[global_x1] = sum3
#pragma once

#include <cstddef>
#include <string>

#include "base/status.h"
#include "compiler/kernel_form.h"
#include "ir/kernel.h"

namespace bw::compiler::explain {

// What the loops of the grid are dealt out to is said for the forms where the ranges alone tell it. Lines beyond
// `max_lines` are left out, and a last line tells how many. Errors: see plan_kernel.
Result<std::string> print_loops(const ir::Kernel& kernel, const KernelForm& form, size_t max_lines);

}  // namespace bw::compiler::explain
