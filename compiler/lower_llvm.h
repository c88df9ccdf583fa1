// Owns: from a verified kernel to an LLVM module with one function, ready for LLVM's AMDGPU backend.
//
// The function `kKernelSymbol` takes one global pointer for each param, then one for each variable, and no hidden
// argument: its kernel-argument segment has just these. A variable's points to a 32-bit word that holds its value and
// does not change while the kernel runs (lower_llvm_variable.h); so values can change on the device, without the host.
// Params are distinct memory unless none of those that overlap is written; each is as long as its shape says and
// aligned to its element. LLVM merges neighbouring accesses to 128 bits whatever their alignment: for amdhsa it has
// unaligned-access-mode on, and Linux sets SH_MEM_CONFIG.ALIGNMENT_MODE to unaligned (kfd_device_queue_manager_v11.c).
//
// Floating point: no contraction or reassociation but these. A kMulAcc is one fused operation, a reduce_add over a
// product fuses product and sum (it rounds once), and the scale of a quantised block is multiplied with the block's sum
// rather than with each quant (lower_llvm_scaled.cc). Attention rescales its sums (attention_emit.h). Sums and products
// of f16 and bf16 are accumulated in f32. f32 ops keep denormals. kExp2, kLog2, kSqrt, kRecip are within 2 ulp in f32;
// kSin as lower_llvm_float.cc states.
//
// Known trouble on real gfx11 cards with code of LLVM 19, of which this lowering has no work-around for want of
// evidence: kernels that hang where LLVM 20's do not (tinygrad pull requests 10779, 10782), a wrong LDS reload after a
// barrier in large workgroups (llvm-project issue 207883), V_MAD_U64_U32 / V_MAD_I64_I32 on GFX11.0.x (llvm-project
// pull request 79460).
#pragma once

#include <llvm/IR/DataLayout.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>

#include <memory>
#include <span>

#include "base/status.h"
#include "compiler/kernel_form.h"
#include "compiler/kernel_part.h"
#include "ir/kernel.h"

namespace bw::compiler {

// `triple` and `layout` are those of the target machine. Errors: see plan_kernel.
Result<std::unique_ptr<llvm::Module>> lower_to_llvm(const ir::Kernel& kernel, const KernelForm& form,
                                                    const llvm::DataLayout& layout, llvm::LLVMContext& context);

// One function for a launch of several parts (compiler/kernel_part.h), whose params are the buffers of the launch. Each
// workgroup does one part: the first numbers along x belong to the first part, and so on.
Result<std::unique_ptr<llvm::Module>> lower_parts_to_llvm(std::span<const KernelPart> parts,
                                                          const llvm::DataLayout& layout, llvm::LLVMContext& context);

}  // namespace bw::compiler
