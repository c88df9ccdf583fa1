// Owns: nothing that lasts: stands in while the interpreter (emulator/shader/interpreter.h) is not part of the build,
// and says so at the first dispatch.
#include "emulator/shader/interpreter.h"

namespace bw::emulator {
namespace {

class MissingCores final : public ShaderCores {
 public:
  std::optional<ShaderFault> run(const Dispatch& dispatch, const AddressSpace&) override {
    ShaderFault fault;
    fault.kind = ShaderFaultKind::kUnimplemented;
    fault.pc = dispatch.program_address;
    fault.message = "this build has no shader interpreter";
    return fault;
  }
  uint64_t instruction_count() const override { return 0; }
};

}  // namespace

Result<std::unique_ptr<ShaderCores>> make_interpreter(size_t) {
  return std::unique_ptr<ShaderCores>(std::make_unique<MissingCores>());
}

}  // namespace bw::emulator
