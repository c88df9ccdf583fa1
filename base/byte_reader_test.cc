#include "base/byte_reader.h"

#include <gtest/gtest.h>

#include <array>

namespace bw {
namespace {

TEST(ByteReader, ReadsLittleEndianValuesInOrder) {
  const std::array<uint8_t, 7> raw = {1, 2, 0, 0, 0, 'a', 'b'};
  ByteReader reader(std::as_bytes(std::span(raw)));
  EXPECT_EQ(reader.read<uint8_t>().value(), 1);
  EXPECT_EQ(reader.read<uint32_t>().value(), 2u);
  EXPECT_EQ(reader.read_string(2).value(), "ab");
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, RefusesToReadPastTheEndAndStaysInPlace) {
  const std::array<uint8_t, 3> raw = {1, 2, 3};
  ByteReader reader(std::as_bytes(std::span(raw)));
  auto result = reader.read<uint32_t>();
  EXPECT_EQ(result.status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(reader.position(), 0u);
  EXPECT_FALSE(reader.read_bytes(UINT64_MAX).is_ok());
  EXPECT_FALSE(reader.seek(4).is_ok());
}

}  // namespace
}  // namespace bw
