// Strict mode against the runtime: command graphs run clean, and each wait and each invalidation that the runtime emits
// is missed where it is left out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <future>

#include "amdgpu/device.h"
#include "amdgpu/gfx11/pm4.h"
#include "emulator/driver.h"

namespace bw {
namespace {

using amdgpu::Access;
using amdgpu::BufferUse;
using ::testing::HasSubstr;
namespace pm4 = amdgpu::gfx11::pm4;

// Arguments: two addresses. second[id] = first[id] + 1.
constexpr std::array<uint32_t, 11> kIncrement = {
    0xf408'0100, 0xf800'0000,  // s_load_b128 s[4:7], s[0:1], null
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0x3002'0082,               // v_lshlrev_b32_e32 v1, 2, v0
    0xdc52'0000, 0x0204'0001,  // global_load_b32 v2, v1, s[4:5]
    0xbf89'03f7,               // s_waitcnt vmcnt(0)
    0x4a04'0481,               // v_add_nc_u32_e32 v2, 1, v2
    0xdc6a'0000, 0x0006'0201,  // global_store_b32 v1, v2, s[6:7]
    0xbfb0'0000,               // s_endpgm
};
// second[id] = first[0]
constexpr std::array<uint32_t, 11> kSpread = {
    0xf408'0100, 0xf800'0000,  // s_load_b128 s[4:7], s[0:1], null
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0xf400'0082, 0xf800'0000,  // s_load_b32 s2, s[4:5], null
    0x3002'0082,               // v_lshlrev_b32_e32 v1, 2, v0
    0xbf89'fc07,               // s_waitcnt lgkmcnt(0)
    0x7e04'0202,               // v_mov_b32_e32 v2, s2
    0xdc6a'0000, 0x0006'0201,  // global_store_b32 v1, v2, s[6:7]
    0xbfb0'0000,               // s_endpgm
};
constexpr uint32_t kLanes = 32;

pm4::Opcode opcode_of(std::span<const uint32_t> packet) {
  return static_cast<pm4::Opcode>(pm4::TYPE_3_HEADER::opcode.get(packet.data()));
}

void make_nop(std::span<uint32_t> packet) {
  const auto nop = static_cast<uint32_t>(pm4::Opcode::NOP);
  packet[0] = pm4::TYPE_3_HEADER::opcode.bits.set(packet[0], nop);
}

// A strict card whose packets the test sees, and may change, before they are executed.
class MemoryOrderTest : public ::testing::Test {
 protected:
  using Edit = std::function<void(std::span<uint32_t>)>;

  // Runs the graph that `record` records three times, all in the ring before the first of them begins, and edits the
  // packets of the second. "": clean.
  template <typename Record>
  std::string run(const Record& record, Edit edit) {
    std::promise<void> gate;
    std::atomic<int> submissions{0};
    std::atomic<bool> is_watching{false};
    emulator::EmulatedOptions options;
    options.strictness = emulator::Strictness::kOn;
    options.worker_threads = 1;
    options.edit_packet = [&, opened = gate.get_future().share()](std::span<uint32_t> packet) {
      if (!is_watching) return;
      opened.wait();
      if (submissions == 1) edit(packet);
      // A submission ends with the packet that wakes sleepers.
      const bool ends = opcode_of(packet) == pm4::Opcode::RELEASE_MEM &&
                        pm4::RELEASE_MEM::int_sel.get(packet.data()) != pm4::RELEASE_MEM::int_sel__none;
      if (ends) ++submissions;
    };
    auto driver = emulator::EmulatedDriver::create(options).value();
    auto device = amdgpu::Device::open(*driver).value();
    increment_ = load(*device, kIncrement);
    spread_ = load(*device, kSpread);
    for (amdgpu::Buffer& buffer : buffers_) {
      buffer = device->allocate(amdgpu::MemoryKind::kVram, 4096).value();
      EXPECT_TRUE(device->fill(buffer, 0, 4096, 0).is_ok());
    }
    amdgpu::GraphRecorder recorder = device->record_graph();
    record(recorder);
    amdgpu::CommandGraph graph = recorder.finish().value();
    is_watching = true;
    amdgpu::Submission last;
    for (int i = 0; i < 3; ++i) last = device->submit(graph).value();
    gate.set_value();
    const Status status = device->wait(last);
    if (status.is_ok()) {
      values_.resize(kLanes);
      const Status read = device->read(buffers_[0], 0, std::as_writable_bytes(std::span(values_)));
      EXPECT_TRUE(read.is_ok()) << read.message();
    }
    graph = {};
    for (amdgpu::Buffer& buffer : buffers_) buffer = {};
    increment_.reset();
    spread_.reset();
    const auto reports = driver->fault_reports();
    EXPECT_EQ(reports.empty(), status.is_ok()) << status.message();
    return reports.empty() ? "" : reports.front().message;
  }

