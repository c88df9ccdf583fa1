#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <set>

#include "ir/analysis/access_proof.h"
#include "ir/infer.h"
#include "ir/kernel_rules.h"
#include "ir/ranges.h"
#include "ir/text.h"
#include "ir/verifier.h"

namespace bw::ir {
namespace {

constexpr int64_t kMaxUnroll = 1024;

template <typename... Args>
Status wrong(const Node& node, fmt::format_string<Args...> format, Args&&... args) {
  return error(StatusCode::kInvalidArgument, "{}: {}", print_node(node),
               fmt::format(format, std::forward<Args>(args)...));
}

bool is_global(const Node& range) {
  const RangeKind kind = range.attr<RangeAttr>().kind;
  return kind == RangeKind::kGlobalX || kind == RangeKind::kGlobalY || kind == RangeKind::kGlobalZ;
}

bool is_identifier(const std::string& name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name[0])) != 0) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return c < 0x80 && (std::isalnum(c) != 0 || c == '_'); });
}

Status check_memory_node(const Node& node) {
  BW_RETURN_IF_ERROR(check_input_count(node, node.op == Op::kLoad ? 2 : 3));
  const Node& param = *node.inputs[0];
  const DType index = node.inputs[1]->dtype;
  if (param.op != Op::kParam) return wrong(node, "the first input must be a param");
  if (index != DType::kI32 && index != DType::kI64) return wrong(node, "the index must be i32 or i64");
  if (node.dtype != param.dtype) return wrong(node, "the dtype must be that of the param, {}", name(param.dtype));
  if (node.op == Op::kStore && node.inputs[2]->dtype != param.dtype) {
    return wrong(node, "the value must have the dtype of the param, {}", name(param.dtype));
  }
  return Status::ok();
}

Status check_reduction(const Node& node) {
  if (node.inputs.size() < 2) return wrong(node, "a reduction needs a value and at least one range");
  if (!std::holds_alternative<std::monostate>(node.attribute)) return wrong(node, "axes have no place in a kernel");
  BW_RETURN_IF_ERROR(check_reduce_dtype(node));
  if (node.dtype != node.inputs[0]->dtype) return wrong(node, "the dtype must be that of the value");
  std::set<NodePtr> ranges;
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    const Node& range = *node.inputs[i];
    if (range.op != Op::kRange) return wrong(node, "input {} is not a range", i);
    if (is_global(range)) return wrong(node, "a range of the grid cannot be reduced over");
    if (!ranges.insert(node.inputs[i]).second) return wrong(node, "the same range is consumed twice");
  }
  return Status::ok();
}

Status check_no_param_input(const Node& node) {
  for (const NodePtr& input : node.inputs) {
    if (input->op == Op::kParam) return wrong(node, "a param must be loaded before it is used");
  }
  return Status::ok();
}

// The rules that look at a whole kernel.
class KernelVerifier {
 public:
  explicit KernelVerifier(const Kernel& kernel) : kernel_(kernel) {}

  Status verify_structure() {
    BW_RETURN_IF_ERROR(check_header());
    const std::vector<NodePtr> order = topological_order(kernel_.stores);
    for (const NodePtr& node : order) {
      BW_RETURN_IF_ERROR(verify_kernel_node(*node));
      BW_RETURN_IF_ERROR(check_membership(node));
    }
    BW_ASSIGN(ranges_, find_ranges(kernel_));
    BW_RETURN_IF_ERROR(check_range_list());
    for (const NodePtr& node : order) BW_RETURN_IF_ERROR(check_consumption(*node));
    return check_stores();
  }

  Status verify_bounds() {
    Result<std::vector<analysis::AccessProof>> proofs = analysis::prove_accesses(kernel_);
    return proofs.is_ok() ? Status::ok() : std::move(proofs).status();
  }

 private:
  template <typename... Args>
  Status wrong_kernel(fmt::format_string<Args...> format, Args&&... args) {
    return error(StatusCode::kInvalidArgument, "kernel {}: {}", kernel_.name,
                 fmt::format(format, std::forward<Args>(args)...));
  }

  Status check_header() {
    if (!is_identifier(kernel_.name)) return wrong_kernel("the name is not a C identifier");
    if (kernel_.workgroup_size < 1 || kernel_.workgroup_size > kMaxWorkgroupSize) {
      return wrong_kernel("a workgroup of {} lanes (1..{} are possible)", kernel_.workgroup_size, kMaxWorkgroupSize);
    }
    for (size_t i = 0; i < kernel_.params.size(); ++i) {
      const NodePtr& param = kernel_.params[i];
      if (param == nullptr || param->op != Op::kParam) return wrong_kernel("param {} is not a param", i);
      BW_RETURN_IF_ERROR(verify_kernel_node(*param));
      if (param->attr<ParamAttr>().id != i) return wrong(*param, "the id must be its position, {}", i);
    }
    std::set<std::string> names;
    for (const NodePtr& variable : kernel_.variables) {
      if (variable == nullptr || variable->op != Op::kVariable) return wrong_kernel("a variable is not a variable");
      BW_RETURN_IF_ERROR(verify_kernel_node(*variable));
      if (!names.insert(variable->attr<VariableAttr>().name).second) {
        return wrong(*variable, "another variable has the same name");
      }
    }
    if (kernel_.stores.empty()) return wrong_kernel("it stores nothing");
    for (const NodePtr& store : kernel_.stores) {
      if (store == nullptr || store->op != Op::kStore) return wrong_kernel("one of the stores is not a store");
    }
    return Status::ok();
  }

