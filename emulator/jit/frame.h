// Owns: what all parts of the translation of one program share: types, the wave's fields as host addresses, scalar
// registers, and the table through which the code reaches steps and functions of the host. Registers live in the wave's
// memory between strips, so that any instruction can be left to the interpreter's handler.
#pragma once

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include <cstdint>
#include <map>

#include "emulator/jit/code_image.h"
#include "emulator/jit/control_flow.h"
#include "emulator/jit/host_calls.h"
#include "emulator/shader/step.h"

namespace bw::emulator::jit {

struct Frame {
  // `image` gets the references that are asked for.
  Frame(llvm::Function* function_in, const ControlFlow& flow_in, uint32_t wave_size, unsigned vector_lanes,
        CodeImage& image_in);

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
  // What the code cannot contain, since no two processes have it at the same address.
  llvm::Value* pointer(Reference::Kind kind, uint32_t value);
  llvm::Value* pointer(HostCall call) { return pointer(Reference::Kind::kHostCall, static_cast<uint32_t>(call)); }
  llvm::Value* pointer(const Step& step) { return pointer(Reference::Kind::kStep, flow.numbers.at(&step)); }
  llvm::Value* fast_handler(const Step& step) { return pointer(Reference::Kind::kFastHandler, flow.numbers.at(&step)); }
  llvm::Value* fast_load(const Step& step) { return pointer(Reference::Kind::kFastLoad, flow.numbers.at(&step)); }
  // A number that the compiler does not see.
  llvm::Value* hidden(uint32_t value);
  llvm::ConstantInt* number32(uint32_t value) { return ir.getInt32(value); }
  llvm::ConstantInt* number64(uint64_t value) { return ir.getInt64(value); }

  const ControlFlow& flow;
  CodeImage& image;
  llvm::Function* function;
  llvm::IRBuilder<> ir;
  llvm::Value* wave;
  llvm::Value* vgprs = nullptr;
  llvm::Value* table = nullptr;
  uint32_t wave_lanes;
  unsigned lanes;  // of a host vector
  llvm::Type* i32s;
  llvm::Type* floats;
  llvm::Type* i64s;
  llvm::Type* doubles;
  llvm::Type* halves;
  llvm::Type* i16s;
  llvm::Type* truths;

 private:
  llvm::Value* entry_of(Reference reference);
  llvm::LoadInst* mark_invariant(llvm::LoadInst* load);

  std::map<std::pair<Reference::Kind, uint32_t>, size_t> entries_;
};

}  // namespace bw::emulator::jit
