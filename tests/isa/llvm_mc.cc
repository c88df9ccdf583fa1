#include "tests/isa/llvm_mc.h"

#include <llvm/ADT/SmallVector.h>
#include <llvm/MC/MCAsmBackend.h>
#include <llvm/MC/MCAsmInfo.h>
#include <llvm/MC/MCCodeEmitter.h>
#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCDisassembler/MCDisassembler.h>
#include <llvm/MC/MCInstPrinter.h>
#include <llvm/MC/MCInstrInfo.h>
#include <llvm/MC/MCObjectFileInfo.h>
#include <llvm/MC/MCObjectWriter.h>
#include <llvm/MC/MCParser/MCAsmParser.h>
#include <llvm/MC/MCParser/MCTargetAsmParser.h>
#include <llvm/MC/MCRegisterInfo.h>
#include <llvm/MC/MCStreamer.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Object/ELFObjectFile.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Triple.h>

#include <cstring>

namespace bw::test {
namespace {

constexpr const char* kTriple = "amdgcn-amd-amdhsa";

const llvm::Target* target() {
  LLVMInitializeAMDGPUTargetInfo();
  LLVMInitializeAMDGPUTarget();
  LLVMInitializeAMDGPUTargetMC();
  LLVMInitializeAMDGPUDisassembler();
  LLVMInitializeAMDGPUAsmParser();
  std::string error;
  return llvm::TargetRegistry::lookupTarget(kTriple, error);
}

std::vector<uint32_t> text_section(llvm::StringRef object_bytes) {
  auto object = llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object_bytes, "asm"));
  if (!object) {
    llvm::consumeError(object.takeError());
    return {};
  }
  for (const llvm::object::SectionRef& section : (*object)->sections()) {
    auto name = section.getName();
    auto contents = section.getContents();
    if (!name || !contents || *name != ".text") continue;
    std::vector<uint32_t> dwords(contents->size() / 4);
    std::memcpy(dwords.data(), contents->data(), dwords.size() * 4);
    return dwords;
  }
  return {};
}

}  // namespace

struct LlvmMc::State {
  const llvm::Target* target;
  llvm::MCTargetOptions options;
  std::unique_ptr<llvm::MCRegisterInfo> registers;
  std::unique_ptr<llvm::MCAsmInfo> asm_info;
  std::unique_ptr<llvm::MCInstrInfo> instructions;
  std::unique_ptr<llvm::MCSubtargetInfo> subtarget;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<llvm::MCDisassembler> disassembler;
  std::unique_ptr<llvm::MCInstPrinter> printer;
};

LlvmMc::LlvmMc(const std::string& features) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.target = target();
  s.registers.reset(s.target->createMCRegInfo(kTriple));
  s.asm_info.reset(s.target->createMCAsmInfo(*s.registers, kTriple, s.options));
  s.instructions.reset(s.target->createMCInstrInfo());
  s.subtarget.reset(s.target->createMCSubtargetInfo(kTriple, "gfx1100", features));
  s.context =
      std::make_unique<llvm::MCContext>(llvm::Triple(kTriple), s.asm_info.get(), s.registers.get(), s.subtarget.get());
  s.disassembler.reset(s.target->createMCDisassembler(*s.subtarget, *s.context));
  s.printer.reset(s.target->createMCInstPrinter(llvm::Triple(kTriple), s.asm_info->getAssemblerDialect(), *s.asm_info,
                                                *s.instructions, *s.registers));
}

LlvmMc::~LlvmMc() = default;

std::optional<LlvmMc::Text> LlvmMc::disassemble(std::span<const uint32_t> dwords) {
  const llvm::ArrayRef<uint8_t> bytes(reinterpret_cast<const uint8_t*>(dwords.data()), dwords.size_bytes());
  llvm::MCInst inst;
  Text out;
  uint64_t size = 0;
  if (state_->disassembler->getInstruction(inst, size, bytes, 0, llvm::nulls()) != llvm::MCDisassembler::Success) {
    return std::nullopt;
  }
  llvm::raw_string_ostream stream(out.text);
  state_->printer->printInst(&inst, 0, "", *state_->subtarget, stream);
  stream.flush();
  out.text.erase(0, out.text.find_first_not_of(" \t"));
  out.mnemonic = out.text.substr(0, out.text.find_first_of(" \t"));
  out.size_bytes = size;
  return out;
}

std::optional<std::vector<uint32_t>> LlvmMc::assemble(const std::string& text, std::string* error) {
  State& s = *state_;
  llvm::SourceMgr sources;
  std::string diagnostics;
  sources.setDiagHandler(
      [](const llvm::SMDiagnostic& d, void* out) { *static_cast<std::string*>(out) += d.getMessage().str() + "\n"; },
      &diagnostics);
  sources.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text), llvm::SMLoc());
  llvm::MCContext context(llvm::Triple(kTriple), s.asm_info.get(), s.registers.get(), s.subtarget.get(), &sources,
                          &s.options);
  std::unique_ptr<llvm::MCObjectFileInfo> files(s.target->createMCObjectFileInfo(context, false));
  context.setObjectFileInfo(files.get());
  llvm::SmallVector<char, 4096> bytes;
  llvm::raw_svector_ostream stream(bytes);
  auto backend =
      std::unique_ptr<llvm::MCAsmBackend>(s.target->createMCAsmBackend(*s.subtarget, *s.registers, s.options));
  auto emitter = std::unique_ptr<llvm::MCCodeEmitter>(s.target->createMCCodeEmitter(*s.instructions, context));
  auto writer = backend->createObjectWriter(stream);
  std::unique_ptr<llvm::MCStreamer> streamer(s.target->createMCObjectStreamer(
      llvm::Triple(kTriple), context, std::move(backend), std::move(writer), std::move(emitter), *s.subtarget));
  std::unique_ptr<llvm::MCAsmParser> parser(llvm::createMCAsmParser(sources, context, *streamer, *s.asm_info));
  std::unique_ptr<llvm::MCTargetAsmParser> target_parser(
      s.target->createMCAsmParser(*s.subtarget, *parser, *s.instructions, s.options));
  parser->setTargetParser(*target_parser);
  const bool failed = parser->Run(false) || !diagnostics.empty();
  if (error != nullptr) *error = diagnostics;
  if (failed) return std::nullopt;
  return text_section(llvm::StringRef(bytes.data(), bytes.size()));
}

}  // namespace bw::test
