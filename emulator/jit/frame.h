// Owns: what all parts of the translation of one program share: types, the wave's fields as host addresses, and scalar
// registers. Registers live in the wave's memory between strips, so that any instruction can be left to the
// interpreter's handler.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <cstdint>

#include "emulator/shader/step.h"

namespace bw::emulator::jit {

struct Frame {
  Frame(llvm::Function* function_in, uint32_t wave_size, unsigned vector_lanes);

  llvm::Value* wave_field(size_t offset);
  llvm::Value* slot_address(unsigned slot);
  llvm::Value* load_slot(unsigned slot);
  llvm::Value* load_slot64(unsigned slot);
  void store_slot(unsigned slot, llvm::Value* value);
  void store_slot64(unsigned slot, llvm::Value* value);
  // EXEC as 64 bits.
  llvm::Value* load_exec();
  // A mask of one bit a lane as 64 bits.
  llvm::Value* load_mask(unsigned slot);
  void store_mask(unsigned slot, llvm::Value* bits);
  llvm::Constant* host_pointer(const void* pointer);
  llvm::ConstantInt* number32(uint32_t value) { return ir.getInt32(value); }
  llvm::ConstantInt* number64(uint64_t value) { return ir.getInt64(value); }

  llvm::Function* function;
  llvm::IRBuilder<> ir;
  llvm::Value* wave;
  llvm::Value* vgprs = nullptr;
  uint32_t wave_lanes;
  unsigned lanes;  // of a host vector
  llvm::Type* i32s;
  llvm::Type* floats;
  llvm::Type* i64s;
  llvm::Type* halves;
  llvm::Type* i16s;
  llvm::Type* truths;
};

}  // namespace bw::emulator::jit
