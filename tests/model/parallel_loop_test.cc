// Owns: decoding on several emulated cards in blocks of steps, against the same on one card: tokens, ends, and what
// happens when a card does not go on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "amdgpu/device.h"
#include "amdgpu/gfx11/pm4.h"
#include "emulator/driver.h"
#include "tensor/device_executor.h"
#include "tensor/generator.h"
#include "tensor/gguf/gguf.h"
#include "tensor/models/parallel_llama.h"

namespace bw::tensor {
namespace {

namespace pm4 = amdgpu::gfx11::pm4;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";

// Of this process: every test compiles the same kernels.
std::string cache_dir() {
  static const std::string dir = [] {
    std::string path = ::testing::TempDir() + "parallel_loop_XXXXXX";
    return std::string(mkdtemp(path.data()));
  }();
  return dir;
}

class CacheRemover : public ::testing::Environment {
 public:
  void TearDown() override { std::filesystem::remove_all(cache_dir()); }
};
const auto* const kCacheRemover = ::testing::AddGlobalTestEnvironment(new CacheRemover);  // NOLINT: gtest owns it

struct Machine {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::vector<std::shared_ptr<amdgpu::Device>> devices;
  std::unique_ptr<ParallelLlama> model;
};

Machine open_machine(uint32_t cards, emulator::EmulatedOptions options = {}, uint64_t timeout_ns = 60'000'000'000) {
  Machine machine;
  options.card_count = cards;
  machine.driver = emulator::EmulatedDriver::create(std::move(options)).value();
  std::vector<std::shared_ptr<Runtime>> runtimes;
  auto devices = amdgpu::Device::open_several(*machine.driver, cards, {.wait_timeout_ns = timeout_ns}).value();
  for (auto& device : devices) {
    machine.devices.emplace_back(std::move(device));
    runtimes.push_back(
        Runtime::create(DeviceExecutor::create(machine.devices.back(), {.cache_dir = cache_dir()}).value()));
  }
  const gguf::File file = gguf::File::open(kModel).value();
  machine.model = ParallelLlama::load(file, runtimes, {.max_context = 64}).value();
  return machine;
}

const std::vector<TokenId> kPrompt = {1, 30, 31, 32};

template <typename Model>
GenerateResult run(Model& model, const GenerateOptions& options, const TokenCallback& on_token = {}) {
  auto result = generate(model, kPrompt, options, on_token);
  EXPECT_TRUE(result.is_ok()) << result.status().message();
  return result.is_ok() ? std::move(result).value() : GenerateResult{};
}

class OneCard : public ::testing::Test {
 protected:
  void SetUp() override {
    driver_ = emulator::EmulatedDriver::create().value();
    one_ = Llama::load(gguf::File::open(kModel).value(), Runtime::create(*driver_, {.cache_dir = cache_dir()}).value(),
                       {.max_context = 64})
               .value();
  }
  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::unique_ptr<Llama> one_;
};
using ParallelLoop = OneCard;

TEST_F(ParallelLoop, BlocksOfAnySizeGiveTheTokensOfOneCard) {
  const GenerateResult want = run(*one_, {.max_tokens = 40});
  Machine machine = open_machine(2);
  for (const int64_t block : {0, 1, 7, 16, 64}) {
    EXPECT_EQ(run(*machine.model, {.max_tokens = 40, .block_tokens = block}).ids, want.ids) << block;
  }
}

TEST_F(ParallelLoop, EndsWhereOneCardEnds) {
  const std::vector<TokenId> ids = run(*one_, {.max_tokens = 20}).ids;
  Machine machine = open_machine(2);
  for (const size_t end : {size_t{0}, size_t{7}, size_t{15}, size_t{16}}) {
    const TokenId eos = ids[end];
    const auto first = std::find(ids.begin(), ids.end(), eos);
    const GenerateResult got = run(*machine.model, {.max_tokens = 40, .eos = eos});
    EXPECT_EQ(got.ids, std::vector<TokenId>(ids.begin(), first));
    EXPECT_EQ(got.reason, StopReason::kEos);
  }
  const GenerateResult full = run(*machine.model, {.max_tokens = 100});
  EXPECT_EQ(full.ids, run(*one_, {.max_tokens = 100}).ids);
  EXPECT_EQ(full.reason, StopReason::kContextFull);
}

// All cards leave out the same steps, whenever the host says so.
TEST_F(ParallelLoop, WhoHasEnoughEndsTheBlockOnAllCards) {
  Machine machine = open_machine(2);
  const std::vector<TokenId> want = run(*one_, {.max_tokens = 60}).ids;
  for (const size_t most : {1, 2, 5, 17, 30}) {
    size_t left = most;
    const GenerateResult got =
        run(*machine.model, {.max_tokens = 60, .block_tokens = 60}, [&](TokenId) { return --left > 0; });
    EXPECT_EQ(got.ids, std::vector<TokenId>(want.begin(), want.begin() + static_cast<ptrdiff_t>(most)));
    EXPECT_EQ(got.reason, StopReason::kCaller);
  }
  EXPECT_EQ(run(*machine.model, {.max_tokens = 60}).ids, want);
}

TEST_F(ParallelLoop, SampledTokensAreThoseOfOneCard) {
  const SamplingOptions samplings[] = {{.temperature = 0.9, .seed = 7},
                                       {.temperature = 0.8, .top_k = 100, .top_p = 0.95, .seed = 9}};
  Machine machine = open_machine(2);
  for (const SamplingOptions& sampling : samplings) {
    const GenerateResult want = run(*one_, {.max_tokens = 20, .sampling = sampling});
    for (const int64_t block : {0, 16}) {
      const GenerateResult got = run(*machine.model, {.max_tokens = 20, .sampling = sampling, .block_tokens = block});
      EXPECT_EQ(got.ids, want.ids) << "seed " << sampling.seed << " block " << block;
    }
  }
}

TEST_F(ParallelLoop, StrictModeFindsNothing) {
  emulator::EmulatedOptions options;
  options.strictness = emulator::Strictness::kOn;
  Machine machine = open_machine(2, std::move(options));
  EXPECT_EQ(run(*machine.model, {.max_tokens = 6, .block_tokens = 3}).ids, run(*one_, {.max_tokens = 6}).ids);
  for (const auto& report : machine.driver->fault_reports()) ADD_FAILURE() << report.message;
}

uint32_t opcode_of(std::span<const uint32_t> packet) {
  return pm4::TYPE_3_HEADER::opcode.get(packet.data());
}

// While a card waits for what another will never tell it, the other waits for the first.
TEST_F(ParallelLoop, ACardThatIsNeverToldEndsInTimeAndTheCardsGoOnAfterRecovery) {
  std::atomic<int> left = -1;
  emulator::EmulatedOptions options;
  options.edit_packet = [&left](std::span<uint32_t> packet) {
    if (opcode_of(packet) != static_cast<uint32_t>(pm4::Opcode::WAIT_REG_MEM) ||
        pm4::WAIT_REG_MEM::function.get(packet.data()) != pm4::WAIT_REG_MEM::function__equal_to_the_reference_value) {
      return;
    }
    if (left.load() >= 0 && left.fetch_sub(1) == 0) packet[pm4::WAIT_REG_MEM::reference.dword] = 0x12345;
  };
  Machine machine = open_machine(2, std::move(options), 300'000'000);
  const std::vector<TokenId> want = run(*one_, {.max_tokens = 20}).ids;
  EXPECT_EQ(run(*machine.model, {.max_tokens = 20}).ids, want);
  left = 100;
  const auto begin = std::chrono::steady_clock::now();
  const Status status = generate(*machine.model, kPrompt, {.max_tokens = 20}).status();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  EXPECT_EQ(status.code(), StatusCode::kTimeout);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("; card 0 of 2: running on the compute queue"),
                                      HasSubstr("; card 1 of 2: running on the compute queue"),
                                      HasSubstr("a wait for the signal of another queue or device")));
  EXPECT_EQ(status.message().find('\n'), std::string::npos);
  for (const auto& device : machine.devices) ASSERT_TRUE(device->recover().is_ok());
  left = -1;
  EXPECT_EQ(run(*machine.model, {.max_tokens = 20}).ids, want);
}

