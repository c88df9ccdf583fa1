#include "ir/analysis/access_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ir/analysis/index_search.h"
#include "ir/testing/nodes.h"
#include "ir/testing/random_expression.h"
#include "ir/testing/random_kernel.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::ir::analysis {
namespace {

using ::testing::HasSubstr;

class AccessProofTest : public ::testing::Test {
 protected:
  NodePtr range(Dim extent) { return builder_.range(extent, RangeKind::kGlobalX); }
  NodePtr variable(const std::string& name, int64_t min, int64_t max) {
    return builder_.variable(testing::variable_node(name, min, max));
  }
  // A load of a param of so many elements.
  Result<AccessProof> prove(const NodePtr& index, int64_t count) {
    IndexAnalysis analysis;
    return prove_access(analysis, builder_.load(builder_.param(0, "in", DType::kF32, {count}), index));
  }
  std::string explain(const NodePtr& index, int64_t count) {
    Result<AccessProof> proof = prove(index, count);
    return proof.is_ok() ? proof->explain() : "error: " + proof.status().message();
  }

  KernelBuilder builder_;
};

TEST_F(AccessProofTest, IntervalsAreEnoughForPlainIndices) {
  NodePtr x = range(8);
  EXPECT_EQ(explain(builder_.add(builder_.mul(x, 4), 3), 32),
            "load in[global_x1*4 + 3]: within 3..31 of 32 elements, by intervals");
}

TEST_F(AccessProofTest, MemoryReadAsAnotherTypeHasTheNameOfItsParam) {
  Node words;
  words.op = Op::kBitcast;
  words.dtype = DType::kU32;
  words.shape = {8};
  words.inputs = {builder_.param(0, "in", DType::kU8, {32})};
  Node load;
  load.op = Op::kLoad;
  load.dtype = DType::kU32;
  load.inputs = {make_node(std::move(words)), range(8)};
  IndexAnalysis analysis;
  const Result<AccessProof> proof = prove_access(analysis, make_node(load));
  ASSERT_TRUE(proof.is_ok()) << proof.status().message();
  EXPECT_EQ(proof->explain(), "load in[global_x1]: within 0..7 of 8 elements, by intervals");
  load.inputs[1] = range(9);
  const Result<AccessProof> outside = prove_access(analysis, make_node(load));
  EXPECT_THAT(outside.status().message(), HasSubstr("but u32 [8] 'in' has 8 elements: with global_x2 = 8 it is 8"));
}

TEST_F(AccessProofTest, SymbolicExtentsAreProvenByTheirRelation) {
  NodePtr n = variable("n", 1, 100);
  NodePtr i = range(Dim(n, 0));
  NodePtr flipped = builder_.add(builder_.add(n, -1), builder_.mul(i, -1));
  EXPECT_EQ(explain(flipped, 100),
            "load in[n + global_x1*-1 + -1]: within 0..99 of 100 elements, because 0 <= index <= n - 1 for all "
            "variables");
  EXPECT_TRUE(builder_.is_within(flipped, Dim(n, 0)));
  EXPECT_FALSE(builder_.is_within(flipped, Dim(n, -1)));
  // No clamp is left where the relation proves it.
  EXPECT_EQ(builder_.clamp(flipped, 0, 99), flipped);
}

TEST_F(AccessProofTest, TheCounterExampleNamesValuesThatReachOutside) {
  NodePtr n = variable("n", 1, 100);
  NodePtr i = range(Dim(n, 0));
  const std::string message = explain(builder_.add(n, i), 150);
  EXPECT_THAT(message, HasSubstr("the index n + global_x1 lies in 1..199, but f32 [150] 'in' has 150 elements"));
  EXPECT_THAT(message, ::testing::ContainsRegex("with n = [0-9]+, global_x1 = [0-9]+ it is 1[5-9][0-9]"));
}

TEST_F(AccessProofTest, WhatMemoryHoldsIsPartOfTheCounterExample) {
  NodePtr ids = builder_.param(1, "ids", DType::kU8, {4});
  NodePtr id = builder_.op(Op::kCast, DType::kI32, {builder_.load(ids, range(4))});
  EXPECT_THAT(explain(id, 100), HasSubstr("with ids[global_x1] = 100 it is 100"));
  EXPECT_TRUE(prove(id, 256).is_ok());
}

TEST_F(AccessProofTest, SmallDomainsAreProvenByTryingAll) {
  // 7*x % 16 with x < 3 is 0, 7, 14; intervals say 15.
  NodePtr x = range(3);
  NodePtr index = builder_.mod(builder_.mul(x, 7), 16);
  NodePtr scrambled = builder_.op(Op::kXor, DType::kI32, {index, builder_.constant(DType::kI32, int64_t{1})});
  EXPECT_EQ(prove(scrambled, 16)->method, ProofMethod::kInterval);
  const Result<AccessProof> proof = prove(scrambled, 16 - 0);
  EXPECT_TRUE(proof.is_ok());
  NodePtr squared = builder_.op(Op::kMul, DType::kI32, {builder_.add(x, -1), builder_.add(x, -1)});
  EXPECT_THAT(explain(squared, 2), HasSubstr("within 0..1, as all 3 combinations of values show"));
}

TEST_F(AccessProofTest, AnIndexThatWrapsIsShownWithWhatItBecomes) {
  NodePtr big = range(1 << 20);
  Node product;
  product.op = Op::kMul;
  product.dtype = DType::kI32;
  product.inputs = {big, builder_.constant(DType::kI32, int64_t{1} << 12)};
  const std::string message = explain(make_node(std::move(product)), 1 << 30);
  EXPECT_THAT(message, HasSubstr("(it can overflow)"));
  EXPECT_THAT(message, ::testing::ContainsRegex("with global_x1 = [0-9]+ it is -?[0-9]+"));
}

TEST_F(AccessProofTest, EachAccessOfAKernelHasItsProof) {
  const Kernel kernel = testing::random_kernel(7, {});
  const Result<std::vector<AccessProof>> proofs = prove_accesses(kernel);
  ASSERT_TRUE(proofs.is_ok());
  EXPECT_GE(proofs->size(), 2u);
}

// What is proven holds for all samples; what is refused with a counter-example is outside with its values.
TEST(AccessProofProperty, ProofsHoldAndCounterExamplesReachOutside) {
  int proven = 0;
  int refuted = 0;
  for (uint64_t seed = 0; seed < 3000; ++seed) {
    KernelBuilder builder;
    testing::RandomExpressions random(builder, seed);
    const NodePtr index = random.index(static_cast<int>(1 + seed % 8)).plain;
    if (index->dtype != DType::kI32 && index->dtype != DType::kI64) continue;
    int64_t greatest = 0;
    for (int i = 0; i < 8; ++i) {
      greatest = std::max(greatest, testing::evaluate_expression(index, random.sample()).integer);
    }
    const int64_t count = std::min<int64_t>(greatest, int64_t{1} << 40) + static_cast<int64_t>(seed % 3);
    if (count < 1) continue;
    IndexAnalysis analysis;
    const NodePtr param = builder.param(0, "p", DType::kU8, {count});
    const Result<AccessProof> proof = prove_access(analysis, builder.load(param, index));
    if (proof.is_ok()) {
      ++proven;
      for (int i = 0; i < 20; ++i) {
        const int64_t value = testing::evaluate_expression(index, random.sample()).integer;
        ASSERT_TRUE(value >= 0 && value < count) << "seed " << seed << " " << print_expression(*index);
      }
      continue;
    }
    const SearchResult search = find_outside(index, count);
    if (!search.found.has_value()) continue;
    ++refuted;
    testing::LeafValues leaves = random.sample();
    for (const auto& [leaf, value] : search.found->values) {
      const Interval bounds = builder.bounds(leaf);
      ASSERT_TRUE(value >= bounds.low && value <= bounds.high) << "seed " << seed;
      leaves[leaf] = value;
    }
    const int64_t value = testing::evaluate_expression(index, leaves).integer;
    ASSERT_EQ(value, search.found->index) << "seed " << seed;
    ASSERT_TRUE(value < 0 || value >= count) << "seed " << seed << " " << print_expression(*index);
  }
  EXPECT_GT(proven, 300);
  EXPECT_GT(refuted, 300);
}

}  // namespace
}  // namespace bw::ir::analysis
