// Several emulated cards in one process, and two compute queues of one card: memory of each other, copies, waits across
// queues and cards, work at the same time, and faults.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using amdgpu::Buffer;
using amdgpu::Device;
using amdgpu::MemoryKind;
using amdgpu::QueueName;
using amdgpu::Submission;
using ::testing::HasSubstr;

constexpr uint32_t kCount = 32 * 40;  // words of a buffer
constexpr uint64_t kBytes = kCount * sizeof(uint32_t);
constexpr uint64_t kTimeoutNs = 20'000'000'000;

struct Card {
  std::unique_ptr<Device> device;
  std::vector<std::unique_ptr<amdgpu::CodeModule>> modules;
  const amdgpu::Kernel* add_one = nullptr;
  const amdgpu::Kernel* handshake = nullptr;

  const amdgpu::Kernel* load(const char* file, const char* kernel) {
    const MappedFile code = MappedFile::open(std::string(BW_AMDGPU_TESTDATA "/") + file).value();
    modules.push_back(device->load(code.bytes()).value());
    return modules.back()->kernel(kernel).value();
  }
  Buffer filled(uint32_t value, MemoryKind kind = MemoryKind::kVram) const {
    Buffer buffer = device->allocate(kind, kBytes).value();
    EXPECT_TRUE(device->fill(buffer, 0, kBytes, value).is_ok());
    return buffer;
  }
  // out = in + 1, a whole buffer.
  Result<Submission> increment(const Buffer& out, const Buffer& in, QueueName queue = QueueName::kCompute) const {
    const uint64_t arguments[] = {out.gpu_addr().value, in.gpu_addr().value};
    amdgpu::CommandRecorder recorder = device->record();
    recorder.dispatch(*add_one, {kCount / 32, 1, 1}, {32, 1, 1}, std::as_bytes(std::span(arguments)));
    BW_ASSIGN(const amdgpu::CommandBuffer commands, recorder.finish());
    return device->submit(commands, {}, queue);
  }
  void add_one_node(amdgpu::GraphRecorder& recorder, const Buffer& out, const Buffer& in) const {
    const uint64_t arguments[] = {out.gpu_addr().value, in.gpu_addr().value};
    const amdgpu::BufferUse uses[] = {{&out, amdgpu::Access::kWrite}, {&in, amdgpu::Access::kRead}};
    recorder.launch({.kernel = add_one,
                     .workgroup_count = {kCount / 32, 1, 1},
                     .workgroup_size = {32, 1, 1},
                     .arguments = std::as_bytes(std::span(arguments)),
                     .uses = uses});
  }
  // A graph of one handshake: see amdgpu/testdata/handshake.s.
  amdgpu::CommandGraph meeting(const Buffer& mine, const Buffer& other) const {
    struct {
      uint64_t mine, other;
      uint32_t until = 1, unused = 0;
    } arguments{mine.gpu_addr().value, other.gpu_addr().value};
    amdgpu::GraphRecorder recorder = device->record_graph();
    const std::vector<amdgpu::BufferUse> uses = {{&mine, amdgpu::Access::kReadWrite}, {&other, amdgpu::Access::kRead}};
    recorder.launch(
        {.kernel = handshake, .arguments = std::as_bytes(std::span(&arguments, 1)).first(20), .uses = uses});
    return recorder.finish().value();
  }
  void expect_all(const Buffer& buffer, uint32_t value) const {
    std::vector<uint32_t> words(kCount);
    const Status status = device->read(buffer, 0, std::as_writable_bytes(std::span(words)));
    ASSERT_TRUE(status.is_ok()) << status.message();
    for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(words[i], value) << "word " << i;
  }
};

struct Machine {
  std::unique_ptr<emulator::EmulatedDriver> driver;
  std::vector<Card> cards;
};

