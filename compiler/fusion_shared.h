// Owns: values that many elements of a kernel have in common (the mean of a row), and how often kernels that compute
// them where they are used would do so. Not here: the decision (compiler/fusion.h).
#pragma once

#include <cstdint>

#include "compiler/fusion_graph.h"

namespace bw::compiler {

// Results of reductions that elements of a value share.
struct Shared {
  double ops = 0;     // to compute those of one element; 0: none are shared
  int64_t count = 0;  // how many different ones there are
  int64_t by = 0;     // neighbouring elements, along the last axes, that have the same; 0 where that is not known
  int64_t row = 0;    // elements that each was made of, if these are neighbours; 0 if not
};

// What computing shared results where they are used comes to.
struct SharedUses {
  bool is_shared = true;     // everywhere by so many elements that they are computed once for all of these
  bool in_rows = true;       // everywhere by just the rows that they were made of: the group of a row has them at hand
  bool is_repeated = false;  // more than one group computes the same result
  double groups = 0;         // groups of lanes that compute one: each reduces elements that share it
  double lanes = 0;          // lanes that compute one by themselves
};

// Iterations of a reduction for one element of its result, at most.
int64_t trips(const FlatGraph& graph, NodeId reduction);
// The elements that one of a reduction's is made of, if these are neighbours, 0 if not or if their number is symbolic.
int64_t row_of(const FlatGraph& graph, NodeId reduction);
// Whether a node repeats the elements of its input.
bool is_broadcast(const FlatGraph& graph, NodeId node);
// Shared::by for the result of a broadcast, given that of its input (1: each element has its own).
int64_t broadcast_by(const FlatGraph& graph, NodeId node, int64_t by);

// Follows a value to the reductions and buffers that it ends in. `shared`: what its elements have in common, or, with
// `by` = 1, the value itself, not yet repeated.
SharedUses find_shared_uses(const FlatGraph& graph, NodeId id, const Shared& shared);

// Where all that is made of a value - one for each row of `row` elements, or, with `row` = 0, the elements of rows -
// ends in one value of the same row, by way of elements of the row and reductions over it: the elements of a row. The
// group of lanes that computes what it ends in has the value at hand. 0 where that is not so.
int64_t find_row_that_meets(const FlatGraph& graph, NodeId id, int64_t row);

}  // namespace bw::compiler
