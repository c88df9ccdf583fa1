#include "compiler/link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fcntl.h>

#include "compiler/codegen.h"
#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST(Link, RefusesWhatIsNoObjectWithTheLinkersWords) {
  for (const std::string_view text : {"\x7f"
                                      "ELF",
                                      "this is no object file, whatever its length may be"}) {
    const auto linked = link_code_object(bytes_of(text));
    ASSERT_FALSE(linked.is_ok()) << text;
    EXPECT_THAT(linked.status().message(), ::testing::StartsWith("linking: "));
    EXPECT_THAT(linked.status().message(), ::testing::Not(::testing::HasSubstr("\n\n")));
  }
}

TEST(Link, WorksAgainAfterAFailure) {
  ASSERT_FALSE(link_code_object(bytes_of("no object")).is_ok());
  EXPECT_TRUE(generate_code(testing::scale_kernel(64, 64), LaneForm{}, Keep::kObjectOnly).is_ok());
}

// A program of many kernels keeps all their code.
TEST(Link, CodeTakesNoMoreMemoryThanItHasBytes) {
  const auto code = generate_code(testing::scale_kernel(64, 64), LaneForm{}, Keep::kObjectOnly);
  ASSERT_TRUE(code.is_ok()) << code.status().message();
  EXPECT_EQ(code->elf.capacity(), code->elf.size());
}

TEST(Link, LeavesNoDescriptorsBehind) {
  const auto count = [] {
    int open = 0;
    for (int fd = 0; fd < 256; ++fd) open += ::fcntl(fd, F_GETFD) != -1 ? 1 : 0;
    return open;
  };
  ASSERT_TRUE(generate_code(testing::scale_kernel(64, 64), LaneForm{}, Keep::kObjectOnly).is_ok());
  const int before = count();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(generate_code(testing::scale_kernel(64, 64), LaneForm{}, Keep::kObjectOnly).is_ok());
    ASSERT_FALSE(link_code_object(bytes_of("no object")).is_ok());
  }
  EXPECT_EQ(count(), before);
}

}  // namespace
}  // namespace bw::compiler
