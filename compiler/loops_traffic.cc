#include "compiler/loops_traffic.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <vector>

#include "ir/analysis/index_analysis.h"

namespace bw::compiler {
namespace {

using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

// Elements of a block of a quantised format, at most, that one lane takes as a whole.
constexpr int64_t kMaxBlock = 32;
// Neighbours that make it worth while to load them at once.
constexpr int64_t kMinRun = 4;

class TrafficFinder {
 public:
  explicit TrafficFinder(const ir::Kernel& kernel) : order_(ir::topological_order(kernel.stores)) {}

  std::optional<Traffic> run() {
    for (const NodePtr& node : order_) {
      if (node->op == Op::kRange) ranges_.push_back(node);
    }
    const ir::Node* most = nullptr;
    double most_bytes = 0;
    for (const NodePtr& node : order_) {
      if (node->op != Op::kLoad || innermost_loop(*node) == nullptr) continue;
      const double bytes = bytes_of(*node);
      if (most != nullptr && bytes <= most_bytes) continue;
      most = node.get();
      most_bytes = bytes;
    }
    if (most == nullptr) return std::nullopt;
    return describe(*most);
  }

 private:
  static bool is_loop(const ir::Node& range) { return range.attr<ir::RangeAttr>().kind == RangeKind::kLoop; }
  static double extent_of(const ir::Node& range) {
    return static_cast<double>(std::max<int64_t>(range.attr<ir::RangeAttr>().extent.max(), 1));
  }

  bool depends_on(const ir::Node& load, const NodePtr& range) { return analysis_.depends_on(load.inputs[1], range); }

  // The last loop that the load depends on, in the order in which reductions have them; null if there is none.
  NodePtr innermost_loop(const ir::Node& load) {
    for (const NodePtr& node : order_) {
      if (!ir::is_reduce(node->op)) continue;
      for (size_t i = node->inputs.size(); i-- > 1;) {
        if (is_loop(*node->inputs[i]) && depends_on(load, node->inputs[i])) return node->inputs[i];
      }
    }
    return nullptr;
  }

  // Different bytes that all lanes together load, at most.
  double bytes_of(const ir::Node& load) {
    double count = 1;
    for (const NodePtr& range : ranges_) {
      if (!depends_on(load, range)) continue;
      // A scale is the same for all elements of a block.
      const ir::analysis::RangeRun run = analysis_.run(load.inputs[1], range);
      count *= extent_of(*range) / (run.stride == 0 ? static_cast<double>(std::max<int64_t>(run.length, 1)) : 1);
    }
    const double all = static_cast<double>(ir::max_element_count(load.inputs[0]->shape));
    return std::min(count, all) * ir::size_bytes(load.dtype);
  }

  Traffic describe(const ir::Node& load) {
    Traffic traffic;
    traffic.element_bytes = ir::size_bytes(load.dtype);
    const NodePtr loop = innermost_loop(load);
    const ir::analysis::RangeRun run = analysis_.run(load.inputs[1], loop);
    const int64_t extent = loop->attr<ir::RangeAttr>().extent.is_static() ? extent_of(*loop) : 1;
    const int64_t length = run.length == 0 ? extent : run.length;
    traffic.along_reduction = run.stride == 1 && (length >= kMinRun || length == extent);
    bool has_outer = false;
    for (const NodePtr& range : ranges_) {
      if (is_loop(*range)) {
        has_outer |= range != loop && depends_on(load, range);
        continue;
      }
      if (!depends_on(load, range)) traffic.reuse *= static_cast<int64_t>(extent_of(*range));
      if (range->attr<ir::RangeAttr>().kind != RangeKind::kGlobalX) continue;
      const ir::analysis::RangeRun along_x = analysis_.run(load.inputs[1], range);
      traffic.along_output = along_x.stride == 1 && (along_x.length == 0 || along_x.length >= kMinRun);
    }
    // Rows of blocks have a loop for the elements of each, or one for all in which the neighbours end with a block.
    const int64_t block = has_outer && extent <= kMaxBlock ? extent : length < extent ? length : 0;
    const bool is_block = block > 0 && block <= kMaxBlock && std::has_single_bit(static_cast<uint64_t>(block));
    traffic.width = is_block ? block : std::gcd(std::gcd(kLoadBytes / traffic.element_bytes, extent), length);
    return traffic;
  }

  std::vector<NodePtr> order_;
  std::vector<NodePtr> ranges_;
  ir::analysis::IndexAnalysis analysis_;
};

}  // namespace

std::optional<Traffic> find_traffic(const ir::Kernel& kernel) {
  return TrafficFinder(kernel).run();
}

}  // namespace bw::compiler
