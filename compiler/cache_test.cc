#include "compiler/cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

namespace fs = std::filesystem;
using Content = std::vector<std::byte>;

class CodeCacheTest : public ::testing::Test {
 protected:
  CodeCacheTest() {
    std::string name = (fs::temp_directory_path() / "barewave-cache-test-XXXXXX").string();
    root_ = ::mkdtemp(name.data());
    dir_ = root_ / "made" / "when needed";
  }
  ~CodeCacheTest() override { fs::remove_all(root_); }

  CodeCache open() const { return CodeCache(dir_.string()); }
  fs::path file() const { return dir_ / key_.hex(); }
  std::string read() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(file(), std::ios::binary) << bytes; }
  size_t file_count() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(dir_), fs::directory_iterator()));
  }
  static CodeCache::Bytes content(size_t size, int seed = 1) {
    Content bytes(size);
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 7 + static_cast<size_t>(seed));
    return std::make_shared<const Content>(std::move(bytes));
  }

  fs::path root_;
  fs::path dir_;
  CacheKey key_ = cache_key(testing::scale_kernel(64, 64), LaneForm{});
};

TEST(CacheKey, DependsOnTheKernelButNotOnItsNames) {
  ir::Kernel kernel = testing::scale_kernel(64, 64);
  const CacheKey key = cache_key(kernel, LaneForm{});
  kernel.name = "renamed";
  EXPECT_EQ(cache_key(kernel, LaneForm{}), key);
  EXPECT_EQ(key.hex().size(), 64u);
  EXPECT_NE(cache_key(testing::scale_kernel(64, 32), LaneForm{}), key);
  EXPECT_NE(cache_key(testing::scale_kernel(65, 64), LaneForm{}), key);
  EXPECT_NE(cache_key(testing::matmul_kernel(64), LaneForm{}), key);
  const auto with_param_name = [](const char* name) {
    ir::KernelBuilder b;
    const auto out = b.param(0, name, ir::DType::kF32, {1});
    const auto zero = b.constant(ir::DType::kI32, int64_t{0});
    ir::Kernel made{.name = "k", .params = {out}, .variables = {}, .stores = {}, .workgroup_size = 1};
    made.stores = {b.store(out, zero, b.constant(ir::DType::kF32, 1.0))};
    return cache_key(made, LaneForm{});
  };
  EXPECT_EQ(with_param_name("blk.0 = param \"q\"\n"), with_param_name("b"));
}

TEST(CacheKey, OfALaunchDependsOnTheSharesOfItsParts) {
  const auto key = [](int64_t workgroups, size_t argument) {
    const std::vector<KernelPart> parts = {
        {testing::scale_kernel(64, 64), LaneForm{}, {64 * workgroups, 1, 1}, {64, 1, 1}, {0, 2}},
        {testing::scale_kernel(64, 64), LaneForm{}, {64, 1, 1}, {64, 1, 1}, {1, argument}}};
    return cache_key(parts);
  };
  EXPECT_EQ(key(1, 2), key(1, 2));
  EXPECT_NE(key(1, 2), key(2, 2));
  EXPECT_NE(key(1, 2), key(1, 3));
  const std::vector<KernelPart> alone = {{testing::scale_kernel(64, 64), LaneForm{}, {64, 1, 1}, {64, 1, 1}, {0, 1}}};
  EXPECT_EQ(cache_key(alone), cache_key(testing::scale_kernel(64, 64), LaneForm{}));
}

TEST_F(CodeCacheTest, FindsWhatWasInsertedHereAndInAnotherProcess) {
  CodeCache first = open();
  EXPECT_EQ(first.find(key_), nullptr);
  const auto bytes = content(1000);
  first.insert(key_, bytes);
  EXPECT_EQ(first.find(key_), bytes);  // the same memory
  CodeCache second = open();
  const auto found = second.find(key_);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, *bytes);
  EXPECT_EQ(second.find(key_), found);
  EXPECT_EQ(second.problem(), "");
  EXPECT_EQ(file_count(), 1u);
}

