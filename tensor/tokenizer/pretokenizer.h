// Owns: cutting text into the pieces within which byte pairs are merged.
#pragma once

#include <string_view>
#include <vector>

namespace bw::tensor {

// The pieces of `text` as GPT-2's pattern cuts it, in order; together they are the whole text:
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (https://github.com/openai/gpt-2/blob/master/src/encoder.py)
std::vector<std::string_view> split_gpt2(std::string_view text);

}  // namespace bw::tensor
