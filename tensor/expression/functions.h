// Owns: the functions of expressions: their names, parameters, and which operation of Tensor each one is.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tensor/expression/value.h"

namespace bw::tensor {

// The arguments of one call as they stand: by position, then by name.
struct CallArguments {
  std::vector<Value> positional;
  std::vector<std::pair<Token, Value>> named;
};

struct Function;
// Null if there is none of that name.
const Function* find_function(std::string_view name);
// "sum(x, axes=[], keep=0)".
std::string print_signature(const Function& function);

// Errors have the place of the argument that is wrong, or `place` (that of the name).
Result<Tensor> call(const Function& function, Place place, const CallArguments& arguments,
                    const std::shared_ptr<Runtime>& runtime);

}  // namespace bw::tensor
