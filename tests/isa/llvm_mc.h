// Owns: LLVM's gfx1100 assembler and disassembler as an oracle for tests.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace bw::test {

// `features` as LLVM's -mattr, e.g. "+wavefrontsize32,-wavefrontsize64". Not safe to share between threads.
class LlvmMc {
 public:
  explicit LlvmMc(const std::string& features = "+wavefrontsize32");
  ~LlvmMc();

  struct Text {
    std::string text;      // without leading white space
    std::string mnemonic;  // its first word
    size_t size_bytes = 0;
  };
  // The instruction at the front, or nothing if LLVM knows none.
  std::optional<Text> disassemble(std::span<const uint32_t> dwords);
  // The code of assembler text (several lines), or nothing and the diagnostics in *error.
  std::optional<std::vector<uint32_t>> assemble(const std::string& text, std::string* error = nullptr);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace bw::test
