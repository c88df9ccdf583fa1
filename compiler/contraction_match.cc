#include "compiler/contraction_match.h"

#include <algorithm>
#include <limits>

#include "ir/ranges.h"

namespace bw::compiler {
namespace {

using ir::Dim;
using ir::DType;
using ir::NodePtr;
using ir::Op;
using ir::RangeKind;

struct Product {
  NodePtr reduction;
  NodePtr first;
  NodePtr second;
};

bool is_short_float(DType dtype) {
  return dtype == DType::kF16 || dtype == DType::kBF16;
}

// The product under a sum; nothing where it is none. A sum of f16 products is accumulated in f32 without rounding them
// (compiler/lower_llvm.h), so that a cast between product and sum, which would round, is not looked through.
std::optional<Product> product_of(const NodePtr& reduction) {
  const NodePtr& value = reduction->inputs[0];
  if (reduction->op != Op::kReduceAdd || value->op != Op::kMul) return std::nullopt;
  return Product{reduction, value->inputs[0], value->inputs[1]};
}

bool supported_accumulator(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF64 || dtype == DType::kI32 || dtype == DType::kU32 ||
         is_short_float(dtype);
}

// All sums of products of a kernel, if it has no other reductions and they go over the same ranges.
std::optional<std::vector<Product>> products_of(const ir::Kernel& kernel, const ir::KernelRanges& ranges) {
  std::vector<Product> products;
  for (const NodePtr& node : ir::topological_order(kernel.stores)) {
    if (!ir::is_reduce(node->op)) continue;
    const std::optional<Product> product = product_of(node);
    if (!product || ranges.consumed.at(node->inputs[0].get()) != 0) return std::nullopt;
    if (!supported_accumulator(node->dtype)) return std::nullopt;
    const NodePtr& known = products.empty() ? node : products[0].reduction;
    if (node->dtype != known->dtype) return std::nullopt;
    if (!std::equal(node->inputs.begin() + 1, node->inputs.end(), known->inputs.begin() + 1, known->inputs.end())) {
      return std::nullopt;
    }
    products.push_back(*product);
  }
  if (products.empty()) return std::nullopt;
  return products;
}

size_t index_of(std::vector<NodePtr>& list, const NodePtr& node) {
  const auto it = std::find(list.begin(), list.end(), node);
  if (it != list.end()) return static_cast<size_t>(it - list.begin());
  list.push_back(node);
  return list.size() - 1;
}

// Ranges summed over, the symbolic one first; false where there are several of these or too many elements.
bool order_depth(const NodePtr& reduction, std::vector<NodePtr>& depth) {
  depth.assign(reduction->inputs.begin() + 1, reduction->inputs.end());
  std::stable_partition(depth.begin(), depth.end(),
                        [](const NodePtr& range) { return !range->attr<ir::RangeAttr>().extent.is_static(); });
  int64_t total = 1;
  for (size_t i = 0; i < depth.size(); ++i) {
    const auto& attr = depth[i]->attr<ir::RangeAttr>();
    if (attr.kind == RangeKind::kGroup || attr.extent.min() < 1) return false;
    if (!attr.extent.is_static() && (i > 0 || depth.size() > 1)) return false;
    if (__builtin_mul_overflow(total, attr.extent.max(), &total)) return false;
  }
  return total <= std::numeric_limits<int32_t>::max() / 2;
}

NodePtr without_cast(const NodePtr& node, DType to) {
  return node->op == Op::kCast && node->dtype == to ? node->inputs[0] : node;
}

}  // namespace

std::optional<ContractionAxes> find_contraction_axes(const ir::Kernel& kernel, std::span<const NodePtr> axes) {
  const Result<ir::KernelRanges> found_ranges = ir::find_ranges(kernel);
  if (!found_ranges.is_ok()) return std::nullopt;
  const ir::KernelRanges* ranges = &found_ranges.value();
  const auto products = products_of(kernel, *ranges);
  if (!products) return std::nullopt;
  const auto axes_of = [&](const NodePtr& node) {
    uint64_t mask = 0;
    for (size_t i = 0; i < axes.size(); ++i) {
      if ((ranges->free.at(node.get()) & ranges->bit(axes[i].get())) != 0) mask |= uint64_t{1} << i;
    }
    return mask;
  };
  std::optional<ContractionAxes> found;
  for (const Product& product : *products) {
    const uint64_t first = axes_of(product.first);
    const uint64_t second = axes_of(product.second);
    const ContractionAxes these{first & ~second, second & ~first, first & second};
    if (!found) found = these;
    const bool same = these.first == found->first && these.second == found->second;
    const bool swapped = these.first == found->second && these.second == found->first;
    if (these.both != found->both || (!same && !swapped)) return std::nullopt;
  }
  const uint64_t all = axes.size() < 64 ? (uint64_t{1} << axes.size()) - 1 : ~uint64_t{0};
  if (found->first == 0 || found->second == 0) return std::nullopt;
  if ((found->first | found->second | found->both) != all) return std::nullopt;
  return found;
}

std::optional<Contraction> match_contraction(const ir::Kernel& kernel) {
  const Result<ir::KernelRanges> found_ranges = ir::find_ranges(kernel);
  if (!found_ranges.is_ok() || kernel.stores.size() != 1) return std::nullopt;
  const ir::KernelRanges* ranges = &found_ranges.value();
  const auto products = products_of(kernel, *ranges);
  if (!products) return std::nullopt;
  Contraction result;
  for (const NodePtr& range : ranges->ranges) {
    const RangeKind kind = range->attr<ir::RangeAttr>().kind;
    if (kind == RangeKind::kGlobalX) result.columns = range;
    if (kind == RangeKind::kGlobalY) result.rows = range;
    if (kind == RangeKind::kGlobalZ) result.batch = range;
  }
  if (result.columns == nullptr || result.rows == nullptr) return std::nullopt;
  // Its tiles count in 32 bits.
  const auto is_wide = [](const NodePtr& range) { return range->dtype == DType::kI64; };
  if (std::any_of(ranges->ranges.begin(), ranges->ranges.end(), is_wide)) return std::nullopt;
  if (!order_depth((*products)[0].reduction, result.depth)) return std::nullopt;
  const uint64_t row = ranges->bit(result.rows.get());
  const uint64_t column = ranges->bit(result.columns.get());
  for (const Product& product : *products) {
    NodePtr first = product.first;
    NodePtr second = product.second;
    if ((ranges->free.at(first.get()) & column) != 0) std::swap(first, second);
    if ((ranges->free.at(first.get()) & column) != 0 || (ranges->free.at(second.get()) & row) != 0) {
      return std::nullopt;
    }
    result.products.push_back(
        {product.reduction, index_of(result.row_operands, first), index_of(result.column_operands, second)});
  }
  const DType dtype = (*products)[0].reduction->dtype;
  result.accumulator = is_short_float(dtype) ? DType::kF32 : dtype;
  return result;
}

NodePtr operand_for(const NodePtr& operand, ProductUnit unit) {
  switch (unit) {
    case ProductUnit::kFma:
      return operand;
    case ProductUnit::kWmmaF16:
    case ProductUnit::kWmmaBf16: {
      NodePtr inner = without_cast(operand, DType::kF32);
      const DType wanted = unit == ProductUnit::kWmmaF16 ? DType::kF16 : DType::kBF16;
      return inner->dtype == wanted ? inner : nullptr;
    }
    case ProductUnit::kWmmaI8: {
      if (operand->dtype != DType::kI32) return nullptr;
      NodePtr inner = without_cast(operand, DType::kI32);
      return inner->dtype == DType::kI8 || inner->dtype == DType::kU8 ? inner : nullptr;
    }
  }
  return nullptr;
}

bool can_compute(const Contraction& contraction, ProductUnit unit) {
  if (unit == ProductUnit::kFma) return true;
  const DType accumulator = unit == ProductUnit::kWmmaI8 ? DType::kI32 : DType::kF32;
  if (contraction.accumulator != accumulator) return false;
  for (const auto* list : {&contraction.row_operands, &contraction.column_operands}) {
    for (const NodePtr& operand : *list) {
      const NodePtr inner = operand_for(operand, unit);
      if (inner == nullptr || inner->dtype != operand_for(list->front(), unit)->dtype) return false;
    }
  }
  return true;
}

Dim depth_extent(const Contraction& contraction) {
  Dim extent = contraction.depth[0]->attr<ir::RangeAttr>().extent;
  for (size_t i = 1; i < contraction.depth.size(); ++i) {
    extent.offset *= contraction.depth[i]->attr<ir::RangeAttr>().extent.offset;
  }
  return extent;
}

}  // namespace bw::compiler
