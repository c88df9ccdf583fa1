#include "compiler/code_object_resources.h"

#include <gtest/gtest.h>

#include <random>

#include "compiler/codegen.h"
#include "compiler/testing/code_object_facts.h"
#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

std::vector<std::byte> compile(const ir::Kernel& kernel) {
  Result<CodeObject> code = generate_code(kernel, LaneForm{}, Keep::kObjectOnly);
  EXPECT_TRUE(code.is_ok()) << code.status().message();
  return code.is_ok() ? std::move(code->elf) : std::vector<std::byte>{};
}

TEST(CodeObjectResources, AreTheNumbersOfTheMetadata) {
  const std::vector<std::byte> elf = compile(testing::reduce_kernel(ir::Op::kReduceAdd, ir::DType::kF32, 8, 4096, 256));
  const testing::CodeObjectFacts facts = testing::read_code_object(elf);
  const Result<KernelResources> resources = read_resources(elf);
  ASSERT_TRUE(resources.is_ok()) << resources.status().message();
  EXPECT_EQ(resources->vgprs, facts.numbers.at(".vgpr_count"));
  EXPECT_EQ(resources->sgprs, facts.numbers.at(".sgpr_count"));
  EXPECT_EQ(resources->lds_bytes, facts.numbers.at(".group_segment_fixed_size"));
  EXPECT_GT(resources->lds_bytes, 0u);
  EXPECT_EQ(resources->code_bytes, facts.symbols.at(kKernelSymbol));
  EXPECT_EQ(resources->mode, WorkgroupMode::kWgp);
  EXPECT_EQ(spill_diagnostic(resources.value()), "");
}

// 20 x 20 sums in one lane do not fit into 256 registers.
TEST(CodeObjectResources, SpilledRegistersAreReported) {
  constexpr int64_t kTile = 20;
  constexpr int64_t kDepth = 64;
  using ir::NodePtr;
  ir::KernelBuilder b;
  const NodePtr out = b.param(0, "out", ir::DType::kF32, {kTile * kTile});
  const NodePtr rows = b.param(1, "a", ir::DType::kF32, {kDepth * kTile});
  const NodePtr columns = b.param(2, "b", ir::DType::kF32, {kDepth * kTile});
  const NodePtr k = b.range(kDepth, ir::RangeKind::kLoop);
  ir::Kernel kernel{
      .name = "tile", .params = {out, rows, columns}, .variables = {}, .stores = {}, .workgroup_size = 32};
  const NodePtr lane = b.range(32, ir::RangeKind::kGlobalX);
  for (int64_t y = 0; y < kTile; ++y) {
    for (int64_t x = 0; x < kTile; ++x) {
      const NodePtr row = b.load(rows, b.add(b.mul(k, kTile), y));
      const NodePtr column = b.load(columns, b.add(b.mul(k, kTile), x));
      // What is summed differs from lane to lane, so that no sum is scalar.
      const NodePtr shifted =
          b.op(ir::Op::kAdd, ir::DType::kF32, {column, b.op(ir::Op::kCast, ir::DType::kF32, {lane})});
      const NodePtr product = b.op(ir::Op::kMul, ir::DType::kF32, {row, shifted});
      const NodePtr sum = b.op(ir::Op::kReduceAdd, ir::DType::kF32, {product, k});
      const NodePtr index = b.clamp(b.add(lane, y * kTile + x), 0, kTile * kTile - 1);
      kernel.stores.push_back(b.store(out, index, sum));
    }
  }
  const Result<KernelResources> resources = read_resources(compile(kernel));
  ASSERT_TRUE(resources.is_ok()) << resources.status().message();
  EXPECT_EQ(resources->vgprs, 256u);
  EXPECT_GT(resources->vgpr_spills, 0u);
  EXPECT_GT(resources->scratch_bytes, 0u);
  EXPECT_NE(spill_diagnostic(resources.value()).find("vector and"), std::string::npos);
}

TEST(CodeObjectResources, BytesThatAreNoCodeObjectAreRefused) {
  EXPECT_FALSE(read_resources({}).is_ok());
  const std::vector<std::byte> noise(1000, std::byte{0x7f});
  EXPECT_EQ(read_resources(noise).status().code(), StatusCode::kDataLoss);
}

TEST(CodeObjectResources, DamagedCodeObjectsNeverEndTheProgram) {
  const std::vector<std::byte> elf = compile(testing::scale_kernel(1000, 64));
  ASSERT_FALSE(elf.empty());
  for (size_t size = 0; size < elf.size(); size += 37) (void)read_resources(std::span(elf).first(size));
  std::mt19937 random(1);
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::byte> damaged = elf;
    for (int flips = 0; flips < 4; ++flips) damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    (void)read_resources(damaged);
  }
}

}  // namespace
}  // namespace bw::compiler
