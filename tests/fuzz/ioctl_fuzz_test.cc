// The fuzzer of the driver's calls for a short time, with fixed seeds. ioctl_fuzz runs it for longer.
#include <gtest/gtest.h>

#include "tests/fuzz/ioctl_fuzz.h"

namespace bw::test {
namespace {

TEST(IoctlFuzz, NoCallCrashesHangsOrLeavesSomethingBehind) {
  const IoctlFuzzResult result = fuzz_ioctls(1, 1e6, 40, 1);
  EXPECT_EQ(result.failure, "");
  EXPECT_EQ(result.machines, 40u);
  EXPECT_GT(result.successes, result.calls / 5) << "arguments are near enough to what the calls take";
}

TEST(IoctlFuzz, NeitherDoCallsOfTwoThreadsAtOnce) {
  const IoctlFuzzResult result = fuzz_ioctls(1000, 1e6, 20, 2);
  EXPECT_EQ(result.failure, "");
}

}  // namespace
}  // namespace bw::test
