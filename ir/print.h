// Owns: the pieces of the text form that programs and messages share. What users of this room call is ir/text.h.
#pragma once

#include <functional>
#include <string>

#include "ir/node.h"
#include "ir/text_names.h"

namespace bw::ir {

// "-5", "0x1.8p+1", "nan".
std::string print_scalar(const Scalar& value);
// " key=value ..": what the op needs beside its inputs and shape. `dim` prints an extent.
std::string print_attribute(const Node& node, Level level, const std::function<std::string(const Dim&)>& dim);

// "[a, b]".
template <typename T, typename Print>
std::string print_list(const std::vector<T>& values, const Print& print) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) text += (i == 0 ? "" : ", ") + print(values[i]);
  return text + "]";
}

}  // namespace bw::ir
