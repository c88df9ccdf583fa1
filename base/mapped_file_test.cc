#include "base/mapped_file.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

namespace bw {
namespace {

TEST(MappedFile, ShowsTheBytesOfTheFile) {
  const std::string path = testing::TempDir() + "/mapped_file_test";
  std::ofstream(path) << "hello";
  MappedFile file = MappedFile::open(path).value();
  ASSERT_EQ(file.bytes().size(), 5u);
  EXPECT_EQ(static_cast<char>(file.bytes()[4]), 'o');
}

TEST(MappedFile, MapsAnEmptyFileToNoBytes) {
  const std::string path = testing::TempDir() + "/mapped_file_test_empty";
  std::ofstream(path) << "";
  EXPECT_TRUE(MappedFile::open(path).value().bytes().empty());
}

TEST(MappedFile, NamesThePathThatIsMissingOrNoFile) {
  EXPECT_EQ(MappedFile::open("/nonexistent/file").status().sys_errno(), ENOENT);
  EXPECT_NE(MappedFile::open("/nonexistent/file").status().message().find("/nonexistent/file"), std::string::npos);
  EXPECT_EQ(MappedFile::open("/tmp").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bw
