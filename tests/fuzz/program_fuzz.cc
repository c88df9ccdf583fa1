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

// Values at which arithmetic changes its ways, among others.
uint32_t random_value(std::mt19937& random) {
  static constexpr uint32_t kEdges[] = {0,           1,           0xffff'ffff, 0x8000'0000, 0x7fff'ffff, 0x3f80'0000,
                                        0xbf80'0000, 0x7f80'0000, 0xff80'0000, 0x7fc0'0000, 0x7f80'0001, 0x0000'0001,
                                        0x0080'0000, 0x007f'ffff, 0x7f7f'ffff, 0x3c00'3c00, 0x7c00'fc00, 0x7e00'0001,
                                        0x7ff0'0000, 0x3ff0'0000, 0x4b00'0000, 0x4f00'0000};
  const uint32_t choice = static_cast<uint32_t>(random() % 8);
  if (choice < 2) return kEdges[random() % std::size(kEdges)];
  if (choice < 4) return (static_cast<uint32_t>(random()) & 0x80ff'ffff) | 0x3f00'0000;  // floats around 1
  if (choice < 5) return static_cast<uint32_t>(random() % 64);
  return static_cast<uint32_t>(random());
}

// Memory of one engine, used again for every program.
class Side {
 public:
  explicit Side(Gpu& gpu)
      : gpu_(gpu),
        code_(gpu.allocate(kCodeBytes, Gpu::Rights::kExecute)),
        input_(gpu.allocate(Frame::kInputBytes)),
        output_(gpu.allocate(Frame::kOutputBytes * kGroups)) {}

  std::optional<emulator::ShaderFault> run(const std::vector<uint32_t>& code, const std::vector<uint32_t>& input,
                                           uint32_t wave_size, uint32_t lanes) {
    BW_CHECK(code.size() * 4 <= kCodeBytes);
    std::memcpy(gpu_.host(code_), code.data(), code.size() * 4);
    std::memcpy(gpu_.host(input_), input.data(), input.size() * 4);
    std::memset(gpu_.host(output_), 0, Frame::kOutputBytes * kGroups);
    emulator::Dispatch dispatch = Gpu::dispatch(code_, lanes, input_);
    dispatch.pgm_rsrc1 |= 0x3f;        // 256 VGPRs in either wave size
    dispatch.pgm_rsrc2 = 0x0004'0088;  // 4 user SGPRs, workgroup id x, 4 KiB of LDS
    dispatch.user_data[2] = static_cast<uint32_t>(output_);
    dispatch.user_data[3] = static_cast<uint32_t>(output_ >> 32);
    dispatch.wave_size = wave_size;
    dispatch.workgroup_count = {kGroups, 1, 1};
    return gpu_.run(dispatch);
  }
  const uint32_t* output() const { return gpu_.at<uint32_t>(output_); }
  // Engines may place memory differently.
  uint64_t offset_of(uint64_t pc) const { return pc - code_; }

 private:
  static constexpr size_t kCodeBytes = 64 * 1024;
  Gpu& gpu_;
  uint64_t code_, input_, output_;
};

// The differing dwords, at most some; empty: none.
std::string differences(const uint32_t* a, const uint32_t* b) {
  constexpr uint32_t kGroupDwords = Frame::kOutputBytes / 4, kRowDwords = Frame::kRowBytes / 4;
  std::string text;
  int count = 0;
  for (uint32_t i = 0; i < kGroupDwords * kGroups; ++i) {
    if (a[i] == b[i] || ++count > 20) continue;
    const uint32_t row = i % kGroupDwords / kRowDwords;
    text += fmt::format("  workgroup {} {} lane {}: {:#010x} against {:#010x}\n", i / kGroupDwords,
                        Frame::row_name(row), i % kRowDwords, a[i], b[i]);
  }
  if (count > 20) text += fmt::format("  and {} dwords more\n", count - 20);
  return text;
}

std::string describe_fault(const std::optional<emulator::ShaderFault>& fault) {
  return fault ? fault->message : "no fault";
}

}  // namespace

ProgramFuzzResult fuzz_programs(Gpu& a, Gpu& b, uint32_t wave_size, uint32_t seed, double seconds, uint64_t most) {
  RandomProgramGenerator generator(wave_size);
  Side sides[] = {Side(a), Side(b)};
  ProgramFuzzResult result;
  const auto end = steady_clock::now() + std::chrono::duration<double>(seconds);
  while (result.programs < most && steady_clock::now() < end && result.failure.empty()) {
    std::seed_seq seeds{seed, static_cast<uint32_t>(result.programs)};
    std::mt19937 random(seeds);
    std::vector<uint32_t> input(Frame::kInputBytes / 4);
    for (uint32_t& word : input) word = random_value(random);
    const uint32_t lanes = random() % 4 == 0 ? 1 + static_cast<uint32_t>(random() % wave_size) : wave_size;
    const auto program = generator.make(random, kInstructionsOfProgram);
    const auto fault_a = sides[0].run(program.code, input, wave_size, lanes);
    const auto fault_b = sides[1].run(program.code, input, wave_size, lanes);
    std::string difference;
    if (fault_a || fault_b) {
      ++result.faults;
      const bool is_same = fault_a && fault_b && fault_a->kind == fault_b->kind &&
                           sides[0].offset_of(fault_a->pc) == sides[1].offset_of(fault_b->pc);
      if (!is_same) difference = fmt::format("  {} against {}\n", describe_fault(fault_a), describe_fault(fault_b));
    } else {
      difference = differences(sides[0].output(), sides[1].output());
    }
    if (!difference.empty()) {
      result.failure = fmt::format("seed {}, program {}, wave{}, {} work-items:\n{}{}", seed, result.programs,
                                   wave_size, lanes, program.text, difference);
    }
    ++result.programs;
    result.instructions += kInstructionsOfProgram;
  }
  return result;
}

}  // namespace bw::test
