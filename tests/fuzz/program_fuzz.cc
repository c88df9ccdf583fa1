#include "tests/fuzz/program_fuzz.h"

#include <fmt/format.h>

#include <chrono>

#include "base/check.h"
#include "tests/fuzz/random_program.h"

namespace bw::test {
namespace {

using Frame = RandomProgramFrame;
using std::chrono::steady_clock;

constexpr uint32_t kGroups = 3;
constexpr size_t kInstructionsOfProgram = 40;

// Memory of one engine, used again for every program.
class Side {
 public:
  explicit Side(Gpu& gpu)
      : gpu_(gpu),
        scratch_(gpu.allocate(kScratchBytes)),
        code_(gpu.allocate(kCodeBytes, Gpu::Rights::kExecute)),
        input_(gpu.allocate(Frame::kInputBytes)),
        output_(gpu.allocate(Frame::kOutputBytes * kGroups)) {}

  std::optional<emulator::ShaderFault> run(const std::vector<uint32_t>& code, const std::vector<uint32_t>& input,
                                           uint32_t wave_size, uint32_t lanes) {
    BW_CHECK(code.size() * 4 <= kCodeBytes);
    std::memcpy(gpu_.host(code_), code.data(), code.size() * 4);
    std::memcpy(gpu_.host(input_), input.data(), input.size() * 4);
    std::memset(gpu_.host(output_), 0, Frame::kOutputBytes * kGroups);
    static_assert(Frame::kMemoryBytes <= Frame::kInputBytes);
    for (uint32_t group = 0; group < kGroups; ++group) {
      std::memcpy(gpu_.host(output_) + group * Frame::kOutputBytes + Frame::kMemoryOffset, input.data(),
                  Frame::kMemoryBytes);
    }
    emulator::Dispatch dispatch = Gpu::dispatch(code_, lanes, input_);
    dispatch.pgm_rsrc1 |= 0x3f;        // 256 VGPRs in either wave size
    dispatch.pgm_rsrc2 = 0x0004'0089;  // scratch memory, 4 user SGPRs, workgroup id x, 4 KiB of LDS
    dispatch.scratch_address = scratch_;
    dispatch.scratch_bytes_per_wave = Frame::kScratchBytesPerLane * wave_size;
    dispatch.scratch_wave_count = kScratchWaves;
    dispatch.user_data[2] = static_cast<uint32_t>(output_);
    dispatch.user_data[3] = static_cast<uint32_t>(output_ >> 32);
    dispatch.wave_size = wave_size;
    dispatch.workgroup_count = {kGroups, 1, 1};
    const uint64_t before = gpu_.cores().instruction_count();
    auto fault = gpu_.run(dispatch);
    executed_ = gpu_.cores().instruction_count() - before;
    return fault;
  }
  // Wave instructions of the last run.
  uint64_t executed() const { return executed_; }
  const uint32_t* output() const { return gpu_.at<uint32_t>(output_); }
  uint64_t code() const { return code_; }

 private:
  static constexpr size_t kCodeBytes = 64 * 1024;
  static constexpr uint32_t kScratchWaves = 8;
  static constexpr size_t kScratchBytes = kScratchWaves * 64 * Frame::kScratchBytesPerLane;
  Gpu& gpu_;
  // Of a wave that sleeps it is chance whether the next workgroup shares its scratch memory, so nobody shall read what
  // others have left there: it lies below the rest, and buffer resources reach upwards only.
  uint64_t scratch_, code_, input_, output_;
  uint64_t executed_ = 0;
};

// The differing dwords, at most some; empty: none.
std::string differences(const uint32_t* a, const uint32_t* b) {
  constexpr uint32_t kGroupDwords = Frame::kOutputBytes / 4;
  std::string text;
  int count = 0;
  for (uint32_t i = 0; i < kGroupDwords * kGroups; ++i) {
    if (a[i] == b[i] || ++count > 20) continue;
    text += fmt::format("  workgroup {} {}: {:#010x} against {:#010x}\n", i / kGroupDwords,
                        Frame::output_name(i % kGroupDwords), a[i], b[i]);
  }
  if (count > 20) text += fmt::format("  and {} dwords more\n", count - 20);
  return text;
}

std::string describe_fault(const std::optional<emulator::ShaderFault>& fault) {
  return fault ? fault->message : "no fault";
}

bool is_same(const std::optional<emulator::ShaderFault>& a, const std::optional<emulator::ShaderFault>& b,
             FaultReports reports) {
  if (!a || !b) return false;
  if (reports == FaultReports::kSamePlace && a->workgroup != b->workgroup) return true;
  return a->kind == b->kind && a->pc == b->pc &&
         (reports == FaultReports::kSamePlace || (a->message == b->message && a->lane == b->lane));
}

// Runs the program on both; what differs, empty: nothing.
std::string compare(Side (&sides)[2], FaultReports reports, const std::vector<uint32_t>& code,
                    const std::vector<uint32_t>& input, uint32_t wave_size, uint32_t lanes, bool* faulted) {
  const auto fault_a = sides[0].run(code, input, wave_size, lanes);
  const auto fault_b = sides[1].run(code, input, wave_size, lanes);
  *faulted = fault_a || fault_b;
  if (*faulted) {
    if (!is_same(fault_a, fault_b, reports))
      return fmt::format("  {} against {}\n", describe_fault(fault_a), describe_fault(fault_b));
    if (reports == FaultReports::kSamePlace) return "";
  } else if (sides[0].executed() != sides[1].executed()) {
    return fmt::format("  {} instructions executed against {}\n", sides[0].executed(), sides[1].executed());
  }
  return differences(sides[0].output(), sides[1].output());
}

}  // namespace

ProgramFuzzResult fuzz_programs(Gpu& a, Gpu& b, FaultReports reports, uint32_t wave_size, uint32_t seed, double seconds,
                                uint64_t most) {
  RandomProgramGenerator generator(wave_size);
  Side sides[] = {Side(a), Side(b)};
  BW_CHECK(sides[0].code() == sides[1].code());
  ProgramFuzzResult result;
  const auto end = steady_clock::now() + std::chrono::duration<double>(seconds);
  while (result.programs < most && steady_clock::now() < end && result.failure.empty()) {
    std::seed_seq seeds{seed, static_cast<uint32_t>(result.programs)};
    std::mt19937 random(seeds);
    std::vector<uint32_t> input(Frame::kInputBytes / 4);
    for (uint32_t& word : input) word = random_value(random);
    const uint32_t lanes = below(random, 4) == 0 ? 1 + below(random, wave_size) : wave_size;
    const auto program = generator.make(random, kInstructionsOfProgram);
    bool faulted = false;
    const std::string difference = compare(sides, reports, program.code, input, wave_size, lanes, &faulted);
    if (!difference.empty()) {
      result.failure = fmt::format("seed {}, program {}, wave{}, {} work-items:\n{}{}", seed, result.programs,
                                   wave_size, lanes, program.text, difference);
    }
    result.faults += faulted;
    ++result.programs;
    result.instructions += kInstructionsOfProgram;
  }
  return result;
}

}  // namespace bw::test
