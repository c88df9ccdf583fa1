// Signals and waits of graphs, as literal packets; what they do between cards is in tests/device/several_cards_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "amdgpu/device.h"
#include "amdgpu/testing/fake_gpu.h"
#include "base/bits.h"
#include "base/mapped_file.h"

namespace bw::amdgpu {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Packet = std::vector<uint32_t>;

// No spinning: the fake GPU works only while the runtime sleeps.
const DeviceOptions kOptions{.wait_timeout_ns = 5'000'000, .spin_ns = 0};
constexpr uint32_t kWriteData = 0x37;
constexpr uint32_t kWaitRegMem = 0x3c;
constexpr uint32_t kEventWrite = 0x46;
constexpr uint32_t kReleaseMem = 0x49;
constexpr uint32_t kAcquireMem = 0x58;
constexpr uint32_t kDispatch = 0x15;

class GraphSignals : public ::testing::Test {
 protected:
  void SetUp() override {
    device_ = Device::open(gpu_.driver(), kOptions).value();
    auto file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
    module_ = device_->load(file.value().bytes()).value();
    kernel_ = module_->kernel("add_one").value();
    for (Buffer& buffer : buffers_) buffer = device_->allocate(MemoryKind::kGtt, 4096).value();
    gpu_.on_packet = [this](auto packet) { packets_.emplace_back(packet.begin(), packet.end()); };
  }
  void TearDown() override { EXPECT_EQ(gpu_.complaint(), ""); }

  void node(GraphRecorder& recorder, std::vector<int> reads, std::vector<int> writes) {
    std::vector<BufferUse> uses;
    for (int i : reads) uses.push_back({&buffers_[i], Access::kRead});
    for (int i : writes) uses.push_back({&buffers_[i], Access::kWrite});
    recorder.launch({.kernel = kernel_, .arguments = arguments_, .uses = uses});
  }

  // The packets of the graph that order something, without those around the submission.
  std::vector<Packet> run(CommandGraph& graph) {
    packets_.clear();
    const Submission done = device_->submit(graph).value();
    EXPECT_TRUE(device_->wait(done).is_ok());
    std::vector<Packet> kept;
    for (const Packet& packet : packets_) {
      const uint32_t opcode = packet[0] >> 8 & 0xff;
      const bool orders = opcode == kWaitRegMem || opcode == kEventWrite || opcode == kReleaseMem ||
                          opcode == kAcquireMem || opcode == kDispatch || opcode == kWriteData;
      if (orders) kept.push_back(packet);
    }
    return kept;
  }
  static std::vector<uint32_t> opcodes_of(const std::vector<Packet>& packets) {
    std::vector<uint32_t> opcodes;
    for (const Packet& packet : packets) opcodes.push_back(packet[0] >> 8 & 0xff);
    return opcodes;
  }
  uint32_t low(int buffer, uint32_t offset = 0) const { return lo32(buffers_[buffer].gpu_addr().value) + offset; }
  uint32_t high(int buffer) const { return hi32(buffers_[buffer].gpu_addr().value); }
  uint32_t word(int buffer, size_t index) const {
    return reinterpret_cast<const uint32_t*>(buffers_[buffer].host().data())[index];
  }

