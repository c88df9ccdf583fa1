// What the plans of compiler/loops.h come to in machine code: how wide loads are, and what is loaded once.
#include <gtest/gtest.h>

#include "compiler/codegen.h"
#include "compiler/schedule.h"
#include "compiler/schedule_testing.h"
#include "compiler/testing/code_object_facts.h"

namespace bw::compiler {
namespace {

using ir::DType;
using ir::Op;
using testing::Inputs;
using testing::Value;

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++found;
  return found;
}

// Of the only kernel that `output` becomes, which must not spill.
std::string assembly_of(const Value& output) {
  const Result<Schedule> scheduled = schedule(std::vector<ir::NodePtr>{output.node});
  EXPECT_TRUE(scheduled.is_ok()) << scheduled.status().message();
  if (!scheduled.is_ok()) return "";
  EXPECT_EQ(scheduled->kernels.size(), 1u) << print_schedule(scheduled.value());
  const Result<CodeObject> code = generate_code(scheduled->kernels[0].parts, Keep::kListings);
  EXPECT_TRUE(code.is_ok()) << code.status().message();
  if (!code.is_ok()) return "";
  const testing::CodeObjectFacts facts = testing::read_code_object(code->elf);
  EXPECT_EQ(facts.numbers.at(".vgpr_spill_count"), 0u);
  EXPECT_EQ(facts.numbers.at(".private_segment_fixed_size"), 0u);
  return code->assembly;
}

// Bytes that the load instructions of a kernel ask for, one lane and each instruction once.
struct LoadedBytes {
  size_t all = 0;
  size_t by_128_bits = 0;
};

LoadedBytes loaded_bytes(const std::string& assembly) {
  LoadedBytes bytes;
  for (const auto& [name, size] : {std::pair<const char*, size_t>{"b128", 16}, {"b96", 12}, {"b64", 8}, {"b32", 4}}) {
    bytes.all += size * count(assembly, std::string("global_load_") + name);
  }
  for (const char* name : {"u16", "i16", "d16_b16", "d16_hi_b16"}) {
    bytes.all += 2 * count(assembly, std::string("global_load_") + name);
  }
  for (const char* name : {"u8", "i8"}) bytes.all += count(assembly, std::string("global_load_") + name);
  bytes.by_128_bits = 16 * count(assembly, "global_load_b128");
  return bytes;
}

TEST(LoopsCode, MatrixVectorProductsLoadBy128Bits) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBF16, DType::kI8}) {
    SCOPED_TRACE(ir::name(dtype));
    Inputs inputs;
    const DType wide = ir::is_float(dtype) ? DType::kF32 : DType::kI32;
    const Value x = inputs.param(wide, {1, 1024});
    const std::string assembly = assembly_of(x.linear(inputs.param(dtype, {512, 1024}).cast(wide)));
    const LoadedBytes bytes = loaded_bytes(assembly);
    EXPECT_GT(bytes.by_128_bits, 0u);
    EXPECT_EQ(bytes.by_128_bits, bytes.all);
  }
}

TEST(LoopsCode, ElementwiseKernelsOfAnyLengthUse128Bits) {
  for (const auto& [dtype, extent] : {std::pair<DType, int64_t>{DType::kF32, 1000003}, {DType::kF16, 1000001}}) {
    Inputs inputs;
    const Value x = inputs.param(dtype, {extent});
    const std::string assembly = assembly_of(x * x.number(2) + x.number(1));
    EXPECT_EQ(count(assembly, "global_load_b128"), 1u) << assembly;
    EXPECT_EQ(count(assembly, "global_load"), 1u);
    EXPECT_EQ(count(assembly, "global_store_b128"), 1u);
    EXPECT_EQ(count(assembly, "global_store"), 1u);
  }
}

