#include "ir/analysis/index_image.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <unordered_set>
#include <vector>

#include "ir/analysis/index_digits.h"
#include "ir/analysis/index_program.h"

namespace bw::ir::analysis {
namespace {

// Bits of a set of elements that is written out, by effort.
constexpr int64_t kFastBits = int64_t{1} << 18;
constexpr int64_t kFastBitsOfAll = int64_t{1} << 23;
constexpr int64_t kExactBits = int64_t{1} << 27;
constexpr uint64_t kMaxCombinations = uint64_t{1} << 20;

// Elements as bits, from the lowest on.
class BitSet {
 public:
  explicit BitSet(int64_t size) : words_(static_cast<size_t>(size + 63) / 64), size_(size) {}

  void set(int64_t at) { words_[static_cast<size_t>(at) / 64] |= uint64_t{1} << (at % 64); }
  // Each element also `distance` further on, as far as there is room.
  void spread(int64_t distance) {
    const auto skip = static_cast<size_t>(distance / 64);
    const int shift = static_cast<int>(distance % 64);
    for (size_t i = words_.size(); i-- > skip;) {
      uint64_t moved = words_[i - skip] << shift;
      if (shift != 0 && i > skip) moved |= words_[i - skip - 1] >> (64 - shift);
      words_[i] |= moved;
    }
    if (size_ % 64 != 0) words_.back() &= (uint64_t{1} << (size_ % 64)) - 1;
  }
  // Each element also at 1, 2 .. count - 1 times the step further on.
  void repeat(int64_t step, int64_t count) {
    for (int64_t done = 1; done < count;) {
      const int64_t more = std::min(done, count - done);
      spread(step * more);
      done += more;
    }
  }
  int64_t count() const {
    int64_t sum = 0;
    for (const uint64_t word : words_) sum += __builtin_popcountll(word);
    return sum;
  }
  void operator|=(const BitSet& other) {
    for (size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
  }

 private:
  std::vector<uint64_t> words_;
  int64_t size_;
};

// Sums of digits as progressions, one within a step of the next: each level holds count elements, step apart.
struct Level {
  int64_t step = 0;
  Polynomial count;
  int64_t min_count = 0;
  int64_t max_count = 0;
};

class Image {
 public:
  Image(IndexAnalysis& analysis, std::span<const NodePtr> indices, int64_t element_count, CountEffort effort,
        const VariableValues& values)
      : analysis_(analysis), indices_(indices), element_count_(element_count), effort_(effort), values_(values) {}

  Count run() {
    if (std::optional<Count> exact = count_as_one()) return *exact;
    if (std::optional<Count> exact = count_bits()) return *exact;
    if (effort_ == CountEffort::kExact) {
      if (std::optional<Count> exact = count_combinations()) return *exact;
    }
    return upper_bound();
  }

 private:
  // Indices that differ only by their offsets, as one with more digits.
  std::optional<Count> count_as_one() {
    std::set<int64_t> offsets;
    std::optional<DigitForm> common;
    for (const NodePtr& index : indices_) {
      std::optional<DigitForm> form = digits_of(analysis_, index, values_);
      if (!form.has_value()) return std::nullopt;
      offsets.insert(form->offset);
      if (!common.has_value()) common = form;
      const bool is_alike = form->digits == common->digits && same_variables(*form, *common);
      if (!is_alike) return std::nullopt;
    }
    std::optional<std::vector<Digit>> more = progressions(offsets);
    if (!common.has_value() || !more.has_value()) return std::nullopt;
    std::vector<Digit> digits = std::move(common->digits);
    digits.insert(digits.end(), more->begin(), more->end());
    return count_digits(std::move(digits));
  }

  static bool same_variables(const DigitForm& a, const DigitForm& b) {
    const auto is_equal = [](const IndexForm::Term& x, const IndexForm::Term& y) {
      return x.atom == y.atom && x.coefficient == y.coefficient;
    };
    return std::equal(a.variables.begin(), a.variables.end(), b.variables.begin(), b.variables.end(), is_equal);
  }

  // Offsets as the sums of progressions that all start from the least.
  static std::optional<std::vector<Digit>> progressions(std::set<int64_t> offsets) {
    std::vector<Digit> digits;
    while (offsets.size() > 1) {
      const int64_t first = *offsets.begin();
      const int64_t step = *std::next(offsets.begin()) - first;
      int64_t length = 1;
      while (offsets.contains(first + length * step)) ++length;
      std::set<int64_t> starts;
      for (const int64_t offset : offsets) {
        if (!offsets.contains(offset - step)) starts.insert(offset);
      }
      if (static_cast<int64_t>(starts.size()) * length != static_cast<int64_t>(offsets.size())) return std::nullopt;
      for (const int64_t start : starts) {
        for (int64_t i = 0; i < length; ++i) {
          if (!offsets.contains(start + i * step)) return std::nullopt;
        }
      }
      digits.push_back({step, Dim(length)});
      offsets = std::move(starts);
    }
    return digits;
  }

