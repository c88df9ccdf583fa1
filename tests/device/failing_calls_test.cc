// Owns: what happens when a system call fails: each call of a whole use of the card fails in turn, with each errno.
#include <gtest/gtest.h>

#include <cctype>
#include <cerrno>

#include "emulator/driver.h"
#include "kfd/testing/failing_driver.h"
#include "tests/device/round_trip.h"

namespace bw {
namespace {

class FailingCalls : public testing::TestWithParam<int> {};

// One clear line: what failed, no line break, no capital at the start, no full stop at the end.
void expect_clear_line(const Status& status, const std::string& failed_call) {
  const std::string& message = status.message();
  ASSERT_FALSE(message.empty()) << failed_call;
  EXPECT_EQ(message.find('\n'), std::string::npos) << failed_call << ": " << message;
  EXPECT_NE(message.back(), '.') << failed_call << ": " << message;
  EXPECT_NE(message.find(": "), std::string::npos) << failed_call << ": " << message;
}

TEST_P(FailingCalls, LeadToOneClearErrorAndLeaveNothingBehind) {
  uint64_t calls = 0;
  for (;; ++calls) {
    auto emulated = emulator::EmulatedDriver::create();
    ASSERT_TRUE(emulated.is_ok()) << emulated.status().message();
    kfd::testing::FailingDriver driver(*emulated.value());
    driver.fail_call(calls, GetParam());
    auto values = tests::add_one_round_trip(driver);
    const std::string failed_call = driver.failed_call();
    EXPECT_EQ(driver.leaks(), "") << "after call " << calls << ", " << failed_call;
    if (failed_call.empty()) {
      ASSERT_TRUE(values.is_ok()) << values.status().message();
      break;
    }
    // A failure of what only gives something back is not worth failing for; any other is.
    if (values.is_ok()) {
      EXPECT_EQ(values.value(), tests::expected_round_trip());
    } else {
      expect_clear_line(values.status(), failed_call);
    }
  }
  EXPECT_GT(calls, 50u);
}

INSTANTIATE_TEST_SUITE_P(Errno, FailingCalls, testing::Values(ENOMEM, EIO, EPERM, EINVAL),
                         [](const auto& test) { return std::string(strerrorname_np(test.param)); });

}  // namespace
}  // namespace bw
