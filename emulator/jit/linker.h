// Owns: making object code of this host executable, and taking it away again.
#pragma once

#include <llvm/ExecutionEngine/Orc/LLJIT.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/status.h"

namespace bw::emulator::jit {

// Executable memory with one piece of code; it goes with the object.
class LinkedCode {
 public:
  LinkedCode(std::shared_ptr<llvm::orc::LLJIT> session, llvm::orc::JITDylib& library)
      : session_(std::move(session)), library_(library) {}
  ~LinkedCode();
  LinkedCode(const LinkedCode&) = delete;
  LinkedCode& operator=(const LinkedCode&) = delete;

  void* function() const { return function_; }

 private:
  friend class Linker;

  std::shared_ptr<llvm::orc::LLJIT> session_;
  llvm::orc::JITDylib& library_;
  void* function_ = nullptr;
};

// Safe to use from several threads.
class Linker {
 public:
  static Result<std::unique_ptr<Linker>> create(llvm::orc::JITTargetMachineBuilder machine);
  // `object` is a relocatable file that needs nothing from outside itself.
  Result<std::unique_ptr<LinkedCode>> link(std::span<const std::byte> object, const char* function_name);

 private:
  explicit Linker(std::shared_ptr<llvm::orc::LLJIT> session) : session_(std::move(session)) {}

  std::shared_ptr<llvm::orc::LLJIT> session_;
  std::atomic<uint64_t> next_name_{0};
};

}  // namespace bw::emulator::jit
