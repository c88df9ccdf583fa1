// Owns: Tensor, the type users compute with. A tensor is an expression; nothing is computed before realise() or
// to_vector(), which compile the whole expression into as few kernels as they can.
//
// Dtypes: no operation converts implicitly; both sides of an operator must have the same dtype, and a C++ number beside
// a tensor takes the tensor's dtype. Shapes broadcast as in NumPy: missing leading axes and axes of extent 1 are
// repeated. Axes count from 0, or from the end when negative.
//
// Errors are sticky: an operation that is misused returns a tensor that carries the error, and so do all tensors made
// from it; status(), realise() and to_vector() return it. The first error stands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "base/status.h"
#include "ir/node.h"
#include "tensor/runtime.h"

namespace bw::tensor {

using ir::Dim;
using ir::DType;
using ir::Shape;

// The dtype of a C++ type.
template <typename T>
constexpr DType dtype_of() {
  if constexpr (std::is_same_v<T, bool>) return DType::kBool;
  if constexpr (std::is_same_v<T, int8_t>) return DType::kI8;
  if constexpr (std::is_same_v<T, uint8_t>) return DType::kU8;
  if constexpr (std::is_same_v<T, int16_t>) return DType::kI16;
  if constexpr (std::is_same_v<T, uint16_t>) return DType::kU16;
  if constexpr (std::is_same_v<T, int32_t>) return DType::kI32;
  if constexpr (std::is_same_v<T, uint32_t>) return DType::kU32;
  if constexpr (std::is_same_v<T, int64_t>) return DType::kI64;
  if constexpr (std::is_same_v<T, uint64_t>) return DType::kU64;
  if constexpr (std::is_same_v<T, double>) return DType::kF64;
  static_assert(std::is_arithmetic_v<T>);
  return DType::kF32;
}

// Whether reduced axes stay with extent 1.
enum class Reduced : uint8_t { kDrop, kKeep };

class Tensor {
 public:
  // Carries the error that it was never given a value.
  Tensor();
  // A graph node as a tensor: how variables and hand-made graphs get in.
  Tensor(std::shared_ptr<Runtime> runtime, ir::NodePtr node);
  explicit Tensor(Status error);

  // --- Creation. `shape` has extents >= 1; [] is a scalar.
  // Copies `values` (row-major, as many as the shape has elements) to the device.
  template <typename T>
  static Tensor from(const std::shared_ptr<Runtime>& runtime, std::span<const T> values, std::vector<int64_t> shape) {
    return from_bytes(runtime, dtype_of<T>(), std::as_bytes(values), std::move(shape));
  }
  template <typename T>
  static Tensor from(const std::shared_ptr<Runtime>& runtime, const std::vector<T>& values,
                     std::vector<int64_t> shape) {
    return from(runtime, std::span<const T>(values), std::move(shape));
  }
  // Raw elements of any dtype. Error: kInvalidArgument if their size does not fit the shape.
  static Tensor from_bytes(const std::shared_ptr<Runtime>& runtime, DType dtype, std::span<const std::byte> bytes,
                           std::vector<int64_t> shape, std::string name = "data");
  // Memory of undefined contents, to be written by store() or buffer()->write().
  static Tensor empty(const std::shared_ptr<Runtime>& runtime, DType dtype, std::vector<int64_t> shape,
                      std::string name = "empty");
  static Tensor full(const std::shared_ptr<Runtime>& runtime, DType dtype, Shape shape, double value);
  static Tensor zeros(const std::shared_ptr<Runtime>& runtime, DType dtype, Shape shape);
  // The vector 0, 1 .. extent-1.
  static Tensor arange(const std::shared_ptr<Runtime>& runtime, DType dtype, Dim extent);

  // --- What it is. Without an error only.
  bool is_ok() const { return state_->status.is_ok(); }
  const Status& status() const { return state_->status; }
  DType dtype() const { return state_->node->dtype; }
  const Shape& shape() const { return state_->node->shape; }
  int rank() const { return static_cast<int>(shape().size()); }
  const ir::NodePtr& node() const { return state_->node; }
  const std::shared_ptr<Runtime>& runtime() const { return state_->runtime; }

  // --- Results.
  // Computes the value into memory of its own; afterwards this tensor and its copies stand for that memory (tensors
  // made from it before still hold the expression). Errors: the sticky one, kInvalidArgument for a symbolic shape
  // (prepare such programs with Runtime::prepare), the compiler's, the device's.
  Status realise();
  // The elements, row-major; T must match the dtype. Realises first.
  template <typename T>
  Result<std::vector<T>> to_vector() {
    static_assert(!std::is_same_v<T, bool>, "read bools as uint8_t");
    BW_RETURN_IF_ERROR(check_readable(dtype_of<T>()));
    BW_RETURN_IF_ERROR(realise());
    std::vector<T> values(static_cast<size_t>(ir::max_element_count(shape())));
    BW_RETURN_IF_ERROR(buffer()->read(0, std::as_writable_bytes(std::span(values))));
    return values;
  }
  // The raw elements, row-major, of any dtype. Realises first.
  Result<std::vector<std::byte>> to_bytes();
  // The memory of a realised tensor; null before.
  std::shared_ptr<DeviceBuffer> buffer() const;

