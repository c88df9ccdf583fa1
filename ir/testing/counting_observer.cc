#include "ir/testing/counting_observer.h"

#include <fmt/format.h>

namespace bw::ir::testing {
namespace {

std::string check_count(std::string_view what, size_t param, const analysis::Count& count,
                        const analysis::VariableValues& values, uint64_t counted, CostTally& tally) {
  const uint64_t claimed = count.value.evaluate(values);
  ++(count.is_exact ? tally.exact : tally.bounded);
  const bool is_right = count.is_exact ? claimed == counted : claimed >= counted;
  if (is_right) return "";
  return fmt::format("param {}: {} elements {}, but {}{} = {} was said\n", param, counted, what,
                     count.is_exact ? "" : "at most ", count.value.print(), claimed);
}

uint64_t elements(const std::map<uint64_t, std::set<int64_t>>& touched, uint64_t param) {
  const auto it = touched.find(param);
  return it == touched.end() ? 0 : it->second.size();
}

}  // namespace

CountingObserver::CountingObserver(const Kernel& kernel) : ranges_(find_ranges(kernel).value()) {}

void CountingObserver::on_compute(const Node& node, std::span<const int64_t> counters) {
  uint64_t matters = ranges_.free.at(&node);
  for (size_t i = 1; is_reduce(node.op) && i < node.inputs.size(); ++i) matters |= ranges_.bit(node.inputs[i].get());
  std::vector<int64_t> place;
  for (size_t i = 0; i < counters.size(); ++i) place.push_back((matters >> i & 1) != 0 ? counters[i] : 0);
  computed_[&node].insert(std::move(place));
}

void CountingObserver::on_access(const Node& access, int64_t element, std::span<const int64_t> /*counters*/) {
  const uint64_t param = access.inputs[0]->attr<ParamAttr>().id;
  (access.op == Op::kLoad ? read_ : written_)[param].insert(element);
}

std::map<std::pair<Op, DType>, uint64_t> CountingObserver::ops() const {
  std::map<std::pair<Op, DType>, uint64_t> result;
  for (const auto& [node, places] : computed_) {
    const DType dtype = is_reduce(node->op) ? node->dtype : node->inputs.back()->dtype;
    result[{node->op, dtype}] += places.size();
  }
  return result;
}

uint64_t CountingObserver::read(uint64_t param) const {
  return elements(read_, param);
}

uint64_t CountingObserver::written(uint64_t param) const {
  return elements(written_, param);
}

std::string check_costs(const analysis::KernelCosts& costs, const analysis::VariableValues& values,
                        const CountingObserver& counted, CostTally& tally) {
  std::string wrong;
  std::map<std::pair<Op, DType>, uint64_t> ops = counted.ops();
  for (const analysis::OpCount& count : costs.ops) {
    const uint64_t claimed = count.distinct.evaluate(values);
    uint64_t& known = ops[{count.op, count.dtype}];
    if (claimed != known) {
      wrong += fmt::format("{} {}: {} times, but {} = {} was said\n", name(count.op), name(count.dtype), known,
                           count.distinct.print(), claimed);
    }
    if (count.by_lanes.evaluate(values) < claimed) wrong += fmt::format("{}: fewer by lanes\n", name(count.op));
    known = 0;
  }
  for (const auto& [op, times] : ops) {
    if (times != 0)
      wrong += fmt::format("{} {}: {} times, but none was said\n", name(op.first), name(op.second), times);
  }
  for (size_t i = 0; i < costs.params.size(); ++i) {
    wrong += check_count("read", i, costs.params[i].read, values, counted.read(i), tally);
    wrong += check_count("written", i, costs.params[i].written, values, counted.written(i), tally);
  }
  return wrong;
}

}  // namespace bw::ir::testing
