#include "compiler/lower_llvm.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/IR/Constants.h>
#include <llvm/IR/Function.h>
#include <llvm/TargetParser/Triple.h>
#include <llvm/Transforms/Utils/Cloning.h>

#include <algorithm>

#include "base/check.h"
#include "compiler/attention_emit.h"
#include "compiler/codegen.h"
#include "compiler/contraction_emit.h"
#include "compiler/contraction_match.h"
#include "compiler/lower_llvm_emit.h"
#include "compiler/lower_llvm_place.h"
#include "compiler/lower_llvm_plan.h"
#include "compiler/lower_llvm_variable.h"

namespace bw::compiler {
namespace {

constexpr unsigned kGlobalAddressSpace = 1;
constexpr unsigned kCodeObjectVersion = 500;  // "amdhsa_code_object_version": 100 times the version

// What is known of a pointer that a function gets.
struct PointerFacts {
  uint32_t align = 1;
  uint64_t size_bytes = 0;
  ParamUse use;
};

std::vector<PointerFacts> pointer_facts(const ir::Kernel& kernel, const KernelPlan& plan) {
  std::vector<PointerFacts> facts;
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    const ir::Node& param = *kernel.params[i];
    const uint32_t size = ir::size_bytes(param.dtype);
    facts.push_back({size, static_cast<uint64_t>(ir::max_element_count(param.shape)) * size, plan.params[i]});
  }
  return facts;
}

// Of the words of `count` variables, which follow the params of a kernel.
void append_variable_facts(size_t count, std::vector<PointerFacts>& facts) {
  facts.resize(facts.size() + count, {.align = kVariableBytes, .size_bytes = kVariableBytes, .use = {.read = true}});
}

llvm::FunctionType* function_type(size_t pointers, size_t words, llvm::LLVMContext& context) {
  std::vector<llvm::Type*> types(pointers, llvm::PointerType::get(context, kGlobalAddressSpace));
  types.resize(pointers + words, llvm::Type::getInt32Ty(context));
  return llvm::FunctionType::get(llvm::Type::getVoidTy(context), types, false);
}

llvm::Function* declare(size_t pointers, llvm::Module& module) {
  auto* function = llvm::Function::Create(function_type(pointers, 0, module.getContext()),
                                          llvm::GlobalValue::ExternalLinkage, kKernelSymbol, module);
  function->setCallingConv(llvm::CallingConv::AMDGPU_KERNEL);
  function->setVisibility(llvm::GlobalValue::ProtectedVisibility);
  return function;
}

void describe_params(std::span<const PointerFacts> params, llvm::Function& function) {
  llvm::LLVMContext& context = function.getContext();
  for (size_t i = 0; i < params.size(); ++i) {
    const auto index = static_cast<unsigned>(i);
    for (const auto kind : {llvm::Attribute::NoAlias, llvm::Attribute::NonNull, llvm::Attribute::NoUndef}) {
      function.addParamAttr(index, kind);
    }
    function.addParamAttr(index, llvm::Attribute::getWithAlignment(context, llvm::Align(params[i].align)));
    const uint64_t bytes = params[i].size_bytes;
    if (bytes != 0) function.addParamAttr(index, llvm::Attribute::getWithDereferenceableBytes(context, bytes));
    const ParamUse use = params[i].use;
    if (!use.read && !use.written) function.addParamAttr(index, llvm::Attribute::ReadNone);
    if (use.read && !use.written) function.addParamAttr(index, llvm::Attribute::ReadOnly);
    if (!use.read && use.written) function.addParamAttr(index, llvm::Attribute::WriteOnly);
  }
}

struct GridUse {
  bool y = false;
  bool z = false;
};

// What the kernel does not use is not set up by the hardware and takes no registers or kernel-argument space.
void describe_inputs(GridUse use, llvm::Function& function) {
  for (const char* name :
       {"amdgpu-no-agpr", "amdgpu-no-completion-action", "amdgpu-no-default-queue", "amdgpu-no-dispatch-id",
        "amdgpu-no-dispatch-ptr", "amdgpu-no-heap-ptr", "amdgpu-no-hostcall-ptr", "amdgpu-no-implicitarg-ptr",
        "amdgpu-no-lds-kernel-id", "amdgpu-no-multigrid-sync-arg", "amdgpu-no-queue-ptr", "amdgpu-no-flat-scratch-init",
        "amdgpu-no-workitem-id-y", "amdgpu-no-workitem-id-z"}) {
    function.addFnAttr(name);
  }
  function.addFnAttr("amdgpu-implicitarg-num-bytes", "0");
  if (!use.y) function.addFnAttr("amdgpu-no-workgroup-id-y");
  if (!use.z) function.addFnAttr("amdgpu-no-workgroup-id-z");
}

void describe_function(uint32_t size, llvm::Function& function) {
  llvm::LLVMContext& context = function.getContext();
  auto* i32 = llvm::Type::getInt32Ty(context);
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
  if (const auto* lanes = std::get_if<LaneForm>(&form)) {
    KernelPlan with_form = plan;
    BW_RETURN_IF_ERROR(plan_groups(kernel, *lanes, with_form));
    return KernelEmitter(kernel, with_form, function).emit();
  }
  if (const auto* attention = std::get_if<AttentionForm>(&form)) {
    return AttentionEmitter(kernel, plan, *attention, function).emit();
  }
  if (const auto* tiled = std::get_if<ContractionForm>(&form)) {
    const std::optional<Contraction> contraction = match_contraction(kernel);
    if (!contraction || !can_compute(*contraction, tiled->unit)) {
      return error(StatusCode::kInvalidArgument, "lowering kernel {}: it is no matrix product for the form '{}'",
                   kernel.name, print_form(form));
    }
    return ContractionEmitter(kernel, plan, *contraction, *tiled, function).emit();
  }
  return error(StatusCode::kUnsupported, "lowering kernel {}: no code for the form '{}'", kernel.name,
               print_form(form));
}

std::unique_ptr<llvm::Module> make_module(const llvm::DataLayout& layout, llvm::LLVMContext& context) {
  auto module = std::make_unique<llvm::Module>("barewave", context);
#if LLVM_VERSION_MAJOR >= 21
  module->setTargetTriple(llvm::Triple(kTargetTriple));
#else
  module->setTargetTriple(kTargetTriple);
#endif
  module->setDataLayout(layout);
  module->addModuleFlag(llvm::Module::Error, "amdhsa_code_object_version", kCodeObjectVersion);
  return module;
}

// The function of a launch of several parts: each part is lowered as a function of its own, which is given its
// workgroup's place in the part's grid (GridPlace knows), and put in the place of its call.
class PartsLowering {
 public:
  PartsLowering(std::span<const KernelPart> parts, llvm::Module& module)
      : parts_(parts), module_(module), b_(module.getContext()), variables_(merge_variables(parts)) {}