  // --- Movement; no arithmetic.
  // At most one extent may be -1: what the others leave.
  Tensor reshape(Shape shape) const;
  Tensor permute(std::vector<int> axes) const;
  Tensor transpose(int axis_a, int axis_b) const;
  // Broadcasts to `shape`.
  Tensor expand(const Shape& shape) const;
  // Zeros before and after, one count per axis.
  Tensor pad(std::vector<int64_t> before, std::vector<int64_t> after) const;
  Tensor shrink(std::vector<Dim> begin, std::vector<Dim> end) const;
  // Elements begin..end-1 of one axis.
  Tensor slice(int axis, const Dim& begin, const Dim& end) const;
  Tensor flip(std::vector<int> axes) const;
  Tensor unsqueeze(int axis) const;
  // Drops an axis of extent 1.
  Tensor squeeze(int axis) const;

  // --- Conversions.
  Tensor cast(DType dtype) const;
  // Same bits; on memory (empty, from) also to elements of another size, where the last axis scales.
  Tensor bitcast(DType dtype) const;
  // The same value, computed into a buffer of its own.
  Tensor contiguous() const;

  // --- Elementwise; floating point only where it says so.
  Tensor operator-() const;
  Tensor exp2() const;     // float
  Tensor log2() const;     // float
  Tensor exp() const;      // float; as exp2: relative error up to |x| 2^-24 in f32
  Tensor log() const;      // float
  Tensor sin() const;      // float
  Tensor cos() const;      // float
  Tensor sqrt() const;     // float
  Tensor rsqrt() const;    // float
  Tensor recip() const;    // float
  Tensor trunc() const;    // float
  Tensor sigmoid() const;  // float
  Tensor silu() const;     // float: x * sigmoid(x)
  Tensor tanh() const;     // float; absolute error of a few ulp of 1
  Tensor relu() const;
  Tensor abs() const;
  Tensor logical_not() const;                // of bool
  Tensor idiv(const Tensor& divisor) const;  // integers; towards zero; by 0 gives 0
  Tensor maximum(const Tensor& other) const;
  Tensor minimum(const Tensor& other) const;
  Tensor maximum(double other) const;
  // Comparisons give bool.
  Tensor lt(const Tensor& other) const;
  Tensor le(const Tensor& other) const;  // false for NaN
  Tensor gt(const Tensor& other) const;
  Tensor ge(const Tensor& other) const;
  Tensor eq(const Tensor& other) const;
  Tensor ne(const Tensor& other) const;
  // this * b + c; one rounding.
  Tensor mul_acc(const Tensor& b, const Tensor& c) const;

  // --- Reductions over `axes` (all if empty). f16 and bf16 are accumulated in f32; integers wrap; bool must be cast.
  Tensor sum(std::vector<int> axes = {}, Reduced reduced = Reduced::kDrop) const;
  Tensor prod(std::vector<int> axes = {}, Reduced reduced = Reduced::kDrop) const;
  Tensor max(std::vector<int> axes = {}, Reduced reduced = Reduced::kDrop) const;
  Tensor min(std::vector<int> axes = {}, Reduced reduced = Reduced::kDrop) const;
  Tensor mean(std::vector<int> axes = {}, Reduced reduced = Reduced::kDrop) const;  // float; static extents
  // i32 index of the first largest element; one reduction. Up to 32-bit dtypes; which NaN wins is not specified.
  Tensor argmax(int axis = -1) const;
  // exp(x - max) / sum along the axis; float.
  Tensor softmax(int axis = -1) const;

  // --- Linear algebra and memory.
  // [.., m, k] x [.., k, n] -> [.., m, n]; leading axes broadcast; a vector counts as one row or column, which is
  // dropped again. f16 and bf16 are accumulated in f32.
  Tensor matmul(const Tensor& other) const;
  // this[n, rest..], index[i..] (integers) -> [i.., rest..]; the index is clamped to 0..n-1. An embedding look-up.
  Tensor gather(const Tensor& index) const;
  // Writes `value` to this view of memory (slices, reshapes and permutations of an empty()); the result is the whole
  // memory after the write, and what is read through it comes after.
  Tensor store(const Tensor& value) const;

  // --- For operations that are built outside.
  // A scalar of this tensor's dtype.
  Tensor scalar(double value) const;

 private:
  struct State {
    std::shared_ptr<Runtime> runtime;
    ir::NodePtr node;
    Status status;
  };

  Tensor wrap(Result<ir::NodePtr> node) const;
  Tensor unary(ir::Op op) const;
  // The integer scalar of this dtype with all bits set.
  Tensor all_ones() const;
  Tensor reduce(ir::Op op, std::vector<int> axes, Reduced reduced) const;
  Result<int> normalise_axis(int axis) const;
  Status check_readable(DType wanted) const;

  std::shared_ptr<State> state_;

  friend Tensor binary(ir::Op op, const Tensor& a, const Tensor& b);
  friend Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);
};

// Any binary op with broadcasting.
Tensor binary(ir::Op op, const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
// Floating point: a * recip(b). Integers: an error that names idiv().
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator%(const Tensor& a, const Tensor& b);  // integers; sign of a
Tensor operator&(const Tensor& a, const Tensor& b);  // integers and bool, as the next two
Tensor operator|(const Tensor& a, const Tensor& b);
Tensor operator^(const Tensor& a, const Tensor& b);
Tensor operator<<(const Tensor& a, const Tensor& b);
Tensor operator>>(const Tensor& a, const Tensor& b);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
Tensor operator+(double a, const Tensor& b);
Tensor operator-(double a, const Tensor& b);
Tensor operator*(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);

// x where `condition` (bool) holds, else y; all three broadcast.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);
// Joins along an axis; the other extents are equal. Static extents along the axis.
Tensor cat(const std::vector<Tensor>& tensors, int axis);

// The shape that both broadcast to. Error: kInvalidArgument with both shapes.
Result<Shape> broadcast_shapes(const Shape& a, const Shape& b);

}  // namespace bw::tensor
