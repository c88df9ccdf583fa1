// Owns: finding attention in a kernel: which of its nodes are the scores, their maximum, the weights, their sum, and
// the sum of weighted values. Not here: finding it in a graph (compiler/attention_graph.h).
//
// The kernel is plain: with weight(p) = exp2(c * (score(p) - max over p of score(p))), c > 0, it stores an expression
// of
//   weighted = sum over p of weight(p) * factor * value(p, column)   and   sum = sum over p of weight(p)
// where score holds one inner product, dot = sum over e of query(row, e) * key(p, e), and no other reduction.
#pragma once

#include <cstdint>
#include <optional>

#include "ir/kernel.h"
#include "ir/node.h"
#include "ir/ranges.h"

namespace bw::compiler {

struct AttentionPattern {
  ir::NodePtr weighted;
  ir::NodePtr sum;
  ir::NodePtr maximum;
  // Inside `weighted`. `weight` depends on `score` and `maximum` only.
  ir::NodePtr weight;
  ir::NodePtr score;
  ir::NodePtr value;
  ir::NodePtr factor;    // the same for all positions (1 / sum); null: none
  ir::NodePtr position;  // the range that `weighted` consumes
  ir::NodePtr dot;
  ir::NodePtr query;
  ir::NodePtr key;
  ir::NodePtr element;  // the range that `dot` consumes
  // Where scores are -inf beyond a row's last position: row `last` sees the positions p with
  // masked_position(p) <= last, or <= last - 1 where `last_excluded`. Null: all. masked_position is p plus what is the
  // same for all p, and neither overflows when subtracted from the other.
  ir::NodePtr last;
  ir::NodePtr masked_position;
  bool last_excluded = false;
};

// Nothing where the kernel is anything else. `ranges` are the kernel's.
std::optional<AttentionPattern> find_attention(const ir::Kernel& kernel, const ir::KernelRanges& ranges);

// What a range that the stores depend on counts.
enum class AttentionAxis : uint8_t {
  kNone,    // nothing that the pattern depends on
  kBatch,   // keys or values, as well as scores
  kRow,     // queries, all with the same keys and values
  kColumn,  // elements of a value
};
AttentionAxis attention_axis(const AttentionPattern& pattern, const ir::KernelRanges& ranges, const ir::Node& range);

}  // namespace bw::compiler