TEST_F(CodeCacheTest, WithoutADirectoryNothingIsWritten) {
  CodeCache cache("");
  cache.insert(key_, content(10));
  EXPECT_NE(cache.find(key_), nullptr);
  EXPECT_EQ(cache.problem(), "");
  EXPECT_FALSE(fs::exists(dir_));
}

TEST_F(CodeCacheTest, FileTruncatedAtAnyLengthCountsAsAbsentAndIsReplaced) {
  open().insert(key_, content(50));
  const std::string whole = read();
  for (size_t length = 0; length < whole.size(); ++length) {
    write(whole.substr(0, length));
    CodeCache cache = open();
    ASSERT_EQ(cache.find(key_), nullptr) << length;
    cache.insert(key_, content(50));
    ASSERT_EQ(read(), whole) << length;
  }
  write(whole + "x");
  EXPECT_EQ(open().find(key_), nullptr);
}

TEST_F(CodeCacheTest, AnyFlippedBitCountsAsAbsent) {
  open().insert(key_, content(50));
  const std::string whole = read();
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string broken = whole;
    broken[i] = static_cast<char>(broken[i] ^ (1 << i % 8));
    write(broken);
    const auto found = open().find(key_);
    if (i >= 12 && i < 16) continue;  // reserved bytes of the header
    ASSERT_EQ(found, nullptr) << i;
  }
}

TEST_F(CodeCacheTest, FileOfAnotherKeyCountsAsAbsent) {
  open().insert(key_, content(50));
  const CacheKey other = cache_key(testing::scale_kernel(65, 64), LaneForm{});
  fs::rename(file(), dir_ / other.hex());
  EXPECT_EQ(open().find(other), nullptr);
}

TEST_F(CodeCacheTest, DirectoryOrPipeInPlaceOfTheFileDoesNotHang) {
  fs::create_directories(file());
  EXPECT_EQ(open().find(key_), nullptr);
  CodeCache cache = open();
  cache.insert(key_, content(5));
  EXPECT_THAT(cache.problem(), ::testing::HasSubstr("writing to the cache"));
  EXPECT_EQ(file_count(), 1u);  // no temporary file stays
  fs::remove(file());
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  EXPECT_EQ(open().find(key_), nullptr);
}

TEST_F(CodeCacheTest, UnwritableDirectoryIsReportedOnceAndDoesWithoutIt) {
  std::ofstream(root_ / "file") << "not a directory";
  CodeCache cache((root_ / "file" / "cache").string());
  EXPECT_EQ(cache.find(key_), nullptr);
  cache.insert(key_, content(5));
  EXPECT_NE(cache.find(key_), nullptr);
  const std::string problem = cache.problem();
  EXPECT_THAT(problem, ::testing::HasSubstr((root_ / "file" / "cache").string()));
  EXPECT_THAT(problem, ::testing::HasSubstr("XDG_CACHE_HOME"));
  cache.insert(cache_key(testing::matmul_kernel(8), LaneForm{}), content(6));
  EXPECT_EQ(cache.problem(), problem);
}

TEST_F(CodeCacheTest, ThreadsAndProcessesThatWriteTheSameKeyNeverShowHalfAFile) {
  open().insert(key_, content(100000));
  std::vector<pid_t> children;
  for (int child = 0; child < 3; ++child) {
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      bool good = true;
      for (int i = 0; i < 50; ++i) {
        CodeCache cache = open();
        const auto found = cache.find(key_);
        good = good && found != nullptr && (*found == *content(100000) || *found == *content(90000, 2));
        cache.insert(key_, i % 2 == 0 ? content(100000) : content(90000, 2));
        good = good && cache.problem().empty();
      }
      ::_exit(good ? 0 : 1);
    }
    children.push_back(pid);
  }
  CodeCache shared = open();
  std::vector<std::jthread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        shared.insert(key_, t % 2 == 0 ? content(100000) : content(90000, 2));
        EXPECT_NE(shared.find(key_), nullptr);
        EXPECT_NE(open().find(key_), nullptr);
      }
    });
  }
  threads.clear();
  for (const pid_t pid : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(file_count(), 1u);
}

}  // namespace
}  // namespace bw::compiler
