#include "compiler/codegen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "compiler/testing/code_object_facts.h"
#include "compiler/testing/sample_kernels.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::Op;
using ::testing::HasSubstr;
using ::testing::Not;

testing::CodeObjectFacts facts_of(const ir::Kernel& kernel) {
  Result<CodeObject> code = generate_code(kernel, LaneForm{}, Keep::kObjectOnly);
  EXPECT_TRUE(code.is_ok()) << code.status().message();
  if (!code.is_ok()) return {};
  testing::CodeObjectFacts facts = testing::read_code_object(code->elf);
  EXPECT_EQ(facts.problem, "");
  return facts;
}

std::string assembly_of(const ir::Kernel& kernel) {
  Result<CodeObject> code = generate_code(kernel, LaneForm{}, Keep::kListings);
  EXPECT_TRUE(code.is_ok()) << code.status().message();
  return code.is_ok() ? code->assembly : "";
}

void expect_lean(const testing::CodeObjectFacts& facts) {
  for (const char* number : {".sgpr_spill_count", ".vgpr_spill_count", ".private_segment_fixed_size"}) {
    ASSERT_TRUE(facts.numbers.contains(number)) << number;
    EXPECT_EQ(facts.numbers.at(number), 0u) << number;
  }
}

TEST(Codegen, CodeObjectHasOneKernelWithOnlyItsOwnArguments) {
  const auto facts = facts_of(testing::scale_kernel(1000, 64));
  EXPECT_EQ(facts.target, "amdgcn-amd-amdhsa--gfx1100");
  EXPECT_EQ(facts.symbol, std::string(kKernelSymbol) + ".kd");
  EXPECT_EQ(facts.symbols.at(std::string(kKernelSymbol) + ".kd"), 64u);
  EXPECT_GT(facts.symbols.at(kKernelSymbol), 0u);
  EXPECT_EQ(facts.arguments, 2u);
  EXPECT_EQ(facts.numbers.at(".kernarg_segment_size"), 16u);
  EXPECT_EQ(facts.numbers.at(".wavefront_size"), 32u);
  EXPECT_EQ(facts.numbers.at(".max_flat_workgroup_size"), 64u);
  EXPECT_EQ(facts.numbers.at(".group_segment_fixed_size"), 0u);
  expect_lean(facts);
}

KernelPart part_of(ir::Kernel kernel, std::array<ir::Dim, 3> grid, std::array<uint32_t, 3> group_extent,
                   std::vector<size_t> arguments) {
  return {std::move(kernel), LaneForm{}, std::move(grid), group_extent, std::move(arguments)};
}

TEST(Codegen, PartsOfALaunchAreOneKernelWithTheArgumentsOfAll) {
  // out0 = f(x), out1 = row sums of the same x, out2 = f(y).
  const std::vector<KernelPart> parts = {
      part_of(testing::scale_kernel(4096, 64), {4096, 1, 1}, {64, 1, 1}, {0, 3}),
      part_of(testing::reduce_kernel(Op::kReduceAdd, DType::kF32, 64, 64, 64), {64, 1, 1}, {1, 1, 1}, {1, 3}),
      part_of(testing::scale_kernel(4096, 64), {4096, 1, 1}, {64, 1, 1}, {2, 4}),
  };
  const Result<CodeObject> code = generate_code(parts, Keep::kListings);
  ASSERT_TRUE(code.is_ok()) << code.status().message();
  const testing::CodeObjectFacts facts = testing::read_code_object(code->elf);
  EXPECT_EQ(facts.problem, "");
  EXPECT_EQ(facts.arguments, 5u);
  EXPECT_EQ(facts.numbers.at(".kernarg_segment_size"), 40u);
  EXPECT_EQ(kernarg_size_bytes(parts), 40u);
  EXPECT_EQ(facts.numbers.at(".max_flat_workgroup_size"), 64u);
  expect_lean(facts);
  // Which part a workgroup does is decided in scalar registers; nothing is called.
  EXPECT_THAT(code->assembly, HasSubstr("s_cmp"));
  EXPECT_THAT(code->assembly, Not(HasSubstr("s_swappc")));
}

TEST(Codegen, VariablesFollowTheBuffersInTheKernelArguments) {
  const ir::Kernel kernel = testing::symbolic_sum_kernel(512);
  const auto facts = facts_of(kernel);
  EXPECT_EQ(facts.arguments, 3u);
  EXPECT_EQ(facts.numbers.at(".kernarg_segment_size"), 24u);
  EXPECT_EQ(kernarg_size_bytes(kernel), 24u);
}

