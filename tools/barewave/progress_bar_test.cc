#include "tools/barewave/progress_bar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace bw::tools {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ProgressLine, TellsSizeRateAndWhatRemains) {
  EXPECT_EQ(progress_line(1'500'000'000, 3'000'000'000, 1s),
            "loading [############            ]  50%  1.50 of 3.00 GB  1.50 GB/s  0:01 left");
  EXPECT_EQ(progress_line(1'000'000, 130'000'000, 1s),
            "loading [                        ]   1%  1.00 of 130.00 MB  1.00 MB/s  2:09 left");
  EXPECT_EQ(progress_line(0, 2'000, 0s), "loading [                        ]   0%  0.00 of 2.00 kB");
  // What was announced wrongly is no reason for nonsense.
  EXPECT_THAT(progress_line(5'000, 2'000, 1s), HasSubstr("[########################] 100%  2.00 of 2.00 kB"));
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

}  // namespace
}  // namespace bw::tools
