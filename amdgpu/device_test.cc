#include "amdgpu/device.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <numeric>

#include "amdgpu/gfx11/registers.h"
#include "amdgpu/testing/fake_gpu.h"
#include "base/mapped_file.h"
#include "kfd/testing/failing_driver.h"

namespace bw::amdgpu {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// No spinning: the fake GPU works only while the runtime sleeps.
const DeviceOptions kOptions{.wait_timeout_ns = 5'000'000, .spin_ns = 0};

std::vector<std::byte> two_kernels() {
  auto file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
  auto bytes = file.value().bytes();
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> pattern(size_t size_bytes) {
  std::vector<std::byte> bytes(size_bytes);
  for (size_t i = 0; i < size_bytes; ++i) bytes[i] = static_cast<std::byte>(i * 7 + i / 251);
  return bytes;
}

template <typename... T>
std::vector<std::byte> arguments(T... values) {
  std::vector<std::byte> bytes;
  (bytes.insert(bytes.end(), reinterpret_cast<const std::byte*>(&values),
                reinterpret_cast<const std::byte*>(&values) + sizeof(values)),
   ...);
  return bytes;
}

class DeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = Device::open(gpu_.driver(), kOptions);
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    device_ = std::move(opened).value();
    auto loaded = device_->load(two_kernels());
    ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
    module_ = std::move(loaded).value();
    add_one_ = module_->kernel("add_one").value();
    spill_ = module_->kernel("spill").value();
  }
  void TearDown() override { EXPECT_EQ(gpu_.complaint(), ""); }

  // `count` dispatches of add_one with a barrier after each.
  CommandBuffer chain(uint32_t count) {
    CommandRecorder recorder = device_->record();
    for (uint32_t i = 0; i < count; ++i) {
      recorder.dispatch(*add_one_, {i + 1, 1, 1}, {32, 1, 1}, arguments(uint64_t{i}, uint64_t{2}));
      recorder.barrier();
    }
    return recorder.finish().value();
  }

  testing::FakeGpu gpu_;
  std::unique_ptr<Device> device_;
  std::unique_ptr<CodeModule> module_;
  const Kernel* add_one_ = nullptr;
  const Kernel* spill_ = nullptr;
};

TEST_F(DeviceTest, DescribesTheCard) {
  const DeviceInfo& info = device_->info();
  EXPECT_EQ(info.gfx_target, "gfx1100");
  EXPECT_EQ(info.name, "AMD Radeon RX 7900 XTX");
  EXPECT_EQ(info.compute_unit_count, 96u);
  EXPECT_EQ(info.shader_engine_count, 6u);
  EXPECT_EQ(info.wave_slot_count(), 3072u);
  EXPECT_EQ(info.vram_size_bytes, 25753026560u);
  EXPECT_TRUE(info.is_vram_host_visible);
  EXPECT_EQ(info.firmware_version, 2140u);
  EXPECT_EQ(info.driver_minor_version, 17u);
  EXPECT_EQ(info.gc_version, (kfd::IpVersion{11, 0, 0}));
}

// The sizes are those of a runtime known to work on the card.
TEST_F(DeviceTest, CreatesAComputeAndACopyQueue) {
  ASSERT_EQ(gpu_.queues().size(), 2u);
  const auto& compute = gpu_.queues()[0];
  EXPECT_EQ(compute.queue_type, 0u);
  EXPECT_EQ(compute.ctx_save_restore_size, 0x2bea000u);
  EXPECT_EQ(compute.ctl_stack_size, 0xa000u);
  EXPECT_EQ(compute.eop_buffer_size, 0x1000u);
  EXPECT_EQ(compute.queue_percentage, 100u);
  EXPECT_EQ(compute.queue_priority, 7u);
  const auto& copy = gpu_.queues()[1];
  EXPECT_EQ(copy.queue_type, 1u);
  EXPECT_EQ(copy.eop_buffer_address, 0u);
  EXPECT_EQ(copy.ctx_save_restore_address, 0u);
  const auto& allocations = gpu_.allocations();
  EXPECT_TRUE(std::any_of(allocations.begin(), allocations.end(), [](auto& a) { return a.size == 0x2c02000; }));
}

