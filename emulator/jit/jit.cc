#include "emulator/jit/jit.h"

#include <llvm/ExecutionEngine/Orc/CompileUtils.h>
#include <llvm/Support/TargetSelect.h>

#include "emulator/jit/linker.h"
#include "emulator/jit/native_program.h"
#include "emulator/jit/program_builder.h"
#include "emulator/shader/interpreter.h"

namespace bw::emulator {
namespace {

class LlvmTranslator final : public Translator {
 public:
  LlvmTranslator(llvm::orc::JITTargetMachineBuilder machine, llvm::DataLayout layout, unsigned vector_lanes,
                 uint64_t waves_before, std::unique_ptr<jit::Linker> linker)
      : compiler_(std::move(machine)),
        layout_(std::move(layout)),
        vector_lanes_(vector_lanes),
        waves_before_(waves_before),
        linker_(std::move(linker)) {}

  Result<std::unique_ptr<Translation>> translate(const Step* entry, uint32_t wave_size) override;
  uint64_t waves_before() const override { return waves_before_; }

 private:
  Result<jit::CodeImage> compile(const jit::ControlFlow& flow, uint32_t wave_size);

  llvm::orc::ConcurrentIRCompiler compiler_;
  const llvm::DataLayout layout_;
  const unsigned vector_lanes_;
  const uint64_t waves_before_;
  const std::unique_ptr<jit::Linker> linker_;
};

Result<jit::CodeImage> LlvmTranslator::compile(const jit::ControlFlow& flow, uint32_t wave_size) {
  llvm::LLVMContext context;
  llvm::Module module("program", context);
  module.setDataLayout(layout_);
  jit::CodeImage image;
  jit::build_program(flow, wave_size, vector_lanes_, module, image);
  auto object = compiler_(module);
  if (!object) return error(StatusCode::kIo, "compiling: {}", llvm::toString(object.takeError()));
  const auto bytes = std::as_bytes(std::span((*object)->getBufferStart(), (*object)->getBufferSize()));
  image.object.assign(bytes.begin(), bytes.end());
  return image;
}

Result<std::unique_ptr<Translation>> LlvmTranslator::translate(const Step* entry, uint32_t wave_size) {
  const std::optional<jit::ControlFlow> flow = jit::follow_control_flow(entry);
  if (!flow) {
    return error(StatusCode::kUnsupported, "program at {:#x} has more than {} steps", entry->pc,
                 jit::kMaxTranslatedSteps);
  }
  BW_ASSIGN(const jit::CodeImage image, compile(*flow, wave_size));
  BW_ASSIGN(std::unique_ptr<Translation> program, jit::NativeProgram::create(image, *flow, *linker_));
  return program;
}

}  // namespace

Result<std::unique_ptr<ShaderCores>> make_jit(size_t threads, const JitOptions& options) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!machine) return error(StatusCode::kUnsupported, "shader JIT: {}", llvm::toString(machine.takeError()));
  machine->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  machine->setRelocationModel(llvm::Reloc::PIC_);
  // Halves are widened by F16C, whose results do not depend on the control register.
  machine->addFeatures({"-avx512fp16"});
  auto layout = machine->getDefaultDataLayoutForTarget();
  if (!layout) return error(StatusCode::kUnsupported, "shader JIT: {}", llvm::toString(layout.takeError()));
  constexpr unsigned kLanesOfAvx2 = 8, kLanesOfAvx512 = 16;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  BW_ASSIGN(std::unique_ptr<jit::Linker> linker, jit::Linker::create(*machine));
  auto translator = std::make_unique<LlvmTranslator>(std::move(*machine), std::move(*layout),
                                                     has_avx512 ? kLanesOfAvx512 : kLanesOfAvx2,
                                                     options.waves_before_translation, std::move(linker));
  return make_interpreter(threads, Strictness::kOff, std::move(translator));
}

}  // namespace bw::emulator
