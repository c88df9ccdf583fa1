#include "compiler/contraction_bytes.h"

#include <llvm/IR/IntrinsicsAMDGPU.h>

namespace bw::compiler {

using llvm::Value;

namespace {

constexpr uint32_t kWordBytes = 4;

// A byte of v_perm_b32's selector takes bytes 0..3 from the second source and 4..7 from the first. Source: RDNA3 ISA
// guide, V_PERM_B32.
Value* permuted(llvm::IRBuilder<>& b, Value* low, Value* high, const uint32_t (&places)[kWordBytes]) {
  uint32_t selector = 0;
  for (uint32_t i = 0; i < kWordBytes; ++i) selector |= places[i] << (8 * i);
  return b.CreateIntrinsic(llvm::Intrinsic::amdgcn_perm, {}, {high, low, b.getInt32(selector)});
}

}  // namespace

Value* words_of_bytes(llvm::IRBuilder<>& b, Value* loaded) {
  const auto* type = llvm::dyn_cast<llvm::FixedVectorType>(loaded->getType());
  if (type == nullptr || !type->getElementType()->isIntegerTy(8)) return loaded;
  const uint32_t bytes = type->getNumElements();
  if (bytes == 2) return b.CreateZExt(b.CreateBitCast(loaded, b.getInt16Ty()), b.getInt32Ty());
  if (bytes == kWordBytes) return b.CreateBitCast(loaded, b.getInt32Ty());
  if (bytes % kWordBytes != 0) return loaded;
  return b.CreateBitCast(loaded, llvm::FixedVectorType::get(b.getInt32Ty(), bytes / kWordBytes));
}

Value* StagedBytes::add(const LoadGroup& group, Value* carried) {
  const size_t count = group.loads.size();
  if (ir::size_bytes(group.loads[0]->dtype) != 1 || count == 1) return carried;
  auto* type = llvm::FixedVectorType::get(b_.getInt8Ty(), static_cast<unsigned>(count));
  if (carried->getType() == type) return carried;
  for (size_t i = 0; i < count; ++i) {
    Value* word = carried;
    if (carried->getType()->isVectorTy()) word = b_.CreateExtractElement(carried, i / kWordBytes);
    if (i % kWordBytes != 0) word = known_[group.loads[i - 1].get()].word;
    known_[group.loads[i].get()] = {word, static_cast<uint32_t>(i % kWordBytes)};
  }
  if (count == 2) return b_.CreateBitCast(b_.CreateTrunc(carried, b_.getInt16Ty()), type);
  return b_.CreateBitCast(carried, type);
}

Value* StagedBytes::interleaved(Value* first, Value* second, uint32_t half) {
  Value*& made = interleaved_[{first, second, half}];
  const uint32_t place = 2 * half;
  if (made == nullptr) made = permuted(b_, first, second, {place, 4 + place, place + 1, 5 + place});
  return made;
}

Value* StagedBytes::word_of(const Byte (&bytes)[kWordBytes]) {
  const auto& [a, b, c, d] = bytes;
  const bool in_order = a.place == 0 && b.place == 1 && c.place == 2 && d.place == 3;
  if (in_order && a.word == b.word && a.word == c.word && a.word == d.word) return a.word;
  if (a.place == b.place && c.place == d.place && a.place == c.place) {
    // Of a transpose: the words made first serve two results.
    const uint32_t half = a.place / 2;
    const uint32_t place = a.place % 2 * 2;
    return permuted(b_, interleaved(a.word, b.word, half), interleaved(c.word, d.word, half),
                    {place, place + 1, 4 + place, 5 + place});
  }
  Value* low = permuted(b_, a.word, b.word, {a.place, 4 + b.place, 0, 0});
  Value* high = permuted(b_, c.word, d.word, {c.place, 4 + d.place, 0, 0});
  return permuted(b_, low, high, {0, 1, 4, 5});
}

Value* StagedBytes::gather(std::span<const ir::NodePtr> elements) {
  if (elements.empty() || elements.size() % kWordBytes != 0) return nullptr;
  for (const ir::NodePtr& element : elements) {
    if (!known_.contains(element.get())) return nullptr;
  }
  std::vector<Value*> words;
  for (size_t i = 0; i < elements.size(); i += kWordBytes) {
    const auto byte = [&](size_t j) { return known_.at(elements[i + j].get()); };
    words.push_back(word_of({byte(0), byte(1), byte(2), byte(3)}));
  }
  if (words.size() == 1) return words[0];
  auto* type = llvm::FixedVectorType::get(b_.getInt32Ty(), static_cast<unsigned>(words.size()));
  Value* vector = llvm::PoisonValue::get(type);
  for (size_t i = 0; i < words.size(); ++i) vector = b_.CreateInsertElement(vector, words[i], i);
  return vector;
}

}  // namespace bw::compiler
