// Every system call of a small run fails in turn: the run must end with an error or succeed, and leave nothing open.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "emulator/driver.h"
#include "kfd/testing/failing_driver.h"
#include "tensor/generator.h"
#include "tensor/tensor.h"
#include "tensor/testing/llama_reference.h"

namespace bw::tensor {
namespace {

// Kernels compiled by the first run serve all others.
class CacheFolder {
 public:
  CacheFolder() : path_(::testing::TempDir() + fmt::format("barewave_driver_failure_{}", getpid())) {}
  ~CacheFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// Opens a device, loads a model and generates two tokens.
Status run(kfd::KernelDriver& driver, const gguf::File& file, const std::string& cache_dir) {
  RuntimeOptions options;
  options.cache_dir = cache_dir;
  BW_ASSIGN(const std::shared_ptr<Runtime> runtime, Runtime::create(driver, options));
  BW_ASSIGN(const std::unique_ptr<Llama> model, Llama::load(file, runtime));
  const std::vector<TokenId> prompt = {1, 2};
  BW_ASSIGN(const GenerateResult result, generate(*model, prompt, {.max_tokens = 2, .sampling = {}, .eos = {}}));
  return result.ids.size() == 2 ? Status::ok() : error(StatusCode::kDataLoss, "{} tokens", result.ids.size());
}

TEST(DriverFailure, IsReportedAndLeavesNothingOpen) {
  testing::SmallModel shape;
  shape.layers = 1;
  shape.dim = 32;
  shape.ffn = 32;
  shape.vocabulary = 16;
  const auto bytes = testing::write_small_model(shape).bytes();
  const auto file = gguf::File::parse(bytes, "test.gguf");
  const CacheFolder cache;
  size_t failures = 0;
  for (uint64_t number = 0;; ++number) {
    auto emulated = emulator::EmulatedDriver::create();
    ASSERT_TRUE(emulated.is_ok()) << emulated.status().message();
    kfd::testing::FailingDriver driver(*emulated.value());
    driver.fail_call(number, number % 2 == 0 ? ENOMEM : EIO);
    const Status status = run(driver, file.value(), cache.path());
    SCOPED_TRACE(fmt::format("call {}: {}", number, driver.failed_call()));
    EXPECT_EQ(driver.leaks(), "");
    if (driver.failed_call().empty()) {
      EXPECT_TRUE(status.is_ok()) << status.message();
      break;
    }
    if (status.is_ok()) continue;  // giving something back failed
    ++failures;
    EXPECT_FALSE(status.message().empty());
    EXPECT_EQ(status.message().find('\n'), std::string::npos) << status.message();
  }
  EXPECT_GT(failures, 10u);
}

}  // namespace
}  // namespace bw::tensor
