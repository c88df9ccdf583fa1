// Owns: for tests of this room: building graphs in few words, and running schedules on the host by the evaluator of
// kernels, to be compared with the evaluator of graphs.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compiler/schedule.h"
#include "ir/builder.h"
#include "ir/evaluator.h"

namespace bw::compiler::testing {

// Stands for a node and knows its builder, so that expressions can be written as such. Broadcasts by expand where
// extents are 1. A graph that does not build fails a BW_CHECK.
struct Value {
  ir::Builder* builder = nullptr;
  ir::NodePtr node;

  Value reshape(ir::Shape shape) const;
  Value permute(std::vector<int> axes) const;
  Value expand(ir::Shape shape) const;
  Value pad(std::vector<int64_t> before, std::vector<int64_t> after) const;
  Value shrink(std::vector<ir::Dim> begin, std::vector<ir::Dim> end) const;
  Value flip(std::vector<int> axes) const;
  Value reduce(ir::Op op, std::vector<int> axes) const;
  Value sum(std::vector<int> axes) const { return reduce(ir::Op::kReduceAdd, std::move(axes)); }
  Value max(std::vector<int> axes) const { return reduce(ir::Op::kReduceMax, std::move(axes)); }
  Value unary(ir::Op op) const;
  Value cast(ir::DType dtype) const;
  Value bitcast(ir::DType dtype) const;
  Value gather(const Value& index) const;
  Value store(const Value& value) const;
  Value contiguous() const;
  // A constant of this dtype.
  Value number(double value) const;

  Value sigmoid() const;
  Value silu() const;
  // this [.., k], weight [n, k] -> [.., n]
  Value linear(const Value& weight) const;
};

Value binary(ir::Op op, const Value& x, const Value& y);
Value operator+(const Value& x, const Value& y);
Value operator-(const Value& x, const Value& y);
Value operator*(const Value& x, const Value& y);
Value select(const Value& condition, const Value& x, const Value& y);

// Params with contents that look random but are the same in each run: floats in -1..1, integers over their range.
class Inputs {
 public:
  Value param(ir::DType dtype, std::vector<int64_t> shape);
  Value variable(std::string name, int64_t min, int64_t max);
  Value range(ir::Dim extent);
  Value constant(ir::DType dtype, double value);

  ir::Builder& builder() { return builder_; }
  std::map<uint64_t, std::vector<std::byte>>& params() { return params_; }

 private:
  ir::Builder builder_;
  std::map<uint64_t, std::vector<std::byte>> params_;
  uint64_t seed_ = 1;
};

using Variables = std::map<std::string, int64_t>;

// What carries out one kernel, reading and writing the given memory.
using KernelRunner = std::function<Status(const KernelPart& part, const ir::EvaluatorInputs& inputs)>;
// On the host, one iteration after the other.
Status evaluate_kernel(const KernelPart& part, const ir::EvaluatorInputs& inputs);

// Schedules (which verifies every kernel), runs the kernels in order on copies of the params with temporary buffers
// full of NaN-like bytes, and compares every element of every output, and every param, with the graph's evaluation.
// Returns the kernel count; on any failure adds a test failure that says what differs.
size_t check_schedule(const std::vector<ir::NodePtr>& outputs, const std::map<uint64_t, std::vector<std::byte>>& memory,
                      const Variables& variables, double tolerance, const KernelRunner& run_kernel = evaluate_kernel);
size_t check_schedule(Inputs& inputs, const std::vector<Value>& outputs, const Variables& variables = {},
                      double tolerance = 1e-4, const KernelRunner& run_kernel = evaluate_kernel);
// The same for each of at most `count` other ways of doing each part of each kernel, one at a time. Returns how many
// there are.
size_t check_others(Inputs& inputs, const std::vector<Value>& outputs, size_t count, double tolerance = 1e-4,
                    const KernelRunner& run_kernel = evaluate_kernel);

}  // namespace bw::compiler::testing
