// Owns: elements of one byte on their way from global memory to LDS: as 32-bit words, of which v_perm_b32 makes the
// words that LDS holds, also where these go along the other dimension (a transpose). LLVM would move single bytes.
// Not here: which element goes where (compiler/contraction_tiles.h), the loads (compiler/contraction_values.h).
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <map>
#include <span>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "compiler/contraction_values.h"
#include "ir/kernel.h"

namespace bw::compiler {

// What a loop should carry of a loaded vector of bytes: an i32 or a vector of these, which are whole registers (LLVM
// gives each byte of a vector that lives across blocks a register of its own). Other values are handed back unchanged.
llvm::Value* words_of_bytes(llvm::IRBuilder<>& builder, llvm::Value* loaded);

// The bytes that one step stages.
class StagedBytes {
 public:
  explicit StagedBytes(llvm::IRBuilder<>& builder) : b_(builder) {}

  // Takes in what words_of_bytes() made of a group's value, and hands back the value itself.
  llvm::Value* add(const LoadGroup& group, llvm::Value* carried);
  // The elements as an i32 or a vector of these; null where they are not all bytes of known words, four to a word.
  llvm::Value* gather(std::span<const ir::NodePtr> elements);

 private:
  struct Byte {
    llvm::Value* word = nullptr;
    uint32_t place = 0;  // 0: the lowest
  };

  llvm::Value* word_of(const Byte (&bytes)[4]);
  // Bytes `2 * half` and `2 * half + 1` of `first` and of `second`, by turns.
  llvm::Value* interleaved(llvm::Value* first, llvm::Value* second, uint32_t half);

  llvm::IRBuilder<>& b_;
  std::unordered_map<const ir::Node*, Byte> known_;
  std::map<std::tuple<llvm::Value*, llvm::Value*, uint32_t>, llvm::Value*> interleaved_;
};

}  // namespace bw::compiler
