#include "emulator/jit/linker.h"

namespace bw::emulator::jit {
namespace {

Status failure(llvm::Error failed) {
  return error(StatusCode::kIo, "linking translated code: {}", llvm::toString(std::move(failed)));
}

}  // namespace

LinkedCode::~LinkedCode() {
  llvm::cantFail(session_->getExecutionSession().removeJITDylib(library_));
}

Result<std::unique_ptr<Linker>> Linker::create(llvm::orc::JITTargetMachineBuilder machine) {
  auto session = llvm::orc::LLJITBuilder()
                     .setJITTargetMachineBuilder(std::move(machine))
                     // The code has no constructors and no thread-local variables to look after.
                     .setPlatformSetUp(llvm::orc::setUpInactivePlatform)
                     .create();
  if (!session) return failure(session.takeError());
  return std::unique_ptr<Linker>(new Linker(std::move(*session)));
}

Result<std::unique_ptr<LinkedCode>> Linker::link(std::span<const std::byte> object, const char* function_name) {
  // Its own library: all programs call their function the same.
  llvm::orc::JITDylib& library =
      session_->getExecutionSession().createBareJITDylib(fmt::format("program.{}", next_name_.fetch_add(1)));
  auto code = std::make_unique<LinkedCode>(session_, library);
  const llvm::StringRef bytes(reinterpret_cast<const char*>(object.data()), object.size());
  if (auto failed = session_->addObjectFile(library, llvm::MemoryBuffer::getMemBufferCopy(bytes, "program")))
    return failure(std::move(failed));
  auto address = session_->lookup(library, function_name);
  if (!address) return failure(address.takeError());
  code->function_ = address->toPtr<void*>();
  return code;
}

}  // namespace bw::emulator::jit
