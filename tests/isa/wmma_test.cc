// The matrix instructions of the JIT against those of the interpreter, bit for bit: all forms and modifiers, in both
// wave sizes, on ordinary numbers and with special values among them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/isa/gpu.h"
#include "tests/isa/llvm_mc.h"

namespace bw::test {
namespace {

constexpr uint32_t kInputs = 32;  // v0..v31: A at v0, B at v8, C and D at v16
constexpr uint32_t kFirstOutput = 16;
constexpr uint32_t kOutputs = 16;
constexpr uint32_t kRowBytes = 256;

std::vector<std::string> instructions(uint32_t wave_size) {
  const std::string wide = wave_size == 32 ? "v[16:23]" : "v[16:19]";
  std::vector<std::string> all;
  const std::string halves[] = {"v_wmma_f32_16x16x16_f16", "v_wmma_f32_16x16x16_bf16", "v_wmma_f16_16x16x16_f16",
                                "v_wmma_bf16_16x16x16_bf16"};
  for (const std::string& name : halves) {
    for (const char* modifiers :
         {"", " neg_lo:[1,0,0]", " neg_lo:[0,1,1] neg_hi:[1,0,0]", " neg_lo:[0,0,1] neg_hi:[0,1,1]"})
      all.push_back(fmt::format("{0} {1}, v[0:7], v[8:15], {1}{2}", name, wide, modifiers));
    all.push_back(fmt::format("{} {}, v[0:7], v[8:15], 1.0", name, wide));
  }
  for (const char* name : {"v_wmma_f16_16x16x16_f16", "v_wmma_bf16_16x16x16_bf16"})
    all.push_back(fmt::format("{0} {1}, v[0:7], v[8:15], {1} op_sel:[0,0,1]", name, wide));
  for (const char* modifiers : {"", " neg_lo:[1,0,0]", " neg_lo:[0,1,0]", " neg_lo:[1,1,0] clamp", " clamp"}) {
    all.push_back(fmt::format("v_wmma_i32_16x16x16_iu8 {0}, v[0:3], v[8:11], {0}{1}", wide, modifiers));
    all.push_back(fmt::format("v_wmma_i32_16x16x16_iu4 {0}, v[0:1], v[8:9], {0}{1}", wide, modifiers));
  }
  // The result over the operands.
  all.push_back(fmt::format("v_wmma_f32_16x16x16_f16 {}, v[16:23], v[18:25], {}", wide, wide));
  return all;
}

std::string program(const std::string& instruction) {
  std::string text = "v_lshlrev_b32 v40, 2, v0\n";
  for (uint32_t i = 0; i < kInputs; ++i)
    text +=
        fmt::format("global_load_b32 v{}, v40, s[0:1]\n s_add_u32 s0, s0, {}\n s_addc_u32 s1, s1, 0\n", i, kRowBytes);
  text += "s_waitcnt vmcnt(0)\n s_mov_b64 exec, -1\n" + instruction + "\n";
  for (uint32_t i = 0; i < kOutputs; ++i) {
    text += fmt::format("global_store_b32 v40, v{}, s[0:1]\n s_add_u32 s0, s0, {}\n s_addc_u32 s1, s1, 0\n",
                        kFirstOutput + i, kRowBytes);
  }
  return text + "s_endpgm\n";
}

// Two halves around 1, of f16 or bf16.
uint32_t ordinary(std::mt19937& random, bool is_bf16) {
  const uint32_t bits = static_cast<uint32_t>(random());
  return is_bf16 ? (bits & 0x80ff'80ff) | 0x3f00'3f00 : (bits & 0x8fff'8fff) | 0x3000'3000;
}

uint32_t special(std::mt19937& random) {
  static constexpr uint32_t kValues[] = {0x0001'8001, 0x7c00'fc00, 0x7bff'fbff, 0x7e01'fe23, 0x7d01'3c00, 0x8000'0000,
                                         0x7f80'0000, 0x7fff'ffff, 0x8000'0001, 0x03ff'83ff, 0x7f7f'ffff};
  return kValues[random() % std::size(kValues)];
}

class Wmma : public testing::TestWithParam<uint32_t> {
 protected:
  // A program on one engine, with memory of its own.
  struct Side {
    Side(Engine engine, const std::vector<uint32_t>& code)
        : gpu(1, engine), program(gpu.load(code)), memory(gpu.allocate((kInputs + kOutputs) * kRowBytes)) {}
    Gpu gpu;
    uint64_t program, memory;
  };
  std::vector<uint32_t> run(Side& side, const std::vector<uint32_t>& input, uint32_t mode) {
    std::memcpy(side.gpu.host(side.memory), input.data(), input.size() * 4);
    emulator::Dispatch dispatch = Gpu::dispatch(side.program, GetParam(), side.memory);
    dispatch.wave_size = GetParam();
    dispatch.pgm_rsrc1 = (dispatch.pgm_rsrc1 & ~(0xffu << 12)) | mode << 12 | 0x3f;
    const auto fault = side.gpu.run(dispatch);
    EXPECT_FALSE(fault.has_value()) << fault->message;
    const uint32_t* out = side.gpu.at<uint32_t>(side.memory) + input.size();
    return {out, out + kOutputs * kRowBytes / 4};
  }
};
INSTANTIATE_TEST_SUITE_P(WaveSizes, Wmma, testing::Values(32, 64));

TEST_P(Wmma, TheJitAgreesWithTheInterpreter) {
  LlvmMc llvm(GetParam() == 32 ? "+wavefrontsize32" : "-wavefrontsize32,+wavefrontsize64");
  std::mt19937 random(5);
  for (const std::string& instruction : instructions(GetParam())) {
    std::string problem;
    const auto code = llvm.assemble(program(instruction), &problem);
    ASSERT_TRUE(code.has_value()) << problem;
    Side interpreter(Engine::kInterpreter, *code), jit(Engine::kJit, *code);
    const bool is_bf16 = instruction.find("bf16") != std::string::npos;
    // One in `rarity` dwords is special; 0: none.
    for (const uint32_t rarity : {0u, 1000u, 20u}) {
      std::vector<uint32_t> input(kInputs * kRowBytes / 4);
      for (uint32_t& dword : input)
        dword = rarity != 0 && random() % rarity == 0 ? special(random) : ordinary(random, is_bf16);
      for (const uint32_t mode : {0xf0u, 0xc0u, 0x05u, 0x3eu}) {  // FLOAT_MODE
        EXPECT_EQ(run(jit, input, mode), run(interpreter, input, mode))
            << instruction << ", one in " << rarity << " special, FLOAT_MODE " << mode;
      }
    }
  }
}

}  // namespace
}  // namespace bw::test