  Status run() {
    std::vector<PointerFacts> facts(count_arguments(parts_));
    std::vector<llvm::Function*> functions;
    for (const KernelPart& part : parts_) {
      BW_ASSIGN(llvm::Function * function, lower(part, facts));
      functions.push_back(function);
    }
    append_variable_facts(variables_.size(), facts);
    kernel_ = declare(facts.size(), module_);
    describe_params(facts, *kernel_);
    describe_inputs({}, *kernel_);
    describe_function(parts_[0].kernel.workgroup_size, *kernel_);
    return call(functions);
  }

 private:
  Result<llvm::Function*> lower(const KernelPart& part, std::vector<PointerFacts>& facts) {
    const ir::Kernel& kernel = part.kernel;
    BW_CHECK(has_static_grid(part) && kernel.workgroup_size == parts_[0].kernel.workgroup_size);
    BW_ASSIGN(const KernelPlan plan, plan_kernel(kernel));
    const std::vector<PointerFacts> own = pointer_facts(kernel, plan);
    for (size_t i = 0; i < own.size(); ++i) {
      PointerFacts& all = facts[part.arguments[i]];
      all.align = std::max(all.align, own[i].align);
      all.size_bytes = std::max(all.size_bytes, own[i].size_bytes);
      all.use.read |= own[i].use.read;
      all.use.written |= own[i].use.written;
    }
    auto* type = function_type(own.size(), kernel.variables.size() + 3, module_.getContext());
    auto* function = llvm::Function::Create(type, llvm::GlobalValue::InternalLinkage, "part", module_);
    BW_RETURN_IF_ERROR(emit_body(kernel, part.form, plan, *function));
    return function;
  }

