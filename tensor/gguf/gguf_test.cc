#include "tensor/gguf/gguf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "tensor/testing/gguf_writer.h"
#include "tensor/testing/test_data.h"

namespace bw::tensor::gguf {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;

std::vector<std::byte> zeros(size_t size_bytes) {
  return std::vector<std::byte>(size_bytes);
}

// A file with one entry of each kind and tensors of each type.
GgufWriter small_file() {
  GgufWriter writer;
  writer.text("general.architecture", "llama").u32("count", 7).f32("eps", 0.5f).texts("names", {"a", "bc", ""});
  writer.number("u8", ValueType::kU8, uint8_t{255}).number("i8", ValueType::kI8, int8_t{-1});
  writer.number("u16", ValueType::kU16, uint16_t{65535}).number("i16", ValueType::kI16, int16_t{-2});
  writer.number("i32", ValueType::kI32, int32_t{-3}).number("u64", ValueType::kU64, ~uint64_t{0});
  writer.number("i64", ValueType::kI64, int64_t{-4}).number("f64", ValueType::kF64, 0.25);
  writer.number("yes", ValueType::kBool, uint8_t{1}).numbers("ints", ValueType::kI32, std::vector<int32_t>{1, 2, 3});
  writer.tensor("f32", {3, 2}, TensorType::kF32, zeros(24)).tensor("f16", {5}, TensorType::kF16, zeros(10));
  writer.tensor("q8", {64, 2}, TensorType::kQ8_0, zeros(4 * 34)).tensor("q4", {32, 1, 2}, TensorType::kQ4_0, zeros(36));
  return writer;
}

std::string failure(const GgufWriter& writer) {
  const auto bytes = writer.bytes();
  const auto file = File::parse(bytes, "test.gguf");
  EXPECT_FALSE(file.is_ok());
  EXPECT_THAT(file.status().message(), HasSubstr("test.gguf"));
  return file.status().message();
}

TEST(Gguf, ReadsEveryValueType) {
  const auto bytes = small_file().bytes();
  const auto file = File::parse(bytes, "test.gguf");
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  EXPECT_EQ(file->require_string("general.architecture").value(), "llama");
  EXPECT_EQ(file->require_unsigned("count").value(), 7u);
  EXPECT_EQ(file->require_number("eps").value(), 0.5);
  EXPECT_EQ(file->require_number("count").value(), 7.0);
  EXPECT_EQ(file->require_strings("names").value().size(), 3u);
  EXPECT_EQ(file->require_unsigned("u8").value(), 255u);
  EXPECT_EQ(std::get<int64_t>(*file->find("i8")), -1);
  EXPECT_EQ(file->require_unsigned("u16").value(), 65535u);
  EXPECT_EQ(std::get<int64_t>(*file->find("i16")), -2);
  EXPECT_EQ(std::get<int64_t>(*file->find("i32")), -3);
  EXPECT_EQ(file->require_unsigned("u64").value(), ~uint64_t{0});
  EXPECT_EQ(std::get<int64_t>(*file->find("i64")), -4);
  EXPECT_EQ(std::get<double>(*file->find("f64")), 0.25);
  EXPECT_TRUE(std::get<bool>(*file->find("yes")));
  EXPECT_EQ(std::get<Array>(*file->find("ints")).raw.size(), 12u);
}

TEST(Gguf, ListsTensorsWithTheOutermostAxisFirst) {
  const auto bytes = small_file().bytes();
  const auto file = File::parse(bytes, "test.gguf");
  ASSERT_TRUE(file.is_ok()) << file.status().message();
  ASSERT_EQ(file->tensors().size(), 4u);
  const TensorInfo* q8 = file->require_tensor("q8").value();
  EXPECT_EQ(q8->shape, (std::vector<int64_t>{2, 64}));
  EXPECT_EQ(q8->data.size(), 4u * 34);
  EXPECT_EQ(file->find_tensor("q4")->shape, (std::vector<int64_t>{2, 1, 32}));
}

TEST(Gguf, NamesAMissingOrIllTypedKey) {
  const auto bytes = small_file().bytes();
  const auto file = File::parse(bytes, "test.gguf");
  ASSERT_TRUE(file.is_ok());
  EXPECT_EQ(file->require_unsigned("absent").status().code(), StatusCode::kNotFound);
  EXPECT_THAT(file->require_unsigned("absent").status().message(), HasSubstr("'absent'"));
  EXPECT_EQ(file->require_unsigned("i8").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file->require_string("count").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file->require_strings("ints").status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(file->require_tensor("absent").status().code(), StatusCode::kNotFound);
}

TEST(Gguf, RejectsAnotherMagicVersionOrByteOrder) {
  GgufWriter writer = small_file();
  writer.magic = 0x12345678;
  EXPECT_THAT(failure(writer), HasSubstr("not a GGUF file"));
  writer = small_file();
  writer.version = 2;
  EXPECT_THAT(failure(writer), HasSubstr("version 2"));
  writer.version = 3u << 24;
  EXPECT_THAT(failure(writer), HasSubstr("big-endian"));
}

TEST(Gguf, RejectsDuplicateNames) {
  EXPECT_THAT(failure(small_file().u32("count", 8)), HasSubstr("key 'count' occurs twice"));
  EXPECT_THAT(failure(small_file().tensor("f16", {1}, TensorType::kF32, zeros(4))), HasSubstr("'f16' occurs twice"));
}

TEST(Gguf, RejectsValuesThatTheFormatDoesNotDefine) {
  const uint32_t unknown_type[] = {13, 0, 0};
  EXPECT_THAT(failure(GgufWriter().raw("k", unknown_type)), HasSubstr("value type 13"));
  const uint32_t unknown_element[] = {9, 77, 1, 0, 0};
  EXPECT_THAT(failure(GgufWriter().raw("k", unknown_element)), HasSubstr("element type 77"));
  const uint32_t huge_array[] = {9, 10, 0, 0x20000000, 0};  // 2^61 u64: the size in bytes is 2^64
  EXPECT_THAT(failure(GgufWriter().raw("k", huge_array)), HasSubstr("does not fit"));
  EXPECT_THAT(failure(small_file().number("b", ValueType::kBool, uint8_t{2})), HasSubstr("bool has the value 2"));
  EXPECT_THAT(failure(small_file().u32("general.alignment", 24)), HasSubstr("power of two"));
  EXPECT_THAT(failure(small_file().u32("general.alignment", 0)), HasSubstr("power of two"));
}

TEST(Gguf, BoundsTheNestingOfArrays) {
  std::vector<uint32_t> nested = {9};
  for (int i = 0; i < 1000; ++i) nested.insert(nested.end(), {9, 1, 0});
  EXPECT_THAT(failure(GgufWriter().raw("k", nested)), HasSubstr("nested deeper"));
}

TEST(Gguf, RejectsCountsThatTheFileCannotHold) {
  auto bytes = small_file().bytes();
  for (size_t field : {8, 16}) {
    auto broken = bytes;
    std::fill_n(broken.begin() + static_cast<ptrdiff_t>(field), 8, std::byte{0xff});
    const auto file = File::parse(broken, "test.gguf");
    ASSERT_FALSE(file.is_ok());
    EXPECT_THAT(file.status().message(), HasSubstr("18446744073709551615"));
  }
}

TEST(Gguf, RejectsTensorsThatDoNotFit) {
  const auto with = [](std::vector<uint64_t> extents, uint32_t type, uint64_t offset) {
    return failure(small_file().tensor("bad", extents, type, offset));
  };
  EXPECT_THAT(with({1u << 20}, 0, 0), HasSubstr("past the end"));
  EXPECT_THAT(with({1}, 0, ~uint64_t{31}), HasSubstr("past the end"));
  EXPECT_THAT(with({1}, 0, 4), HasSubstr("no multiple of 32"));
  EXPECT_THAT(with({uint64_t{1} << 32, uint64_t{1} << 31}, 0, 0), HasSubstr("2^63"));
  EXPECT_THAT(with({uint64_t{1} << 62}, 0, 0), HasSubstr("overflows"));
  EXPECT_THAT(with({0}, 0, 0), HasSubstr("extent of 0"));
  EXPECT_THAT(with({}, 0, 0), HasSubstr("0 dimensions"));
  EXPECT_THAT(with({1, 1, 1, 1, 1}, 0, 0), HasSubstr("5 dimensions"));
  EXPECT_THAT(with({33}, 8, 0), HasSubstr("no multiple of the 32"));
  EXPECT_THAT(with({256}, 12, 0), HasSubstr("Q4_K"));
  EXPECT_THAT(with({256}, 4, 0), HasSubstr("unknown type 4"));
  EXPECT_THAT(with({256}, 0x80000000u, 0), HasSubstr("unknown type"));
}

TEST(Gguf, FailsCleanlyWhereverItIsTruncated) {
  const auto bytes = small_file().bytes();
  for (size_t length = 0; length < bytes.size(); ++length) {
    const auto file = File::parse(std::span(bytes).first(length), "test.gguf");
    EXPECT_FALSE(file.is_ok()) << "cut to " << length << " of " << bytes.size();
  }
}

// Reads all that a parsed file hands out, so that a sanitizer sees views that leave the file.
uint64_t touch(const File& file) {
  uint64_t sum = 0;
  for (const auto& [key, value] : file.metadata()) {
    for (char c : key) sum += static_cast<uint8_t>(c);
    if (const auto* array = std::get_if<Array>(&value)) {
      for (std::byte byte : array->raw) sum += static_cast<uint8_t>(byte);
      for (std::string_view text : array->strings) sum += text.size() + (text.empty() ? 0 : text.back());
    }
  }
  for (const TensorInfo& tensor : file.tensors()) {
    for (std::byte byte : tensor.data) sum += static_cast<uint8_t>(byte);
  }
  return sum;
}

TEST(Gguf, SurvivesEveryMutationOfEveryByte) {
  const auto bytes = small_file().bytes();
  uint64_t sum = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (uint8_t value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
      auto mutated = bytes;
      mutated[i] = std::byte{value};
      if (const auto file = File::parse(mutated, "test.gguf"); file.is_ok()) sum += touch(file.value());
    }
  }
  EXPECT_GT(sum, 0u);
}

TEST(Gguf, SurvivesSeededMutationsOfARealFile) {
  std::ifstream stream(testing::data_path("kjv-3m/kjv-3m.Q4_0.gguf"), std::ios::binary);
  std::vector<char> head(48 << 10);
  stream.read(head.data(), static_cast<std::streamsize>(head.size()));
  ASSERT_TRUE(stream);
  const auto* data = reinterpret_cast<const std::byte*>(head.data());
  const std::vector<std::byte> bytes(data, data + head.size());
  for (uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    auto mutated = bytes;
    const uint32_t count = 1 + random() % 8;
    for (uint32_t i = 0; i < count; ++i) mutated[random() % mutated.size()] = static_cast<std::byte>(random());
    mutated.resize(mutated.size() - random() % 64);
    SCOPED_TRACE(seed);
    if (const auto file = File::parse(mutated, "test.gguf"); file.is_ok()) touch(file.value());
  }
}

TEST(Gguf, OpensTheRealModels) {
  for (const char* type : {"F16", "Q8_0", "Q4_0"}) {
    const auto file = File::open(testing::data_path(fmt::format("kjv-3m/kjv-3m.{}.gguf", type)));
    ASSERT_TRUE(file.is_ok()) << file.status().message();
    EXPECT_EQ(file->require_string("general.architecture").value(), "llama");
    EXPECT_EQ(file->require_unsigned("llama.embedding_length").value(), 256u);
    const TensorInfo* embedding = file->require_tensor("token_embd.weight").value();
    EXPECT_EQ(embedding->shape, (std::vector<int64_t>{1024, 256}));
    EXPECT_EQ(name(embedding->type), type);
  }
}

TEST(Gguf, NamesAFileThatIsNotThere) {
  const auto file = File::open("/nonexistent/model.gguf");
  EXPECT_EQ(file.status().code(), StatusCode::kNotFound);
  EXPECT_THAT(file.status().message(), HasSubstr("/nonexistent/model.gguf"));
}

}  // namespace
}  // namespace bw::tensor::gguf
