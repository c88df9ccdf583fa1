#include "ir/analysis/index_search.h"

#include <limits>
#include <random>
#include <vector>

#include "ir/analysis/index_program.h"

namespace bw::ir::analysis {
namespace {

// So many node evaluations are worth trying all combinations, and so many starts are worth climbing from.
constexpr uint64_t kMaxExhaustiveWork = 1u << 20;
constexpr int kMaxStarts = 24;
constexpr int kMaxClimb = 16;

class Search {
 public:
  Search(const NodePtr& index, int64_t count) : program_(index), count_(count) {}

  SearchResult run() {
    SearchResult result;
    if (is_small()) {
      result.is_exhaustive = true;
      if (try_all(0)) result.found = counter_example();
    } else if (climb()) {
      result.found = counter_example();
    }
    result.tried = tried_;
    return result;
  }

 private:
  size_t leaf_count() const { return program_.leaves().size(); }

  bool is_small() {
    uint64_t work = program_.size();
    for (size_t i = 0; i < leaf_count(); ++i) {
      const Interval all = program_.whole_domain(i);
      const uint64_t size = static_cast<uint64_t>(all.high) - static_cast<uint64_t>(all.low) + 1;
      if (size == 0 || __builtin_mul_overflow(work, size, &work) || work > kMaxExhaustiveWork) return false;
    }
    return true;
  }

  int64_t evaluate() {
    ++tried_;
    return program_.evaluate();
  }

  bool is_outside(int64_t index) const { return index < 0 || index >= count_; }

  bool try_all(size_t leaf) {
    if (leaf == leaf_count()) return is_outside(evaluate());
    const Interval all = program_.domain(leaf);
    for (int64_t value = all.low; value <= all.high; ++value) {
      program_.set(leaf, value);
      if (try_all(leaf + 1)) return true;
    }
    return false;
  }

  // Coordinate ascent towards the greatest and the least index, from corners and from random places.
  bool climb() {
    for (int start = 0; start < kMaxStarts; ++start) {
      if (set_start(start) && climb_from_here(start % 2 == 0 ? 1 : -1)) return true;
    }
    return false;
  }

  // False where a range has no iterations for the variables chosen.
  bool set_start(int start) {
    for (size_t i = 0; i < leaf_count(); ++i) {
      const Interval all = program_.domain(i);
      if (all.low > all.high) return false;
      const uint64_t span = static_cast<uint64_t>(all.high) - static_cast<uint64_t>(all.low);
      const uint64_t step = span == std::numeric_limits<uint64_t>::max() ? random_() : random_() % (span + 1);
      const bool is_corner = start < 4;
      const int64_t corner = start < 2 ? all.high : all.low;
      program_.set(i, is_corner ? corner : static_cast<int64_t>(static_cast<uint64_t>(all.low) + step));
    }
    return true;
  }

  bool climb_from_here(int direction) {
    int64_t best = evaluate();
    for (int round = 0; round < kMaxClimb && !is_outside(best); ++round) {
      const int64_t before = best;
      for (size_t i = 0; i < leaf_count(); ++i) {
        if (improve(i, direction, best)) return true;
      }
      if (best == before) return false;
    }
    return is_outside(best);
  }

  // The ends and the middle of the domain, and steps of powers of two around a value and around 0.
  static std::vector<int64_t> candidates(const Interval& all, int64_t around) {
    std::vector<int64_t> result = {all.low, all.high, all.low / 2 + all.high / 2};
    for (int64_t step = 1; step <= int64_t{1} << 40; step *= 2) {
      int64_t moved = 0;
      for (const int64_t by : {step, -step, step - 1}) {
        if (!__builtin_add_overflow(around, by, &moved)) result.push_back(moved);
      }
      result.push_back(step);
      result.push_back(step - 1);
    }
    std::erase_if(result, [&](int64_t value) { return value < all.low || value > all.high; });
    return result;
  }

  // Tries other values of one leaf and keeps the best. True where the index lies outside.
  bool improve(size_t leaf, int direction, int64_t& best) {
    int64_t keep = program_.value(leaf);
    for (const int64_t candidate : candidates(program_.domain(leaf), keep)) {
      program_.set(leaf, candidate);
      // A variable may not shorten a range to before where it stands.
      if (!program_.is_consistent()) continue;
      const int64_t index = evaluate();
      if (is_outside(index)) return true;
      if (direction > 0 ? index > best : index < best) {
        best = index;
        keep = candidate;
      }
    }
    program_.set(leaf, keep);
    return false;
  }

  CounterExample counter_example() {
    CounterExample example;
    example.index = program_.evaluate();
    for (size_t i = 0; i < leaf_count(); ++i) {
      const NodePtr& leaf = program_.leaves()[i];
      example.values.emplace_back(leaf, program_.value(i));
      example.is_certain &= leaf->op == Op::kRange || leaf->op == Op::kVariable || leaf->op == Op::kLoad;
    }
    return example;
  }

  IndexProgram program_;
  const int64_t count_;
  std::mt19937_64 random_;
  uint64_t tried_ = 0;
};

}  // namespace

SearchResult find_outside(const NodePtr& index, int64_t count) {
  return Search(index, count).run();
}

}  // namespace bw::ir::analysis