TEST_F(DeviceTest, WritesAndReadsEveryKindAndSize) {
  for (MemoryKind kind : {MemoryKind::kVram, MemoryKind::kVramHostVisible, MemoryKind::kGtt, MemoryKind::kUserptr}) {
    for (size_t size : {size_t{1}, size_t{3}, size_t{4096}, size_t{65537}, (size_t{2} << 20) + 1, size_t{9} << 20}) {
      auto buffer = device_->allocate(kind, size + 5);
      ASSERT_TRUE(buffer.is_ok()) << buffer.status().message();
      const auto data = pattern(size);
      ASSERT_TRUE(device_->write(buffer.value(), 5, data).is_ok());
      std::vector<std::byte> back(size);
      ASSERT_TRUE(device_->read(buffer.value(), 5, back).is_ok());
      EXPECT_EQ(back, data) << kfd::name_of(kind) << " " << size;
    }
  }
}

TEST_F(DeviceTest, FillsAndCopies) {
  Buffer a = device_->allocate(MemoryKind::kVram, 1 << 20).value();
  Buffer b = device_->allocate(MemoryKind::kVram, 1 << 20).value();
  ASSERT_TRUE(device_->fill(a, 0, 1 << 20, 0xdeadbeef).is_ok());
  Submission done = device_->copy(b, 4, a, 0, 1000).value();
  ASSERT_TRUE(device_->wait(done).is_ok());
  std::vector<uint32_t> back(2);
  ASSERT_TRUE(device_->read(b, 4, std::as_writable_bytes(std::span(back))).is_ok());
  EXPECT_EQ(back, (std::vector<uint32_t>{0xdeadbeef, 0xdeadbeef}));
}

