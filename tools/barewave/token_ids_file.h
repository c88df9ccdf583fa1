// Owns: reading sequences of token ids from a file.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "tensor/tokenizer/tokenizer.h"

namespace bw::tools {

// Two forms: text with one sequence a line, ids parted by blanks or commas (empty lines are skipped); or JSON, an array
// of ids, an array of such arrays, or an object with such an array of arrays under "perplexity_ids". Errors: the
// file's; kDataLoss with line or position for anything else.
Result<std::vector<std::vector<tensor::TokenId>>> read_token_ids(const std::string& path);

}  // namespace bw::tools
