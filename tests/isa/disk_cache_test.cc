// Translated programs on disk: that they are found again, and that nothing is executed that does not belong there.
#include "emulator/jit/disk_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "emulator/jit/jit.h"
#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using namespace emulator;
namespace fs = std::filesystem;

// Of all kinds of references: constants of floats, NaNs (so records of strips), memory, a loop, a barrier, a handler
// that is called.
constexpr const char* kProgram =
    "v_lshlrev_b32 v1, 2, v0\n global_load_b32 v2, v1, s[0:1]\n s_mov_b32 s2, 20\n"
    "again: v_fma_f32 v2, v2, 0.5, 1.0\n s_barrier\n v_sqrt_f32 v2, v2\n v_add_f32 v2, v2, v2\n"
    "s_sub_u32 s2, s2, 1\n s_cmp_lg_u32 s2, 0\n s_cbranch_scc1 again\n"
    "v_ffbh_u32 v3, v2\n v_xor_b32 v2, v2, v3\n global_store_b32 v1, v2, s[0:1]\n s_endpgm";

class DiskCacheTest : public testing::Test {
 protected:
  DiskCacheTest() {
    std::string name = (fs::temp_directory_path() / "barewave-jit-cache-XXXXXX").string();
    dir_ = fs::path(::mkdtemp(name.data())) / "made when needed";
    run(make_interpreter(1), kProgram);
    want_ = result_;
  }
  ~DiskCacheTest() override { fs::remove_all(dir_.parent_path()); }

  void run(Result<std::unique_ptr<ShaderCores>> cores, const std::string& text) {
    Gpu gpu(std::move(cores));
    std::string error;
    const auto code = LlvmMc().assemble(text, &error);
    ASSERT_TRUE(code.has_value()) << error;
    const uint64_t data = gpu.allocate(4096);
    for (uint32_t i = 0; i < 64; ++i) gpu.at<uint32_t>(data)[i] = 0x3f800000 + i * 0x04567891;
    const auto fault = gpu.run(Gpu::dispatch(gpu.load(*code), 64, data));
    EXPECT_FALSE(fault.has_value()) << fault->message;
    result_.assign(gpu.at<uint32_t>(data), gpu.at<uint32_t>(data) + 64);
    counts_ = gpu.cores().translation_counts();
  }
  // On a JIT as another process has it.
  void run_jit(const std::string& text = kProgram) {
    JitOptions options;
    options.cache_dir = dir_.string();
    options.tiering.warn = [this](const Status& status) { warnings_.push_back(status.message()); };
    run(make_jit(1, options), text);
  }
  fs::path file() const { return fs::directory_iterator(dir_)->path(); }
  std::string read() const {
    std::ifstream in(file(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(file(), std::ios::binary) << bytes; }

  fs::path dir_;
  std::vector<uint32_t> want_, result_;
  TranslationCounts counts_;
  std::vector<std::string> warnings_;
};

TEST_F(DiskCacheTest, ProgramIsTranslatedOnceAndThenFound) {
  run_jit();
  EXPECT_EQ(counts_.translated, 1u);
  EXPECT_EQ(result_, want_);
  run_jit();
  EXPECT_EQ(counts_.translated, 0u);
  EXPECT_EQ(counts_.found, 1u);
  EXPECT_EQ(result_, want_);
}

TEST_F(DiskCacheTest, BrokenFileIsNotExecutedAndReplaced) {
  run_jit();
  const std::string whole = read();
  std::vector<std::string> broken = {"", whole.substr(0, 40), whole.substr(0, whole.size() - 1), whole + "x"};
  for (const size_t at : {size_t{0}, size_t{9}, size_t{30}, size_t{60}, size_t{88}, size_t{100}, whole.size() - 9}) {
    broken.push_back(whole);
    broken.back()[at] = static_cast<char>(broken.back()[at] ^ 4);
  }
  for (const std::string& bytes : broken) {
    write(bytes);
    run_jit();
    EXPECT_EQ(counts_.translated, 1u);
    EXPECT_EQ(result_, want_);
    EXPECT_EQ(read().size(), whole.size());
  }
}

TEST_F(DiskCacheTest, FileOfAnotherProgramIsNotExecuted) {
  run_jit();
  const fs::path first = file();
  const std::string other = std::string("s_nop 1\n") + kProgram;
  fs::rename(first, dir_.parent_path() / "aside");
  run_jit(other);
  const fs::path second = file();
  fs::rename(dir_.parent_path() / "aside", second);  // under the other's name
  run_jit(other);
  EXPECT_EQ(counts_.found, 0u);
  EXPECT_EQ(counts_.translated, 1u);
  EXPECT_EQ(result_, want_);
}

TEST_F(DiskCacheTest, KeyDependsOnCodeWaveSizeAndHost) {
  const std::vector<uint32_t> dwords = {1, 2, 3};
  ProgramCode code;
  code.pieces = {{0, dwords}};
  const jit::DiskCache cache("", "host");
  const Digest key = cache.key_of(code);
  EXPECT_EQ(cache.key_of(code), key);
  EXPECT_NE(jit::DiskCache("", "other host").key_of(code), key);
  ProgramCode other = code;
  other.wave_size = 64;
  EXPECT_NE(cache.key_of(other), key);
  other = code;
  other.pieces = {{0, std::span(dwords).first(2)}, {8, std::span(dwords).last(1)}};
  EXPECT_NE(cache.key_of(other), key);
}

TEST_F(DiskCacheTest, ImageTruncatedAtAnyLengthIsRefused) {
  jit::CodeImage image;
  image.step_count = 9;
  image.resume_points = {0, 8};
  image.strips = {{1, 2}, {3}};
  image.table = {{jit::Reference::Kind::kNumber, 0xffffffff}, {jit::Reference::Kind::kStrip, 1}};
  const std::vector<std::byte> bytes = jit::encode_image(image);
  const auto decoded = jit::decode_image(bytes);
  ASSERT_TRUE(decoded.is_ok()) << decoded.status().message();
  EXPECT_EQ(decoded->strips, image.strips);
  EXPECT_EQ(decoded->table, image.table);
  for (size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(jit::decode_image(std::span(bytes).first(length)).is_ok()) << length;
  image.table.push_back({jit::Reference::Kind::kStrip, 2});
  EXPECT_FALSE(jit::decode_image(jit::encode_image(image)).is_ok());
}

TEST_F(DiskCacheTest, UnwritableDirectoryIsToldOnce) {
  fs::create_directories(dir_.parent_path());
  std::ofstream(dir_) << "in the way";
  run_jit();
  EXPECT_EQ(counts_.translated, 1u);
  EXPECT_EQ(result_, want_);
  ASSERT_EQ(warnings_.size(), 1u);
  EXPECT_THAT(warnings_[0], ::testing::HasSubstr("writing to the cache of translated programs"));
}

}  // namespace
}  // namespace bw::test
