// Kernels as they are scheduled - groups of lanes along rows, rows in registers, vectors of elements - on the emulated
// shader cores in strict mode, against the evaluation of their graphs.
#include <gtest/gtest.h>

#include "compiler/schedule_testing.h"
#include "tests/compiler/shader_runner.h"

namespace bw::testing {
namespace {

using compiler::testing::binary;
using compiler::testing::check_others;
using compiler::testing::check_schedule;
using compiler::testing::Inputs;
using compiler::testing::Value;
using compiler::testing::Variables;
using ir::Dim;
using ir::DType;
using ir::Op;

Status run_on_card(const compiler::KernelPart& part, const ir::EvaluatorInputs& inputs) {
  static const std::unique_ptr<ShaderRunner> runner = ShaderRunner::create(2, emulator::Strictness::kOn).value();
  const auto* form = std::get_if<compiler::LaneForm>(&part.form);
  if (form == nullptr) return error(StatusCode::kUnsupported, "not a plan of lanes: {}", print_form(part.form));
  return runner->run(part.kernel, inputs, *form);
}

void check(Inputs& inputs, const std::vector<Value>& outputs, double tolerance, const Variables& variables = {}) {
  check_schedule(inputs, outputs, variables, tolerance, run_on_card);
}

int last_axis(const Value& x) {
  return static_cast<int>(x.node->shape.size()) - 1;
}

Value softmax(const Value& x) {
  const Value powers = ((x - x.max({last_axis(x)})) * x.number(1.4426950408889634)).unary(Op::kExp2);
  return powers * powers.sum({last_axis(x)}).unary(Op::kRecip);
}

Value layer_norm(const Value& x) {
  const Value scale = x.number(1.0 / static_cast<double>(x.node->shape.back().max()));
  const Value centred = x - x.sum({last_axis(x)}) * scale;
  const Value variance = (centred * centred).sum({last_axis(x)}) * scale;
  return centred * (variance + x.number(1e-5)).unary(Op::kSqrt).unary(Op::kRecip);
}

TEST(LanePlans, MatrixVectorProductsOfAllLengths) {
  for (const int64_t rows : {1, 3, 8, 257}) {
    for (const int64_t columns : {2, 16, 31, 32, 33, 64, 100, 256, 768, 1009}) {
      SCOPED_TRACE(fmt::format("{} x {}", rows, columns));
      Inputs inputs;
      const Value x = inputs.param(DType::kF32, {1, columns});
      check(inputs, {x.linear(inputs.param(DType::kF32, {rows, columns}))}, 1e-4);
    }
  }
}

TEST(LanePlans, VectorsOverlapAtTheEndOfAnAxisThatTheyDoNotDivide) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {100003});
  check(inputs, {x * x.number(2) + x.number(1)}, 1e-6);
  const Value rows = inputs.param(DType::kF16, {451, 449});
  check(inputs, {rows + rows.flip({1})}, 1e-3);
}

// What search may choose (compiler/tuning.h).
TEST(LanePlans, OtherPlansOfAKernelComputeTheSame) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF16, {1, 512});
  const Value weights = inputs.param(DType::kF16, {48, 512});
  EXPECT_GE(check_others(inputs, {x.cast(DType::kF32).linear(weights.cast(DType::kF32))}, 8, 1e-3, run_on_card), 8u);
  EXPECT_GE(check_others(inputs, {softmax(inputs.param(DType::kF32, {5, 1000}))}, 3, 1e-4, run_on_card), 3u);
  EXPECT_GE(check_others(inputs, {inputs.param(DType::kF32, {512, 96}).sum({0})}, 3, 1e-4, run_on_card), 2u);
}

TEST(LanePlans, MatrixVectorProductsOfAllElementTypes) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kU8, DType::kI64}) {
    SCOPED_TRACE(ir::name(dtype));
    Inputs inputs;
    const DType wide = ir::is_float(dtype) ? DType::kF32 : DType::kI32;
    const Value x = inputs.param(dtype, {1, 512}).cast(wide);
    check(inputs, {x.linear(inputs.param(dtype, {40, 512}).cast(wide))}, 1e-3);
  }
}

