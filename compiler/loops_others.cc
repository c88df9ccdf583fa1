#include "compiler/loops_others.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "compiler/cost_model.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

using Way = LoweringChoice::Way;

// Lanes that are predicted to take longer than so many times the best form of a matrix product are not worth a trial.
constexpr double kWorthTrying = 4;

class OtherNests {
 public:
  OtherNests(const FlatGraph& graph, const std::vector<bool>& buffers, const LoopNest& nest, size_t count)
      : graph_(graph), buffers_(buffers), nest_(nest), count_(count) {
    known_.insert(text_of(nest));
  }

  std::vector<LoopNest> run() {
    if (std::holds_alternative<ContractionForm>(nest_.form)) {
      add_products(nest_);
      add_lanes_to_products();
    } else {
      add_lanes(count_);
      add_products_to_lanes();
    }
    if (others_.size() > count_) others_.resize(count_);
    return std::move(others_);
  }

 private:
  // The same for what differs in nothing but the size of workgroups of lanes.
  static std::string text_of(const LoopNest& nest) {
    ir::Kernel kernel = nest.kernel;
    kernel.workgroup_size = 1;
    return print_form(nest.form) + ir::print_kernel(kernel);
  }

  // Nothing where there is no such way.
  std::optional<LoopNest> lowered(const LoweringChoice& choice) const {
    Result<LoweredRoot> root = lower_to_loops(graph_, buffers_, nest_.root, choice);
    if (!root.is_ok() || root.value().cut_first != kNoNode || root.value().nest.root == kNoNode) return std::nullopt;
    return std::move(root).value().nest;
  }

  void add(const LoopNest& other) {
    // Values that became buffers since `nest` was made could be read instead of computed.
    if (other.arguments != nest_.arguments || other.written != nest_.written) return;
    if (other.reads != nest_.reads || other.states != nest_.states) return;
    if (known_.insert(text_of(other)).second) others_.push_back(other);
  }

  void add_products(const LoopNest& product) {
    const std::optional<Contraction> contraction = match_contraction(product.kernel);
    if (!contraction || !std::holds_alternative<ContractionForm>(product.form)) return;
    for (const ContractionForm& form : candidate_forms(*contraction)) {
      LoopNest other = product;
      other.form = form;
      other.kernel.workgroup_size = form.lanes();
      other.group_extent = {form.block_n, form.block_m, 1};
      add(other);
    }
  }

  void add_lanes(size_t count) {
    for (size_t rank = 0; others_.size() < count; ++rank) {
      const std::optional<LoopNest> lanes = lowered({Way::kLanes, rank});
      if (!lanes) return;
      add(*lanes);
    }
  }

  // The models of lanes and of tiles do not compare: the best of the tiles comes second.
  void add_products_to_lanes() {
    const std::optional<LoopNest> product = lowered({Way::kTiles, 0});
    if (!product) return;
    const auto lanes = static_cast<ptrdiff_t>(others_.size());
    add_products(*product);
    if (std::ssize(others_) == lanes) return;
    const auto best = others_.begin() + lanes;
    std::rotate(others_.begin() + std::min<ptrdiff_t>(1, lanes), best, best + 1);
  }

  // At their place by prediction, or as the last of those that will be tried.
  void add_lanes_to_products() {
    const std::optional<Contraction> contraction = match_contraction(nest_.kernel);
    if (!contraction || count_ == 0) return;
    const ProductShape shape = shape_of(*contraction);
    const auto clocks_of = [&](const KernelForm& form) {
      const auto& tiles = std::get<ContractionForm>(form);
      return predict_clocks(tiles, shape, staged_bytes(*contraction, tiles.unit));
    };
    const double clocks = predict_lane_clocks(shape);
    if (clocks > kWorthTrying * clocks_of(nest_.form)) return;
    std::vector<LoopNest> products = std::exchange(others_, {});
    add_lanes(1);
    if (others_.empty()) {
      others_ = std::move(products);
      return;
    }
    const auto slower =
        std::ranges::find_if(products, [&](const LoopNest& each) { return clocks_of(each.form) > clocks; });
    const ptrdiff_t place = std::min<ptrdiff_t>(slower - products.begin(), static_cast<ptrdiff_t>(count_) - 1);
    products.insert(products.begin() + place, std::move(others_[0]));
    others_ = std::move(products);
  }

  const FlatGraph& graph_;
  const std::vector<bool>& buffers_;
  const LoopNest& nest_;
  const size_t count_;
  std::set<std::string> known_;
  std::vector<LoopNest> others_;
};

bool has_reduction(const ir::Kernel& kernel) {
  return std::ranges::any_of(ir::topological_order(kernel.stores),
                             [](const ir::NodePtr& node) { return ir::is_reduce(node->op); });
}

}  // namespace

std::vector<LoopNest> other_nests(const FlatGraph& graph, const std::vector<bool>& buffers, const LoopNest& nest,
                                  size_t count) {
  if (count == 0 || nest.written != 1 || std::holds_alternative<AttentionForm>(nest.form)) return {};
  if (!has_reduction(nest.kernel)) return {};
  return OtherNests(graph, buffers, nest, count).run();
}

}  // namespace bw::compiler
