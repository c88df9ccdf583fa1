// The runtime's device on the emulated card: packets, fences, copies and faults end to end. Shaders are stood in for by
// host code, so that this says nothing about the interpreter.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"
#include "emulator/memory/client_access.h"

namespace bw {
namespace {

using amdgpu::MemoryKind;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::atomic<bool> is_illegal = false;

// Does what add_one of two_kernels.s does: out[i] = in[i] + 1 for workgroups of 32.
class AddOneCores final : public emulator::ShaderCores {
 public:
  std::optional<emulator::ShaderFault> run(const emulator::Dispatch& dispatch, const emulator::AddressSpace& memory,
                                           std::stop_token, emulator::Suspension*) override {
    if (is_illegal) {
      emulator::ShaderFault fault;
      fault.message = "test fault";
      return fault;
    }
    const emulator::ClientAccess access;
    emulator::Tlb tlb(memory);
    uint64_t arguments[2];
    const uint64_t address = dispatch.user_data[0] | uint64_t{dispatch.user_data[1]} << 32;
    std::memcpy(arguments, tlb.translate(address, sizeof(arguments), emulator::Access::kRead), sizeof(arguments));
    for (uint64_t i = 0; i < uint64_t{dispatch.workgroup_count[0]} * dispatch.workgroup_size[0]; ++i) {
      std::byte* out = tlb.translate(arguments[0] + i * 4, 4, emulator::Access::kWrite);
      std::byte* in = tlb.translate(arguments[1] + i * 4, 4, emulator::Access::kRead);
      if (out == nullptr || in == nullptr) {
        emulator::ShaderFault fault;
        fault.kind = emulator::ShaderFaultKind::kMemory;
        fault.address = out == nullptr ? arguments[0] + i * 4 : arguments[1] + i * 4;
        fault.message = "test fault";
        return fault;
      }
      uint32_t value;
      std::memcpy(&value, in, sizeof(value));
      ++value;
      std::memcpy(out, &value, sizeof(value));
    }
    return std::nullopt;
  }
  void set_watchdog(uint64_t) override {}
  uint64_t instruction_count() const override { return 0; }
};

class DeviceSmoke : public ::testing::Test {
 protected:
  void SetUp() override {
    emulator::EmulatedOptions options;
    options.worker_threads = 1;
    options.make_shader_cores = []() -> Result<std::unique_ptr<emulator::ShaderCores>> {
      return std::unique_ptr<emulator::ShaderCores>(std::make_unique<AddOneCores>());
    };
    auto created = emulator::EmulatedDriver::create(std::move(options));
    ASSERT_TRUE(created.is_ok()) << created.status().message();
    driver_ = std::move(created).value();
    auto opened = amdgpu::Device::open(*driver_, {.wait_timeout_ns = 10'000'000'000});
    ASSERT_TRUE(opened.is_ok()) << opened.status().message();
    device_ = std::move(opened).value();
    auto file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
    auto loaded = device_->load(file.value().bytes());
    ASSERT_TRUE(loaded.is_ok()) << loaded.status().message();
    module_ = std::move(loaded).value();
    add_one_ = module_->kernel("add_one").value();
  }

  amdgpu::CommandBuffer chain(GpuAddr out, GpuAddr in, uint32_t workgroups, uint32_t count) {
    amdgpu::CommandRecorder recorder = device_->record();
    for (uint32_t i = 0; i < count; ++i) {
      const uint64_t arguments[] = {out.value, i == 0 ? in.value : out.value};
      recorder.dispatch(*add_one_, {workgroups, 1, 1}, {32, 1, 1}, std::as_bytes(std::span(arguments)));
      recorder.barrier();
    }
    auto commands = recorder.finish();
    EXPECT_TRUE(commands.is_ok()) << commands.status().message();
    return std::move(commands).value();
  }

  std::unique_ptr<emulator::EmulatedDriver> driver_;
  std::unique_ptr<amdgpu::Device> device_;
  std::unique_ptr<amdgpu::CodeModule> module_;
  const amdgpu::Kernel* add_one_ = nullptr;
};

TEST_F(DeviceSmoke, DataGoesInThroughKernelsAndOut) {
  constexpr uint32_t kCount = 32 * 100;
  for (MemoryKind kind : {MemoryKind::kVram, MemoryKind::kVramHostVisible, MemoryKind::kGtt, MemoryKind::kUserptr}) {
    auto in = device_->allocate(kind, kCount * 4).value();
    auto out = device_->allocate(kind, kCount * 4).value();
    std::vector<uint32_t> values(kCount);
    for (uint32_t i = 0; i < kCount; ++i) values[i] = i * 3;
    ASSERT_TRUE(device_->write(in, 0, std::as_bytes(std::span(values))).is_ok());
    auto commands = chain(out.gpu_addr(), in.gpu_addr(), kCount / 32, 5);
    Status status = device_->wait(device_->submit(commands).value());
    ASSERT_TRUE(status.is_ok()) << status.message();
    std::vector<uint32_t> back(kCount);
    ASSERT_TRUE(device_->read(out, 0, std::as_writable_bytes(std::span(back))).is_ok());
    for (uint32_t i = 0; i < kCount; ++i) ASSERT_EQ(back[i], i * 3 + 5) << i;
  }
}

TEST_F(DeviceSmoke, CopiesOfEverySizeRoundTrip) {
  for (size_t size : {size_t{1}, size_t{4097}, (size_t{2} << 20) + 3, size_t{24} << 20}) {
    auto buffer = device_->allocate(MemoryKind::kVram, size).value();
    std::vector<std::byte> data(size), back(size);
    for (size_t i = 0; i < size; ++i) data[i] = static_cast<std::byte>(i ^ i >> 8);
    Status status = device_->write(buffer, 0, data);
    ASSERT_TRUE(status.is_ok()) << status.message();
    ASSERT_TRUE(device_->read(buffer, 0, back).is_ok());
    EXPECT_TRUE(back == data) << size;
    ASSERT_TRUE(device_->fill(buffer, 0, size & ~size_t{3}, 0x01020304).is_ok());
  }
}

TEST_F(DeviceSmoke, ManySubmissionsWrapTheRings) {
  auto buffer = device_->allocate(MemoryKind::kVram, 128).value();
  ASSERT_TRUE(device_->fill(buffer, 0, 128, 0).is_ok());
  auto commands = chain(buffer.gpu_addr(), buffer.gpu_addr(), 1, 1);
  constexpr uint32_t kRounds = 20'000;
  for (uint32_t i = 0; i < kRounds; ++i) {
    auto submitted = device_->submit(commands);
    ASSERT_TRUE(submitted.is_ok()) << submitted.status().message();
  }
  ASSERT_TRUE(device_->wait_idle().is_ok());
  uint32_t value = 0;
  ASSERT_TRUE(device_->read(buffer, 124, std::as_writable_bytes(std::span(&value, 1))).is_ok());
  EXPECT_EQ(value, kRounds);
}

TEST_F(DeviceSmoke, ACopyWaitsForItsKernelAndAKernelForItsCopy) {
  auto a = device_->allocate(MemoryKind::kVram, 1 << 20).value();
  auto b = device_->allocate(MemoryKind::kVram, 1 << 20).value();
  ASSERT_TRUE(device_->fill(a, 0, 1 << 20, 0).is_ok());
  auto on_a = chain(a.gpu_addr(), a.gpu_addr(), 8192, 1);
  auto on_b = chain(b.gpu_addr(), b.gpu_addr(), 8192, 1);
  amdgpu::Submission last;
  for (int i = 0; i < 20; ++i) {
    const amdgpu::Submission copied_back[] = {last};
    const amdgpu::Submission first[] = {device_->submit(on_a, copied_back).value()};
    const amdgpu::Submission second[] = {device_->copy(b, 0, a, 0, 1 << 20, first).value()};
    const amdgpu::Submission third[] = {device_->submit(on_b, second).value()};
    last = device_->copy(a, 0, b, 0, 1 << 20, third).value();
  }
  ASSERT_TRUE(device_->wait(last).is_ok());
  uint32_t value = 0;
  ASSERT_TRUE(device_->read(a, (1 << 20) - 4, std::as_writable_bytes(std::span(&value, 1))).is_ok());
  EXPECT_EQ(value, 40u);
}

TEST_F(DeviceSmoke, ATimestampGrows) {
  auto clock = device_->allocate(MemoryKind::kGtt, 16).value();
  amdgpu::CommandRecorder recorder = device_->record();
  recorder.write_timestamp(clock.gpu_addr());
  recorder.barrier();
  recorder.write_timestamp(clock.gpu_addr() + 8);
  ASSERT_TRUE(device_->wait(device_->submit(recorder.finish().value()).value()).is_ok());
  const auto* ticks = reinterpret_cast<const uint64_t*>(clock.host().data());
  EXPECT_GT(ticks[0], 0u);
  EXPECT_GE(ticks[1], ticks[0]);
}

TEST_F(DeviceSmoke, AFaultIsReportedWithItsKernelAndTheDeviceRecovers) {
  auto buffer = device_->allocate(MemoryKind::kVram, 4096).value();
  ASSERT_TRUE(device_->fill(buffer, 0, 4096, 0).is_ok());
  auto bad = chain(buffer.gpu_addr(), GpuAddr{0x1000}, 1, 3);
  Status status = device_->wait(device_->submit(bad).value());
  EXPECT_EQ(status.code(), StatusCode::kDeviceFault);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("memory fault at 0x1000"), HasSubstr("kernel add_one (dispatch 1 of 3)")));
  Status recovered = device_->recover();
  ASSERT_TRUE(recovered.is_ok()) << recovered.message();
  auto good = chain(buffer.gpu_addr(), buffer.gpu_addr(), 1, 3);
  status = device_->wait(device_->submit(good).value());
  EXPECT_TRUE(status.is_ok()) << status.message();
}

TEST_F(DeviceSmoke, AnIllegalProgramIsAFaultNotAHang) {
  is_illegal = true;
  auto buffer = device_->allocate(MemoryKind::kVram, 4096).value();
  auto commands = chain(buffer.gpu_addr(), buffer.gpu_addr(), 1, 2);
  Status status = device_->wait(device_->submit(commands).value());
  EXPECT_EQ(status.code(), StatusCode::kDeviceFault);
  EXPECT_THAT(status.message(), HasSubstr("kernel add_one (dispatch 1 of 2)"));
  is_illegal = false;
}

TEST_F(DeviceSmoke, ReplayingIsQuick) {
  auto buffer = device_->allocate(MemoryKind::kVram, 128).value();
  auto commands = chain(buffer.gpu_addr(), buffer.gpu_addr(), 1, 60);
  constexpr int kRounds = 200;
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kRounds; ++i) ASSERT_TRUE(device_->wait(device_->submit(commands).value()).is_ok());
  const std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
  RecordProperty("microseconds_per_replay", static_cast<int>(spent.count() / kRounds));
  // Generous: the machine that tests may be busy.
  EXPECT_LT(spent.count() / kRounds, 20'000);
}

}  // namespace
}  // namespace bw
