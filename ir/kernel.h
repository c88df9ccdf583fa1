// Owns: a kernel as a loop nest over scalars, the level between graphs and LLVM IR.
//
// A kernel is a list of kStore nodes over scalar expressions. Iterations come from kRange nodes: a store is carried out
// once for each value of the ranges that its index and value depend on and that no reduction inside has consumed. A
// kernel-level reduction has the inputs (value, range, range..) and consumes these ranges. There is no other control
// flow; trip counts are Dims; every kLoad and kStore index must be proven within its param (ir/verifier.h).
//
// Several reductions may consume the same ranges: where none needs the result of another they are carried out in one
// loop with an accumulator each (a register tile of a matrix product, gate and up of a feed-forward layer), so that
// what they have in common is loaded once. Likewise several stores may write the same param at different indices. A
// param that is written may also be loaded from, but only at the index that is stored to.
//
// Lanes can work in groups: the lanes of a group have one place in the grid, and a kGroup range tells them apart. A
// reduction over it has the same result in all of them. Stores may be free in it: each lane stores elements of its own
// then (a row dealt out to a group), and what a lane has loaded for a reduction over the same ranges is still at hand.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/analysis/index_analysis.h"
#include "ir/bounds.h"
#include "ir/node.h"

namespace bw::ir {

struct Kernel {
  std::string name;                // a C identifier
  std::vector<NodePtr> params;     // kParam, in argument order; ParamAttr::id is the position here
  std::vector<NodePtr> variables;  // kVariable, arguments after the params, in this order
  std::vector<NodePtr> stores;     // kStore; all have the same global ranges
  // Lanes of a workgroup; a multiple of group_size(). A workgroup covers workgroup_size / group_size values of
  // kGlobalX.
  uint32_t workgroup_size = 1;
};

// The largest number of lanes in a workgroup.
inline constexpr uint32_t kMaxWorkgroupSize = 1024;

// Neighbouring lanes that have one place in the grid: the extent of the kGroup range, or 1 without one.
uint32_t group_size(const Kernel& kernel);

// Makes kernel-level nodes, hash-consed, folding constants and index arithmetic on the way: sums are gathered into
// one canonical order (also through products with constants, and x/n*n + x%n), and divisions and remainders by
// constants are taken apart where Bounds prove that the result stays the same. Index expressions are i32, or i64 where
// i32 could overflow. Misuse is our bug (BW_CHECK): graphs were checked by the Builder before they got here.
class KernelBuilder {
 public:
  NodePtr constant(DType dtype, Scalar value);
  NodePtr param(uint64_t position, std::string name, DType dtype, std::vector<int64_t> shape);
  // The graph's own node, or an equal one seen before.
  NodePtr variable(const NodePtr& graph_variable);
  // A fresh loop counter in 0..extent-1, i32, or i64 for 2^31 iterations and more.
  NodePtr range(Dim extent, RangeKind kind);
  // Elementwise ops, and reductions with the inputs (value, range, range..). `dtype` is that of the result.
  NodePtr op(Op op, DType dtype, std::vector<NodePtr> inputs);
  NodePtr load(NodePtr param, NodePtr index);
  NodePtr store(NodePtr param, NodePtr index, NodePtr value);
  // The value of a Dim, i32, or i64 where that is too small.
  NodePtr dim(const Dim& dim);

  // Integer conveniences over op(), i32 or i64 alike; the divisors are positive.
  NodePtr add(NodePtr a, NodePtr b);
  NodePtr add(NodePtr a, int64_t b);
  NodePtr mul(NodePtr a, int64_t b);
  NodePtr idiv(NodePtr a, int64_t b);
  NodePtr mod(NodePtr a, int64_t b);
  // min(max(a, low), high); folded away where `a` is proven to lie within.
  NodePtr clamp(NodePtr a, int64_t low, int64_t high);

  // Whether 0 <= index < extent for all variables; also where that takes more than intervals.
  bool is_within(const NodePtr& index, const Dim& extent);

  // The bounds of a node of this builder.
  Interval bounds(const NodePtr& node) { return bounds_.of(node); }

 private:
  friend class Folder;
  friend class LinearFolder;

  // The node itself, without folding, or an equal one seen before.
  NodePtr intern(Node node);
  NodePtr intern(NodePtr node);
  NodePtr make(Op op, DType dtype, std::vector<NodePtr> inputs);
  NodePtr widened(const NodePtr& node);
  uint32_t serial(const NodePtr& node) const;

  std::unordered_multimap<size_t, NodePtr> nodes_;
  std::unordered_map<const Node*, uint32_t> serials_;  // in the order of making: the same in each run
  Bounds bounds_;
  analysis::IndexAnalysis analysis_;
  uint32_t next_range_ = 1;
};

}  // namespace bw::ir
