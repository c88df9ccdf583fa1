#include "tests/fuzz/decode_fuzz.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <random>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

using namespace amdgpu::gfx11;
using std::chrono::steady_clock;

// LLVM adds the operand forms of DPP to the mnemonic, and leaves out _e32 where there is no other form.
std::string plain(std::string mnemonic) {
  for (const std::string_view suffix : {"_e64_dpp", "_dpp", "_e64", "_e32"}) {
    if (mnemonic.size() > suffix.size() && mnemonic.ends_with(suffix)) {
      return mnemonic.substr(0, mnemonic.size() - suffix.size());
    }
  }
  return mnemonic;
}

// Why LLVM's disassembler may take what gfx11 has not; nullptr: it may not. It is lenient with operands; its assembler
// tells what it means by them.
const char* llvms_excuse(LlvmMc& llvm, const std::vector<uint32_t>& dwords, const LlvmMc::Text& text) {
  auto has = [&](const char* part) { return text.text.find(part) != std::string::npos; };
  const auto again = llvm.assemble(text.text + "\n");
  if (!again) return "LLVM: prints what its assembler refuses";
  if (again->size() * 4 != text.size_bytes || !std::equal(again->begin(), again->end(), dwords.begin())) {
    return "LLVM: prints what its assembler encodes otherwise";
  }
  for (const char* gone : {"src_vccz", "src_execz", "src_pops_exiting_wave_id", "src_lds_direct"}) {
    if (has(gone)) return "LLVM: knows sources that gfx11 has no longer";
  }
  if (text.mnemonic == "v_readfirstlane_b32" && has(" src_scc,")) return "LLVM: lets SCC be a destination";
  return nullptr;
}

std::string describe(const std::vector<uint32_t>& dwords, const Result<Instruction>& ours,
                     const std::optional<LlvmMc::Text>& llvms) {
  std::string text = "dwords";
  for (const uint32_t dword : dwords) text += fmt::format(" {:08x}", dword);
  text += ours.is_ok() ? fmt::format("\n  decoder: {}, {} bytes", ours->info->mnemonic, ours->size_dwords * 4)
                       : fmt::format("\n  decoder: rejects, {}", ours.status().message());
  return text +
         (llvms ? fmt::format("\n  LLVM:    {}, {} bytes", llvms->text, llvms->size_bytes) : "\n  LLVM:    rejects");
}

}  // namespace

DecodeFuzzResult fuzz_decoder(uint32_t seed, double seconds, uint64_t most) {
  LlvmMc llvm;
  std::mt19937 random(seed);
  DecodeFuzzResult result;
  const auto end = steady_clock::now() + std::chrono::duration<double>(seconds);
  for (; result.count < most && steady_clock::now() < end; ++result.count) {
    const EncodingLayout& shape = layout(static_cast<Encoding>(random() % static_cast<unsigned>(Encoding::kCount)));
    std::vector<uint32_t> dwords(kMaxInstructionDwords);
    for (uint32_t& dword : dwords) dword = static_cast<uint32_t>(random());
    dwords[0] = (dwords[0] & ~shape.mask) | shape.value;
    const auto ours = decode(dwords);
    const auto llvms = llvm.disassemble(dwords);
    bool agree = true;
    if (ours.is_ok() && llvms) {
      ++result.both_take;
      agree = plain(ours->info->mnemonic) == plain(llvms->mnemonic) && ours->size_dwords * 4u == llvms->size_bytes;
    } else if (!ours.is_ok() && !llvms) {
      ++result.both_reject;
    } else if (ours.is_ok()) {
      ++result.one_sided[fmt::format("decoder: {} with bits that LLVM refuses", shape.name)];
    } else {
      const char* excuse = llvms_excuse(llvm, dwords, *llvms);
      agree = excuse != nullptr;
      if (agree) ++result.one_sided[excuse];
    }
    if (!agree) {
      result.failure = fmt::format("seed {}, number {}: {}", seed, result.count, describe(dwords, ours, llvms));
      return result;
    }
  }
  return result;
}

}  // namespace bw::test
