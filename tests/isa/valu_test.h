// Owns: the fixture of tests that run vector instructions on chosen operands, a set of operands a lane.
#pragma once

#include <array>
#include <vector>

#include "tests/isa/program_test.h"

namespace bw::test {

class ValuTest : public ProgramTest {
 protected:
  // Bits of MODE.
  static constexpr uint32_t kIeee = 1u << 9, kDx10Clamp = 1u << 8, kFp16Ovfl = 1u << 23;
  static constexpr uint32_t kKeepDenormals = 0xf0;

  using Inputs = std::array<uint32_t, 6>;
  using Outputs = std::array<uint32_t, 2>;

  // Runs `text` under MODE, lane l with v[2:7] = inputs[l], v8 = 0xdeadbeef and v9 = 0, and returns v[8:9] of each
  // lane.
  std::vector<Outputs> run_lanes(uint32_t mode, const std::string& text, const std::vector<Inputs>& inputs) {
    constexpr size_t kLaneBytes = 32, kResults = 2048;
    const uint64_t memory = gpu_.allocate(4096);
    for (size_t l = 0; l < inputs.size(); ++l)
      std::memcpy(gpu_.host(memory + l * kLaneBytes), inputs[l].data(), sizeof(Inputs));
    run(fmt::format(R"(
          v_lshlrev_b32 v1, 5, v0
          global_load_b128 v[2:5], v1, s[0:1]
          global_load_b64 v[6:7], v1, s[0:1] offset:16
          v_mov_b32 v8, 0xdeadbeef
          v_mov_b32 v9, 0
          s_waitcnt vmcnt(0)
          s_setreg_imm32_b32 hwreg(HW_REG_MODE, 0, 24), {:#x}
          {}
          global_store_b64 v1, v[8:9], s[0:1] offset:{}
          s_endpgm
        )",
                    mode, text, kResults),
        memory, static_cast<uint32_t>(inputs.size()));
    std::vector<Outputs> outputs(inputs.size());
    for (size_t l = 0; l < inputs.size(); ++l)
      std::memcpy(outputs[l].data(), gpu_.host(memory + kResults + l * kLaneBytes), sizeof(Outputs));
    return outputs;
  }
  Outputs run_one(uint32_t mode, const std::string& text, const Inputs& inputs) {
    return run_lanes(mode, text, {inputs}).front();
  }

  // One instruction, operands and what v8 must be.
  struct Witness {
    const char* text;
    uint32_t mode;
    Inputs inputs;
    uint32_t expected;
  };
  void check(const std::vector<Witness>& witnesses) {
    for (const Witness& w : witnesses) {
      const uint32_t got = run_one(w.mode, w.text, w.inputs)[0];
      EXPECT_EQ(got, w.expected) << fmt::format("{} mode {:#x} inputs {:#x} {:#x} {:#x}: {:#010x}, expected {:#010x}",
                                                w.text, w.mode, w.inputs[0], w.inputs[1], w.inputs[2], got, w.expected);
    }
  }
};

}  // namespace bw::test