TEST_F(DeviceTest, RefusesRangesOutsideABuffer) {
  Buffer buffer = device_->allocate(MemoryKind::kGtt, 16).value();
  std::vector<std::byte> data(16);
  EXPECT_EQ(device_->write(buffer, 1, data).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->read(buffer, ~uint64_t{0}, data).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->fill(buffer, 0, 6, 0).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->write(Buffer(), 0, data).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(device_->allocate(MemoryKind::kGtt, 0).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(DeviceTest, SmallBuffersShareAnAllocation) {
  std::vector<Buffer> buffers;
  buffers.push_back(device_->allocate(MemoryKind::kVram, 100).value());
  const size_t before = gpu_.allocations().size();
  for (int i = 0; i < 1000; ++i) {
    buffers.push_back(device_->allocate(MemoryKind::kVram, 100).value());
    EXPECT_EQ(buffers.back().gpu_addr().value % 256, 0u);
  }
  EXPECT_EQ(gpu_.allocations().size(), before);
  buffers.clear();
  Buffer again = device_->allocate(MemoryKind::kVram, 100).value();
  EXPECT_EQ(gpu_.allocations().size(), before);
}

TEST_F(DeviceTest, ImportsHostMemory) {
  void* pages = mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  auto bytes = std::span(static_cast<std::byte*>(pages), 8192);
  {
    Buffer buffer = device_->import_host_memory(bytes).value();
    EXPECT_EQ(buffer.gpu_addr().value, reinterpret_cast<uint64_t>(pages));
  }
  EXPECT_FALSE(device_->import_host_memory(bytes.subspan(1)).is_ok());
  munmap(pages, 8192);
}

TEST_F(DeviceTest, ADispatchSetsTheRegistersOfItsKernel) {
  std::vector<testing::FakeGpu::Dispatch> seen;
  gpu_.on_dispatch = [&](const auto& dispatch) { seen.push_back(dispatch); };
  CommandRecorder recorder = device_->record();
  recorder.dispatch(*add_one_, {7, 2, 1}, {32, 1, 1}, arguments(uint64_t{0x1111}, uint64_t{0x2222}));
  recorder.barrier();
  recorder.dispatch(*spill_, {1, 1, 1}, {64, 2, 1}, arguments(uint64_t{5}));
  CommandBuffer commands = recorder.finish().value();
  ASSERT_TRUE(device_->wait(device_->submit(commands).value()).is_ok());

  ASSERT_EQ(seen.size(), 2u);
  auto& add = seen[0].registers;
  EXPECT_EQ(seen[0].workgroup_count, (std::array<uint32_t, 3>{7, 2, 1}));
  EXPECT_EQ(seen[0].initiator, 0x8005u);
  EXPECT_EQ(add[0x2e0c] | uint64_t{add[0x2e0d]} << 32, add_one_->entry.value >> 8);
  // Privileged, and 96 VGPRs instead of 8, with which a SIMD holds just as many waves.
  EXPECT_EQ(add[0x2e12], (add_one_->info.descriptor.compute_pgm_rsrc1 & ~0x3ffu) | 11 | 1u << 20);
  EXPECT_EQ(add[0x2e13], add_one_->info.descriptor.compute_pgm_rsrc2);
  EXPECT_EQ(add[0x2e18], 0u);
  EXPECT_EQ(add[0x2e07], 32u);
  EXPECT_EQ(add[0x2e08], 1u);
  const auto* kernargs = reinterpret_cast<const uint64_t*>(add[0x2e40] | uint64_t{add[0x2e41]} << 32);
  EXPECT_EQ(kernargs[0], 0x1111u);
  EXPECT_EQ(kernargs[1], 0x2222u);

  auto& spill = seen[1].registers;
  EXPECT_EQ(seen[1].initiator, 0x5u);
  // 1024 bytes of LDS; scratch of 128 bytes a lane for 512 waves a shader engine.
  EXPECT_EQ(spill[0x2e13], spill_->info.descriptor.compute_pgm_rsrc2 | 2u << 15);
  EXPECT_EQ(spill[0x2e18], 0x20200u);
  EXPECT_NE(spill[0x2e10], 0u);
  const auto* packet =
      reinterpret_cast<const gfx11::hsa_kernel_dispatch_packet_t*>(spill[0x2e40] | uint64_t{spill[0x2e41]} << 32);
  EXPECT_EQ(packet->workgroup_size_y, 2u);
  EXPECT_EQ(packet->grid_size_x, 64u);
  EXPECT_EQ(packet->kernarg_address, spill[0x2e42] | uint64_t{spill[0x2e43]} << 32);
}

TEST_F(DeviceTest, ARepeatedKernelSendsOnlyWhatChanged) {
  const uint64_t one = chain(1).size_dwords();
  const uint64_t three = chain(3).size_dwords();
  // Progress 5, the low half of the arguments' address 3, dispatch 5, flush 2, acquire 8.
  EXPECT_EQ(three - one, 2 * 23u);
}

TEST_F(DeviceTest, DirectDispatchesEachHaveTheirArguments) {
  std::vector<std::pair<uint64_t, uint64_t>> seen;
  gpu_.on_dispatch = [&](const auto& dispatch) {
    const auto* arguments = reinterpret_cast<const uint64_t*>(dispatch.registers.at(0x2e40) |
                                                              uint64_t{dispatch.registers.at(0x2e41)} << 32);
    seen.emplace_back(arguments[0], arguments[1]);
  };
  const DirectDispatch dispatch = device_->prepare_dispatch(*add_one_, {3, 1, 1}, {32, 1, 1}).value();
  ASSERT_EQ(dispatch.argument_bytes(), 16u);
  Submission last;
  for (uint64_t i = 0; i < 5000; ++i) {  // more than fit the ring
    last = device_->submit(dispatch, arguments(i, i + 1)).value();
  }
  ASSERT_TRUE(device_->wait(last).is_ok());
  ASSERT_EQ(seen.size(), 5000u);
  for (uint64_t i = 0; i < 5000; ++i) EXPECT_EQ(seen[i], std::pair(i, i + 1));
  EXPECT_THAT(device_->submit(dispatch, arguments(uint64_t{1})).status().message(), HasSubstr("8 bytes of arguments"));
  // It wants the dispatch packet, which there is none of.
  EXPECT_EQ(device_->prepare_dispatch(*spill_, {1, 1, 1}, {64, 1, 1}).status().code(), StatusCode::kUnsupported);
}

// Registers stay between submissions of a queue; those that others have set, or a new queue has not, are set again.
TEST_F(DeviceTest, ADirectDispatchThatIsRepeatedSendsOnlyItsArgumentsAndItsDispatch) {
  std::vector<uint32_t> lanes, set_counts;
  gpu_.on_dispatch = [&](const auto& dispatch) { lanes.push_back(dispatch.registers.at(0x2e07)); };
  gpu_.on_packet = [&](std::span<const uint32_t> packet) {
    constexpr uint32_t kSetShReg = 0x76, kAcquireMem = 0x58;
    const uint32_t opcode = packet[0] >> 8 & 0xff;
    if (opcode == kAcquireMem) set_counts.push_back(0);
    if (opcode == kSetShReg) ++set_counts.back();
  };
  const DirectDispatch small = device_->prepare_dispatch(*add_one_, {1, 1, 1}, {32, 1, 1}).value();
  const DirectDispatch large = device_->prepare_dispatch(*add_one_, {1, 1, 1}, {64, 1, 1}).value();
  const CommandBuffer commands = chain(1);
  const auto submit = [&](const DirectDispatch& one) {
    return device_->submit(one, arguments(uint64_t{0}, uint64_t{0})).value();
  };
  submit(small);
  submit(small);
  submit(large);
  submit(large);
  submit(small);
  device_->submit(commands).value();
  ASSERT_TRUE(device_->wait(submit(small)).is_ok());
  ASSERT_TRUE(device_->recover().is_ok());
  ASSERT_TRUE(device_->wait(submit(small)).is_ok());
  EXPECT_EQ(lanes, (std::vector<uint32_t>{32, 32, 64, 64, 32, 32, 32, 32}));
  ASSERT_GT(set_counts[0], 1u);
  EXPECT_EQ(set_counts[1], 1u);
  EXPECT_EQ(set_counts[2], set_counts[0]);
  EXPECT_EQ(set_counts[3], 1u);
  EXPECT_EQ(set_counts[4], set_counts[0]);
  EXPECT_EQ(set_counts.end()[-2], set_counts[0]) << "after other commands";
  EXPECT_EQ(set_counts.end()[-1], set_counts[0]) << "after recovery";
}

TEST_F(DeviceTest, ReplaysSeeChangedArguments) {
  std::vector<uint64_t> seen;
  gpu_.on_dispatch = [&](const auto& dispatch) {
    uint64_t address = dispatch.registers.at(0x2e40) | uint64_t{dispatch.registers.at(0x2e41)} << 32;
    seen.push_back(*reinterpret_cast<const uint64_t*>(address));
  };
  CommandBuffer commands = chain(2);
  EXPECT_EQ(commands.dispatch_count(), 2u);
  for (uint64_t round = 0; round < 3; ++round) {
    std::memcpy(commands.arguments(1).data(), &round, sizeof(round));
    ASSERT_TRUE(device_->wait(device_->submit(commands).value()).is_ok());
  }
  EXPECT_EQ(seen, (std::vector<uint64_t>{0, 0, 0, 1, 0, 2}));
}

TEST_F(DeviceTest, ATimestampIsWritten) {
  Buffer buffer = device_->allocate(MemoryKind::kGtt, 16).value();
  CommandRecorder recorder = device_->record();
  recorder.write_timestamp(buffer.gpu_addr());
  recorder.dispatch(*add_one_, {1, 1, 1}, {32, 1, 1}, arguments(uint64_t{0}, uint64_t{0}));
  recorder.write_timestamp(buffer.gpu_addr() + 8);
  ASSERT_TRUE(device_->wait(device_->submit(recorder.finish().value()).value()).is_ok());
  const auto* ticks = reinterpret_cast<const uint64_t*>(buffer.host().data());
  EXPECT_EQ(ticks[1] - ticks[0], 1u);
}

TEST_F(DeviceTest, RingsWrapAndFillUp) {
  CommandBuffer commands = chain(1);
  Buffer a = device_->allocate(MemoryKind::kVram, 4096).value();
  const uint64_t before = gpu_.dispatch_count();
  Submission last;
  // Far more than either ring holds, without a wait between.
  for (int i = 0; i < 20'000; ++i) {
    auto submitted = device_->submit(commands);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
    last = submitted.value();
    const Submission after[] = {last};
    ASSERT_TRUE(device_->copy(a, 0, a, 2048, 100 + static_cast<uint64_t>(i % 7), after).is_ok());
  }
  EXPECT_FALSE(device_->is_done(last));
  ASSERT_TRUE(device_->wait_idle().is_ok());
  EXPECT_TRUE(device_->is_done(last));
  EXPECT_EQ(gpu_.dispatch_count() - before, 20'000u);
}

TEST_F(DeviceTest, ACommandBufferMayBeDroppedWhileItRuns) {
  Submission done = device_->submit(chain(3)).value();
  EXPECT_TRUE(device_->wait(done).is_ok());
  EXPECT_EQ(gpu_.dispatch_count(), 3u);
}

TEST_F(DeviceTest, AMemoryFaultNamesAddressFlagsAndKernel) {
  gpu_.stop_before_dispatch = 1;
  gpu_.fault_address = 0x7000;
  CommandBuffer commands = chain(3);
  Status status = device_->wait(device_->submit(commands).value());
  EXPECT_EQ(status.code(), StatusCode::kDeviceFault);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("memory fault at 0x7000: page not present"),
                                      HasSubstr("kernel add_one (dispatch 2 of 3)"), HasSubstr("submission 1")));
  // The same report, from everything that needs the GPU.
  Buffer buffer = device_->allocate(MemoryKind::kGtt, 16).value();
  std::vector<std::byte> data(16);
  EXPECT_EQ(device_->submit(commands).status().message(), status.message());
  EXPECT_EQ(device_->read(buffer, 0, data).message(), status.message());
  EXPECT_EQ(device_->fill(buffer, 0, 16, 0).message(), status.message());
  EXPECT_EQ(device_->wait_idle().message(), status.message());
  EXPECT_EQ(device_->fault().message(), status.message());

  gpu_.stop_before_dispatch.reset();
  gpu_.fault_address.reset();
  Status recovered = device_->recover();
  ASSERT_TRUE(recovered.is_ok()) << recovered.message();
  EXPECT_TRUE(device_->fault().is_ok());
  EXPECT_EQ(gpu_.queues().size(), 4u);
  Submission next = device_->submit(commands).value();
  EXPECT_EQ(next.value, 2u);
  EXPECT_TRUE(device_->wait(next).is_ok());
  EXPECT_TRUE(device_->fill(buffer, 0, 16, 0).is_ok());
}

TEST_F(DeviceTest, AHardwareExceptionIsAFault) {
  gpu_.stop_before_dispatch = 0;
  gpu_.has_hw_exception = true;
  Status status = device_->wait(device_->submit(chain(1)).value());
  EXPECT_EQ(status.code(), StatusCode::kDeviceFault);
  EXPECT_THAT(status.message(), HasSubstr("add_one"));
}

TEST_F(DeviceTest, ATimeoutNamesWhatWasRunning) {
  gpu_.stop_before_dispatch = 1;
  CommandRecorder recorder = device_->record();
  recorder.dispatch(*add_one_, {1, 1, 1}, {32, 1, 1}, arguments(uint64_t{0}, uint64_t{0}));
  recorder.dispatch(*spill_, {1, 1, 1}, {64, 1, 1}, arguments(uint64_t{0}));
  Submission submission = device_->submit(recorder.finish().value()).value();
  Status status = device_->wait(submission, 3'000'000);
  EXPECT_EQ(status.code(), StatusCode::kTimeout);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("no progress for 3 ms"), HasSubstr("one of the kernels add_one, spill")));
  // A time-out is no fault: one may go on waiting.
  EXPECT_EQ(device_->wait(submission, 0).code(), StatusCode::kTimeout);
  EXPECT_TRUE(device_->fault().is_ok());
}