TEST(LoopsCode, SumsOfProductsOfBytesAreDotProducts) {
  for (const DType dtype : {DType::kI8, DType::kU8}) {
    Inputs inputs;
    const Value x = inputs.param(DType::kI8, {1, 1024}).cast(DType::kI32);
    const std::string assembly = assembly_of(x.linear(inputs.param(dtype, {512, 1024}).cast(DType::kI32)));
    EXPECT_GE(count(assembly, "v_dot4_i32_iu8"), 4u);
    EXPECT_EQ(count(assembly, "v_mul"), count(assembly, "v_mul_u32_u24"));
    EXPECT_EQ(loaded_bytes(assembly).by_128_bits, loaded_bytes(assembly).all);
  }
}

TEST(LoopsCode, VectorMatrixProductsLoad128BitsOfNeighbouringColumns) {
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    Inputs inputs;
    const Value x = inputs.param(DType::kF32, {1, 1024});
    const Value weights = inputs.param(dtype, {1024, 2048}).permute({1, 0}).cast(DType::kF32);
    const std::string assembly = assembly_of(x.linear(weights));
    EXPECT_GT(count(assembly, "global_load_b128"), 0u);
    EXPECT_EQ(loaded_bytes(assembly).by_128_bits, loaded_bytes(assembly).all);
  }
}

// Of a vector times a matrix in Q8_0's blocks: a scale in f16, and 32 bytes.
std::string assembly_of_quantised_product() {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 1024});
  const Value memory = inputs.param(DType::kU8, {512, 32, 34});
  const Value scale = memory.bitcast(DType::kF16).shrink({0, 0, 0}, {512, 32, 1}).cast(DType::kF32);
  const Value quants = memory.bitcast(DType::kI8).shrink({0, 0, 2}, {512, 32, 34}).cast(DType::kF32);
  return assembly_of(x.linear((quants * scale).reshape({512, 1024})));
}

TEST(LoopsCode, QuantisedBlocksAreLoadedWhole) {
  const std::string assembly = assembly_of_quantised_product();
  const LoadedBytes bytes = loaded_bytes(assembly);
  EXPECT_GE(bytes.by_128_bits * 10, bytes.all * 9);
  EXPECT_EQ(count(assembly, "global_load_u8") + count(assembly, "global_load_i8"), 0u);
}

TEST(LoopsCode, ScalesAreTakenOutOfTheSumsOfQuantisedBlocks) {
  const std::string assembly = assembly_of_quantised_product();
  EXPECT_LT(count(assembly, "v_mul_f32") + count(assembly, "v_dual_mul_f32"), 8u);
}

TEST(LoopsCode, RowsAreLoadedOnce) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 512});
  const Value mean_square = (x * x).sum({1}) * x.number(1.0 / 512);
  const std::string assembly = assembly_of(x * mean_square.unary(Op::kSqrt).unary(Op::kRecip));
  // 32 lanes or more a row: no element is loaded twice if what a lane loads is what it stores.
  EXPECT_EQ(count(assembly, "global_load"), count(assembly, "global_store"));
  EXPECT_EQ(count(assembly, "global_load_b128"), count(assembly, "global_load"));
}

TEST(LoopsCode, ElementwiseKernelsMove128BitsALane) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kI8}) {
    SCOPED_TRACE(ir::name(dtype));
    Inputs inputs;
    const Value x = inputs.param(dtype, {1 << 20});
    const std::string assembly = assembly_of(x + inputs.param(dtype, {1 << 20}));
    EXPECT_EQ(count(assembly, "global_load"), 2u);
    EXPECT_EQ(count(assembly, "global_load_b128"), 2u);
    EXPECT_EQ(count(assembly, "global_store_b128"), 1u);
  }
}

TEST(LoopsCode, HalvesAreComputedInPairs) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF16, {1 << 20});
  const std::string assembly = assembly_of(x * x + inputs.param(DType::kF16, {1 << 20}));
  EXPECT_EQ(count(assembly, "v_pk_"), 8u);
  EXPECT_EQ(count(assembly, "v_add_f16") + count(assembly, "v_mul_f16"), 0u);
}

}  // namespace
}  // namespace bw::compiler
