// Tensors of more than 2^31 elements: their indices are 64 bits wide, and proven. The memory is reserved, but only
// pages that are written to are there.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>

#include "compiler/schedule.h"
#include "ir/analysis/access_proof.h"
#include "ir/builder.h"
#include "ir/text.h"
#include "tests/compiler/shader_runner.h"

namespace bw::testing {
namespace {

using ir::DType;
using ir::NodePtr;
using ir::Op;

constexpr int64_t kRows = 65537;
constexpr int64_t kColumns = 32768;
constexpr size_t kBytes = static_cast<size_t>(kRows) * kColumns;
static_assert(kBytes > size_t{1} << 31);

class Reserved {
 public:
  Reserved() {
    memory_ = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  ~Reserved() {
    if (is_there()) ::munmap(memory_, kBytes);
  }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;

  bool is_there() const { return memory_ != MAP_FAILED; }
  std::span<std::byte> bytes() const { return {static_cast<std::byte*>(memory_), kBytes}; }
  std::byte& at(int64_t row, int64_t column) const { return bytes()[static_cast<size_t>(row * kColumns + column)]; }

 private:
  void* memory_;
};

class LargeTensor : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!memory_.is_there()) GTEST_SKIP() << "2 GiB of address space are not to be had";
    large_ = builder_.param(0, "large", DType::kU8, {kRows, kColumns}).value();
  }

  // The last rows and columns.
  NodePtr corner() { return builder_.shrink(large_, {kRows - 3, kColumns - 64}, {kRows, kColumns}).value(); }

  // The one kernel that an output takes.
  ir::Kernel kernel_of(const NodePtr& output) {
    const std::vector<NodePtr> outputs = {output};
    Result<compiler::Schedule> schedule = compiler::schedule(outputs);
    EXPECT_TRUE(schedule.is_ok()) << schedule.status().message();
    EXPECT_EQ(schedule->kernels.size(), 1u);
    return schedule->kernels[0].parts[0].kernel;
  }

  ir::Builder builder_;
  Reserved memory_;
  NodePtr large_;
};

TEST_F(LargeTensor, FarElementsAreLoaded) {
  const NodePtr sum = builder_.reduce(Op::kReduceAdd, builder_.cast(corner(), DType::kI32).value(), {1}).value();
  const ir::Kernel kernel = kernel_of(sum);
  const auto proofs = ir::analysis::prove_accesses(kernel);
  for (const ir::analysis::AccessProof& proof : proofs.value()) {
    if (proof.element_count > INT32_MAX) {
      EXPECT_EQ(proof.access->inputs[1]->dtype, DType::kI64) << proof.explain();
    }
  }
  for (int64_t row = 0; row < 3; ++row) {
    for (int64_t column = 0; column < 64; ++column) {
      memory_.at(kRows - 3 + row, kColumns - 64 + column) = static_cast<std::byte>(row * 50 + column);
    }
  }
  // Where an index of 32 bits would end up.
  memory_.at(0, 0) = std::byte{255};
  std::vector<int32_t> result(3);
  ir::EvaluatorInputs inputs;
  inputs.params[0] = std::as_writable_bytes(std::span(result));
  inputs.params[1] = memory_.bytes();
  const auto runner = ShaderRunner::create(1);
  ASSERT_TRUE(runner.is_ok());
  const Status status = runner.value()->run(kernel, inputs);
  ASSERT_TRUE(status.is_ok()) << status.message() << "\n" << ir::print_kernel(kernel);
  EXPECT_EQ(result, (std::vector<int32_t>{2016, 2016 + 50 * 64, 2016 + 100 * 64}));
}

