// Owns: the fixture of tests of strict mode: assembler text that it must refuse, or let pass.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {

class StrictTest : public testing::Test {
 protected:
  // Runs the text, with s_endpgm behind it, on `lanes` in waves of 32 or 64 (0: one whole wave); s[0:1] point to
  // memory.
  std::optional<emulator::ShaderFault> run(const std::string& text, uint32_t wave_size = 32, uint32_t lanes = 0) {
    LlvmMc mc(wave_size == 32 ? "+wavefrontsize32" : "+wavefrontsize64,-wavefrontsize32");
    std::string error;
    const auto code = mc.assemble(text + "\n s_endpgm\n", &error);
    EXPECT_TRUE(code.has_value()) << error;
    if (!code) return std::nullopt;
    emulator::Dispatch dispatch = Gpu::dispatch(gpu_.load(*code), lanes != 0 ? lanes : wave_size, memory_);
    dispatch.wave_size = wave_size;
    dispatch.pgm_rsrc2 |= 1;  // scratch
    dispatch.scratch_address = scratch_;
    dispatch.scratch_bytes_per_wave = 4096 * 32;
    dispatch.scratch_wave_count = 2;
    return gpu_.run(dispatch);
  }
  void expect_clean(const std::string& text, uint32_t wave_size = 32, uint32_t lanes = 0) {
    const auto fault = run(text, wave_size, lanes);
    EXPECT_FALSE(fault.has_value()) << text << fault->message;
  }
  void expect_hazard(const std::string& text, const std::string& in_message, uint32_t wave_size = 32,
                     uint32_t lanes = 0) {
    const auto fault = run(text, wave_size, lanes);
    ASSERT_TRUE(fault.has_value()) << text;
    EXPECT_EQ(fault->kind, emulator::ShaderFaultKind::kHazard) << fault->message;
    EXPECT_NE(fault->message.find(in_message), std::string::npos) << fault->message;
  }

  Gpu gpu_{1, emulator::Strictness::kOn};
  uint64_t memory_ = gpu_.allocate(4096);
  uint64_t scratch_ = gpu_.allocate(2 * 4096 * 32);
};

}  // namespace bw::test
