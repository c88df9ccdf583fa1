// Command graphs on the emulated card, with machine code: random graphs of kernels, copies and fills, replayed back to
// back with changing parameters on both compute queues, against the same steps done one after the other on the host.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>
#include <vector>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using namespace amdgpu;  // NOLINT: a test of nothing else

constexpr uint32_t kWorkgroupSize = 32;
constexpr uint32_t kWorkgroups = 8;
constexpr uint32_t kElements = kWorkgroups * kWorkgroupSize;
constexpr uint64_t kBytes = kElements * sizeof(uint32_t);
constexpr size_t kBuffers = 5;

struct Mode {
  const char* name;
  emulator::ShaderEngine engine;
  emulator::Strictness strictness;
};
std::ostream& operator<<(std::ostream& stream, const Mode& mode) {
  return stream << mode.name;
}

using Contents = std::array<std::vector<uint32_t>, kBuffers>;

// One step of a graph, and what it does.
struct Step {
  enum class Kind { kAddOne, kCopy, kFill } kind = Kind::kAddOne;
  size_t to = 0;
  size_t from = 0;
  uint32_t value = 0;

  void apply(Contents& contents, uint32_t workgroups) const {
    for (uint32_t i = 0; i < kElements; ++i) {
      if (kind == Kind::kFill) contents[to][i] = value;
      if (kind == Kind::kCopy) contents[to][i] = contents[from][i];
      if (kind == Kind::kAddOne && i < workgroups * kWorkgroupSize) contents[to][i] = contents[from][i] + 1;
    }
  }
};

class CommandGraphs : public ::testing::TestWithParam<Mode> {
 protected:
  void SetUp() override {
    emulator::EmulatedOptions options;
    options.engine = GetParam().engine;
    options.strictness = GetParam().strictness;
    driver_ = emulator::EmulatedDriver::create(std::move(options)).value();
    device_ = Device::open(*driver_, {.wait_timeout_ns = 20'000'000'000}).value();
    auto file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
    module_ = device_->load(file.value().bytes()).value();
    add_one_ = module_->kernel("add_one").value();
    for (Buffer& buffer : buffers_) buffer = device_->allocate(MemoryKind::kVram, kBytes).value();
  }

  Step random_step() {
    Step step{static_cast<Step::Kind>(random_() % 3), random_() % kBuffers, random_() % kBuffers,
              static_cast<uint32_t>(random_())};
    if (step.kind != Step::Kind::kAddOne && step.to == step.from) step.from = (step.from + 1) % kBuffers;
    return step;
  }

  void record(GraphRecorder& recorder, const Step& step, ParameterId workgroups) {
    const BufferUse to{&buffers_[step.to], Access::kWrite};
    const BufferUse from{&buffers_[step.from], Access::kRead};
    if (step.kind == Step::Kind::kCopy) return recorder.copy(to, from);
    if (step.kind == Step::Kind::kFill) return recorder.fill(to, step.value);
    const uint64_t arguments[] = {buffers_[step.to].gpu_addr().value, buffers_[step.from].gpu_addr().value};
    const BufferUse uses[] = {to, from};
    const ParameterUse parameters[] = {{workgroups, ParameterUse::Place::kWorkgroupCount, 0}};
    recorder.launch({.kernel = add_one_,
                     .workgroup_count = {kWorkgroups, 1, 1},
                     .workgroup_size = {kWorkgroupSize, 1, 1},
                     .arguments = std::as_bytes(std::span(arguments)),
                     .uses = uses,
                     .pointers = {},
                     .parameters = parameters});
  }

  void write(const Contents& contents) {
    for (size_t i = 0; i < kBuffers; ++i) {
      ASSERT_TRUE(device_->write(buffers_[i], 0, std::as_bytes(std::span(contents[i]))).is_ok());
    }
  }
  void expect(const Contents& contents) {
    for (size_t i = 0; i < kBuffers; ++i) {
      std::vector<uint32_t> found(kElements);
      ASSERT_TRUE(device_->read(buffers_[i], 0, std::as_writable_bytes(std::span(found))).is_ok());
      EXPECT_EQ(found, contents[i]) << "buffer " << i;
    }
  }

  std::mt19937 random_{3};
  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  const Kernel* add_one_ = nullptr;
  Buffer buffers_[kBuffers];
};

TEST_P(CommandGraphs, DoWhatTheirNodesDoInOrder) {
  for (int round = 0; round < 15; ++round) {
    std::vector<Step> steps;
    for (int i = 0; i < 12; ++i) steps.push_back(random_step());
    GraphRecorder recorder = device_->record_graph({.has_timestamps = round % 4 == 0, .chunk_dwords = 60});
    const ParameterId workgroups = recorder.parameter(4, kWorkgroups, 1, kWorkgroups);
    for (const Step& step : steps) record(recorder, step, workgroups);
    auto graph = recorder.finish();
    ASSERT_TRUE(graph.is_ok()) << graph.status().message();

    Contents contents;
    for (auto& buffer : contents) {
      for (uint32_t i = 0; i < kElements; ++i) buffer.push_back(random_());
    }
    write(contents);
    Submission last;
    for (uint32_t replay = 0; replay < 6; ++replay) {
      const uint32_t count = 1 + random_() % kWorkgroups;
      ASSERT_TRUE(graph.value().set(workgroups, count).is_ok());
      const QueueName queue = random_() % 3 == 0 ? QueueName::kCompute2 : QueueName::kCompute;
      auto submitted = device_->submit(graph.value(), std::span(&last, 1), queue);
      ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
      last = submitted.value();
      for (const Step& step : steps) step.apply(contents, count);
    }
    const Status done = device_->wait(last);
    ASSERT_TRUE(done.is_ok()) << done.message();
    expect(contents);
  }
}

TEST_P(CommandGraphs, DirectDispatchesFollowEachOther) {
  Contents contents;
  for (auto& buffer : contents) buffer.assign(kElements, 7);
  write(contents);
  const DirectDispatch dispatch =
      device_->prepare_dispatch(*add_one_, {kWorkgroups, 1, 1}, {kWorkgroupSize, 1, 1}).value();
  Submission last;
  for (size_t i = 0; i < 50; ++i) {
    const size_t from = i % kBuffers;
    const size_t to = (i + 1) % kBuffers;
    const uint64_t arguments[] = {buffers_[to].gpu_addr().value, buffers_[from].gpu_addr().value};
    last = device_->submit(dispatch, std::as_bytes(std::span(arguments))).value();
    Step{Step::Kind::kAddOne, to, from, 0}.apply(contents, kWorkgroups);
  }
  ASSERT_TRUE(device_->wait(last).is_ok());
  expect(contents);
}

constexpr Mode kModes[] = {
    {"Interpreter", emulator::ShaderEngine::kInterpreter, emulator::Strictness::kOff},
    {"Translated", emulator::ShaderEngine::kJitAtOnce, emulator::Strictness::kOff},
    {"Strict", emulator::ShaderEngine::kInterpreter, emulator::Strictness::kOn},
};
INSTANTIATE_TEST_SUITE_P(Modes, CommandGraphs, ::testing::ValuesIn(kModes),
                         [](const auto& mode) { return std::string(mode.param.name); });

}  // namespace
}  // namespace bw