TEST(Codegen, AVariableIsReadFromItsWordByOneScalarLoad) {
  for (const bool has_other_part : {false, true}) {
    std::vector<KernelPart> parts = {part_of(testing::symbolic_sum_kernel(512), {1, 1, 1}, {1, 1, 1}, {0, 1})};
    if (has_other_part) parts.push_back(part_of(testing::scale_kernel(64, 1), {64, 1, 1}, {1, 1, 1}, {2, 1}));
    const Result<CodeObject> code = generate_code(parts, Keep::kListings);
    ASSERT_TRUE(code.is_ok()) << code.status().message();
    const std::string load = "= load i32, ptr addrspace(1) %" + std::to_string(has_other_part ? 3 : 2);
    const size_t at = code->llvm_ir.find(load);
    ASSERT_NE(at, std::string::npos) << code->llvm_ir;
    EXPECT_EQ(at, code->llvm_ir.rfind(load)) << code->llvm_ir;
    EXPECT_THAT(code->assembly, HasSubstr("s_load_b32"));
  }
}

TEST(Codegen, TheKernelArgumentPointerIsTheOnlyUserRegisterInput) {
  const std::string assembly = assembly_of(testing::scale_kernel(1000, 64));
  EXPECT_THAT(assembly, HasSubstr(".amdhsa_user_sgpr_kernarg_segment_ptr 1"));
  for (const char* input : {"dispatch_ptr", "queue_ptr", "dispatch_id", "private_segment_size"}) {
    EXPECT_THAT(assembly, HasSubstr(std::string(".amdhsa_user_sgpr_") + input + " 0"));
  }
  EXPECT_THAT(assembly, HasSubstr(".amdhsa_system_sgpr_workgroup_id_y 0"));
  EXPECT_THAT(assembly, HasSubstr(".amdhsa_system_sgpr_workgroup_id_z 0"));
  EXPECT_THAT(assembly, HasSubstr(".amdhsa_system_vgpr_workitem_id 0"));
}

TEST(Codegen, AddressesAreAScalarBaseAndA32BitOffset) {
  const std::string assembly = assembly_of(testing::scale_kernel(1024, 64));
  EXPECT_THAT(assembly, ::testing::ContainsRegex("global_load_b32 v[0-9]+, v[0-9]+, s\\["));
  EXPECT_THAT(assembly, ::testing::ContainsRegex("global_store_b32 v[0-9]+, v[0-9]+, s\\["));
}

TEST(Codegen, UniformLoadsOfParamsThatAreOnlyReadAreScalar) {
  // a[y, k] is the same for all lanes of a row of the grid.
  EXPECT_THAT(assembly_of(testing::matmul_kernel(256)), ::testing::ContainsRegex("s_load_b(256|512)"));
}

TEST(Codegen, MultiplyAndAddStayTwoRoundingsUnlessTheIrFusesThem) {
  EXPECT_THAT(assembly_of(testing::scale_kernel(1024, 64)), Not(::testing::ContainsRegex("v_fma")));
  EXPECT_THAT(assembly_of(testing::matmul_kernel(64)), ::testing::ContainsRegex("v_(dual_)?fma"));
}

TEST(Codegen, SmallSignedIntegersAreExtendedOnceBeforeTheyBecomeFloats) {
  const std::string assembly = assembly_of(testing::elementwise_kernel(Op::kCast, {DType::kI8}, DType::kF32, 1024));
  EXPECT_THAT(assembly, Not(::testing::ContainsRegex("v_bfe_i32 v[0-9]+, v[0-9]+, 0, 16")));
  EXPECT_THAT(assembly, HasSubstr("v_cvt_f32_i32"));
}

