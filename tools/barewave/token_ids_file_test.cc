#include "tools/barewave/token_ids_file.h"

#include <gtest/gtest.h>

#include <fstream>

namespace bw::tools {
namespace {

using Sequences = std::vector<std::vector<tensor::TokenId>>;

Result<Sequences> read(const std::string& content) {
  const std::string path =
      testing::TempDir() + "/token_ids_file_" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::ofstream(path) << content;
  return read_token_ids(path);
}

TEST(TokenIdsFile, ReadsOneSequenceALine) {
  EXPECT_EQ(read("1 2, 3\n\n4\r\n").value(), (Sequences{{1, 2, 3}, {4}}));
}

TEST(TokenIdsFile, ReadsJson) {
  EXPECT_EQ(read("[1, 2]").value(), (Sequences{{1, 2}}));
  EXPECT_EQ(read("[[1], [2, 3]]").value(), (Sequences{{1}, {2, 3}}));
  EXPECT_EQ(read(R"({"perplexity_ids": [[7, 8]]})").value(), (Sequences{{7, 8}}));
}

TEST(TokenIdsFile, NamesWhatIsNoId) {
  EXPECT_NE(read("1 2\n3 x4").status().message().find("line 2: 'x4' is not a token id"), std::string::npos);
  for (const char* bad :
       {"", "\n\n", "[1, -2]", "[1.5]", "[[1], 2]", "[1, [2]]", "{}", "[", "99999999999", "[99999999999]"}) {
    EXPECT_EQ(read(bad).status().code(), StatusCode::kDataLoss) << bad;
  }
  EXPECT_EQ(read_token_ids("/nonexistent").status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace bw::tools
