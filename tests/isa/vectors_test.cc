// The interpreter against recorded programs and results (tests/data/isa-vectors/README.md).
#include <gtest/gtest.h>

#include <cstdio>
#include <set>

#include "tests/isa/gpu.h"
#include "tests/isa/vector_file.h"

namespace bw::test {
namespace {

// Vectors that need what the interpreter does not do yet, by the instruction that faults as unimplemented.
bool is_known_unimplemented(const emulator::ShaderFault& fault) {
  if (fault.kind != emulator::ShaderFaultKind::kUnimplemented) return false;
  return fault.disassembly.starts_with("v_interp_");
}

struct Counts {
  int passed = 0, unimplemented = 0, failed = 0, soft = 0;
};

class IsaVectors : public testing::TestWithParam<const char*> {
 protected:
  void run_vector(const Vector& vector, Counts* counts) {
    Gpu gpu;
    const uint64_t out = gpu.allocate(vector.expected.size());
    const uint64_t kernarg = gpu.allocate(8);
    std::memcpy(gpu.host(kernarg), &out, 8);
    const uint64_t program = gpu.allocate(vector.code.size(), Gpu::Rights::kExecute);
    std::memcpy(gpu.host(program), vector.code.data(), vector.code.size());
    emulator::Dispatch dispatch = Gpu::dispatch(program, vector.lanes, kernarg);
    constexpr uint32_t kScratchBytesPerWave = 64 * 1024 * 32, kWaves = 2;
    dispatch.scratch_address = gpu.allocate(kScratchBytesPerWave * kWaves);
    dispatch.scratch_bytes_per_wave = kScratchBytesPerWave;
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
    const Verdict verdict = judge(vector, got);
    counts->soft += static_cast<int>(!verdict.soft.empty());
    if (!verdict.soft.empty()) {
      std::printf("soft: %s: %s (%zu dwords)\n", vector.id.c_str(), verdict.soft[0].c_str(), verdict.soft.size());
    }
    if (verdict.hard.empty()) {
      counts->passed += 1;
      return;
    }
    counts->failed += 1;
    std::string text;
    for (const std::string& line : verdict.hard) text += "\n  " + line;
    ADD_FAILURE() << vector.id << text << listing;
  }
};

TEST_P(IsaVectors, GiveTheRecordedResults) {
  auto vectors = read_vectors(std::string(BAREWAVE_TEST_DATA "/isa-vectors/") + GetParam() + ".jsonl");
  ASSERT_TRUE(vectors.is_ok()) << vectors.status().message();
  ASSERT_FALSE(vectors->empty());
  Counts counts;
  for (const Vector& vector : vectors.value()) run_vector(vector, &counts);
  std::printf("%s: %d passed, %d failed, %d unimplemented, %d with soft differences\n", GetParam(), counts.passed,
              counts.failed, counts.unimplemented, counts.soft);
}

INSTANTIATE_TEST_SUITE_P(Files, IsaVectors,
                         testing::Values("sop", "smem", "vop1", "vop2", "vop3", "vop3p", "vopc", "vopd", "dpp", "ds",
                                         "flat", "global", "scratch"),
                         [](const auto& file) { return std::string(file.param); });

}  // namespace
}  // namespace bw::test
