// Kernels that never end: what the runtime says of them, and that nothing hangs because of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using std::chrono::steady_clock;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr uint64_t kTimeoutNs = 100'000'000;
// Generous: the machine that tests may be busy, and a sanitizer slows everything down.
constexpr std::chrono::seconds kPrompt{5};

std::unique_ptr<emulator::EmulatedDriver> make_machine() {
  emulator::EmulatedOptions options;
  options.worker_threads = 2;
  return emulator::EmulatedDriver::create(std::move(options)).value();
}

struct Card {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::unique_ptr<amdgpu::Device> device;
  std::unique_ptr<amdgpu::CodeModule> module;

  static Card open() {
    Card card;
    card.driver = make_machine();
    card.device = amdgpu::Device::open(*card.driver, {.wait_timeout_ns = kTimeoutNs}).value();
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/endless.hsaco").value();
    card.module = card.device->load(file.bytes()).value();
    return card;
  }
  amdgpu::Submission start(const char* kernel) {
    amdgpu::CommandRecorder recorder = device->record();
    recorder.dispatch(*module->kernel(kernel).value(), {4, 1, 1}, {64, 1, 1}, {});
    return device->submit(recorder.finish().value()).value();
  }
};

class Runaway : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Kernels, Runaway, ::testing::Values("spin", "nap", "strand"));

TEST_P(Runaway, TimesOutByNameAndClosesPromptly) {
  Card card = Card::open();
  const Status status = card.device->wait(card.start(GetParam()));
  EXPECT_EQ(status.code(), StatusCode::kTimeout);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("no progress for 100 ms"), HasSubstr(GetParam())));
  const auto begin = steady_clock::now();
  card.module.reset();
  card.device.reset();
  EXPECT_LT(steady_clock::now() - begin, kPrompt);

  // One process opens a card once; a new machine stands for a new process.
  Card other = Card::open();
  const Status ended = other.device->wait(other.start("end"));
  EXPECT_TRUE(ended.is_ok()) << ended.message();
}

TEST_P(Runaway, GivesWayToRecovery) {
  Card card = Card::open();
  EXPECT_EQ(card.device->wait(card.start(GetParam())).code(), StatusCode::kTimeout);
  const auto begin = steady_clock::now();
  const Status recovered = card.device->recover();
  ASSERT_TRUE(recovered.is_ok()) << recovered.message();
  EXPECT_LT(steady_clock::now() - begin, kPrompt);
  const Status ended = card.device->wait(card.start("end"));
  EXPECT_TRUE(ended.is_ok()) << ended.message();
}

TEST_P(Runaway, LeavesTheCopyEngineFree) {
  Card card = Card::open();
  const amdgpu::Submission endless = card.start(GetParam());
  auto from = card.device->allocate(amdgpu::MemoryKind::kVram, 4096).value();
  auto to = card.device->allocate(amdgpu::MemoryKind::kVram, 4096).value();
  const Status status = card.device->wait(card.device->copy(to, 0, from, 0, 4096).value());
  EXPECT_TRUE(status.is_ok()) << status.message();
  EXPECT_FALSE(card.device->is_done(endless));
}

TEST(RunawayProcess, ExitsWhileAKernelRuns) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        Card card = Card::open();
        card.start("spin");
        std::exit(card.device->wait_idle().code() == StatusCode::kTimeout ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bw