// LLVM 19 sinks v_permlanex16_b32 under the mask of a later branch, where its other row is switched off.
TEST(Codegen, LaneExchangesStayOutsideDivergentBranches) {
  for (const uint32_t lanes : {32u, 64u, 1024u}) {
    const std::string assembly = assembly_of(testing::reduce_kernel(Op::kReduceAdd, DType::kF32, 8, 4096, lanes));
    EXPECT_THAT(assembly, Not(HasSubstr("permlane")));
    EXPECT_THAT(assembly, HasSubstr("v_readlane_b32"));
    bool masked = false;
    size_t begin = 0;
    while (begin < assembly.size()) {
      const size_t end = std::min(assembly.find('\n', begin), assembly.size());
      const std::string line = assembly.substr(begin, end - begin);
      if (line.find("v_cmpx") != line.npos || line.find("s_and_saveexec") != line.npos) masked = true;
      if (line.find("s_or_b32 exec_lo") != line.npos || line.starts_with(".LBB")) masked = false;
      if (masked) {
        EXPECT_THAT(line, Not(HasSubstr("_dpp")));
        EXPECT_THAT(line, Not(HasSubstr("readlane")));
      }
      begin = end + 1;
    }
  }
}

TEST(Codegen, EveryElementwiseOpOnEveryDtypeCompilesOrIsUnsupported) {
  for (const testing::ElementwiseCase& test : testing::all_elementwise_cases()) {
    SCOPED_TRACE(test.name);
    const ir::Kernel kernel = testing::elementwise_kernel(test.op, test.inputs, test.output, 1000);
    const Result<CodeObject> code = generate_code(kernel, LaneForm{}, Keep::kObjectOnly);
    const bool transcendental = test.op == Op::kExp2 || test.op == Op::kLog2 || test.op == Op::kSin;
    if (transcendental && test.output == DType::kF64) {
      ASSERT_FALSE(code.is_ok());
      EXPECT_EQ(code.status().code(), StatusCode::kUnsupported);
      EXPECT_THAT(code.status().message(), HasSubstr(std::string(ir::name(test.op)) + " f64"));
      continue;
    }
    ASSERT_TRUE(code.is_ok()) << code.status().message();
    const auto facts = testing::read_code_object(code->elf);
    EXPECT_EQ(facts.problem, "");
    expect_lean(facts);
  }
}

TEST(Codegen, EveryReductionOfEveryDtypeCompilesForEachSizeOfWorkgroup) {
  for (const Op op : {Op::kReduceAdd, Op::kReduceMul, Op::kReduceMax}) {
    for (int i = 0; i < ir::kDTypeCount; ++i) {
      const DType dtype = static_cast<DType>(i);
      if (dtype == DType::kBool) continue;  // not defined
      for (const uint32_t lanes : {1u, 8u, 256u}) {
        SCOPED_TRACE(std::string(ir::name(op)) + " " + std::string(ir::name(dtype)));
        expect_lean(facts_of(testing::reduce_kernel(op, dtype, 3, 1024, lanes)));
      }
    }
  }
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
  return found;
}

TEST(Codegen, RowsInRegistersAreLoadedOnceBy128Bits) {
  for (const uint32_t lanes : {4u, 32u, 128u}) {
    const ir::Kernel kernel = testing::row_softmax_kernel(64, lanes * 8, lanes, 256);
    const std::string assembly = assembly_of(kernel);
    EXPECT_EQ(count(assembly, "global_load_b128"), 2u) << lanes;
    EXPECT_EQ(count(assembly, "global_load"), 2u) << lanes;
    EXPECT_EQ(count(assembly, "global_store_b128"), 2u) << lanes;
    EXPECT_EQ(count(assembly, "v_exp_f32"), 8u) << lanes;
    expect_lean(facts_of(kernel));
  }
}

TEST(Codegen, SharedReductionOverAnOddNumberOfLanesIsRefused) {
  const auto code =
      generate_code(testing::reduce_kernel(Op::kReduceAdd, DType::kF32, 3, 960, 96), LaneForm{}, Keep::kObjectOnly);
  ASSERT_FALSE(code.is_ok());
  EXPECT_EQ(code.status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(code.status().message(), HasSubstr("not a power of two"));
}

TEST(Codegen, WorkgroupThatTheHardwareDoesNotHaveIsRefused) {
  for (const uint32_t size : {0u, 1025u}) {
    const auto code = generate_code(testing::scale_kernel(4096, size), LaneForm{}, Keep::kObjectOnly);
    ASSERT_FALSE(code.is_ok());
    EXPECT_EQ(code.status().code(), StatusCode::kInvalidArgument);
  }
}

TEST(Codegen, EqualKernelsGiveEqualCodeWhateverTheirNamesAndThreads) {
  ir::Kernel kernel = testing::matmul_kernel(32);
  const Result<CodeObject> reference = generate_code(kernel, LaneForm{}, Keep::kObjectOnly);
  ASSERT_TRUE(reference.is_ok());
  kernel.name = "other";
  std::vector<std::jthread> threads;
  std::vector<std::vector<std::byte>> results(4);
  for (auto& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 3; ++i) {
        if (auto code = generate_code(kernel, LaneForm{}, Keep::kObjectOnly); code.is_ok())
          result = std::move(code->elf);
      }
    });
  }
  threads.clear();
  for (const auto& result : results) EXPECT_EQ(result, reference->elf);
}