Machine open_machine(uint32_t card_count, emulator::ShaderEngine engine = emulator::ShaderEngine::kJitAtOnce,
                     emulator::Strictness strictness = emulator::Strictness::kOff) {
  emulator::EmulatedOptions options;
  options.card_count = card_count;
  options.vram_bytes = uint64_t{1} << 30;
  options.worker_threads = 2;
  options.engine = engine;
  options.strictness = strictness;
  Machine machine;
  machine.driver = emulator::EmulatedDriver::create(std::move(options)).value();
  auto devices = Device::open_several(*machine.driver, card_count, {.wait_timeout_ns = kTimeoutNs}).value();
  for (auto& device : devices) {
    Card card;
    card.device = std::move(device);
    card.add_one = card.load("two_kernels.hsaco", "add_one");
    card.handshake = card.load("handshake.hsaco", "handshake");
    machine.cards.push_back(std::move(card));
  }
  return machine;
}

void expect_ok(const Status& status) {
  EXPECT_TRUE(status.is_ok()) << status.message();
}

TEST(SeveralCards, AllAreOpenedOrAsManyAsAskedFor) {
  emulator::EmulatedOptions options;
  options.card_count = 3;
  auto driver = emulator::EmulatedDriver::create(std::move(options)).value();
  {
    auto all = Device::open_several(*driver, {});
    ASSERT_TRUE(all.is_ok()) << all.status().message();
    std::set<uint32_t> ids;
    for (const auto& device : all.value()) ids.insert(device->info().gpu_id);
    EXPECT_EQ(ids.size(), 3u);
  }
  EXPECT_THAT(Device::open_several(*driver, 2, {.gpu_index = 2}).status().message(),
              HasSubstr("looking for GPUs 2 to 3 of type gfx1100: the driver shows 3"));
  EXPECT_EQ(Device::open_several(*driver, 0).status().code(), StatusCode::kInvalidArgument);
}

TEST(SeveralCards, KernelsReachTheMemoryOfAnotherCard) {
  Machine machine = open_machine(2);
  const auto& [first, second] = std::tie(machine.cards[0], machine.cards[1]);
  const Buffer far = second.filled(41);
  const Buffer near = first.filled(0);
  expect_ok(second.device->share(far));
  expect_ok(first.device->wait(first.increment(near, far).value()));
  first.expect_all(near, 42);
  expect_ok(first.device->wait(first.increment(far, near).value()));
  second.expect_all(far, 43);
}

TEST(SeveralCards, CopiesGoStraightFromCardToCard) {
  Machine machine = open_machine(3);
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < 3; ++i) {
    buffers.push_back(machine.cards[i].filled(static_cast<uint32_t>(i)));
    expect_ok(machine.cards[i].device->share(buffers.back()));
  }
  // Each adds 1 and hands on to the next; nobody waits but the cards for each other.
  constexpr uint32_t kRounds = 30;
  Submission copied;
  for (uint32_t step = 0; step < 3 * kRounds; ++step) {
    const Card& from = machine.cards[step % 3];
    const Card& to = machine.cards[(step + 1) % 3];
    auto added = from.increment(buffers[step % 3], buffers[step % 3]);
    ASSERT_TRUE(added.is_ok()) << added.status().message();
    const std::array after = {added.value()};
    auto copy = from.device->copy(buffers[(step + 1) % 3], 0, buffers[step % 3], 0, kBytes, after);
    ASSERT_TRUE(copy.is_ok()) << copy.status().message();
    auto waiting = to.device->submit_wait(*from.device, copy.value());
    ASSERT_TRUE(waiting.is_ok()) << waiting.status().message();
  }
  for (const Card& card : machine.cards) expect_ok(card.device->wait_idle());
  machine.cards[0].expect_all(buffers[0], 3 * kRounds);
}