TEST_F(DeviceTest, ProgressPutsATimeoutOff) {
  gpu_.submissions_per_wait = 1;
  gpu_.wait_takes_ns = 2'000'000;
  CommandBuffer commands = chain(1);
  Submission last;
  for (int i = 0; i < 10; ++i) last = device_->submit(commands).value();
  Status status = device_->wait(last, 5'000'000);
  EXPECT_TRUE(status.is_ok()) << status.message();
}

TEST_F(DeviceTest, ACopyThatHangsIsNamed) {
  gpu_.is_copy_engine_hung = true;
  Buffer buffer = device_->allocate(MemoryKind::kVram, 4096).value();
  Status status = device_->fill(buffer, 0, 4096, 0);
  EXPECT_EQ(status.code(), StatusCode::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("filling 4096 bytes"));
}

TEST_F(DeviceTest, WaitingForWhatWasNeverSubmittedIsAnError) {
  EXPECT_EQ(device_->wait({QueueName::kCompute, 1}).code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(device_->wait(Submission{}).is_ok());
  EXPECT_EQ(device_->submit(CommandBuffer()).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(DeviceTest, RecordingRefusesBadDispatches) {
  auto message = [&](const Kernel& kernel, const Dim3& count, const Dim3& size, std::vector<std::byte> bytes) {
    CommandRecorder recorder = device_->record();
    recorder.dispatch(kernel, count, size, bytes);
    recorder.dispatch(kernel, {0, 0, 0}, {0, 0, 0}, bytes);  // the first error stands
    return recorder.finish().status().message();
  };
  const auto good = arguments(uint64_t{0}, uint64_t{0});
  EXPECT_THAT(message(*add_one_, {1, 0, 1}, {32, 1, 1}, good),
              HasSubstr("dispatch 1 of kernel add_one: a grid of 1x0x1"));
  EXPECT_THAT(message(*add_one_, {1, 1, 1}, {1025, 1, 1}, good), HasSubstr("at most 1024"));
  EXPECT_THAT(message(*add_one_, {1, 1, 1}, {~0u, ~0u, ~0u}, good), HasSubstr("at most 1024"));
  EXPECT_THAT(message(*spill_, {1, 1, 1}, {257, 1, 1}, {}), HasSubstr("at most 256"));
  EXPECT_THAT(message(*add_one_, {1, 1, 1}, {32, 1, 1}, arguments(uint64_t{0})), HasSubstr("8 bytes of arguments"));
  EXPECT_THAT(message(*add_one_, {1, 1, 1}, {32, 1, 1}, arguments(uint64_t{0}, uint64_t{0}, uint64_t{0})),
              HasSubstr("24 bytes of arguments"));
  EXPECT_THAT(module_->kernel("nothing").status().message(), HasSubstr("it has: add_one, spill"));
}

TEST_F(DeviceTest, AFinishedRecorderIsUsedUp) {
  CommandRecorder recorder = device_->record();
  ASSERT_TRUE(recorder.finish().is_ok());
  EXPECT_FALSE(recorder.finish().is_ok());
}

TEST(DeviceOpen, SaysWhatIsMissing) {
  testing::FakeGpu gpu;
  EXPECT_THAT(Device::open(gpu.driver(), {.gpu_index = 5}).status().message(),
              HasSubstr("looking for GPU 5 of type gfx1100"));
  gpu.driver().open_failures["/dev/kfd"] = EACCES;
  EXPECT_EQ(Device::open(gpu.driver()).status().code(), StatusCode::kPermissionDenied);
  gpu.driver().open_failures["/dev/kfd"] = ENOENT;
  EXPECT_EQ(Device::open(gpu.driver()).status().code(), StatusCode::kNotFound);
}

TEST(DeviceOpen, RefusesATopologyThatMakesNoSense) {
  for (const char* bad : {"simd_count 0", "simd_count 4294967295", "simd_per_cu 70000", "array_count 1"}) {
    testing::FakeGpu gpu;
    auto& properties = gpu.driver().files["/sys/devices/virtual/kfd/kfd/topology/nodes/1/properties"];
    const std::string name = std::string(bad).substr(0, std::string(bad).find(' '));
    const size_t begin = properties.find(name + " ");
    properties.replace(begin, properties.find('\n', begin) - begin, bad);
    Status status = Device::open(gpu.driver()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << bad << ": " << status.message();
  }
}

Status live_a_life(kfd::KernelDriver& driver) {
  BW_ASSIGN(auto device, Device::open(driver, kOptions));
  BW_ASSIGN(auto module, device->load(two_kernels()));
  BW_ASSIGN(const Kernel* kernel, module->kernel("spill"));
  BW_ASSIGN(Buffer buffer, device->allocate(MemoryKind::kVram, 3 << 20));
  const auto data = pattern(3 << 20);
  BW_RETURN_IF_ERROR(device->write(buffer, 0, data));
  CommandRecorder recorder = device->record();
  recorder.dispatch(*kernel, {1, 1, 1}, {64, 1, 1}, arguments(uint64_t{0}));
  BW_ASSIGN(CommandBuffer commands, recorder.finish());
  BW_ASSIGN(Submission done, device->submit(commands));
  BW_RETURN_IF_ERROR(device->wait(done));
  std::vector<std::byte> back(data.size());
  return device->read(buffer, 0, back);
}

TEST(DeviceLife, EachSystemCallMayFail) {
  uint64_t number = 0;
  for (;; ++number) {
    testing::FakeGpu gpu;
    kfd::testing::FailingDriver driver(gpu.driver());
    driver.fail_call(number, ENOMEM);
    Status status = live_a_life(driver);
    const std::string failed = driver.failed_call();
    EXPECT_EQ(driver.leaks(), "") << "after call " << number << ", " << failed;
    EXPECT_TRUE(status.is_ok() || !status.message().empty());
    if (failed.empty()) {
      EXPECT_TRUE(status.is_ok()) << status.message();
      break;
    }
  }
  EXPECT_GT(number, 40u);
}

}  // namespace
}  // namespace bw::amdgpu
