#include "emulator/shader/disassembler.h"

#include <fmt/format.h>
#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>

#include <mutex>
#include <vector>

namespace bw::emulator {
namespace {

std::string as_data(std::span<const uint32_t> dwords) {
  std::string text = ".long";
  for (uint32_t dword : dwords.first(dwords.size() < 2 ? dwords.size() : 2)) text += fmt::format(" {:#010x}", dword);
  return text;
}

}  // namespace

std::string disassemble(std::span<const uint32_t> dwords, uint32_t wave_size) {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeAMDGPUTargetInfo();
    LLVMInitializeAMDGPUTargetMC();
    LLVMInitializeAMDGPUDisassembler();
  });
  const char* features = wave_size == 64 ? "+wavefrontsize64,-wavefrontsize32" : "+wavefrontsize32";
  LLVMDisasmContextRef context =
      LLVMCreateDisasmCPUFeatures("amdgcn-amd-amdhsa", "gfx1100", features, nullptr, 0, nullptr, nullptr);
  if (context == nullptr) return as_data(dwords);
  std::vector<uint8_t> bytes(dwords.size_bytes());
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(dwords[i / 4] >> (i % 4 * 8));
  char text[256];
  const size_t size = LLVMDisasmInstruction(context, bytes.data(), bytes.size(), 0, text, sizeof text);
  LLVMDisasmDispose(context);
  if (size == 0) return as_data(dwords);
  std::string out = text;
  out.erase(0, out.find_first_not_of(" \t"));
  for (char& c : out) c = c == '\t' ? ' ' : c;
  return out;
}

}  // namespace bw::emulator