  Status call(std::span<llvm::Function* const> functions) {
    llvm::LLVMContext& context = module_.getContext();
    b_.SetInsertPoint(llvm::BasicBlock::Create(context, "entry", kernel_));
    uint64_t end = 0;
    for (const KernelPart& part : parts_) end += count_workgroups(part);
    llvm::Value* group = GridPlace(b_).workgroup(0, static_cast<int64_t>(end));
    std::vector<llvm::CallInst*> calls;
    uint64_t begin = 0;
    for (size_t i = 0; i < parts_.size(); ++i) {
      llvm::BasicBlock* next = nullptr;
      if (i + 1 < parts_.size()) {
        auto* here = llvm::BasicBlock::Create(context, "part", kernel_);
        next = llvm::BasicBlock::Create(context, "next", kernel_);
        const uint64_t past = begin + count_workgroups(parts_[i]);
        b_.CreateCondBr(b_.CreateICmpULT(group, b_.getInt32(static_cast<uint32_t>(past))), here, next);
        b_.SetInsertPoint(here);
      }
      calls.push_back(b_.CreateCall(functions[i], arguments(parts_[i], group, begin)));
      b_.CreateRetVoid();
      if (next != nullptr) b_.SetInsertPoint(next);
      begin += count_workgroups(parts_[i]);
    }
    for (size_t i = 0; i < parts_.size(); ++i) {
      llvm::InlineFunctionInfo info;
      const llvm::InlineResult result = llvm::InlineFunction(*calls[i], info);
      if (!result.isSuccess()) {
        return error(StatusCode::kUnsupported, "lowering {}: a part cannot be inlined: {}", launch_name(parts_),
                     result.getFailureReason());
      }
      functions[i]->eraseFromParent();
    }
    return Status::ok();
  }

  // Buffers, values of variables, and the workgroup's place along x, y, z. `begin` is the part's first workgroup.
  std::vector<llvm::Value*> arguments(const KernelPart& part, llvm::Value* group, uint64_t begin) {
    std::vector<llvm::Value*> values;
    for (const size_t argument : part.arguments) values.push_back(kernel_->getArg(static_cast<unsigned>(argument)));
    const size_t pointers = kernel_->arg_size() - variables_.size();
    for (const ir::NodePtr& variable : part.kernel.variables) {
      const auto it = std::find_if(variables_.begin(), variables_.end(), [&](const ir::NodePtr& other) {
        return other->attr<ir::VariableAttr>().name == variable->attr<ir::VariableAttr>().name;
      });
      const auto argument = static_cast<unsigned>(pointers + static_cast<size_t>(it - variables_.begin()));
      values.push_back(load_variable(b_, kernel_->getArg(argument)));
    }
    llvm::Value* rest = b_.CreateSub(group, b_.getInt32(static_cast<uint32_t>(begin)), "", true, true);
    const std::array<uint32_t, 3> counts = workgroup_counts(part);
    for (size_t axis = 0; axis < counts.size(); ++axis) {
      const bool is_last = std::all_of(counts.begin() + axis + 1, counts.end(), [](uint32_t n) { return n == 1; });
      llvm::Value* count = b_.getInt32(counts[axis]);
      values.push_back(is_last ? rest : b_.CreateURem(rest, count));
      rest = is_last ? b_.getInt32(0) : b_.CreateUDiv(rest, count);
    }
    return values;
  }

  std::span<const KernelPart> parts_;
  llvm::Module& module_;
  llvm::IRBuilder<> b_;
  std::vector<ir::NodePtr> variables_;
  llvm::Function* kernel_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<llvm::Module>> lower_to_llvm(const ir::Kernel& kernel, const KernelForm& form,
                                                    const llvm::DataLayout& layout, llvm::LLVMContext& context) {
  BW_ASSIGN(const KernelPlan plan, plan_kernel(kernel));
  std::unique_ptr<llvm::Module> module = make_module(layout, context);
  std::vector<PointerFacts> facts = pointer_facts(kernel, plan);
  append_variable_facts(kernel.variables.size(), facts);
  llvm::Function* function = declare(facts.size(), *module);
  describe_params(facts, *function);
  describe_inputs({.y = plan.global[1] != nullptr, .z = plan.global[2] != nullptr}, *function);
  describe_function(kernel.workgroup_size, *function);
  BW_RETURN_IF_ERROR(emit_body(kernel, form, plan, *function));
  return module;
}

Result<std::unique_ptr<llvm::Module>> lower_parts_to_llvm(std::span<const KernelPart> parts,
                                                          const llvm::DataLayout& layout, llvm::LLVMContext& context) {
  std::unique_ptr<llvm::Module> module = make_module(layout, context);
  BW_RETURN_IF_ERROR(PartsLowering(parts, *module).run());
  return module;
}

}  // namespace bw::compiler
