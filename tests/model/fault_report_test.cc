// Owns: what a user of tensors learns when a kernel faults on the device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "emulator/driver.h"
#include "tensor/runtime.h"
#include "tensor/tensor.h"

namespace bw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Every program faults at once, as if it had stored to a page that is not there.
class FaultingCores final : public emulator::ShaderCores {
 public:
  static constexpr uint64_t kAddress = 0x123456789000;

  std::optional<emulator::ShaderFault> run(const emulator::Dispatch& dispatch, const emulator::AddressSpace&,
                                           std::stop_token, emulator::Suspension*) override {
    emulator::ShaderFault fault;
    fault.kind = emulator::ShaderFaultKind::kMemory;
    fault.pc = dispatch.program_address;
    fault.address = kAddress;
    fault.access = emulator::Access::kWrite;
    fault.message = "store to an unmapped page";
    return fault;
  }
  void set_watchdog(uint64_t) override {}
  uint64_t instruction_count() const override { return 0; }
};

TEST(FaultReport, NamesTheKernelAndTheAddress) {
  emulator::EmulatedOptions options;
  options.make_shader_cores = []() -> Result<std::unique_ptr<emulator::ShaderCores>> {
    return std::unique_ptr<emulator::ShaderCores>(std::make_unique<FaultingCores>());
  };
  auto driver = emulator::EmulatedDriver::create(options);
  ASSERT_TRUE(driver.is_ok()) << driver.status().message();
  auto runtime = tensor::Runtime::create(*driver.value());
  ASSERT_TRUE(runtime.is_ok()) << runtime.status().message();

  const std::vector<float> values(100, 1.0f);
  tensor::Tensor x = tensor::Tensor::from<float>(runtime.value(), values, {100});
  const auto result = (x + 1.0).to_vector<float>();
  ASSERT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().code(), StatusCode::kDeviceFault);
  // The kernel's own name, not the symbol that all code objects share.
  EXPECT_THAT(result.status().message(),
              AllOf(HasSubstr("0x123456789000"), HasSubstr("kernel "), Not(HasSubstr("bw_kernel"))));
}

}  // namespace
}  // namespace bw
