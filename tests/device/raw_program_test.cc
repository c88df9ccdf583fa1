// Programs without a code object, from bytes to results on the emulated card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "amdgpu/device.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using ::testing::HasSubstr;

// out[id] = 2 * id, for the buffer whose address is the argument.
constexpr std::array<uint32_t, 8> kDouble = {
    0xf404'0100, 0xf800'0000,  // s_load_b64 s[4:5], s[0:1], null
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0x3002'0082,               // v_lshlrev_b32_e32 v1, 2, v0
    0x4a04'0100,               // v_add_nc_u32_e32 v2, v0, v0
    0xdc6a'0000, 0x0004'0201,  // global_store_b32 v1, v2, s[4:5]
    0xbfb0'0000,               // s_endpgm
};

class RawPrograms : public ::testing::Test {
 protected:
  static amdgpu::RawProgram twice() {
    amdgpu::RawProgram program;
    program.name = "double";
    program.code = std::as_bytes(std::span(kDouble));
    program.pgm_rsrc1 = 0x60ac'0000;  // 8 VGPRs
    program.pgm_rsrc2 = 0x0000'0084;  // USER_SGPR 2, TGID_X_EN
    program.argument_size_bytes = 8;
    return program;
  }

  std::unique_ptr<emulator::EmulatedDriver> driver_ = emulator::EmulatedDriver::create().value();
  std::unique_ptr<amdgpu::Device> device_ = amdgpu::Device::open(*driver_).value();
};

TEST_F(RawPrograms, RunInBothWaveSizes) {
  for (const uint32_t wave_size : {32u, 64u}) {
    amdgpu::RawProgram program = twice();
    program.wave_size = wave_size;
    const auto kernel = device_->load_program(program);
    ASSERT_TRUE(kernel.is_ok()) << kernel.status().message();
    const auto out = device_->allocate(amdgpu::MemoryKind::kVram, 100 * 4).value();
    const uint64_t address = out.gpu_addr().value;
    amdgpu::CommandRecorder recorder = device_->record();
    recorder.dispatch(*kernel.value(), {1, 1, 1}, {100, 1, 1}, std::as_bytes(std::span(&address, 1)));
    const Status status = device_->wait(device_->submit(recorder.finish().value()).value());
    ASSERT_TRUE(status.is_ok()) << status.message();
    std::array<uint32_t, 100> values{};
    ASSERT_TRUE(device_->read(out, 0, std::as_writable_bytes(std::span(values))).is_ok());
    for (uint32_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i], 2 * i);
  }
}

TEST_F(RawPrograms, TakeExactlyTheirArguments) {
  const auto kernel = device_->load_program(twice()).value();
  amdgpu::CommandRecorder recorder = device_->record();
  recorder.dispatch(*kernel, {1, 1, 1}, {32, 1, 1}, {});
  EXPECT_THAT(recorder.finish().status().message(), HasSubstr("double"));
}

TEST_F(RawPrograms, ThatContradictThemselvesAreRefused) {
  const auto refusal = [&](auto change) {
    amdgpu::RawProgram program = twice();
    change(program);
    const auto kernel = device_->load_program(program);
    return kernel.is_ok() ? std::string() : kernel.status().message();
  };
  EXPECT_THAT(refusal([](auto& program) { program.code = {}; }), HasSubstr("0 bytes of code"));
  EXPECT_THAT(refusal([](auto& program) { program.code = program.code.first(3); }), HasSubstr("3 bytes of code"));
  EXPECT_THAT(refusal([](auto& program) { program.wave_size = 16; }), HasSubstr("waves of 16"));
  EXPECT_THAT(refusal([](auto& program) { program.pgm_rsrc2 = 0; }), HasSubstr("USER_SGPR"));
  EXPECT_THAT(refusal([](auto& program) { program.scratch_bytes_per_lane = 16; }), HasSubstr("SCRATCH_EN"));
  EXPECT_THAT(refusal([](auto& program) { program.pgm_rsrc2 |= 1; }), HasSubstr("SCRATCH_EN"));
}

}  // namespace
}  // namespace bw
