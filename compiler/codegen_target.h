// Owns: LLVM's target machine for gfx1100 and the passes that are run. Not here: making IR (compiler/lower_llvm.h) and
// linking (compiler/link.h).
#pragma once

#include <llvm/ADT/SmallVector.h>
#include <llvm/IR/DataLayout.h>
#include <llvm/IR/Module.h>
#include <llvm/Target/TargetMachine.h>

#include <cstdint>
#include <memory>

#include "base/status.h"

namespace bw::compiler {

// On a function: its lowering has placed everything in the right block, and LLVM is not to move it out of loops. (It
// would take the address of an access apart so that it no longer fits the instruction.)
inline constexpr char kHoistedAttribute[] = "barewave-hoisted";

enum class Output : uint8_t { kObject, kAssembly };

// Belongs to one thread. What LLVM reports becomes a Status; nothing is printed. An internal error of LLVM itself,
// which leaves it in no state to go on, ends the process with one line that names it.
class Target {
 public:
  // Made at a thread's first call and kept until the thread ends.
  static Result<Target*> of_this_thread();

  const llvm::DataLayout& data_layout() const { return layout_; }
  // Error: the module is not valid IR, which is our bug, told as kUnsupported with LLVM's words.
  Status optimise(llvm::Module& module);
  // The module is used up. Error: kUnsupported with LLVM's words, for example if LDS does not suffice.
  Result<llvm::SmallVector<char, 0>> emit(llvm::Module& module, Output output);

 private:
  explicit Target(std::unique_ptr<llvm::TargetMachine> machine);

  std::unique_ptr<llvm::TargetMachine> machine_;
  llvm::DataLayout layout_;
};

}  // namespace bw::compiler
