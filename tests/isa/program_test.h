// Owns: the fixture of tests that run assembler text on the shader cores.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {

class ProgramTest : public testing::Test {
 protected:
  // A dispatch of `text` with s[0:1] = `pointer`.
  emulator::Dispatch dispatch_of(const std::string& text, uint64_t pointer, uint32_t lanes, uint32_t wave_size = 32) {
    std::string error;
    auto code = (wave_size == 32 ? mc32_ : mc64_).assemble(text, &error);
    EXPECT_TRUE(code.has_value()) << error;
    emulator::Dispatch dispatch = Gpu::dispatch(code ? gpu_.load(*code) : 0, lanes, pointer);
    dispatch.wave_size = wave_size;
    return dispatch;
  }
  // Runs it, expecting no fault.
  void run(const std::string& text, uint64_t pointer, uint32_t lanes = 32, uint32_t wave_size = 32) {
    const auto fault = gpu_.run(dispatch_of(text, pointer, lanes, wave_size));
    EXPECT_FALSE(fault.has_value()) << fault->message;
  }
  emulator::ShaderFault fault_of(const std::string& text, uint64_t pointer = 0, uint32_t lanes = 32) {
    const auto fault = gpu_.run(dispatch_of(text, pointer, lanes));
    EXPECT_TRUE(fault.has_value()) << text;
    return fault.value_or(emulator::ShaderFault{});
  }

  LlvmMc mc32_;
  LlvmMc mc64_{"+wavefrontsize64,-wavefrontsize32"};
  Gpu gpu_;
};

}  // namespace bw::test