  // What a node refers to is declared by the kernel.
  Status check_membership(const NodePtr& node) {
    const auto is_in = [](const std::vector<NodePtr>& list, const NodePtr& wanted) {
      return std::find(list.begin(), list.end(), wanted) != list.end();
    };
    if (node->op == Op::kParam && !is_in(kernel_.params, node)) return wrong(*node, "is not in the list of params");
    if (node->op == Op::kVariable && !is_in(kernel_.variables, node)) {
      return wrong(*node, "is not in the list of variables");
    }
    for (const NodePtr& input : node->inputs) {
      if (input->op == Op::kStore) return wrong(*node, "a store has no value to use");
    }
    return Status::ok();
  }

  bool can_be_group(const Dim& extent) const {
    return extent.is_static() && extent.offset > 0 && std::has_single_bit(static_cast<uint64_t>(extent.offset)) &&
           kernel_.workgroup_size % extent.offset == 0;
  }

  Status check_range_list() {
    std::set<uint32_t> ids;
    std::set<RangeKind> kinds;
    for (const NodePtr& range : ranges_.ranges) {
      const auto& attr = range->attr<RangeAttr>();
      if (attr.id == 0 || !ids.insert(attr.id).second) return wrong(*range, "the id must be its own, and not 0");
      const bool is_one_of_a_kind = attr.kind != RangeKind::kLoop && attr.kind != RangeKind::kUnroll;
      if (is_one_of_a_kind && !kinds.insert(attr.kind).second) return wrong(*range, "another range has this kind");
      if (attr.kind == RangeKind::kGroup && !can_be_group(attr.extent)) {
        return wrong(*range, "the extent must be a power of two that divides the workgroup of {} lanes",
                     kernel_.workgroup_size);
      }
      const bool can_unroll = attr.extent.is_static() && attr.extent.offset <= kMaxUnroll;
      if (attr.kind == RangeKind::kUnroll && !can_unroll) {
        return wrong(*range, "only a static extent of at most {} can be unrolled", kMaxUnroll);
      }
    }
    return Status::ok();
  }

  // Whether a range may be used outside the reductions that consume it, and by one inside another: its lanes, or the
  // copies of its body, are at hand everywhere.
  static bool can_be_shared(const Node& range) {
    const RangeKind kind = range.attr<RangeAttr>().kind;
    return kind == RangeKind::kGroup || kind == RangeKind::kUnroll;
  }

  Status check_consumption(const Node& node) {
    if (!is_reduce(node.op)) return Status::ok();
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      if (can_be_shared(*node.inputs[i])) continue;
      if ((ranges_.consumed.at(node.inputs[0].get()) & ranges_.bit(node.inputs[i].get())) != 0) {
        return wrong(node, "a reduction inside consumes {} already", print_node(*node.inputs[i]));
      }
    }
    return Status::ok();
  }

  Status check_stores() {
    uint64_t consumed = 0;
    for (const NodePtr& store : kernel_.stores) consumed |= ranges_.consumed.at(store.get());
    const uint64_t grid = globals(kernel_.stores[0]);
    for (const NodePtr& store : kernel_.stores) {
      const uint64_t free = ranges_.free.at(store.get());
      if (globals(store) != grid) return wrong(*store, "it depends on other ranges of the grid than the first store");
      for (const NodePtr& range : ranges_.ranges) {
        const uint64_t bit = ranges_.bit(range.get());
        if ((free & bit) == 0) continue;
        if ((consumed & bit) != 0 && !can_be_shared(*range)) {
          return wrong(*store, "{} is consumed by a reduction and used outside it", print_node(*range));
        }
        const bool tells_apart = (ranges_.free.at(store->inputs[1].get()) & bit) != 0;
        if (range->attr<RangeAttr>().kind == RangeKind::kGroup && !tells_apart) {
          return wrong(*store, "all lanes of {} would store at the same index", print_node(*range));
        }
      }
    }
    return Status::ok();
  }

  uint64_t globals(const NodePtr& store) const {
    uint64_t set = 0;
    for (const NodePtr& range : ranges_.ranges) {
      if (is_global(*range)) set |= ranges_.bit(range.get()) & ranges_.free.at(store.get());
    }
    return set;
  }

  const Kernel& kernel_;
  KernelRanges ranges_;
};

}  // namespace

Status verify_kernel_node(const Node& node) {
  for (const NodePtr& input : node.inputs) {
    if (input == nullptr) return wrong(node, "an input is missing");
  }
  if (!node.shape.empty() && node.op != Op::kParam) return wrong(node, "only params have a shape in a kernel");
  if (node.op <= Op::kRange) return check_leaf_attribute(node).with_context(print_node(node));
  if (node.op == Op::kLoad || node.op == Op::kStore) return check_memory_node(node);
  BW_RETURN_IF_ERROR(check_no_param_input(node));
  if (is_reduce(node.op)) return check_reduction(node);
  if (!is_elementwise(node.op)) return wrong(node, "has no place in a kernel, only in a graph");
  Result<DType> dtype = infer_elementwise_dtype(node);
  if (!dtype.is_ok()) return std::move(dtype).status().with_context(print_node(node));
  if (dtype.value() != node.dtype) return wrong(node, "the dtype must be {}", name(dtype.value()));
  return Status::ok();
}

Status verify_kernel_structure(const Kernel& kernel) {
  return KernelVerifier(kernel).verify_structure();
}

Status verify_kernel(const Kernel& kernel) {
  KernelVerifier verifier(kernel);
  BW_RETURN_IF_ERROR(verifier.verify_structure().with_context("verifying kernel " + kernel.name));
  return verifier.verify_bounds().with_context("verifying kernel " + kernel.name);
}

}  // namespace bw::ir
