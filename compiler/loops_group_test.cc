#include "compiler/loops_group.h"

#include <gtest/gtest.h>

#include <bit>

namespace bw::compiler {
namespace {

TEST(ChooseGroup, FewLongSumsGetManyLanes) {
  EXPECT_GE(choose_group({.outputs = 1, .trips = 1 << 16, .width = 4, .element_bytes = 4}).lanes, 256u);
}

TEST(ChooseGroup, ShortSumsGetNoMoreLanesThanChunks) {
  EXPECT_LE(choose_group({.outputs = 64, .trips = 256, .width = 32}).lanes, 8u);
  EXPECT_EQ(choose_group({.outputs = 64, .trips = 4, .width = 4}).lanes, 1u);
}

TEST(ChooseGroup, ManyRowsShareTheirVectorAndStayWithinAWave) {
  const GroupChoice choice =
      choose_group({.outputs = 1 << 15, .trips = 4096, .width = 8, .element_bytes = 2, .max_tile = 8});
  EXPECT_LE(choice.lanes, 32u);
  EXPECT_GE(choice.lanes, 4u);
  EXPECT_GT(choice.tile, 1);
}

TEST(ChooseGroup, RowsFitTheRegisters) {
  for (const int64_t row : {64, 1000, 4096, 32768}) {
    const GroupChoice choice = choose_group({.outputs = 8, .trips = row, .width = 4, .max_steps = 8});
    EXPECT_GE(choice.lanes * 32, row) << row;
    EXPECT_TRUE(std::has_single_bit(choice.lanes));
  }
}

TEST(ChooseGroup, TilesDivideTheOutputs) {
  for (const int64_t outputs : {1, 2, 6, 31, 1023, 4096}) {
    const GroupChoice choice = choose_group({.outputs = outputs, .trips = 4096, .width = 4, .max_tile = 8});
    EXPECT_EQ(outputs % choice.tile, 0) << outputs;
  }
}

}  // namespace
}  // namespace bw::compiler
