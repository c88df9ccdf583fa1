// Owns: tensor expressions as text, as `barewave explain --expr` takes them: `softmax(x[64, 512] * 0.125)`,
// `x[32, 64]:f16 @ w[64, 32]:f16`. Not here: what the operations do (tensor/tensor.h).
//
//   program    = statement { ";" statement } ; every statement that is not a definition is an output
//   statement  = name "=" expression | expression
//   parameter  = name "[" extents "]" [ ":" dtype ]      where the name first stands; f32 unless it says otherwise
//   slices     = value "[" ( begin ":" end | ":" | index ), .. "]"      negative numbers count from the end
//   operators  = as in Python: | ^ & (integers, bool), < <= > >= == !=, << >>, + -, * / // % @, unary - and ~
//   calls      = name "(" arguments ")" or value "." name "(" arguments ")"; arguments by position or `name=value`
//   variable   = `n = variable(1, 512)`: a number given at each launch; in extents and slices as `n` or `n + 3`
//   functions  = all of tensor/tensor.h; expression_functions() lists them with their arguments
// Numbers take the dtype of the tensor beside them. "#" starts a comment.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/tensor.h"

namespace bw::tensor {

// What a text may not exceed: whatever it says, parsing it ends soon.
inline constexpr size_t kMaxExpressionBytes = 65536;

// The outputs in order, at least one; params belong to `runtime`. Errors: kInvalidArgument "line 1, column 9: ..." with
// what is wrong there.
Result<std::vector<Tensor>> parse_expression(const std::shared_ptr<Runtime>& runtime, std::string_view text);

// "sum(x, axes=[], keep=0)", one for each function, in alphabetical order.
std::vector<std::string> expression_functions();

}  // namespace bw::tensor
