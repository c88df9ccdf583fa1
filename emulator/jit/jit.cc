#include "emulator/jit/jit.h"

#include <llvm/ExecutionEngine/Orc/LLJIT.h>
#include <llvm/Support/TargetSelect.h>

#include "emulator/jit/program_builder.h"
#include "emulator/shader/interpreter.h"

namespace bw::emulator {
namespace {

class NativeProgram final : public Translation {
 public:
  const Step* entry() const override { return &data.resume_points.front(); }

  jit::ProgramData data;
  std::unique_ptr<llvm::orc::LLJIT> code;
};

class LlvmTranslator final : public Translator {
 public:
  LlvmTranslator(llvm::orc::JITTargetMachineBuilder machine, unsigned vector_lanes, uint64_t waves_before)
      : machine_(std::move(machine)), vector_lanes_(vector_lanes), waves_before_(waves_before) {}

  std::unique_ptr<Translation> translate(const Step* entry, uint32_t wave_size) override;
  uint64_t waves_before() const override { return waves_before_; }

 private:
  const llvm::orc::JITTargetMachineBuilder machine_;
  const unsigned vector_lanes_;
  const uint64_t waves_before_;
};

std::unique_ptr<Translation> LlvmTranslator::translate(const Step* entry, uint32_t wave_size) {
  auto jit = llvm::orc::LLJITBuilder().setJITTargetMachineBuilder(machine_).create();
  if (!jit) {
    llvm::consumeError(jit.takeError());
    return nullptr;
  }
  auto program = std::make_unique<NativeProgram>();
  program->code = std::move(*jit);
  auto context = std::make_unique<llvm::LLVMContext>();
  auto module = std::make_unique<llvm::Module>("program", *context);
  module->setDataLayout(program->code->getDataLayout());
  if (!jit::build_program(entry, wave_size, vector_lanes_, *module, program->data)) return nullptr;
  if (auto failed = program->code->addIRModule(llvm::orc::ThreadSafeModule(std::move(module), std::move(context)))) {
    llvm::consumeError(std::move(failed));
    return nullptr;
  }
  auto address = program->code->lookup(jit::kFunctionName);
  if (!address) {
    llvm::consumeError(address.takeError());
    return nullptr;
  }
  const auto run = address->toPtr<void (*)(Wave&, const Step&)>();
  for (Step& step : program->data.resume_points) step.run = run;
  return program;
}

}  // namespace

Result<std::unique_ptr<ShaderCores>> make_jit(size_t threads, const JitOptions& options) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!machine) return error(StatusCode::kUnsupported, "shader JIT: {}", llvm::toString(machine.takeError()));
  machine->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  // Halves are widened by F16C, whose results do not depend on the control register.
  machine->addFeatures({"-avx512fp16"});
  constexpr unsigned kLanesOfAvx2 = 8, kLanesOfAvx512 = 16;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  auto translator = std::make_unique<LlvmTranslator>(std::move(*machine), has_avx512 ? kLanesOfAvx512 : kLanesOfAvx2,
                                                     options.waves_before_translation);
  return make_interpreter(threads, Strictness::kOff, std::move(translator));
}

}  // namespace bw::emulator
