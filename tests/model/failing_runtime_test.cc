// Owns: what a tensor program does when a system call fails: each call from opening the card to reading the result
// fails in turn.
#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <numeric>

#include "emulator/driver.h"
#include "kfd/testing/failing_driver.h"
#include "tensor/runtime.h"
#include "tensor/tensor.h"

namespace bw {
namespace {

namespace fs = std::filesystem;

constexpr int kElements = 1000;

Result<std::vector<float>> twice_plus_one(kfd::KernelDriver& driver, const std::string& cache_dir) {
  BW_ASSIGN(std::shared_ptr<tensor::Runtime> runtime, tensor::Runtime::create(driver, {.cache_dir = cache_dir}));
  std::vector<float> values(kElements);
  std::iota(values.begin(), values.end(), 0.0f);
  tensor::Tensor x = tensor::Tensor::from<float>(runtime, values, {kElements});
  return (x * 2.0 + 1.0).to_vector<float>();
}

TEST(FailingRuntime, ReportsOneLineLeaksNothingAndLeavesAWholeCache) {
  const std::string cache_dir = testing::TempDir() + "/failing_runtime_cache";
  fs::remove_all(cache_dir);
  uint64_t calls = 0;
  for (;; ++calls) {
    auto emulated = emulator::EmulatedDriver::create();
    ASSERT_TRUE(emulated.is_ok()) << emulated.status().message();
    kfd::testing::FailingDriver driver(*emulated.value());
    driver.fail_call(calls, ENOMEM);
    auto result = twice_plus_one(driver, cache_dir);
    const std::string failed = driver.failed_call();
    EXPECT_EQ(driver.leaks(), "") << "after call " << calls << ", " << failed;
    if (result.is_ok()) {
      for (int i = 0; i < kElements; ++i) ASSERT_EQ(result.value()[i], 2.0f * i + 1.0f);
    } else {
      EXPECT_EQ(result.status().message().find('\n'), std::string::npos) << result.status().message();
    }
    if (failed.empty()) {
      ASSERT_TRUE(result.is_ok()) << result.status().message();
      break;
    }
  }
  EXPECT_GT(calls, 50u);
  // Only whole files: a fresh runtime can use what is there.
  for (const auto& entry : fs::recursive_directory_iterator(cache_dir)) {
    EXPECT_TRUE(entry.is_directory() || entry.path().extension() != ".tmp") << entry.path();
  }
  fs::remove_all(cache_dir);
}

}  // namespace
}  // namespace bw