TEST_F(LargeTensor, FarElementsAreStored) {
  const NodePtr number = builder_.constant(DType::kU8, int64_t{7}).value();
  const NodePtr ones = builder_.reshape(number, {1, 1}).value();
  const NodePtr output = builder_.store(corner(), builder_.expand(ones, {3, 64}).value()).value();
  const ir::Kernel kernel = kernel_of(output);
  ir::EvaluatorInputs inputs;
  inputs.params[0] = memory_.bytes();
  const auto runner = ShaderRunner::create(1);
  ASSERT_TRUE(runner.is_ok());
  const Status status = runner.value()->run(kernel, inputs);
  ASSERT_TRUE(status.is_ok()) << status.message() << "\n" << ir::print_kernel(kernel);
  EXPECT_EQ(memory_.at(kRows - 1, kColumns - 1), std::byte{7});
  EXPECT_EQ(memory_.at(kRows - 3, kColumns - 64), std::byte{7});
  EXPECT_EQ(memory_.at(kRows - 3, kColumns - 65), std::byte{0});
  EXPECT_EQ(memory_.at(kRows - 4, kColumns - 1), std::byte{0});
}

TEST_F(LargeTensor, WholeOnesAreScheduledWithProvenIndices) {
  const NodePtr turned = builder_.permute(large_, {1, 0}).value();
  const NodePtr shaped = builder_.reshape(turned, {kColumns / 256, 256, kRows}).value();
  const NodePtr real = builder_.cast(shaped, DType::kF32).value();
  for (const NodePtr& output : {real, builder_.reduce(Op::kReduceMax, real, {0, 2}).value(),
                                builder_.reduce(Op::kReduceAdd, real, {0, 1, 2}).value()}) {
    const std::vector<NodePtr> outputs = {output};
    const Result<compiler::Schedule> schedule = compiler::schedule(outputs);
    EXPECT_TRUE(schedule.is_ok()) << schedule.status().message();
  }
}

TEST_F(LargeTensor, AnAxisOfMoreThan31BitsIsIndexedWith64) {
  const NodePtr flat = builder_.reshape(large_, {kRows * kColumns}).value();
  const ir::Kernel kernel = kernel_of(builder_.cast(flat, DType::kF16).value());
  const auto proofs = ir::analysis::prove_accesses(kernel);
  ASSERT_TRUE(proofs.is_ok()) << proofs.status().message();
  for (const ir::analysis::AccessProof& proof : proofs.value()) EXPECT_EQ(proof.access->inputs[1]->dtype, DType::kI64);
  // Of which the near end needs no more than 32.
  const ir::Kernel near = kernel_of(builder_.shrink(flat, {0}, {4096}).value());
  const auto near_proofs = ir::analysis::prove_accesses(near);
  for (const ir::analysis::AccessProof& proof : near_proofs.value()) {
    EXPECT_EQ(proof.access->inputs[1]->dtype, DType::kI32) << proof.explain();
  }
}

// No lane but those of the last workgroup is run.
TEST(WideGrid, LanesBeyond32BitsKnowTheirPlace) {
  constexpr int64_t kExtent = (int64_t{1} << 32) + 15;
  constexpr uint32_t kLanes = 256;
  ir::KernelBuilder b;
  const NodePtr out = b.param(0, "out", DType::kI64, {kLanes});
  const NodePtr x = b.range(kExtent, ir::RangeKind::kGlobalX);
  const ir::Kernel kernel{.name = "wide",
                          .params = {out},
                          .variables = {},
                          .stores = {b.store(out, b.mod(x, kLanes), x)},
                          .workgroup_size = kLanes};
  std::vector<int64_t> result(kLanes, -1);
  std::vector<int64_t> expected = result;
  constexpr uint32_t kLast = kExtent / kLanes;
  for (int64_t i = int64_t{kLast} * kLanes; i < kExtent; ++i) expected[static_cast<size_t>(i % kLanes)] = i;
  ir::EvaluatorInputs inputs;
  inputs.params[0] = std::as_writable_bytes(std::span(result));
  const auto runner = ShaderRunner::create(1);
  ASSERT_TRUE(runner.is_ok());
  const Status status = runner.value()->run(kernel, compiler::LaneForm{}, {kLast + 1, 1, 1}, inputs, {kLast, 0, 0});
  ASSERT_TRUE(status.is_ok()) << status.message() << "\n" << ir::print_kernel(kernel);
  EXPECT_EQ(result, expected);
}

}  // namespace
}  // namespace bw::testing