TEST(SeveralCards, CopyEnginesWaitForOtherCardsToo) {
  Machine machine = open_machine(2);
  const auto& [first, second] = std::tie(machine.cards[0], machine.cards[1]);
  const Buffer source = first.filled(0);
  const Buffer target = second.filled(0);
  expect_ok(first.device->share(source));
  Submission added;
  for (int i = 0; i < 20; ++i) added = first.increment(source, source).value();
  ASSERT_TRUE(second.device->submit_wait(*first.device, added, QueueName::kSdma).is_ok());
  expect_ok(second.device->wait(second.device->copy(target, 0, source, 0, kBytes).value()));
  second.expect_all(target, 20);
}

TEST(SeveralCards, WorkAtTheSameTime) {
  for (const auto engine : {emulator::ShaderEngine::kInterpreter, emulator::ShaderEngine::kJitAtOnce}) {
    Machine machine = open_machine(2, engine);
    const auto& [first, second] = std::tie(machine.cards[0], machine.cards[1]);
    const Buffer mine = first.filled(0);
    const Buffer other = second.filled(0);
    expect_ok(first.device->share(mine));
    expect_ok(second.device->share(other));
    amdgpu::CommandGraph graphs[] = {first.meeting(mine, other), second.meeting(other, mine)};
    const Submission a = first.device->submit(graphs[0]).value();
    const Submission b = second.device->submit(graphs[1]).value();
    expect_ok(first.device->wait(a));
    expect_ok(second.device->wait(b));
  }
}

// Each card adds 1 to what the one before it has, and tells the next. All replays are queued before the first can end.
TEST(SeveralCards, GraphsTellEachOtherHowFarTheyAre) {
  constexpr uint32_t kCards = 3;
  constexpr uint32_t kRounds = 40;
  for (const auto engine : {emulator::ShaderEngine::kInterpreter, emulator::ShaderEngine::kJitAtOnce}) {
    Machine machine = open_machine(kCards, engine, emulator::Strictness::kOn);
    std::vector<Buffer> values;
    std::vector<Buffer> words;
    for (const Card& card : machine.cards) {
      values.push_back(card.filled(0));
      words.push_back(card.filled(0, MemoryKind::kVramHostVisible));
      expect_ok(card.device->share(values.back()));
      expect_ok(card.device->share(words.back()));
    }
    std::vector<amdgpu::CommandGraph> graphs;
    std::vector<amdgpu::ParameterId> awaited(kCards);
    std::vector<amdgpu::ParameterId> told(kCards);
    for (uint32_t i = 0; i < kCards; ++i) {
      const Buffer& from = values[(i + kCards - 1) % kCards];
      amdgpu::GraphRecorder recorder = machine.cards[i].device->record_graph();
      awaited[i] = recorder.parameter(4, 0);
      told[i] = recorder.parameter(4, 0);
      const amdgpu::BufferUse arrives[] = {{&from, amdgpu::Access::kWrite}, {&values[i], amdgpu::Access::kRead}};
      recorder.wait({.word = {&words[i]}, .parameter = awaited[i], .arrives = arrives});
      machine.cards[i].add_one_node(recorder, values[i], from);
      const amdgpu::BufferUse published[] = {{&values[i], amdgpu::Access::kRead}};
      recorder.signal({.word = {&words[(i + 1) % kCards]}, .parameter = told[i], .publishes = published});
      graphs.push_back(recorder.finish().value());
    }
    std::vector<Submission> last(kCards);
    for (uint32_t round = 1; round <= kRounds; ++round) {
      for (uint32_t i = kCards; i-- > 0;) {
        expect_ok(graphs[i].set(awaited[i], i == 0 ? round - 1 : round));
        expect_ok(graphs[i].set(told[i], round));
        last[i] = machine.cards[i].device->submit(graphs[i]).value();
      }
    }
    for (uint32_t i = 0; i < kCards; ++i) expect_ok(machine.cards[i].device->wait(last[i]));
    for (uint32_t i = 0; i < kCards; ++i) machine.cards[i].expect_all(values[i], (kRounds - 1) * kCards + i + 1);
  }
}

