#include "emulator/jit/jit.h"

#include <llvm/ExecutionEngine/Orc/CompileUtils.h>
#include <llvm/Support/TargetSelect.h>

#include <algorithm>
#include <mutex>
#include <optional>
#include <vector>

#include "emulator/jit/disk_cache.h"
#include "emulator/jit/linker.h"
#include "emulator/jit/native_program.h"
#include "emulator/jit/program_builder.h"
#include "emulator/shader/interpreter.h"

namespace bw::emulator {
namespace {

// What translation needs of LLVM and of the host.
struct Toolchain {
  llvm::orc::ConcurrentIRCompiler compiler;
  llvm::DataLayout layout;
  unsigned vector_lanes;
  std::unique_ptr<jit::Linker> linker;
  jit::DiskCache cache;
};

// All that code made by LLVM depends on besides its input.
std::string describe(const llvm::orc::JITTargetMachineBuilder& machine) {
  std::vector<std::string> features = machine.getFeatures().getFeatures();
  std::sort(features.begin(), features.end());
  return fmt::format("{} {} {}", machine.getTargetTriple().str(), machine.getCPU(), fmt::join(features, ","));
}

Result<std::unique_ptr<Toolchain>> make_toolchain(const std::string& cache_dir) {
  llvm::InitializeNativeTarget();
  llvm::InitializeNativeTargetAsmPrinter();
  auto machine = llvm::orc::JITTargetMachineBuilder::detectHost();
  if (!machine) return error(StatusCode::kIo, "LLVM on this host: {}", llvm::toString(machine.takeError()));
  machine->setCodeGenOptLevel(llvm::CodeGenOptLevel::Default);
  machine->setRelocationModel(llvm::Reloc::PIC_);
  // Halves are widened by F16C, whose results do not depend on the control register.
  machine->addFeatures({"-avx512fp16"});
  auto layout = machine->getDefaultDataLayoutForTarget();
  if (!layout) return error(StatusCode::kIo, "LLVM on this host: {}", llvm::toString(layout.takeError()));
  constexpr unsigned kLanesOfAvx2 = 8, kLanesOfAvx512 = 16;
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  BW_ASSIGN(std::unique_ptr<jit::Linker> linker, jit::Linker::create(*machine));
  return std::unique_ptr<Toolchain>(new Toolchain{llvm::orc::ConcurrentIRCompiler(*machine), std::move(*layout),
                                                  has_avx512 ? kLanesOfAvx512 : kLanesOfAvx2, std::move(linker),
                                                  jit::DiskCache(cache_dir, describe(*machine))});
}

class LlvmTranslator final : public Translator {
 public:
  LlvmTranslator(std::string cache_dir, std::function<void(const Status&)> warn)
      : cache_dir_(std::move(cache_dir)), warn_(std::move(warn)) {}

  std::unique_ptr<Translation> find(const ProgramCode& code) override;
  Result<std::unique_ptr<Translation>> translate(const ProgramCode& code) override;

 private:
  // Made with the first program: many processes open a card and translate nothing.
  Result<Toolchain*> toolchain();

  const std::string cache_dir_;
  const std::function<void(const Status&)> warn_;
  std::mutex mutex_;
  std::optional<Result<std::unique_ptr<Toolchain>>> toolchain_;  // guarded by mutex_
  std::once_flag cache_problem_told_;
};

Result<Toolchain*> LlvmTranslator::toolchain() {
  std::lock_guard lock(mutex_);
  if (!toolchain_) toolchain_ = make_toolchain(cache_dir_);
  if (!toolchain_->is_ok()) return toolchain_->status();
  return toolchain_->value().get();
}

Result<jit::CodeImage> compile(const jit::ControlFlow& flow, uint32_t wave_size, Toolchain& tools) {
  llvm::LLVMContext context;
  llvm::Module module("program", context);
  module.setDataLayout(tools.layout);
  jit::CodeImage image;
  jit::build_program(flow, wave_size, tools.vector_lanes, module, image);
  auto object = tools.compiler(module);
  if (!object) return error(StatusCode::kIo, "compiling: {}", llvm::toString(object.takeError()));
  const auto bytes = std::as_bytes(std::span((*object)->getBufferStart(), (*object)->getBufferSize()));
  image.object.assign(bytes.begin(), bytes.end());
  return image;
}

std::unique_ptr<Translation> LlvmTranslator::find(const ProgramCode& code) {
  if (cache_dir_.empty()) return nullptr;
  auto tools = toolchain();
  if (!tools.is_ok()) return nullptr;  // translate() tells
  jit::DiskCache& cache = tools.value()->cache;
  const std::optional<jit::CodeImage> image = cache.find(cache.key_of(code));
  if (!image) return nullptr;
  const std::optional<jit::ControlFlow> flow = jit::follow_control_flow(code.entry);
  if (!flow) return nullptr;
  // A file that does not fit the program counts as absent.
  auto program = jit::NativeProgram::create(*image, *flow, *tools.value()->linker);
  return program.is_ok() ? std::move(program).value() : nullptr;
}

Result<std::unique_ptr<Translation>> LlvmTranslator::translate(const ProgramCode& code) {
  const std::string context = fmt::format("translating the program at {:#x}", code.entry->pc);
  const std::optional<jit::ControlFlow> flow = jit::follow_control_flow(code.entry);
  if (!flow) return error(StatusCode::kUnsupported, "{}: more than {} steps", context, jit::kMaxTranslatedSteps);
  auto tools = toolchain();
  if (!tools.is_ok()) return std::move(tools).status().with_context(context);
  auto image = compile(*flow, code.wave_size, *tools.value());
  if (!image.is_ok()) return std::move(image).status().with_context(context);
  auto program = jit::NativeProgram::create(image.value(), *flow, *tools.value()->linker);
  if (!program.is_ok()) return std::move(program).status().with_context(context);
  jit::DiskCache& cache = tools.value()->cache;
  cache.insert(cache.key_of(code), image.value());
  if (const std::string problem = cache.problem(); !problem.empty() && warn_) {
    std::call_once(cache_problem_told_, [&] { warn_(Status(StatusCode::kIo, problem)); });
  }
  return std::unique_ptr<Translation>(std::move(program).value());
}

}  // namespace

Result<std::unique_ptr<ShaderCores>> make_jit(size_t threads, JitOptions options) {
  auto translator = std::make_unique<LlvmTranslator>(std::move(options.cache_dir), options.tiering.warn);
  auto tiering = std::make_unique<Tiering>(std::move(translator), std::move(options.tiering));
  return make_interpreter(threads, Strictness::kOff, std::move(tiering));
}

}  // namespace bw::emulator