  static std::unique_ptr<const amdgpu::Kernel> load(amdgpu::Device& device, std::span<const uint32_t> code) {
    amdgpu::RawProgram program;
    program.name = "program";
    program.code = std::as_bytes(code);
    program.pgm_rsrc1 = 0x60ac'0000;  // 8 VGPRs
    program.pgm_rsrc2 = 0x0000'0004;  // USER_SGPR 2
    program.argument_size_bytes = 16;
    return device.load_program(program).value();
  }

  void launch(amdgpu::GraphRecorder& recorder, const amdgpu::Kernel& kernel, size_t from, size_t to) {
    const uint64_t arguments[] = {buffers_[from].gpu_addr().value, buffers_[to].gpu_addr().value};
    const BufferUse uses[] = {{&buffers_[from], Access::kRead}, {&buffers_[to], Access::kWrite}};
    recorder.launch({.kernel = &kernel,
                     .workgroup_count = {1, 1, 1},
                     .workgroup_size = {kLanes, 1, 1},
                     .arguments = std::as_bytes(std::span(arguments)),
                     .uses = uses});
  }

  // Round and round: each level reads what the one before has written, and the last overwrites what the first has read.
  void record_ring(amdgpu::GraphRecorder& recorder) {
    launch(recorder, *increment_, 0, 1);
    launch(recorder, *increment_, 1, 2);
    recorder.copy({&buffers_[3], Access::kWrite}, {&buffers_[1], Access::kRead});
    launch(recorder, *increment_, 2, 0);
  }
  // The second overwrites what the first has read by scalar loads, and the third reads it so again.
  void record_scalar(amdgpu::GraphRecorder& recorder) {
    launch(recorder, *spread_, 0, 1);
    launch(recorder, *increment_, 2, 0);
    launch(recorder, *spread_, 0, 3);
  }

  std::unique_ptr<const amdgpu::Kernel> increment_;
  std::unique_ptr<const amdgpu::Kernel> spread_;
  std::array<amdgpu::Buffer, 4> buffers_;
  std::vector<uint32_t> values_;
};

TEST_F(MemoryOrderTest, GraphsReplayedBackToBackAreClean) {
  EXPECT_EQ(run([&](auto& recorder) { record_ring(recorder); }, [](auto) {}), "");
  EXPECT_EQ(values_, std::vector<uint32_t>(kLanes, 9));
  EXPECT_EQ(run([&](auto& recorder) { record_scalar(recorder); }, [](auto) {}), "");
}

// Which of the packets with that opcode is left out.
struct LeftOut {
  pm4::Opcode opcode;
  int wanted;
  int seen = 0;

  void operator()(std::span<uint32_t> packet) {
    if (opcode_of(packet) == opcode && seen++ == wanted) make_nop(packet);
  }
};

TEST_F(MemoryOrderTest, EachWaitThatIsLeftOutIsMissed) {
  int count = 0;
  const auto record = [&](auto& recorder) { record_ring(recorder); };
  run(record, [&](auto packet) { count += opcode_of(packet) == pm4::Opcode::EVENT_WRITE; });
  ASSERT_GE(count, 3);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(i);
    const std::string message = run(record, LeftOut{pm4::Opcode::EVENT_WRITE, i});
    EXPECT_THAT(message, HasSubstr("may still be running: no wait between"));
    EXPECT_THAT(message, HasSubstr("dispatch "));
  }
}

TEST_F(MemoryOrderTest, EachInvalidationThatIsLeftOutIsMissed) {
  int count = 0;
  const auto record = [&](auto& recorder) { record_ring(recorder); };
  run(record, [&](auto packet) { count += opcode_of(packet) == pm4::Opcode::ACQUIRE_MEM; });
  ASSERT_GE(count, 2);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(i);
    EXPECT_THAT(run(record, LeftOut{pm4::Opcode::ACQUIRE_MEM, i}),
                HasSubstr("has written them: no invalidation between"));
  }
}

TEST_F(MemoryOrderTest, EachKindOfCacheHasToBeInvalidated) {
  using Acquire = pm4::ACQUIRE_MEM;
  const auto without = [](auto field) {
    return [field](std::span<uint32_t> packet) {
      if (opcode_of(packet) == pm4::Opcode::ACQUIRE_MEM) {
        packet[field.dword] = field.bits.set(packet[field.dword], 0);
      }
    };
  };
  const auto ring = [&](auto& recorder) { record_ring(recorder); };
  const auto scalar = [&](auto& recorder) { record_scalar(recorder); };
  EXPECT_THAT(run(ring, without(Acquire::gcr_cntl_glv_inv)), HasSubstr("through the vector caches"));
  EXPECT_THAT(run(ring, without(Acquire::gcr_cntl_gl1_inv)), HasSubstr("through the vector caches"));
  EXPECT_THAT(run(scalar, without(Acquire::gcr_cntl_glk_inv)), HasSubstr("through the scalar caches"));
}

}  // namespace
}  // namespace bw
