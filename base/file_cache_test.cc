#include "base/file_cache.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace bw {
namespace {

// What a cache does with files is tested where it is used: compiler/cache_test.cc, tests/isa/disk_cache_test.cc.

TEST(DefaultCacheDir, FollowsTheXdgRules) {
  ::setenv("XDG_CACHE_HOME", "/somewhere", 1);
  EXPECT_EQ(default_cache_dir(), "/somewhere/barewave");
  ::setenv("XDG_CACHE_HOME", "relative", 1);
  ::setenv("HOME", "/home/u", 1);
  EXPECT_EQ(default_cache_dir(), "/home/u/.cache/barewave");
  ::unsetenv("XDG_CACHE_HOME");
  ::unsetenv("HOME");
  EXPECT_EQ(default_cache_dir(), "");
}

}  // namespace
}  // namespace bw