TEST(LanePlans, DotProductsOfBytes) {
  for (const DType left : {DType::kI8, DType::kU8}) {
    for (const DType right : {DType::kI8, DType::kU8}) {
      for (const int64_t columns : {20, 64, 1008, 1040, 4096}) {
        SCOPED_TRACE(fmt::format("{} {} {}", ir::name(left), ir::name(right), columns));
        Inputs inputs;
        const Value x = inputs.param(left, {1, columns}).cast(DType::kI32);
        check(inputs, {x.linear(inputs.param(right, {24, columns}).cast(DType::kI32))}, 0);
      }
    }
  }
}

TEST(LanePlans, VectorMatrixProductsLieAlongTheOutput) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 96});
  check(inputs, {x.linear(inputs.param(DType::kF32, {96, 130}).permute({1, 0}))}, 1e-4);
}

TEST(LanePlans, ColumnsSharedByWaves) {
  for (const int64_t columns : {4, 96, 130, 1024}) {
    for (const int64_t rows : {16, 333}) {
      SCOPED_TRACE(fmt::format("{} rows of {}", rows, columns));
      Inputs inputs;
      const Value x = inputs.param(DType::kF32, {1, rows});
      const Value y = inputs.param(DType::kI8, {rows, columns}).cast(DType::kI32);
      check(inputs, {x.linear(inputs.param(DType::kF16, {rows, columns}).permute({1, 0}).cast(DType::kF32))}, 1e-3);
      check(inputs, {y.max({0})}, 0);
      const Value wide = y.cast(DType::kI64);
      check(inputs, {(wide * wide).sum({0}) + wide.sum({0}) * wide.max({0})}, 0);
    }
  }
}

TEST(LanePlans, SumsOfRowsAndColumns) {
  for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{5, 1000}, {70, 129}, {2, 70000}, {300, 64}}) {
    SCOPED_TRACE(fmt::format("{} x {}", rows, columns));
    Inputs inputs;
    const Value x = inputs.param(DType::kF32, {rows, columns});
    const Value y = inputs.param(DType::kI16, {rows, columns});
    check(inputs, {x.sum({1}), x.max({0}), y.max({1}), (x * x).sum({0, 1})}, 1e-3);
  }
}

TEST(LanePlans, RowsInRegisters) {
  for (const DType dtype : {DType::kF32, DType::kF16}) {
    for (const int64_t columns : {2, 7, 32, 48, 100, 1000, 1009, 4096}) {
      SCOPED_TRACE(fmt::format("{} columns of {}", columns, ir::name(dtype)));
      Inputs inputs;
      const Value x = inputs.param(dtype, {3, columns}).cast(DType::kF32);
      check(inputs, {softmax(x).cast(dtype), layer_norm(x).cast(dtype)}, 5e-3);
    }
  }
}

TEST(LanePlans, RowsTooLongForRegisters) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {2, 40000});
  const Value centred = x - x.max({1});
  check(inputs, {centred}, 1e-4);
}

TEST(LanePlans, RowsOfSeveralAxes) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {4, 6, 20});
  check(inputs, {x * x.reduce(Op::kReduceAdd, {1, 2}).unary(Op::kRecip)}, 1e-2);
}

TEST(LanePlans, RowsThatAreOverwritten) {
  for (const int64_t columns : {64, 1000, 1009}) {
    Inputs inputs;
    const Value memory = inputs.param(DType::kF32, {5, columns});
    check(inputs, {memory.store(layer_norm(memory))}, 1e-3);
  }
}

TEST(LanePlans, AccumulatingProductsInPlace) {
  Inputs inputs;
  const Value memory = inputs.param(DType::kF32, {1, 64});
  const Value x = inputs.param(DType::kF32, {1, 256});
  check(inputs, {memory.store(memory + x.linear(inputs.param(DType::kF32, {64, 256})))}, 1e-4);
}

TEST(LanePlans, NormsAsPrologueOfProducts) {
  Inputs inputs;
  const Value x = inputs.param(DType::kF32, {1, 64});
  const Value scaled = x * (x * x).sum({1}).unary(Op::kSqrt).unary(Op::kRecip);
  check(inputs, {scaled.linear(inputs.param(DType::kF32, {64, 64}))}, 1e-4);
}