// As cards that add up their parts: each has its own word for each time they meet, which is reset when it was seen, so
// that replays are all the same.
TEST(SeveralCards, GraphsThatMeetAgainAndAgainNeedNoParameters) {
  constexpr uint32_t kRounds = 60;
  constexpr uint32_t kMeetings = 2;  // with one, a card could be told of the next round before it has seen the last
  Machine machine = open_machine(2, emulator::ShaderEngine::kJitAtOnce, emulator::Strictness::kOn);
  Buffer values[2][kMeetings + 1];
  Buffer words[2];
  for (size_t i = 0; i < 2; ++i) {
    for (Buffer& value : values[i]) {
      value = machine.cards[i].filled(0);
      expect_ok(machine.cards[i].device->share(value));
    }
    words[i] = machine.cards[i].filled(0, MemoryKind::kVramHostVisible);
    expect_ok(machine.cards[i].device->share(words[i]));
  }
  // values[0] of either = what the other has in values[2] + 1 by way of values[1], and so on.
  amdgpu::CommandGraph graphs[2];
  for (size_t i = 0; i < 2; ++i) {
    amdgpu::GraphRecorder recorder = machine.cards[i].device->record_graph();
    machine.cards[i].add_one_node(recorder, values[i][0], values[i][kMeetings]);
    for (uint64_t at = 0; at < kMeetings; ++at) {
      const amdgpu::BufferUse published[] = {{&values[i][at], amdgpu::Access::kRead}};
      const amdgpu::BufferUse arrives[] = {{&values[1 - i][at], amdgpu::Access::kWrite}};
      recorder.signal({.word = {&words[1 - i], at * 4}, .publishes = published});
      recorder.wait({.word = {&words[i], at * 4}, .reset = 0, .arrives = arrives});
      machine.cards[i].add_one_node(recorder, values[i][at + 1], values[1 - i][at]);
    }
    graphs[i] = recorder.finish().value();
  }
  Submission last[2];
  for (uint32_t round = 0; round < kRounds; ++round) {
    for (size_t i = 0; i < 2; ++i) last[i] = machine.cards[i].device->submit(graphs[i]).value();
  }
  for (size_t i = 0; i < 2; ++i) expect_ok(machine.cards[i].device->wait(last[i]));
  for (size_t i = 0; i < 2; ++i) machine.cards[i].expect_all(values[i][kMeetings], kRounds * (kMeetings + 1));
}

// Of a peer's memory that was not shared the card knows nothing.
TEST(SeveralCards, AFaultOfOneIsReportedByAllAndAllRecover) {
  Machine machine = open_machine(2);
  const auto& [first, second] = std::tie(machine.cards[0], machine.cards[1]);
  const Buffer far = second.filled(1);
  const Buffer near = first.filled(1);
  const Status fault = first.device->wait(first.increment(near, far).value());
  EXPECT_EQ(fault.code(), StatusCode::kDeviceFault);
  EXPECT_THAT(fault.message(), HasSubstr(fmt::format("gpu {}", first.device->info().gpu_id)));
  // Waits for what will not come.
  ASSERT_TRUE(second.device->submit_wait(*first.device, {QueueName::kCompute, 1}).is_ok());
  const Status other = second.device->wait_idle();
  EXPECT_EQ(other.code(), StatusCode::kDeviceFault);
  EXPECT_THAT(other.message(), HasSubstr(fmt::format("gpu {}", first.device->info().gpu_id)));
  EXPECT_THAT(other.message(), HasSubstr("waiting for submission 1 of the compute queue"));
  for (const Card& card : machine.cards) expect_ok(card.device->recover());
  expect_ok(second.device->share(far));
  expect_ok(first.device->wait(first.increment(near, far).value()));
  first.expect_all(near, 2);
}

