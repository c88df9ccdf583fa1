// Owns: a small GPU for tests of the shader cores: host memory behind an address space, and dispatches on it.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "emulator/shader/interpreter.h"

namespace bw::test {

enum class Engine : uint8_t { kInterpreter, kJit, kStrict };

// Tests of programs are built once for each engine.
#ifndef BAREWAVE_TEST_ENGINE
#define BAREWAVE_TEST_ENGINE kInterpreter
#endif

class Gpu {
 public:
  explicit Gpu(size_t threads = 1, Engine engine = Engine::BAREWAVE_TEST_ENGINE);
  // Of shader cores in strict mode.
  Gpu(size_t threads, emulator::Strictness strictness);
  explicit Gpu(Result<std::unique_ptr<emulator::ShaderCores>> cores);

  // Zero-filled memory of the GPU at a fresh address, multiple of 4096, with unmapped pages around it.
  enum class Rights : uint8_t { kReadOnly, kReadWrite, kExecute };
  uint64_t allocate(size_t size_bytes, Rights rights = Rights::kReadWrite);
  // Page-aligned memory of the caller, at a fresh address; and its end.
  uint64_t map(std::span<std::byte> pages, Rights rights);
  void unmap(uint64_t address, size_t size_bytes) { space_.unmap(address, address + size_bytes); }
  // The host's view of allocated memory.
  std::byte* host(uint64_t address);
  template <class T>
  T* at(uint64_t address) {
    return reinterpret_cast<T*>(host(address));
  }
  // Code at a fresh address.
  uint64_t load(std::span<const uint32_t> code);

  // One workgroup of `lanes` work-items, 2 user SGPRs holding `kernarg`, 64 KiB of LDS, MODE as the test vectors want
  // it.
  static emulator::Dispatch dispatch(uint64_t program, uint32_t lanes, uint64_t kernarg);
  std::optional<emulator::ShaderFault> run(const emulator::Dispatch& dispatch, std::stop_token cancel = {}) {
    return cores_->run(dispatch, space_, std::move(cancel), nullptr);
  }
  emulator::ShaderCores& cores() const { return *cores_; }
  const emulator::AddressSpace& space() const { return space_; }

 private:
  struct Block {
    uint64_t address;
    std::vector<std::byte> bytes;
    std::byte* aligned;
  };
  std::vector<std::unique_ptr<Block>> blocks_;
  uint64_t next_address_ = 0x7f12'0000'0000;
  emulator::AddressSpace space_;
  std::unique_ptr<emulator::ShaderCores> cores_;
};

}  // namespace bw::test
