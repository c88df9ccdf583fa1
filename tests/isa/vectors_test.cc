// The interpreter against recorded programs and results (tests/data/isa-vectors/README.md).
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "tests/isa/gpu.h"
#include "tools/barewave/isa_vectors.h"

namespace bw::test {
namespace {

using tools::IsaVector;

// Vectors that need what the interpreter does not do yet, by the instruction that faults as unimplemented.
bool is_known_unimplemented(const emulator::ShaderFault& fault) {
  if (fault.kind != emulator::ShaderFaultKind::kUnimplemented) return false;
  return fault.disassembly.starts_with("v_interp_");
}

struct Counts {
  int passed = 0, unimplemented = 0, failed = 0, soft = 0, left_out = 0;
};

// A file, and the lanes of a wave.
class IsaVectors : public testing::TestWithParam<std::tuple<const char*, uint32_t>> {
 protected:
  static const char* file() { return std::get<0>(GetParam()); }
  static uint32_t wave_size() { return std::get<1>(GetParam()); }

  void run_vector(const IsaVector& vector, emulator::Strictness strictness, Counts* counts) {
    Gpu gpu(1, strictness);
    const uint64_t out = gpu.allocate(vector.expected.size());
    const uint64_t kernarg = gpu.allocate(8);
    std::memcpy(gpu.host(kernarg), &out, 8);
    const uint64_t program = gpu.allocate(vector.code.size(), Gpu::Rights::kExecute);
    std::memcpy(gpu.host(program), vector.code.data(), vector.code.size());
    emulator::Dispatch dispatch = Gpu::dispatch(program, vector.lanes, kernarg);
    dispatch.wave_size = wave_size();
    if (wave_size() == 64) dispatch.pgm_rsrc1 |= 0x3f;  // 256 VGPRs, in granules of 4
    constexpr uint32_t kWaves = 2;
    const uint32_t scratch_bytes_per_wave = 64 * 1024 * wave_size();
    dispatch.scratch_address = gpu.allocate(scratch_bytes_per_wave * kWaves);
    dispatch.scratch_bytes_per_wave = scratch_bytes_per_wave;
    dispatch.scratch_wave_count = kWaves;
    const auto fault = gpu.run(dispatch);
    if (fault && is_known_unimplemented(*fault)) {
      counts->unimplemented += 1;
      return;
    }
    std::string listing;
    for (const std::string& line : vector.disassembly) listing += "\n    " + line;
    if (fault) {
      counts->failed += 1;
      ADD_FAILURE() << vector.id << ": " << fault->message << listing;
      return;
    }
    std::vector<uint8_t> got(vector.expected.size());
    std::memcpy(got.data(), gpu.host(out), got.size());
    const tools::IsaVerdict verdict = judge(vector, got);
    counts->soft += static_cast<int>(!verdict.soft.empty());
    if (!verdict.soft.empty()) {
      std::printf("soft: %s: %s (%zu dwords)\n", vector.id.c_str(), verdict.soft[0].text.c_str(), verdict.soft.size());
    }
    if (verdict.hard.empty()) {
      counts->passed += 1;
      return;
    }
    counts->failed += 1;
    std::string text;
    for (const auto& difference : verdict.hard) text += "\n  " + difference.text;
    ADD_FAILURE() << vector.id << text << listing;
  }

  void run_file(emulator::Strictness strictness) {
    auto vectors = tools::read_isa_vectors(std::string(BAREWAVE_TEST_DATA "/isa-vectors/") + file() + ".jsonl");
    ASSERT_TRUE(vectors.is_ok()) << vectors.status().message();
    Counts counts;
    for (const IsaVector& vector : vectors.value()) {
      if (wave_size() == 64 && wave64_obstacle(vector).has_value()) {
        ++counts.left_out;
      } else {
        run_vector(vector, strictness, &counts);
      }
    }
    std::printf("%s: %d passed, %d failed, %d unimplemented, %d with soft differences, %d not for this wave size\n",
                file(), counts.passed, counts.failed, counts.unimplemented, counts.soft, counts.left_out);
  }
};

TEST_P(IsaVectors, GiveTheRecordedResults) {
  run_file(emulator::Strictness::kOff);
}

// They ran on the hardware, so what strict mode said against them would be wrong.
TEST_P(IsaVectors, AreCleanInStrictMode) {
  run_file(emulator::Strictness::kOn);
}

INSTANTIATE_TEST_SUITE_P(Files, IsaVectors,
                         testing::Combine(testing::Values("sop", "smem", "vop1", "vop2", "vop3", "vop3p", "vopc",
                                                          "vopd", "dpp", "ds", "flat", "global", "scratch"),
                                          testing::Values(32u, 64u)),
                         [](const auto& instance) {
                           return fmt::format("{}_wave{}", std::get<0>(instance.param), std::get<1>(instance.param));
                         });

}  // namespace
}  // namespace bw::test