  testing::FakeGpu gpu_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  const Kernel* kernel_ = nullptr;
  const std::vector<std::byte> arguments_{16};
  Buffer buffers_[6];
  std::vector<Packet> packets_;
};

TEST_F(GraphSignals, ASignalFollowsWhatItPublishesAndAWaitComesBeforeWhatArrives) {
  GraphRecorder recorder = device_->record_graph({.groups_per_step = 0});
  node(recorder, {}, {0});
  const BufferUse published[] = {{&buffers_[0], Access::kRead}};
  const BufferUse arriving[] = {{&buffers_[1], Access::kWrite}};
  recorder.signal({.word = {&buffers_[2], 8}, .value = 7, .publishes = published});
  recorder.wait({.word = {&buffers_[3], 12}, .compare = Compare::kEqual, .value = 9, .reset = 3, .arrives = arriving});
  node(recorder, {0, 1}, {4});
  CommandGraph graph = recorder.finish().value();
  EXPECT_EQ(graph.node_count(), 4u);
  EXPECT_EQ(graph.level_count(), 3u);
  EXPECT_EQ(graph.acquiring_kernel_count(), 0u);

  const std::vector<Packet> packets = run(graph);
  // Before and after it are those of the submission.
  const size_t begin = 3;
  ASSERT_EQ(opcodes_of(packets), (std::vector{kEventWrite, kWaitRegMem, kAcquireMem,  // before the graph
                                              kDispatch, kEventWrite, kReleaseMem, kWaitRegMem, kWriteData, kAcquireMem,
                                              kDispatch, kReleaseMem, kReleaseMem}));
  EXPECT_THAT(packets[begin + 1], ElementsAre(0xc0004600, 0x407));
  EXPECT_THAT(packets[begin + 2], ElementsAre(0xc0064900, 0x00200514, 0x20000000, low(2, 8), high(2), 7, 0, 0));
  EXPECT_THAT(packets[begin + 3], ElementsAre(0xc0053c00, 0x13, low(3, 12), high(3), 9, ~0u, 4));
  EXPECT_THAT(packets[begin + 4], ElementsAre(0xc0033700, 0x00100500, low(3, 12), high(3), 3));
  // L2 too, since others wrote.
  EXPECT_THAT(packets[begin + 5], ElementsAre(0xc0065800, 0, ~0u, 0xff, 0, 0, 0, 0xc380));
  EXPECT_EQ(word(2, 2), 7u);
  EXPECT_EQ(word(3, 3), 3u);
}

TEST_F(GraphSignals, ParametersAreTheirValues) {
  GraphRecorder recorder = device_->record_graph({.chunk_dwords = 40});
  const ParameterId sent = recorder.parameter(4, 5);
  const ParameterId awaited = recorder.parameter(4, 6, 1, 100);
  for (int i = 0; i < 10; ++i) node(recorder, {0}, {0});  // so that there is more than one indirect buffer
  recorder.signal({.word = {&buffers_[2]}, .parameter = sent});
  for (int i = 0; i < 10; ++i) node(recorder, {0}, {0});
  recorder.wait({.word = {&buffers_[3]}, .parameter = awaited});
  CommandGraph graph = recorder.finish().value();
  const auto reference = [&] {
    for (const Packet& packet : packets_) {
      if ((packet[0] >> 8 & 0xff) == kWaitRegMem && packet[2] == low(3)) return packet[4];
    }
    return ~0u;
  };
  run(graph);
  EXPECT_EQ(word(2, 0), 5u);
  EXPECT_EQ(reference(), 6u);
  ASSERT_TRUE(graph.set(sent, 50).is_ok());
  ASSERT_TRUE(graph.set(awaited, 60).is_ok());
  run(graph);
  EXPECT_EQ(word(2, 0), 50u);
  EXPECT_EQ(reference(), 60u);
  EXPECT_THAT(graph.set(awaited, 0).message(), HasSubstr("it goes from 1 to 100"));
}

TEST_F(GraphSignals, WithoutMemoryTheyAreForAllBeforeAndAfter) {
  GraphRecorder recorder = device_->record_graph({.groups_per_step = 0});
  node(recorder, {}, {0});
  node(recorder, {}, {1});
  recorder.signal({.word = {&buffers_[2]}});
  recorder.wait({.word = {&buffers_[3]}});
  node(recorder, {}, {4});
  CommandGraph graph = recorder.finish().value();
  const std::vector<uint32_t> opcodes = opcodes_of(run(graph));
  EXPECT_EQ(std::vector(opcodes.begin() + 3, opcodes.end() - 2),
            (std::vector{kDispatch, kDispatch, kEventWrite, kReleaseMem, kWaitRegMem, kAcquireMem, kDispatch}));
}

// Two graphs that each tell the other first do not wait for each other for ever.
TEST_F(GraphSignals, HappenInTheOrderOfTheirRecording) {
  GraphRecorder recorder = device_->record_graph({.groups_per_step = 0});
  node(recorder, {}, {0});
  node(recorder, {0}, {1});
  const BufferUse published[] = {{&buffers_[1], Access::kRead}};
  const BufferUse arriving[] = {{&buffers_[4], Access::kWrite}};
  recorder.signal({.word = {&buffers_[2]}, .publishes = published});
  // Neither has anything to do with the memory before it.
  recorder.wait({.word = {&buffers_[3]}, .arrives = arriving});
  recorder.signal({.word = {&buffers_[2]}, .publishes = arriving});
  // Needs neither, and is not held up.
  node(recorder, {}, {5});
  CommandGraph graph = recorder.finish().value();
  const std::vector<uint32_t> opcodes = opcodes_of(run(graph));
  EXPECT_EQ(std::vector(opcodes.begin() + 3, opcodes.end() - 2),
            (std::vector{kDispatch, kDispatch, kEventWrite, kDispatch, kEventWrite, kReleaseMem, kWaitRegMem,
                         kAcquireMem, kReleaseMem}));
}

TEST_F(GraphSignals, ReportsNameThem) {
  GraphRecorder recorder = device_->record_graph({.groups_per_step = 2});
  recorder.wait({.word = {&buffers_[3]}});
  node(recorder, {}, {0});
  CommandGraph graph = recorder.finish().value();
  gpu_.stop_before_dispatch = 0;
  const Status status = device_->wait(device_->submit(graph).value());
  EXPECT_THAT(status.message(), HasSubstr("kernel add_one (dispatch 1 of 1), or a wait for the signal of another"));
}

TEST_F(GraphSignals, RecordingRefusesWhatCannotBe) {
  const auto message = [&](const std::function<void(GraphRecorder&)>& record) {
    GraphRecorder recorder = device_->record_graph();
    record(recorder);
    return recorder.finish().status().message();
  };
  const Buffer none;
  EXPECT_THAT(message([&](auto& r) { r.signal({.word = {&none}}); }), HasSubstr("recording node 1: it uses a buffer"));
  EXPECT_THAT(message([&](auto& r) { r.wait({.word = {&buffers_[0], 4096}}); }), HasSubstr("4 bytes at offset 4096"));
  EXPECT_THAT(message([&](auto& r) { r.wait({.word = {&buffers_[0], 2}}); }), HasSubstr("not a multiple of 4"));
  EXPECT_THAT(message([&](auto& r) { r.wait({.word = {&buffers_[0]}, .parameter = ParameterId{3}}); }),
              HasSubstr("parameter 3 of 0 is no value of 4 bytes"));
  EXPECT_THAT(message([&](auto& r) { r.signal({.word = {&buffers_[0]}, .parameter = r.parameter(8, 0)}); }),
              HasSubstr("no value of 4 bytes"));
}

}  // namespace
}  // namespace bw::amdgpu
