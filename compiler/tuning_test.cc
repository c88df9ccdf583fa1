#include "compiler/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <tuple>

#include "ir/builder.h"

namespace bw::compiler {
namespace {

namespace fs = std::filesystem;
using ir::DType;
using ir::NodePtr;

// Its times are made up: those given for a form, 1000 for others.
class FakeTuner final : public Tuner {
 public:
  std::string device_name() const override { return name; }
  Result<uint64_t> time_ns(const CompiledKernel& kernel, std::span<const uint64_t> buffer_sizes_bytes,
                           std::span<const NodePtr> variables) override {
    asked.push_back(kernel);
    sizes_bytes.assign(buffer_sizes_bytes.begin(), buffer_sizes_bytes.end());
    variable_count = variables.size();
    if (asked.size() == fast_trial) return uint64_t{10};
    const auto known = times_ns.find(kernel.form);
    if (known == times_ns.end()) return uint64_t{1000};
    if (known->second == 0) return error(StatusCode::kTimeout, "{} does not end", kernel.form);
    return known->second;
  }

  std::string name = "a card";
  std::map<std::string, uint64_t> times_ns;  // by form; 0: it fails
  size_t fast_trial = 0;                     // of `asked`, counted from 1, whatever its form is
  std::vector<CompiledKernel> asked;
  std::vector<uint64_t> sizes_bytes;
  size_t variable_count = 0;
};

class TuningTest : public ::testing::Test {
 protected:
  TuningTest() {
    std::string name = (fs::temp_directory_path() / "barewave-tuning-test-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    product_ = product(512, 512, b_.param(1, "a", DType::kF32, {512, 256}).value());
  }
  ~TuningTest() override { fs::remove_all(dir_); }

  // `a` [rows, 256] times the transpose of a param [columns, 256].
  NodePtr product(int64_t rows, int64_t columns, const NodePtr& a) {
    const uint64_t id = next_param_++;
    const NodePtr b = b_.param(id, fmt::format("b{}", id), DType::kF32, {columns, 256}).value();
    const auto expanded = [&](const NodePtr& x, ir::Shape shape) {
      return b_.expand(b_.reshape(x, std::move(shape)).value(), {rows, columns, 256}).value();
    };
    const NodePtr products =
        b_.binary(ir::Op::kMul, expanded(a, {rows, 1, 256}), expanded(b, {1, columns, 256})).value();
    return b_.reduce(ir::Op::kReduceAdd, products, {2}).value();
  }

  std::unique_ptr<Compiler> make(size_t candidates) const {
    return Compiler::create({.cache_dir = dir_.string(), .tuning_candidates = candidates, .tuner = tuner_}).value();
  }
  CompiledKernel compile(Compiler& compiler) const { return compile(compiler, {product_}); }
  CompiledKernel compile(Compiler& compiler, const std::vector<NodePtr>& outputs) const {
    const Result<Program> program = compiler.compile(outputs);
    EXPECT_TRUE(program.is_ok()) << program.status().message();
    if (!program.is_ok() || program.value().kernels.size() != 1) return {};
    return program.value().kernels[0];
  }
  CompiledKernel compile(size_t candidates) const { return compile(*make(candidates)); }
  // Of the first `count` candidates, in the model's order; forgets what was timed for it.
  std::vector<std::string> forms(size_t count) {
    tuner_->name = "to list the forms";
    compile(count);
    std::vector<std::string> found;
    for (const CompiledKernel& kernel : tuner_->asked) found.push_back(kernel.form);
    tuner_->asked.clear();
    tuner_->name = "a card";
    return found;
  }

  fs::path dir_;
  ir::Builder b_;
  uint64_t next_param_ = 2;
  NodePtr product_;
  std::shared_ptr<FakeTuner> tuner_ = std::make_shared<FakeTuner>();
};

TEST_F(TuningTest, BelowTwoCandidatesNothingIsTimedAndTheModelDecides) {
  const std::string by_model = compile(0).form;
  EXPECT_THAT(by_model, ::testing::StartsWith("contraction"));
  EXPECT_EQ(compile(1).form, by_model);
  EXPECT_TRUE(tuner_->asked.empty());
  EXPECT_EQ(forms(4).at(0), by_model);
}

TEST_F(TuningTest, TheFastestCandidateIsTheKernelAndTheModelsFavouriteWinsTies) {
  const std::vector<std::string> all = forms(4);
  ASSERT_EQ(all.size(), 4u);
  EXPECT_EQ(compile(4).form, all[0]);
  tuner_->name = "another card";
  tuner_->asked.clear();
  tuner_->times_ns = {{all[2], 500}, {all[3], 700}};
  const CompiledKernel kernel = compile(4);
  EXPECT_EQ(kernel.form, all[2]);
  ASSERT_EQ(tuner_->asked.size(), 4u);
  const CompiledKernel& timed = tuner_->asked[2];
  EXPECT_EQ(*kernel.code_object, *timed.code_object);
  EXPECT_EQ(kernel.workgroup_size, timed.workgroup_size);
  EXPECT_EQ(kernel.group_extent, timed.group_extent);
  EXPECT_EQ(tuner_->sizes_bytes, (std::vector<uint64_t>{512 * 512 * 4, 512 * 256 * 4, 512 * 256 * 4}));
  EXPECT_EQ(tuner_->variable_count, 0u);
}

TEST_F(TuningTest, ChoicesAreRememberedForTheDeviceAndTheNumberOfCandidates) {
  const std::vector<std::string> all = forms(4);
  ASSERT_EQ(all.size(), 4u);
  tuner_->times_ns = {{all[3], 500}};
  EXPECT_EQ(compile(4).form, all[3]);
  tuner_->asked.clear();
  tuner_->times_ns = {{all[1], 400}};
  EXPECT_EQ(compile(4).form, all[3]);  // another compiler, by way of the disk
  EXPECT_TRUE(tuner_->asked.empty());
  EXPECT_EQ(compile(3).form, all[1]);
  EXPECT_EQ(tuner_->asked.size(), 3u);
  tuner_->name = "another card";
  EXPECT_EQ(compile(4).form, all[1]);
  EXPECT_EQ(tuner_->asked.size(), 7u);
}

TEST_F(TuningTest, ACandidateThatFailsIsLeftOutAndTriedAgainByAnotherProcess) {
  const std::vector<std::string> all = forms(3);
  ASSERT_EQ(all.size(), 3u);
  tuner_->times_ns = {{all[0], 0}, {all[1], 500}, {all[2], 900}};
  const std::unique_ptr<Compiler> compiler = make(3);
  EXPECT_EQ(compile(*compiler).form, all[1]);
  EXPECT_EQ(compile(*compiler).form, all[1]);
  EXPECT_EQ(tuner_->asked.size(), 3u);  // the compiler itself does not
  tuner_->times_ns[all[0]] = 100;
  EXPECT_EQ(compile(3).form, all[0]);
}

TEST_F(TuningTest, WhetherAProductGoesThroughLdsIsTimedToo) {
  const std::vector<std::string> all = forms(4);
  EXPECT_THAT(all, ::testing::Contains("lanes"));
  tuner_->times_ns = {{"lanes", 10}};
  EXPECT_EQ(compile(4).form, "lanes");
}

// What tells kernels of lanes apart.
auto shape_of(const CompiledKernel& kernel) {
  return std::tuple(kernel.workgroup_size, kernel.group_extent, kernel.grid[0].max(), *kernel.code_object);
}

TEST_F(TuningTest, MatrixVectorProductsAreTimedByLanesOutputsAndWorkgroupSizes) {
  const NodePtr a = b_.param(1, "a", DType::kF32, {1, 256}).value();
  const std::vector<NodePtr> outputs = {product(1, 1024, a)};
  const CompiledKernel by_model = compile(*make(4), outputs);
  const std::vector<CompiledKernel> asked = tuner_->asked;
  ASSERT_GE(asked.size(), 6u);  // 4 plans of lanes, then workgroups of other sizes
  ASSERT_LE(asked.size(), 7u);
  EXPECT_EQ(shape_of(by_model), shape_of(asked[0]));
  for (size_t i = 0; i < asked.size(); ++i) {
    EXPECT_EQ(asked[i].form, "lanes");
    for (size_t j = 0; j < i; ++j) EXPECT_NE(shape_of(asked[i]), shape_of(asked[j])) << i << " and " << j;
  }
  for (size_t fast = 1; fast <= asked.size(); ++fast) {
    tuner_->name = fmt::format("a card that likes the {}th", fast);
    tuner_->asked.clear();
    tuner_->fast_trial = fast;
    const CompiledKernel kernel = compile(*make(4), outputs);
    ASSERT_GE(tuner_->asked.size(), fast);
    EXPECT_EQ(shape_of(kernel), shape_of(tuner_->asked[fast - 1])) << fast;
    tuner_->asked.clear();
    EXPECT_EQ(shape_of(compile(*make(4), outputs)), shape_of(kernel));  // by way of the disk
    EXPECT_TRUE(tuner_->asked.empty());
  }
}

TEST_F(TuningTest, PartsOfALaunchAreTimedOneByOneWithinIt) {
  const NodePtr a = b_.param(1, "a", DType::kF32, {1, 256}).value();
  const std::vector<NodePtr> outputs = {product(1, 1024, a), product(1, 512, a)};
  const CompiledKernel by_model = compile(*make(3), outputs);
  EXPECT_THAT(by_model.name, ::testing::HasSubstr(" + "));
  const size_t trials = tuner_->asked.size();
  EXPECT_GE(trials, 1u + 2 + 2);  // the first, two others of each part
  for (size_t fast = 1; fast <= trials; ++fast) {
    tuner_->name = fmt::format("a card that likes the {}th", fast);
    tuner_->asked.clear();
    tuner_->fast_trial = fast;
    const CompiledKernel kernel = compile(*make(3), outputs);
    ASSERT_GE(tuner_->asked.size(), fast);
    EXPECT_EQ(shape_of(kernel), shape_of(tuner_->asked[fast - 1])) << fast;
    tuner_->asked.clear();
    EXPECT_EQ(shape_of(compile(*make(3), outputs)), shape_of(kernel));
    EXPECT_TRUE(tuner_->asked.empty());
  }
}

TEST_F(TuningTest, KernelsThatReduceNothingAreNotTimed) {
  const NodePtr a = b_.param(1, "a", DType::kF32, {4096, 256}).value();
  compile(*make(4), {b_.binary(ir::Op::kMul, a, a).value()});
  EXPECT_TRUE(tuner_->asked.empty());
}

TEST_F(TuningTest, WhereAllCandidatesFailTheModelDecides) {
  const std::vector<std::string> all = forms(2);
  ASSERT_EQ(all.size(), 2u);
  tuner_->times_ns = {{all[0], 0}, {all[1], 0}};
  EXPECT_EQ(compile(2).form, all[0]);
}

}  // namespace
}  // namespace bw::compiler