// out[y, x] = sum over k of a[y, k] * b[x, k], square, accumulated in f32
ir::Kernel product_kernel(DType dtype, int64_t size) {
  ir::KernelBuilder b;
  const ir::NodePtr out = b.param(0, "out", DType::kF32, {size, size});
  const ir::NodePtr lhs = b.param(1, "a", dtype, {size, size});
  const ir::NodePtr rhs = b.param(2, "b", dtype, {size, size});
  const ir::NodePtr x = b.range(size, ir::RangeKind::kGlobalX);
  const ir::NodePtr y = b.range(size, ir::RangeKind::kGlobalY);
  const ir::NodePtr k = b.range(size, ir::RangeKind::kLoop);
  const auto operand = [&](const ir::NodePtr& array, const ir::NodePtr& row) {
    const ir::NodePtr element = b.load(array, b.add(b.mul(row, size), k));
    return dtype == DType::kF32 ? element : b.op(Op::kCast, DType::kF32, {element});
  };
  const ir::NodePtr product = b.op(Op::kMul, DType::kF32, {operand(lhs, y), operand(rhs, x)});
  const ir::NodePtr sum = b.op(Op::kReduceAdd, DType::kF32, {product, k});
  return {.name = "product",
          .params = {out, lhs, rhs},
          .variables = {},
          .stores = {b.store(out, b.add(b.mul(y, size), x), sum)},
          .workgroup_size = 256};
}

TEST(CodegenOfProducts, TheLoopOfWmmaHasNoVectorInstructionForAddresses) {
  const ContractionForm form{ProductUnit::kWmmaF16, 256, 128, 32, 64, 64, 1};
  const ir::Kernel kernel = product_kernel(DType::kF16, 2048);
  const Result<CodeObject> code = generate_code(kernel, form, Keep::kListings);
  ASSERT_TRUE(code.is_ok()) << code.status().message();
  expect_lean(testing::read_code_object(code->elf));
  // From the loop's label to where the loop is left.
  const size_t begin = code->assembly.find(".LBB0_1:");
  const size_t end = code->assembly.find("s_endpgm");
  ASSERT_NE(begin, std::string::npos);
  const std::string all = code->assembly.substr(begin, end - begin);
  const std::string loop = all.substr(0, all.rfind("s_barrier"));
  EXPECT_EQ(count(loop, "v_wmma_f32_16x16x16_f16"), 32u);
  EXPECT_EQ(count(loop, "ds_load_b128"), 32u);
  EXPECT_EQ(count(loop, "ds_store_b128"), 6u);
  EXPECT_EQ(count(loop, "global_load_b128"), 6u);
  EXPECT_EQ(count(loop, "\tv_"), 32u);
}

TEST(CodegenOfProducts, FmasAreDual) {
  const ContractionForm form{ProductUnit::kFma, 128, 128, 8, 32, 64, 1};
  const ir::Kernel kernel = product_kernel(DType::kF32, 2048);
  const Result<CodeObject> code = generate_code(kernel, form, Keep::kListings);
  ASSERT_TRUE(code.is_ok()) << code.status().message();
  expect_lean(testing::read_code_object(code->elf));
  const size_t dual = count(code->assembly, "v_dual_fmac_f32");
  const size_t single = count(code->assembly, "v_fmac_f32") + count(code->assembly, "v_fma_f32");
  EXPECT_EQ(dual + single, 512u);
  EXPECT_GT(dual, 400u);
}

TEST(CodegenOfProducts, OtherKernelsAreRefused) {
  const ContractionForm form{ProductUnit::kFma, 32, 32, 16, 16, 32, 1};
  const Result<CodeObject> code = generate_code(testing::scale_kernel(1024, 64), form, Keep::kObjectOnly);
  ASSERT_FALSE(code.is_ok());
  EXPECT_THAT(code.status().message(), HasSubstr("no matrix product"));
}

}  // namespace
}  // namespace bw::compiler
