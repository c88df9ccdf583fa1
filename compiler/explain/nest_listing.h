// Owns: the loops of a kernel as the card goes through them, as text for people: what workgroups, waves and lanes do
// side by side, which loops are steps and which are written out, where LDS is filled and where waves meet at barriers.
// Not here: what is computed in the loops (loop_listing.h).
//
//   for workgroup_y in 0..16                # 128 of global_y2 each
//     for workgroup_x in 0..16              # 128 of global_x1 each
//       for step in 0..64                   # 32 of the depth each
//         fill LDS buffer step % 2          # by all lanes: 128 x 32 of rows, 32 x 128 of columns
//         barrier
//         ...
#pragma once

#include <string>

#include "base/status.h"
#include "compiler/kernel_part.h"

namespace bw::compiler::explain {

// From the form; what a form makes of a kernel is code generation's (compiler/contraction_emit.h,
// compiler/attention_emit.h, compiler/lower_llvm_lanes.cc). Errors: a kernel that does not fit its form.
Result<std::string> print_nest(const KernelPart& part);

}  // namespace bw::compiler::explain
