#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace bw {
namespace {

TEST(Status, FromErrnoNamesOperationAndKeepsTheNumber) {
  Status status = Status::from_errno(EACCES, "opening /dev/kfd");
  EXPECT_EQ(status.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(status.sys_errno(), EACCES);
  EXPECT_EQ(status.message(), "opening /dev/kfd: permission denied");
}

TEST(Status, ContextGoesBeforeAndAdviceAfter) {
  Status status = error(StatusCode::kNotFound, "no card {}", 3).with_context("opening").with_advice("try 0");
  EXPECT_EQ(status.message(), "opening: no card 3 (try 0)");
}

TEST(Status, OkStaysOkUnderContext) {
  EXPECT_TRUE(Status::ok().with_context("x").with_advice("y").is_ok());
}

Result<std::unique_ptr<int>> half(int value) {
  if (value % 2 != 0) return error(StatusCode::kInvalidArgument, "{} is odd", value);
  return std::make_unique<int>(value / 2);
}

Result<int> quarter(int value) {
  BW_ASSIGN(auto first, half(value));
  BW_ASSIGN(auto second, half(*first));
  return *second;
}

TEST(Result, AssignPassesValuesAndFailuresOn) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).status().message(), "3 is odd");
}

TEST(ResultDeathTest, ValueOfAFailureAborts) {
  EXPECT_DEATH((void)half(1).value(), "1 is odd");
}

}  // namespace
}  // namespace bw
