#include "tests/isa/llvm_compile.h"

#include <llvm-c/Core.h>
#include <llvm-c/IRReader.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>

#include <cstdio>
#include <cstdlib>

#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

[[noreturn]] void give_up(const std::string& what, const std::string& ir) {
  std::fprintf(stderr, "%s\n%s\n", what.c_str(), ir.c_str());
  std::abort();
}

// The number after a directive of the assembler text; 0 if there is none.
uint32_t directive(const std::string& text, const std::string& name) {
  const size_t at = text.find(name + " ");
  return at == std::string::npos ? 0 : static_cast<uint32_t>(std::stoul(text.substr(at + name.size() + 1)));
}

std::string to_assembler(const std::string& ir) {
  LLVMContextRef context = LLVMContextCreate();
  LLVMMemoryBufferRef buffer = LLVMCreateMemoryBufferWithMemoryRangeCopy(ir.data(), ir.size(), "ir");
  LLVMModuleRef module = nullptr;
  char* message = nullptr;
  if (LLVMParseIRInContext(context, buffer, &module, &message)) give_up(message, ir);
  LLVMTargetRef target = nullptr;
  if (LLVMGetTargetFromTriple("amdgcn-amd-amdhsa", &target, &message)) give_up(message, ir);
  LLVMTargetMachineRef machine = LLVMCreateTargetMachine(target, "amdgcn-amd-amdhsa", "gfx1100", "+wavefrontsize32",
                                                         LLVMCodeGenLevelDefault, LLVMRelocPIC, LLVMCodeModelDefault);
  LLVMMemoryBufferRef out = nullptr;
  if (LLVMTargetMachineEmitToMemoryBuffer(machine, module, LLVMAssemblyFile, &message, &out)) give_up(message, ir);
  std::string text(LLVMGetBufferStart(out), LLVMGetBufferSize(out));
  LLVMDisposeMemoryBuffer(out);
  LLVMDisposeTargetMachine(machine);
  LLVMDisposeModule(module);
  LLVMContextDispose(context);
  return text;
}

}  // namespace

CompiledKernel compile_ir(const std::string& ir) {
  LLVMInitializeAMDGPUTargetInfo();
  LLVMInitializeAMDGPUTarget();
  LLVMInitializeAMDGPUTargetMC();
  LLVMInitializeAMDGPUAsmPrinter();
  const std::string text = to_assembler(ir);
  CompiledKernel kernel;
  std::string error;
  auto code = LlvmMc().assemble(text, &error);
  if (!code) give_up(error, text);
  kernel.code = *code;
  kernel.user_sgprs = directive(text, ".amdhsa_user_sgpr_count");
  kernel.workgroup_id_x = directive(text, ".amdhsa_system_sgpr_workgroup_id_x") != 0;
  kernel.scratch_bytes_per_lane = directive(text, ".amdhsa_private_segment_fixed_size");
  return kernel;
}

}  // namespace bw::test
