#include "compiler/codegen_target.h"

#include <llvm/Analysis/AliasAnalysis.h>
#include <llvm/Analysis/CGSCCPassManager.h>
#include <llvm/Analysis/LoopAnalysisManager.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/Instructions.h>
#include <llvm/IR/IntrinsicInst.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/PassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/TargetParser/Triple.h>
#include <llvm/Transforms/InstCombine/InstCombine.h>
#include <llvm/Transforms/Scalar/EarlyCSE.h>
#include <llvm/Transforms/Scalar/LICM.h>
#include <llvm/Transforms/Scalar/LoopPassManager.h>
#include <llvm/Transforms/Scalar/SimplifyCFG.h>
#include <llvm/Transforms/Vectorize/SLPVectorizer.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "compiler/codegen.h"

extern "C" {
void LLVMInitializeAMDGPUTargetInfo();
void LLVMInitializeAMDGPUTarget();
void LLVMInitializeAMDGPUTargetMC();
void LLVMInitializeAMDGPUAsmPrinter();
}

namespace bw::compiler {
namespace {

// Without v_dot4_u32_u8, LLVM leaves sums of products of bytes alone: its matcher takes parts of a masked product for
// addends (llvm-project pull request 198412; docs/errata.md). llvm.amdgcn.sudot4, which is another feature, remains.
constexpr const char* kTargetFeatures = "-dot7-insts";

[[noreturn]] void on_llvm_fatal_error(void*, const char* reason, bool) {
  std::fprintf(stderr, "barewave: internal error of LLVM %s while compiling for %s: %s\n", LLVM_VERSION_STRING,
               kTargetCpu, reason);
  std::abort();
}

void initialize_llvm() {
  static std::once_flag once;
  std::call_once(once, [] {
    llvm::install_fatal_error_handler(on_llvm_fatal_error);
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTarget();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUAsmPrinter();
  });
}

Result<std::unique_ptr<llvm::TargetMachine>> make_machine() {
  initialize_llvm();
  std::string problem;
#if LLVM_VERSION_MAJOR >= 21
  const llvm::Triple triple(kTargetTriple);
#else
  const std::string triple = kTargetTriple;
#endif
  const llvm::Target* target = llvm::TargetRegistry::lookupTarget(triple, problem);
  if (target == nullptr) {
    return error(StatusCode::kUnsupported, "looking for LLVM's target {}: {} (this LLVM was built without AMDGPU)",
                 kTargetTriple, problem);
  }
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Strict;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, kTargetCpu, kTargetFeatures, options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Default));
  if (machine == nullptr) {
    return error(StatusCode::kUnsupported, "making LLVM's target machine for {}: LLVM has none", kTargetCpu);
  }
  return machine;
}

// Collects the errors that LLVM reports while code is generated from a context.
struct Diagnostics final : llvm::DiagnosticHandler {
  explicit Diagnostics(std::string& to) : text(to) {}
  bool handleDiagnostics(const llvm::DiagnosticInfo& info) override {
    if (info.getSeverity() != llvm::DS_Error) return true;
    llvm::raw_string_ostream stream(text);
    if (!text.empty()) stream << "; ";
    llvm::DiagnosticPrinterRawOStream printer(stream);
    info.print(printer);
    return true;
  }
  std::string& text;
};

// Whether there is arithmetic on f16, two of which an instruction can do at once (v_pk_*).
bool has_half_arithmetic(const llvm::Function& function) {
  const auto is_arithmetic = [](const llvm::Instruction& instruction) {
    return instruction.getType()->isHalfTy() &&
           (llvm::isa<llvm::BinaryOperator>(instruction) || llvm::isa<llvm::IntrinsicInst>(instruction));
  };
  return std::any_of(llvm::inst_begin(function), llvm::inst_end(function), is_arithmetic);
}

// A signed integer of fewer than 32 bits is extended before it is converted to floating point: left to itself the
// backend extends an i8 twice. To be done last, since InstCombine undoes it.
void widen_conversions(llvm::Function& function) {
  llvm::IRBuilder<> builder(function.getContext());
  for (llvm::BasicBlock& block : function) {
    for (llvm::Instruction& instruction : block) {
      auto* conversion = llvm::dyn_cast<llvm::SIToFPInst>(&instruction);
      if (conversion == nullptr || conversion->getSrcTy()->getScalarSizeInBits() >= 32) continue;
      builder.SetInsertPoint(conversion);
      conversion->setOperand(0, builder.CreateSExt(conversion->getOperand(0), builder.getInt32Ty()));
    }
  }
}

}  // namespace

Target::Target(std::unique_ptr<llvm::TargetMachine> machine)
    : machine_(std::move(machine)), layout_(machine_->createDataLayout()) {}

Result<Target*> Target::of_this_thread() {
  thread_local std::unique_ptr<Target> target;
  if (target == nullptr) {
    BW_ASSIGN(auto machine, make_machine());
    target.reset(new Target(std::move(machine)));
  }
  return target.get();
}

// The lowering places nodes and unrolls loops itself; what is left is to fold, to share and to hoist address
// arithmetic. The load-store vectoriser and the splitting of constant offsets belong to the backend.
Status Target::optimise(llvm::Module& module) {
  std::string problem;
  llvm::raw_string_ostream stream(problem);
  if (llvm::verifyModule(module, &stream)) {
    return error(StatusCode::kUnsupported, "checking the generated LLVM IR: {}", stream.str());
  }
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graphs;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine_.get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graphs);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graphs, modules);
  llvm::FunctionPassManager fold;
  fold.addPass(llvm::EarlyCSEPass());
  fold.addPass(llvm::InstCombinePass());
  llvm::FunctionPassManager hoist;
  hoist.addPass(llvm::createFunctionToLoopPassAdaptor(llvm::LICMPass(llvm::LICMOptions()), /*UseMemorySSA=*/true));
  hoist.addPass(llvm::EarlyCSEPass(/*UseMemorySSA=*/true));
  llvm::FunctionPassManager pairs;
  pairs.addPass(llvm::SLPVectorizerPass());
  for (llvm::Function& function : module) {
    if (function.isDeclaration()) continue;
    fold.run(function, functions);
    if (!function.hasFnAttribute(kHoistedAttribute)) hoist.run(function, functions);
    if (has_half_arithmetic(function)) pairs.run(function, functions);
    widen_conversions(function);
  }
  return Status::ok();
}

Result<llvm::SmallVector<char, 0>> Target::emit(llvm::Module& module, Output output) {
  std::string problem;
  module.getContext().setDiagnosticHandler(std::make_unique<Diagnostics>(problem));
  llvm::SmallVector<char, 0> bytes;
  llvm::raw_svector_ostream stream(bytes);
  llvm::legacy::PassManager passes;
  const auto type = output == Output::kObject ? llvm::CodeGenFileType::ObjectFile : llvm::CodeGenFileType::AssemblyFile;
  if (machine_->addPassesToEmitFile(passes, stream, nullptr, type)) {
    return error(StatusCode::kUnsupported, "generating code for {}: LLVM cannot write this kind of file", kTargetCpu);
  }
  passes.run(module);
  module.getContext().setDiagnosticHandler(nullptr);
  if (!problem.empty()) return error(StatusCode::kUnsupported, "generating code for {}: {}", kTargetCpu, problem);
  return bytes;
}

}  // namespace bw::compiler
