#include "compiler/codegen.h"

#include <llvm/ADT/STLFunctionalExtras.h>
#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <memory>

#include "compiler/codegen_target.h"
#include "compiler/link.h"
#include "compiler/lower_llvm.h"

namespace bw::compiler {
namespace {

std::string print_module(const llvm::Module& module) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

using Lower = llvm::function_ref<Result<std::unique_ptr<llvm::Module>>(const llvm::DataLayout&, llvm::LLVMContext&)>;

Result<CodeObject> generate(Lower lower, Keep keep) {
  CodeObject code;
  BW_ASSIGN(Target* const target, Target::of_this_thread());
  llvm::LLVMContext context;
  BW_ASSIGN(const std::unique_ptr<llvm::Module> module, lower(target->data_layout(), context));
  if (keep == Keep::kListings) code.llvm_ir = print_module(*module);
  BW_RETURN_IF_ERROR(target->optimise(*module));
  if (keep == Keep::kListings) {
    const std::unique_ptr<llvm::Module> copy = llvm::CloneModule(*module);
    BW_ASSIGN(const auto assembly, target->emit(*copy, Output::kAssembly));
    code.assembly.assign(assembly.begin(), assembly.end());
  }
  BW_ASSIGN(const auto object, target->emit(*module, Output::kObject));
  BW_ASSIGN(code.elf, link_code_object(std::as_bytes(std::span(object.data(), object.size()))));
  return code;
}

}  // namespace

Result<CodeObject> generate_code(const ir::Kernel& kernel, const KernelForm& form, Keep keep) {
  const auto lower = [&](const llvm::DataLayout& layout, llvm::LLVMContext& context) {
    return lower_to_llvm(kernel, form, layout, context);
  };
  Result<CodeObject> code = generate(lower, keep);
  if (!code.is_ok()) return std::move(code).status().with_context(fmt::format("compiling kernel {}", kernel.name));
  return code;
}

Result<CodeObject> generate_code(std::span<const KernelPart> parts, Keep keep) {
  if (parts.size() == 1) return generate_code(parts[0].kernel, parts[0].form, keep);
  const auto lower = [&](const llvm::DataLayout& layout, llvm::LLVMContext& context) {
    return lower_parts_to_llvm(parts, layout, context);
  };
  Result<CodeObject> code = generate(lower, keep);
  if (!code.is_ok()) return std::move(code).status().with_context(fmt::format("compiling {}", launch_name(parts)));
  return code;
}

uint32_t kernarg_size_bytes(const ir::Kernel& kernel) {
  return static_cast<uint32_t>(8 * (kernel.params.size() + kernel.variables.size()));
}

uint32_t kernarg_size_bytes(std::span<const KernelPart> parts) {
  return static_cast<uint32_t>(8 * (count_arguments(parts) + merge_variables(parts).size()));
}

}  // namespace bw::compiler