  // Nothing where digits overlap in another way than one progression continuing another.
  static std::optional<Count> count_digits(std::vector<Digit> digits) {
    std::stable_sort(digits.begin(), digits.end(), [](const Digit& a, const Digit& b) { return a.step < b.step; });
    std::vector<Level> levels;
    __int128 span = 0;  // of all levels, at most
    bool is_exact = true;
    for (const Digit& digit : digits) {
      const bool is_apart = levels.empty() || digit.step > span;
      if (is_apart && !continues(levels, digit)) {
        levels.push_back({digit.step, Polynomial(digit.count), digit.count.min(), digit.count.max()});
      } else if (continues(levels, digit)) {
        Level& top = levels.back();
        const int64_t ratio = digit.step / top.step;
        // A progression that continues one without elements counts wrong.
        is_exact &= digit.count.min() > 0 && top.min_count > 0;
        top.count += Polynomial(ratio) * (Polynomial(digit.count) + Polynomial(-1));
        top.min_count += ratio * std::max<int64_t>(digit.count.min() - 1, 0);
        top.max_count += ratio * std::max<int64_t>(digit.count.max() - 1, 0);
      } else {
        return std::nullopt;
      }
      span += static_cast<__int128>(digit.step) * std::max<int64_t>(digit.count.max() - 1, 0);
    }
    Count result{Polynomial(1), is_exact};
    for (const Level& level : levels) result.value *= level.count;
    return result;
  }

  // Whether the digit moves the top progression by no more than its length, in whole steps.
  static bool continues(const std::vector<Level>& levels, const Digit& digit) {
    if (levels.empty()) return false;
    const Level& top = levels.back();
    return digit.step % top.step == 0 && digit.step / top.step <= std::max<int64_t>(top.min_count, 1);
  }

  // The set written out as bits, where the digits are numbers.
  std::optional<Count> count_bits() {
    const bool is_fast = effort_ == CountEffort::kFast;
    if (element_count_ > (is_fast ? kFastBits : kExactBits)) return std::nullopt;
    // A tile has thousands of accesses.
    if (is_fast && element_count_ * std::ssize(indices_) > kFastBitsOfAll) return std::nullopt;
    BitSet all(element_count_);
    for (const NodePtr& index : indices_) {
      const std::optional<DigitForm> form = digits_of(analysis_, index, values_);
      if (!form.has_value() || !form->variables.empty() || form->offset < 0) return std::nullopt;
      BitSet one(element_count_);
      if (form->offset >= element_count_) return std::nullopt;
      one.set(form->offset);
      for (const Digit& digit : form->digits) {
        if (!digit.count.is_static() || digit.step >= element_count_) return std::nullopt;
        one.repeat(digit.step, digit.count.offset);
      }
      all |= one;
    }
    return Count{Polynomial(all.count()), true};
  }

  // Every index evaluated for all its ranges.
  std::optional<Count> count_combinations() {
    std::unordered_set<int64_t> elements;
    for (const NodePtr& index : indices_) {
      IndexProgram program(index);
      uint64_t combinations = 1;
      for (size_t i = 0; i < program.leaves().size(); ++i) {
        const Node& leaf = *program.leaves()[i];
        const bool is_known = leaf.op == Op::kRange || (leaf.op == Op::kVariable && has_value(leaf));
        if (!is_known) return std::nullopt;
        if (leaf.op == Op::kVariable) {
          program.set(i, values_.at(leaf.attr<VariableAttr>().name));
          continue;
        }
        const Interval all = program.domain(i);
        if (all.low > all.high) return std::nullopt;
        combinations *= static_cast<uint64_t>(all.high + 1);
        if (combinations > kMaxCombinations) return std::nullopt;
      }
      collect(program, 0, elements);
    }
    return Count{Polynomial(static_cast<int64_t>(elements.size())), true};
  }

  bool has_value(const Node& variable) const { return values_.contains(variable.attr<VariableAttr>().name); }

  static void collect(IndexProgram& program, size_t leaf, std::unordered_set<int64_t>& elements) {
    if (leaf == program.leaves().size()) {
      elements.insert(program.evaluate());
      return;
    }
    if (program.leaves()[leaf]->op == Op::kVariable) return collect(program, leaf + 1, elements);
    const Interval all = program.domain(leaf);
    for (int64_t value = 0; value <= all.high; ++value) {
      program.set(leaf, value);
      collect(program, leaf + 1, elements);
    }
  }

  // For each index no more than the combinations of its ranges, and than its bounds allow; in all no more than there
  // are elements.
  Count upper_bound() {
    Polynomial sum;
    for (const NodePtr& index : indices_) {
      Polynomial one(1);
      for (const NodePtr& range : analysis_.ranges_of(index)) {
        one *= Polynomial(resolved(range->attr<RangeAttr>().extent, values_));
      }
      const Interval bounds = analysis_.bounds(index);
      const __int128 span = static_cast<__int128>(bounds.high) - bounds.low + 1;
      if (span < __int128{one.max()}) one = Polynomial(static_cast<int64_t>(span));
      sum += one;
    }
    if (sum.max() > static_cast<uint64_t>(element_count_)) sum = Polynomial(element_count_);
    return {sum, false};
  }

  IndexAnalysis& analysis_;
  std::span<const NodePtr> indices_;
  const int64_t element_count_;
  const CountEffort effort_;
  const VariableValues& values_;
};

}  // namespace

Count count_image(IndexAnalysis& analysis, std::span<const NodePtr> indices, int64_t element_count, CountEffort effort,
                  const VariableValues& values) {
  return Image(analysis, indices, element_count, effort, values).run();
}

}  // namespace bw::ir::analysis
