// Against a code object made by LLVM's assembler and linker (testdata/two_kernels.s), and against what an enemy makes
// of it.
#include "amdgpu/code_object.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "amdgpu/msgpack_reader.h"
#include "base/mapped_file.h"

namespace bw::amdgpu {
namespace {

using ::testing::HasSubstr;

std::vector<std::byte> two_kernels() {
  Result<MappedFile> file = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
  EXPECT_TRUE(file.is_ok()) << file.status().message();
  auto bytes = file.value().bytes();
  return {bytes.begin(), bytes.end()};
}

void put(std::vector<std::byte>& bytes, size_t offset, uint64_t value, size_t size_bytes) {
  ASSERT_LE(offset + size_bytes, bytes.size());
  std::memcpy(bytes.data() + offset, &value, size_bytes);
}

TEST(CodeObject, ReadsKernelsAndMetadata) {
  Result<CodeObject> object = CodeObject::parse(two_kernels());
  ASSERT_TRUE(object.is_ok()) << object.status().message();
  EXPECT_EQ(object->target, "amdgcn-amd-amdhsa--gfx1100");
  ASSERT_EQ(object->kernels.size(), 2u);

  const KernelInfo& add = object->kernels[0];
  EXPECT_EQ(add.name, "add_one");
  EXPECT_EQ(add.kernarg_size_bytes, 16u);
  EXPECT_EQ(add.descriptor.kernarg_size, 16u);
  EXPECT_EQ(add.vgpr_count, 2u);
  EXPECT_TRUE(add.is_wave32());
  EXPECT_EQ(add.entry_offset() % 256, 0u);
  ASSERT_EQ(add.arguments.size(), 2u);
  EXPECT_EQ(add.arguments[1].name, "in");
  EXPECT_EQ(add.arguments[1].offset_bytes, 8u);
  EXPECT_EQ(add.arguments[1].value_kind, "global_buffer");

  const KernelInfo& spill = object->kernels[1];
  EXPECT_FALSE(spill.is_wave32());
  EXPECT_EQ(spill.lds_size_bytes, 1024u);
  EXPECT_EQ(spill.private_segment_size_bytes, 20u);
  EXPECT_EQ(spill.max_workgroup_size, 256u);

  // The image holds the instructions: add_one begins with s_load_b128, whose encoding begins with these bits.
  uint32_t first = 0;
  std::memcpy(&first, object->image.data() + add.entry_offset(), sizeof(first));
  EXPECT_EQ(first >> 26, 0x3du);
}

TEST(CodeObject, KeepsRelativeRelocations) {
  Result<CodeObject> object = CodeObject::parse(two_kernels());
  ASSERT_TRUE(object.is_ok());
  ASSERT_EQ(object->relocations.size(), 1u);
  const auto& relocation = object->relocations[0];
  uint64_t target = 0;
  ASSERT_LE(static_cast<uint64_t>(relocation.addend) + 8, object->image.size());
  std::memcpy(&target, object->image.data() + relocation.addend, sizeof(target));
  EXPECT_EQ(target, 42u);
}

TEST(CodeObject, RefusesOtherRelocations) {
  auto bytes = two_kernels();
  put(bytes, 0x610 + 8, 5, 4);  // r_info of the one relocation
  Status status = CodeObject::parse(bytes).status();
  EXPECT_EQ(status.code(), StatusCode::kUnsupported);
  EXPECT_THAT(status.message(), HasSubstr("relocation of type 5"));
}

TEST(CodeObject, RefusesWhatIsNotForThisProcessor) {
  auto with = [](size_t offset, uint64_t value, size_t size_bytes) {
    auto bytes = two_kernels();
    put(bytes, offset, value, size_bytes);
    return CodeObject::parse(bytes).status();
  };
  EXPECT_THAT(with(0, 0x7e, 1).message(), HasSubstr("not an ELF file"));
  EXPECT_THAT(with(4, 1, 1).message(), HasSubstr("64-bit"));
  EXPECT_THAT(with(18, 62, 2).message(), HasSubstr("machine 62"));
  EXPECT_THAT(with(48, 0x4c, 4).message(), HasSubstr("processor 0x4c"));
  EXPECT_THAT(with(8, 9, 1).message(), HasSubstr("version 11"));
  EXPECT_THAT(with(16, 1, 2).message(), HasSubstr("linked"));
  EXPECT_EQ(with(48, 0x4c, 4).code(), StatusCode::kUnsupported);
}

TEST(CodeObject, RefusesHugeImages) {
  auto bytes = two_kernels();
  put(bytes, 64 + 56 + 40, uint64_t{1} << 40, 8);  // p_memsz of the first PT_LOAD
  EXPECT_EQ(CodeObject::parse(bytes).status().code(), StatusCode::kDataLoss);
}

TEST(CodeObject, EveryTruncationIsAnErrorOrHarmless) {
  const auto bytes = two_kernels();
  for (size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own, so that a sanitizer sees the first byte read past it.
    const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    EXPECT_FALSE(CodeObject::parse(cut).is_ok()) << size;
  }
}

TEST(CodeObject, NoByteChangedReadsOutOfBounds) {
  const auto good = two_kernels();
  std::vector<std::byte> bytes = good;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (unsigned value : {0x00u, 0x7fu, 0x80u, 0xffu, std::to_integer<unsigned>(good[i]) ^ 0x01u}) {
      bytes[i] = static_cast<std::byte>(value);
      Result<CodeObject> object = CodeObject::parse(bytes);
      if (!object.is_ok()) continue;
      for (const KernelInfo& kernel : object->kernels) ASSERT_LT(kernel.entry_offset(), object->image.size()) << i;
      for (const auto& relocation : object->relocations) ASSERT_LE(relocation.offset + 8, object->image.size()) << i;
    }
    bytes[i] = good[i];
  }
}

TEST(CodeObject, RandomDamageReadsInBounds) {
  const auto good = two_kernels();
  std::mt19937 random(1);
  for (int round = 0; round < 5000; ++round) {
    auto bytes = good;
    for (int change = 0; change < 8; ++change) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    static_cast<void>(CodeObject::parse(bytes).is_ok());
  }
}

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> bytes;
  for (int value : values) bytes.push_back(static_cast<std::byte>(value));
  return bytes;
}