TEST(LanePlans, SymbolicLengths) {
  for (const int64_t n : {0, 1, 5, 32, 99}) {
    Inputs inputs;
    const Value variable = inputs.variable("n", 0, 99);
    const Value x = inputs.param(DType::kF32, {7, 100}).shrink({0, 0}, {7, Dim(variable.node, 1)});
    const Value y = inputs.param(DType::kF32, {7, 100}).shrink({0, 0}, {7, Dim(variable.node, 1)});
    SCOPED_TRACE(n);
    check(inputs, {(x * y).sum({1})}, 1e-4, {{"n", n}});
    check(inputs, {softmax(x)}, 1e-4, {{"n", n}});
  }
}

// 34 bytes a block: a scale and 32 quants. 18 bytes: a scale and 16 pairs of nibbles.
class Quantised {
 public:
  Quantised(Inputs& inputs, int64_t rows, int64_t blocks, int64_t block_bytes)
      : rows_(rows), blocks_(blocks), block_bytes_(block_bytes) {
    memory_ = inputs.param(DType::kU8, {rows, blocks, block_bytes});
    std::vector<std::byte>& bytes = inputs.params().rbegin()->second;
    for (size_t block = 0; block < bytes.size(); block += static_cast<size_t>(block_bytes)) {
      bytes[block] = std::byte{0};
      bytes[block + 1] = std::byte{0x20};  // 2^-7
    }
  }

  Value scale() const { return memory_.bitcast(DType::kF16).shrink({0, 0, 0}, {rows_, blocks_, 1}).cast(DType::kF32); }
  Value bytes() const { return memory_.shrink({0, 0, 2}, {rows_, blocks_, block_bytes_}); }
  Value q8() const { return (bytes().bitcast(DType::kI8).cast(DType::kF32) * scale()).reshape({rows_, blocks_ * 32}); }
  Value q4(Inputs& inputs) const {
    const Value pairs = bytes().cast(DType::kI32).reshape({rows_, blocks_, 1, 16});
    const Value shift = (inputs.range(2) * inputs.constant(DType::kI32, 4)).reshape({1, 1, 2, 1});
    const Value nibbles = binary(Op::kAnd, binary(Op::kShr, pairs, shift), inputs.constant(DType::kI32, 15));
    const Value values = nibbles.cast(DType::kF32) + inputs.constant(DType::kF32, -8);
    return (values * scale().reshape({rows_, blocks_, 1, 1})).reshape({rows_, blocks_ * 32});
  }

 private:
  Value memory_;
  int64_t rows_, blocks_, block_bytes_;
};

TEST(LanePlans, QuantisedMatrixVectorProducts) {
  for (const int64_t blocks : {1, 2, 3, 8, 24, 65}) {
    for (const int64_t rows : {1, 6, 64}) {
      SCOPED_TRACE(fmt::format("{} rows of {} blocks", rows, blocks));
      Inputs inputs;
      const Value x = inputs.param(DType::kF32, {1, blocks * 32});
      check(inputs, {x.linear(Quantised(inputs, rows, blocks, 34).q8())}, 1e-3);
      check(inputs, {x.linear(Quantised(inputs, rows, blocks, 18).q4(inputs))}, 1e-3);
    }
  }
}

// Whole numbers, whose sums f32 holds: whatever way the bytes take to f32, it is exact.
TEST(LanePlans, SignedBytesOfBlocksBecomeFloatsExactly) {
  for (const int64_t blocks : {1, 24}) {
    SCOPED_TRACE(fmt::format("{} blocks", blocks));
    Inputs inputs;
    const Value x = inputs.param(DType::kI8, {1, blocks * 32}).cast(DType::kF32);
    check(inputs, {x.linear(Quantised(inputs, 64, blocks, 34).q8())}, 0);
  }
}

TEST(LanePlans, VectorsOfElements) {
  for (const DType dtype : {DType::kF64, DType::kF32, DType::kF16, DType::kBF16, DType::kI8, DType::kBool}) {
    SCOPED_TRACE(ir::name(dtype));
    Inputs inputs;
    const Value x = inputs.param(dtype, {1 << 19});
    const Value y = inputs.param(dtype, {1 << 19});
    check(inputs, {x + y * x}, 1e-2);
  }
}

}  // namespace
}  // namespace bw::testing
