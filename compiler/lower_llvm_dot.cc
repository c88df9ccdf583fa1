// The part of KernelEmitter that sums products of bytes by v_dot4_i32_iu8 (llvm.amdgcn.sudot4): four products of bytes,
// signed or not, and their sum in 32 bits, which is exact modulo 2^32 as the separate operations are.
#include <llvm/IR/IntrinsicsAMDGPU.h>

#include <unordered_map>

#include "compiler/lower_llvm_emit.h"

namespace bw::compiler {

using ir::DType;
using ir::Node;
using ir::NodePtr;
using ir::Op;
using llvm::Value;

namespace {

constexpr int64_t kBytesInWord = 4;

bool is_byte(DType dtype) {
  return dtype == DType::kI8 || dtype == DType::kU8;
}

}  // namespace

// reduce_add(where(condition, a * b, 0)), where a and b are neighbouring bytes along the range, widened. The condition
// may be missing.
struct KernelEmitter::ByteDot {
  NodePtr condition;
  const Node* loads[2] = {};
  bool is_signed[2] = {};
};

// The load of the byte that `operand` widens to 32 bits, if four elements of the range are a word in memory.
const Node* KernelEmitter::find_byte_run(const Node& operand, const NodePtr& range, bool* is_signed) {
  if (operand.op != Op::kCast || !is_byte(operand.inputs[0]->dtype)) return nullptr;
  const Node* load = operand.inputs[0].get();
  *is_signed = load->dtype == DType::kI8;
  if (load->op == Op::kBitcast && is_byte(load->inputs[0]->dtype)) load = load->inputs[0].get();
  if (load->op != Op::kLoad) return nullptr;
  const ir::analysis::RangeRun run = analysis_.run(load->inputs[1], range);
  return run.stride == 1 && run.length % kBytesInWord == 0 ? load : nullptr;
}

bool KernelEmitter::find_byte_dot(const Node& reduction, const NodePtr& range, ByteDot& dot) {
  const bool is_word = reduction.dtype == DType::kI32 || reduction.dtype == DType::kU32;
  if (reduction.op != Op::kReduceAdd || !is_word) return false;
  const Node* value = reduction.inputs[0].get();
  if (value->op == Op::kWhere && is_identity(reduction, *value->inputs[2])) {
    if ((plan_.of(value->inputs[0].get()).free & plan_.bit(range.get())) != 0) return false;
    dot.condition = value->inputs[0];
    value = value->inputs[1].get();
  }
  if (value->op != Op::kMul) return false;
  for (size_t i = 0; i < 2; ++i) {
    dot.loads[i] = find_byte_run(*value->inputs[i], range, &dot.is_signed[i]);
    if (dot.loads[i] == nullptr) return false;
  }
  return true;
}

bool KernelEmitter::emit_byte_dots(std::span<const NodePtr> group, const NodePtr& range,
                                   std::vector<Value*>& accumulators) {
  const auto& attr = range->attr<ir::RangeAttr>();
  if (!is_written_out(attr) || attr.extent.offset % kBytesInWord != 0) return false;
  std::vector<ByteDot> dots(group.size());
  std::vector<NodePtr> roots;
  for (size_t i = 0; i < group.size(); ++i) {
    if (!find_byte_dot(*group[i], range, dots[i])) return false;
    for (const Node* load : dots[i].loads) roots.push_back(load->inputs[1]);
    if (dots[i].condition != nullptr) roots.push_back(dots[i].condition);
  }
  const auto four_products = [&] {
    emit_ready(roots);
    if (!status_.is_ok()) return;
    std::unordered_map<const Node*, Value*> words;
    for (size_t i = 0; i < dots.size(); ++i) {
      for (const Node* load : dots[i].loads) {
        if (!words.contains(load)) words[load] = load_word(*load);
      }
      Value* sum = b_.CreateIntrinsic(
          llvm::Intrinsic::amdgcn_sudot4, {},
          {b_.getInt1(dots[i].is_signed[0]), words[dots[i].loads[0]], b_.getInt1(dots[i].is_signed[1]),
           words[dots[i].loads[1]], accumulators[i], b_.getFalse()});
      const NodePtr& condition = dots[i].condition;
      accumulators[i] = condition == nullptr ? sum : b_.CreateSelect(known(condition.get()), sum, accumulators[i]);
    }
  };
  for (int64_t i = 0; i < attr.extent.offset; i += kBytesInWord) emit_iteration(*range, {.constant = i}, four_products);
  return true;
}

// The byte of the load and the three after it.
Value* KernelEmitter::load_word(const Node& load) {
  llvm::LoadInst* word = b_.CreateAlignedLoad(b_.getInt32Ty(), address(load), llvm::Align(1));
  if (!plan_.params[memory_param(load).attr<ir::ParamAttr>().id].written) {
    word->setMetadata(llvm::LLVMContext::MD_invariant_load, llvm::MDNode::get(b_.getContext(), {}));
  }
  return word;
}

}  // namespace bw::compiler
