#include "tools/barewave/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <vector>

#include "base/mapped_file.h"
#include "tensor/runtime.h"

namespace bw::tools {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ProgressLine, TellsSizeRateAndWhatRemains) {
  EXPECT_EQ(progress_line(1'500'000'000, 3'000'000'000, 1.5e9),
            "loading [############            ]  50%  1.50 of 3.00 GB  1.50 GB/s  0:01 left");
  EXPECT_EQ(progress_line(1'000'000, 130'000'000, 1e6),
            "loading [                        ]   1%  1.00 of 130.00 MB  1.00 MB/s  2:09 left");
  EXPECT_EQ(progress_line(0, 2'000, 0), "loading [                        ]   0%  0.00 of 2.00 kB");
  // What was announced wrongly is no reason for nonsense.
  EXPECT_THAT(progress_line(5'000, 2'000, 5e3), HasSubstr("[########################] 100%  2.00 of 2.00 kB"));
}

class ProgressBarTest : public ::testing::Test {
 protected:
  ProgressBar::Sink sink() {
    return [this](std::string_view text) { drawn_.emplace_back(text); };
  }
  const ProgressBar::Clock::time_point start_{};
  std::vector<std::string> drawn_;
};

TEST_F(ProgressBarTest, IsSilentForHalfASecondThenDrawsTenTimesASecondAndWipesItself) {
  {
    ProgressBar bar(sink(), 1'000'000, start_);
    bar.add(100'000, start_ + 499ms);
    EXPECT_THAT(drawn_, IsEmpty());
    bar.add(400'000, start_ + 500ms);
    bar.add(100'000, start_ + 599ms);
    bar.add(100'000, start_ + 600ms);
  }
  EXPECT_THAT(drawn_, ElementsAre(HasSubstr(" 50%"), HasSubstr(" 70%"), "\r\x1b[K"));
}

TEST_F(ProgressBarTest, DrawsNothingForShortLoadsAndWithoutATerminal) {
  {
    ProgressBar bar(sink(), 1'000, start_);
    bar.add(1'000, start_ + 1ms);
    ProgressBar nothing(sink(), 0, start_);
    nothing.add(0, start_ + 5s);
    ProgressBar nowhere({}, 1'000, start_);
    nowhere.add(1'000, start_ + 5s);
  }
  EXPECT_THAT(drawn_, IsEmpty());
}

TEST_F(ProgressBarTest, GoesByTheRateOfTheLastSeconds) {
  ProgressBar bar(sink(), 10'000'000'000, start_);
  // 2 GB/s for 2 seconds, out of the system's memory, then 100 MB/s.
  for (int i = 1; i <= 20; ++i) bar.add(200'000'000, start_ + i * 100ms);
  EXPECT_THAT(drawn_.back(), HasSubstr(" 40%  4.00 of 10.00 GB  2.00 GB/s  0:03 left"));
  for (int i = 21; i <= 60; ++i) bar.add(10'000'000, start_ + i * 100ms);
  EXPECT_THAT(drawn_.back(), HasSubstr(" 44%  4.40 of 10.00 GB  100.00 MB/s  0:56 left"));
}

// Memory that takes its time for what is uploaded, and looks at a byte of each piece.
class SlowMemory final : public tensor::DeviceBuffer {
 public:
  SlowMemory(uint64_t size_bytes, ProgressBar::Clock::time_point& now) : size_bytes_(size_bytes), now_(now) {}
  uint64_t size_bytes() const override { return size_bytes_; }
  Status read(uint64_t, std::span<std::byte>) override { return Status::ok(); }
  Status write(uint64_t offset_bytes, std::span<const std::byte> data) override {
    EXPECT_LE(offset_bytes + data.size(), size_bytes_);
    EXPECT_EQ(data.front(), std::byte{0});
    now_ += std::chrono::nanoseconds(static_cast<int64_t>(data.size()));  // 1 GB/s
    return Status::ok();
  }

 private:
  const uint64_t size_bytes_;
  ProgressBar::Clock::time_point& now_;
};

class SlowExecutor final : public tensor::Executor {
 public:
  explicit SlowExecutor(ProgressBar::Clock::time_point& now) : now_(now) {}
  Result<std::shared_ptr<tensor::DeviceBuffer>> allocate(uint64_t size_bytes) override {
    return std::shared_ptr<tensor::DeviceBuffer>(std::make_shared<SlowMemory>(size_bytes, now_));
  }
  Result<std::unique_ptr<tensor::PreparedProgram>> prepare(std::span<const ir::NodePtr>,
                                                           const tensor::ParamBuffers&) override {
    return error(StatusCode::kUnsupported, "nothing runs here");
  }

 private:
  ProgressBar::Clock::time_point& now_;
};

// A file of 6 GB, all of it a hole, on its way to a card that takes 1 GB/s.
TEST_F(ProgressBarTest, TellsOfALoadOfManyGigabytes) {
  constexpr uint64_t kBytes = 6'000'000'000;
  const std::string path = ::testing::TempDir() + "progress_bar_sparse";
  std::ofstream(path).close();
  std::filesystem::resize_file(path, kBytes);
  ProgressBar::Clock::time_point now = start_;
  {
    const MappedFile file = MappedFile::open(path).value();
    const auto runtime = tensor::Runtime::create(std::make_unique<SlowExecutor>(now));
    ProgressBar bar(sink(), file.bytes().size(), start_);
    runtime->observe_uploads([&](uint64_t size_bytes) { bar.add(size_bytes, now); });
    for (const uint64_t begin : {uint64_t{0}, kBytes / 3, kBytes / 3 * 2}) {
      const auto part = file.bytes().subspan(begin, kBytes / 3);
      ASSERT_TRUE(runtime->upload(part, ir::DType::kI8, {static_cast<int64_t>(part.size())}, "weights").is_ok());
    }
  }
  std::filesystem::remove(path);
  EXPECT_EQ(now - start_, 6s);
  ASSERT_GT(drawn_.size(), 45u);
  EXPECT_LE(drawn_.size(), 57u);
  double last_percent = 0;
  for (size_t i = 0; i + 1 < drawn_.size(); ++i) {
    double percent = 0, done = 0, rate = 0;
    int minutes = 0, seconds = 0;
    const char* behind_bar = std::strchr(drawn_[i].c_str(), ']');
    ASSERT_NE(behind_bar, nullptr) << drawn_[i];
    ASSERT_EQ(std::sscanf(behind_bar, "] %lf%% %lf of 6.00 GB %lf GB/s %d:%d left", &percent, &done, &rate, &minutes,
                          &seconds),
              5)
        << drawn_[i];
    EXPECT_EQ(rate, 1.0) << drawn_[i];
    EXPECT_NEAR(60 * minutes + seconds, 6 - done, 0.51) << drawn_[i];
    EXPECT_NEAR(percent, done / 6 * 100, 1) << drawn_[i];
    EXPECT_GE(percent, last_percent);
    last_percent = percent;
  }
  EXPECT_GT(last_percent, 97);
  EXPECT_EQ(drawn_.back(), "\r\x1b[K");
}

}  // namespace
}  // namespace bw::tools