TEST_F(ParallelLoop, AFaultOfOneCardEndsAllWithItsReport) {
  std::atomic<int> left = -1;
  emulator::EmulatedOptions options;
  options.edit_packet = [&left](std::span<uint32_t> packet) {
    using P = pm4::RELEASE_MEM;
    if (opcode_of(packet) != static_cast<uint32_t>(pm4::Opcode::RELEASE_MEM)) return;
    if (P::data_sel.get(packet.data()) != P::data_sel__send_32_bit_low || P::data_lo.get(packet.data()) != 1) return;
    if (left.load() < 0 || left.fetch_sub(1) != 0) return;
    packet[P::address_lo_32b.dword] = 0x1000;  // where no memory is
    packet[P::address_hi.dword] = 0;
  };
  Machine machine = open_machine(2, std::move(options));
  const std::vector<TokenId> want = run(*one_, {.max_tokens = 20}).ids;
  EXPECT_EQ(run(*machine.model, {.max_tokens = 20}).ids, want);
  left = 60;
  const Status status = generate(*machine.model, kPrompt, {.max_tokens = 20}).status();
  EXPECT_EQ(status.code(), StatusCode::kDeviceFault) << status.message();
  for (const auto& device : machine.devices) ASSERT_TRUE(device->recover().is_ok());
  EXPECT_EQ(run(*machine.model, {.max_tokens = 20}).ids, want);
}

}  // namespace
}  // namespace bw::tensor