TEST(SeveralCards, WhatDoesNotBelongTogetherIsRefused) {
  Machine machine = open_machine(2);
  Machine elsewhere = open_machine(1);
  const auto& [first, second] = std::tie(machine.cards[0], machine.cards[1]);
  EXPECT_THAT(first.device->submit_wait(*elsewhere.cards[0].device, {}).status().message(),
              HasSubstr("not opened together"));
  EXPECT_THAT(first.device->submit_wait(*second.device, {QueueName::kCompute, 7}).status().message(),
              HasSubstr("waiting for submission 7 of the compute queue of gpu"));
  EXPECT_EQ(first.device->share(second.filled(0)).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(first.device->share(Buffer()).code(), StatusCode::kInvalidArgument);
}

TEST(SeveralCards, WaitsForADeviceThatGoesEnd) {
  Machine machine = open_machine(2);
  auto [first, second] = std::tie(machine.cards[0], machine.cards[1]);
  for (const bool closes : {false, true}) {
    const Buffer words[] = {first.filled(0), first.filled(0)};
    amdgpu::CommandGraph endless = first.meeting(words[0], words[1]);
    const Submission never = first.device->submit(endless).value();
    Submission waiting;
    for (const QueueName queue : {QueueName::kCompute, QueueName::kCompute2, QueueName::kSdma}) {
      waiting = second.device->submit_wait(*first.device, never, queue).value();
    }
    EXPECT_EQ(second.device->wait(waiting, 20'000'000).code(), StatusCode::kTimeout);
    if (closes) {
      first.modules.clear();
      first.device.reset();
    } else {
      expect_ok(first.device->recover());
    }
    expect_ok(second.device->wait_idle());
  }
}

// Memory outlives the devices, as with one card.
TEST(SeveralCards, SharedMemoryMayGoLast) {
  Machine machine = open_machine(2);
  Buffer buffer = machine.cards[1].filled(3);
  expect_ok(machine.cards[1].device->share(buffer));
  machine.cards.clear();
  expect_ok(buffer.free());
}

// Each kernel ends only when it has seen the other.
TEST(TwoComputeQueues, GraphsOfBothRunAtTheSameTime) {
  for (const auto engine : {emulator::ShaderEngine::kInterpreter, emulator::ShaderEngine::kJitAtOnce}) {
    Machine machine = open_machine(1, engine);
    const Card& card = machine.cards[0];
    const Buffer words[] = {card.filled(0), card.filled(0)};
    amdgpu::CommandGraph graphs[] = {card.meeting(words[0], words[1]), card.meeting(words[1], words[0])};
    const Submission a = card.device->submit(graphs[0], {}, QueueName::kCompute).value();
    const Submission b = card.device->submit(graphs[1], {}, QueueName::kCompute2).value();
    expect_ok(card.device->wait(a));
    expect_ok(card.device->wait(b));
  }
}

TEST(TwoComputeQueues, WaitForEachOther) {
  Machine machine = open_machine(1);
  const Card& card = machine.cards[0];
  const Buffer buffer = card.filled(0);
  const uint64_t arguments[] = {buffer.gpu_addr().value, buffer.gpu_addr().value};
  const std::vector<amdgpu::BufferUse> uses = {{&buffer, amdgpu::Access::kReadWrite}};
  amdgpu::CommandGraph graphs[2];
  for (auto& graph : graphs) {
    amdgpu::GraphRecorder one = card.device->record_graph();
    one.launch({.kernel = card.add_one,
                .workgroup_count = {kCount / 32, 1, 1},
                .workgroup_size = {32, 1, 1},
                .arguments = std::as_bytes(std::span(arguments)),
                .uses = uses});
    graph = one.finish().value();
  }
  constexpr uint32_t kRounds = 200;
  Submission last;
  for (uint32_t i = 0; i < kRounds; ++i) {
    const std::array after = {last};
    auto submitted = card.device->submit(graphs[i % 2], after, i % 2 == 0 ? QueueName::kCompute : QueueName::kCompute2);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    last = submitted.value();
  }
  expect_ok(card.device->wait(last));
  card.expect_all(buffer, kRounds);
}

}  // namespace
}  // namespace bw
