#include "compiler/lower_llvm.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Function.h>
#include <llvm/TargetParser/Triple.h>

#include "compiler/codegen.h"
#include "compiler/lower_llvm_emit.h"
#include "compiler/lower_llvm_plan.h"

namespace bw::compiler {
namespace {

constexpr unsigned kGlobalAddressSpace = 1;
constexpr unsigned kCodeObjectVersion = 500;  // "amdhsa_code_object_version": 100 times the version

llvm::Function* declare(const ir::Kernel& kernel, llvm::Module& module) {
  llvm::LLVMContext& context = module.getContext();
  std::vector<llvm::Type*> types(kernel.params.size(), llvm::PointerType::get(context, kGlobalAddressSpace));
  types.resize(types.size() + kernel.variables.size(), llvm::Type::getInt32Ty(context));
  auto* type = llvm::FunctionType::get(llvm::Type::getVoidTy(context), types, false);
  auto* function = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, kKernelSymbol, module);
  function->setCallingConv(llvm::CallingConv::AMDGPU_KERNEL);
  function->setVisibility(llvm::GlobalValue::ProtectedVisibility);
  return function;
}

void describe_params(const ir::Kernel& kernel, const KernelPlan& plan, llvm::Function& function) {
  llvm::LLVMContext& context = function.getContext();
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    const ir::Node& param = *kernel.params[i];
    const auto index = static_cast<unsigned>(i);
    for (const auto kind : {llvm::Attribute::NoAlias, llvm::Attribute::NonNull, llvm::Attribute::NoUndef}) {
      function.addParamAttr(index, kind);
    }
    const uint32_t size = ir::size_bytes(param.dtype);
    function.addParamAttr(index, llvm::Attribute::getWithAlignment(context, llvm::Align(size)));
    const uint64_t bytes = static_cast<uint64_t>(ir::max_element_count(param.shape)) * size;
    if (bytes != 0) function.addParamAttr(index, llvm::Attribute::getWithDereferenceableBytes(context, bytes));
    const ParamUse use = plan.params[i];
    if (!use.read && !use.written) function.addParamAttr(index, llvm::Attribute::ReadNone);
    if (use.read && !use.written) function.addParamAttr(index, llvm::Attribute::ReadOnly);
    if (!use.read && use.written) function.addParamAttr(index, llvm::Attribute::WriteOnly);
  }
}

// What the kernel does not use is not set up by the hardware and takes no registers or kernel-argument space.
void describe_inputs(const KernelPlan& plan, llvm::Function& function) {
  for (const char* name :
       {"amdgpu-no-agpr", "amdgpu-no-completion-action", "amdgpu-no-default-queue", "amdgpu-no-dispatch-id",
        "amdgpu-no-dispatch-ptr", "amdgpu-no-heap-ptr", "amdgpu-no-hostcall-ptr", "amdgpu-no-implicitarg-ptr",
        "amdgpu-no-lds-kernel-id", "amdgpu-no-multigrid-sync-arg", "amdgpu-no-queue-ptr", "amdgpu-no-flat-scratch-init",
        "amdgpu-no-workitem-id-y", "amdgpu-no-workitem-id-z"}) {
    function.addFnAttr(name);
  }
  function.addFnAttr("amdgpu-implicitarg-num-bytes", "0");
  if (plan.global[1] == nullptr) function.addFnAttr("amdgpu-no-workgroup-id-y");
  if (plan.global[2] == nullptr) function.addFnAttr("amdgpu-no-workgroup-id-z");
}

void describe_function(const ir::Kernel& kernel, llvm::Function& function) {
  llvm::LLVMContext& context = function.getContext();
  auto* i32 = llvm::Type::getInt32Ty(context);
  const uint32_t size = kernel.workgroup_size;
  function.addFnAttr("target-cpu", kTargetCpu);
  function.addFnAttr("amdgpu-flat-work-group-size", fmt::format("{},{}", size, size));
  function.addFnAttr("uniform-work-group-size", "true");
  // Without IEEE mode v_max drops signalling NaNs too, and needs no instruction before it that quiets them.
  function.addFnAttr("amdgpu-ieee", "false");
  function.addFnAttr(llvm::Attribute::NoUnwind);
  function.addFnAttr(llvm::Attribute::MustProgress);
  llvm::Metadata* sizes[3];
  for (int i = 0; i < 3; ++i) {
    sizes[i] = llvm::ConstantAsMetadata::get(llvm::ConstantInt::get(i32, i == 0 ? size : 1));
  }
  function.setMetadata("reqd_work_group_size", llvm::MDNode::get(context, sizes));
}

Status emit_body(const ir::Kernel& kernel, const KernelForm& form, const KernelPlan& plan, llvm::Function& function) {
  if (std::holds_alternative<LaneForm>(form)) return KernelEmitter(kernel, plan, function).emit();
  return error(StatusCode::kUnsupported, "lowering kernel {}: no code for the form '{}'", kernel.name,
               print_form(form));
}

}  // namespace

Result<std::unique_ptr<llvm::Module>> lower_to_llvm(const ir::Kernel& kernel, const KernelForm& form,
                                                    const llvm::DataLayout& layout, llvm::LLVMContext& context) {
  BW_ASSIGN(const KernelPlan plan, plan_kernel(kernel));
  auto module = std::make_unique<llvm::Module>("barewave", context);
#if LLVM_VERSION_MAJOR >= 21
  module->setTargetTriple(llvm::Triple(kTargetTriple));
#else
  module->setTargetTriple(kTargetTriple);
#endif
  module->setDataLayout(layout);
  module->addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", kCodeObjectVersion);
  llvm::Function* function = declare(kernel, *module);
  describe_params(kernel, plan, *function);
  describe_inputs(plan, *function);
  describe_function(kernel, *function);
  BW_RETURN_IF_ERROR(emit_body(kernel, form, plan, *function));
  return module;
}

}  // namespace bw::compiler
