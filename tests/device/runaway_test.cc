// Kernels that never end: what the runtime says of them, and that nothing hangs because of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <tuple>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;

// For what does not end.
constexpr uint64_t kTimeoutNs = 100'000'000;
// For what ends: the machine that tests may be busy, and a sanitizer slows everything down.
constexpr amdgpu::DeviceOptions kPatient{.wait_timeout_ns = 60'000'000'000};
// A queue that does not leave the hardware is given up after 9 seconds (emulator/kernel/queues.cc).
constexpr std::chrono::seconds kPrompt{8};

// Whether one of some attempts is prompt: those that wait for what never comes all are late, those of a busy machine
// not.
template <typename Attempt>
bool is_prompt(const Attempt& attempt) {
  for (int i = 0; i < 3; ++i) {
    const steady_clock::duration taken = attempt();
    if (taken < kPrompt) return true;
  }
  return false;
}

std::unique_ptr<emulator::EmulatedDriver> make_machine(emulator::ShaderEngine engine) {
  emulator::EmulatedOptions options;
  options.engine = engine;
  options.worker_threads = 2;
  return emulator::EmulatedDriver::create(std::move(options)).value();
}

struct Card {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::unique_ptr<amdgpu::Device> device;
  std::unique_ptr<amdgpu::CodeModule> module;

  static Card open(emulator::ShaderEngine engine = emulator::ShaderEngine::kJit) {
    Card card;
    card.driver = make_machine(engine);
    card.device = amdgpu::Device::open(*card.driver, kPatient).value();
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/endless.hsaco").value();
    card.module = card.device->load(file.bytes()).value();
    return card;
  }
  void open_anew() {
    const std::shared_ptr<amdgpu::DriverSession> session = device->session();
    module.reset();
    device.reset();
    device = std::move(amdgpu::Device::reopen(session, kPatient).value().front());
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/endless.hsaco").value();
    module = device->load(file.bytes()).value();
  }
  amdgpu::Submission start(const char* kernel) {
    amdgpu::CommandRecorder recorder = device->record();
    recorder.dispatch(*module->kernel(kernel).value(), {4, 1, 1}, {64, 1, 1}, {});
    return device->submit(recorder.finish().value()).value();
  }
  // What is said of a kernel that never ends, once it has begun.
  Status hang(const char* kernel) {
    const amdgpu::Submission endless = start(kernel);
    const auto begin = steady_clock::now();
    Status status;
    do {
      status = device->wait(endless, kTimeoutNs);
    } while (status.message().find(kernel) == std::string::npos &&
             steady_clock::now() - begin < std::chrono::minutes(1));
    return status;
  }
  void expect_working() {
    const Status ended = device->wait(start("end"));
    EXPECT_TRUE(ended.is_ok()) << ended.message();
  }
};

class Runaway : public ::testing::TestWithParam<std::tuple<const char*, emulator::ShaderEngine>> {
 protected:
  static const char* kernel() { return std::get<0>(GetParam()); }
  static Card open() { return Card::open(std::get<1>(GetParam())); }
};
INSTANTIATE_TEST_SUITE_P(Kernels, Runaway,
                         ::testing::Combine(::testing::Values("spin", "nap", "strand"),
                                            ::testing::Values(emulator::ShaderEngine::kInterpreter,
                                                              emulator::ShaderEngine::kJitAtOnce)),
                         [](const auto& test) {
                           const bool is_jit = std::get<1>(test.param) == emulator::ShaderEngine::kJitAtOnce;
                           return std::string(std::get<0>(test.param)) + (is_jit ? "Jit" : "Interpreter");
                         });

TEST_P(Runaway, TimesOutByNameAndClosesPromptly) {
  EXPECT_TRUE(is_prompt([] {
    Card card = open();
    const Status status = card.hang(kernel());
    EXPECT_EQ(status.code(), StatusCode::kTimeout);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("no progress for 100 ms"), HasSubstr(kernel())));
    const auto begin = steady_clock::now();
    card.module.reset();
    card.device.reset();
    return steady_clock::now() - begin;
  }));
  // One process opens a card once; a new machine stands for a new process.
  open().expect_working();
}

TEST_P(Runaway, GivesWayToRecovery) {
  Card card = open();
  EXPECT_TRUE(is_prompt([&] {
    EXPECT_EQ(card.hang(kernel()).code(), StatusCode::kTimeout);
    const auto begin = steady_clock::now();
    const Status recovered = card.device->recover();
    EXPECT_TRUE(recovered.is_ok()) << recovered.message();
    return steady_clock::now() - begin;
  }));
  card.expect_working();
}

TEST_P(Runaway, ClosesAndIsOpenedAnewInTheSameProcess) {
  Card card = open();
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(is_prompt([&] {
      EXPECT_EQ(card.hang(kernel()).code(), StatusCode::kTimeout);
      const auto begin = steady_clock::now();
      card.open_anew();
      return steady_clock::now() - begin;
    }));
    card.expect_working();
  }
}

TEST_P(Runaway, MeetsItsDeadline) {
  Card card = open();
  EXPECT_EQ(card.hang(kernel()).code(), StatusCode::kTimeout);
  const amdgpu::Submission endless{amdgpu::QueueName::kCompute, 1};
  ASSERT_TRUE(card.device->set_deadline(endless, 20'000'000).is_ok());
  const Status status = card.device->wait(endless, 3'600'000'000'000);
  EXPECT_EQ(status.code(), StatusCode::kTimeout);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("has not ended 20 ms after it could begin"), HasSubstr(kernel())));
}

TEST_P(Runaway, LeavesTheCopyEngineFree) {
  Card card = open();
  const amdgpu::Submission endless = card.start(kernel());
  auto from = card.device->allocate(amdgpu::MemoryKind::kVram, 4096).value();
  auto to = card.device->allocate(amdgpu::MemoryKind::kVram, 4096).value();
  const Status status = card.device->wait(card.device->copy(to, 0, from, 0, 4096).value());
  EXPECT_TRUE(status.is_ok()) << status.message();
  EXPECT_FALSE(card.device->is_done(endless));
}

TEST(Fault, EndsWithTheDeviceThatIsOpenedAnew) {
  Card card = Card::open();
  for (int round = 0; round < 2; ++round) {
    const auto buffer = card.device->allocate(amdgpu::MemoryKind::kVram, 4096).value();
    amdgpu::CommandRecorder recorder = card.device->record();
    recorder.copy(buffer.gpu_addr(), GpuAddr{0x1000}, 64);  // where nothing is mapped
    const Status fault = card.device->wait(card.device->submit(recorder.finish().value()).value());
    EXPECT_EQ(fault.code(), StatusCode::kDeviceFault);
    EXPECT_THAT(fault.message(), HasSubstr("0x1000"));
    card.open_anew();
    EXPECT_TRUE(card.device->fault().is_ok());
    card.expect_working();
    // A buffer of before is a buffer still.
    EXPECT_TRUE(card.device->fill(buffer, 0, 4096, 0).is_ok());
  }
}

TEST(RunawayProcess, ExitsWhileAKernelRuns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Card card = Card::open();
        std::exit(card.hang("spin").code() == StatusCode::kTimeout ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bw