TEST(MsgpackReader, ReadsEachWidth) {
  const auto bytes =
      bytes_of({0x05, 0xcc, 0xff, 0xcd, 1,    2,    0xce, 0, 0,    1, 0, 0xcf, 1, 0, 0, 0, 0, 0, 0, 0, 0xa1, 'x',  //
                0xd9, 1,    'y',  0x92, 0x81, 0xde, 0,    3, 0xdc, 0, 4});
  MsgpackReader reader(bytes);
  for (uint64_t expected : {5ull, 0xffull, 0x102ull, 0x100ull, 1ull << 56}) {
    EXPECT_EQ(reader.read_uint().value(), expected);
  }
  EXPECT_EQ(reader.read_string().value(), "x");
  EXPECT_EQ(reader.read_string().value(), "y");
  EXPECT_EQ(reader.read_array().value(), 2u);
  EXPECT_EQ(reader.read_map().value(), 1u);
  EXPECT_EQ(reader.read_map().value(), 3u);
  EXPECT_EQ(reader.read_array().value(), 4u);
  EXPECT_EQ(reader.read_uint().status().code(), StatusCode::kDataLoss);
}

TEST(MsgpackReader, SkipsNestedValuesAndStopsAtTheEnd) {
  const auto bytes = bytes_of({0x92, 0x81, 0xa1, 'k', 0xcb, 0, 0, 0, 0, 0, 0, 0, 0, 0xd4, 1, 2, 0x07});
  MsgpackReader reader(bytes);
  ASSERT_TRUE(reader.skip().is_ok());
  EXPECT_EQ(reader.read_uint().value(), 7u);
  // A hundred thousand nested arrays, and a map that claims four billion entries.
  const std::vector<std::byte> deep(100'000, std::byte{0x91});
  EXPECT_EQ(MsgpackReader(deep).skip().code(), StatusCode::kDataLoss);
  const auto wide = bytes_of({0xdf, 0xff, 0xff, 0xff, 0xff, 1});
  EXPECT_EQ(MsgpackReader(wide).skip().code(), StatusCode::kDataLoss);
  EXPECT_THAT(MsgpackReader(bytes_of({0xc1})).read_uint().status().message(), HasSubstr("0xc1"));
}

}  // namespace
}  // namespace bw::amdgpu
