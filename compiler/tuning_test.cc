#include "compiler/tuning.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

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
    const auto known = times_ns.find(kernel.form);
    if (known == times_ns.end()) return uint64_t{1000};
    if (known->second == 0) return error(StatusCode::kTimeout, "{} does not end", kernel.form);
    return known->second;
  }

  std::string name = "a card";
  std::map<std::string, uint64_t> times_ns;  // by form; 0: it fails
  std::vector<CompiledKernel> asked;
  std::vector<uint64_t> sizes_bytes;
  size_t variable_count = 0;
};

class TuningTest : public ::testing::Test {
 protected:
  TuningTest() {
    std::string name = (fs::temp_directory_path() / "barewave-tuning-test-XXXXXX").string();
    dir_ = ::mkdtemp(name.data());
    const NodePtr a = b_.reshape(b_.param(1, "a", DType::kF32, {512, 256}).value(), {512, 1, 256}).value();
    const NodePtr b = b_.reshape(b_.param(2, "b", DType::kF32, {512, 256}).value(), {1, 512, 256}).value();
    const NodePtr products =
        b_.binary(ir::Op::kMul, b_.expand(a, {512, 512, 256}).value(), b_.expand(b, {512, 512, 256}).value()).value();
    product_ = b_.reduce(ir::Op::kReduceAdd, products, {2}).value();
  }
  ~TuningTest() override { fs::remove_all(dir_); }

  std::unique_ptr<Compiler> make(size_t candidates) const {
    return Compiler::create({.cache_dir = dir_.string(), .tuning_candidates = candidates, .tuner = tuner_}).value();
  }
  CompiledKernel compile(Compiler& compiler) const {
    const Result<Program> program = compiler.compile(std::span(&product_, 1));
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
  tuner_->times_ns = {{all[0], 0}, {all[1], 900}, {all[2], 500}};
  const std::unique_ptr<Compiler> compiler = make(3);
  EXPECT_EQ(compile(*compiler).form, all[2]);
  EXPECT_EQ(compile(*compiler).form, all[2]);
  EXPECT_EQ(tuner_->asked.size(), 3u);  // the compiler itself does not
  tuner_->times_ns[all[0]] = 100;
  EXPECT_EQ(compile(3).form, all[0]);
}

TEST_F(TuningTest, WhereAllCandidatesFailTheModelDecides) {
  const std::vector<std::string> all = forms(2);
  ASSERT_EQ(all.size(), 2u);
  tuner_->times_ns = {{all[0], 0}, {all[1], 0}};
  EXPECT_EQ(compile(2).form, all[0]);
}

}  // namespace
}  // namespace bw::compiler
