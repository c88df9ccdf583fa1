#include "compiler/testing/code_object_facts.h"

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/BinaryFormat/MsgPackDocument.h>
#include <llvm/Object/ELFObjectFile.h>

namespace bw::compiler::testing {
namespace {

using Elf = llvm::object::ELF64LEObjectFile;

void read_symbols(const Elf& elf, CodeObjectFacts& facts) {
  for (const llvm::object::ELFSymbolRef symbol : elf.getDynamicSymbolIterators()) {
    llvm::Expected<llvm::StringRef> name = symbol.getName();
    if (!name) {
      facts.problem = llvm::toString(name.takeError());
      return;
    }
    facts.symbols[name->str()] = symbol.getSize();
  }
}

void read_metadata(llvm::StringRef blob, CodeObjectFacts& facts) {
  llvm::msgpack::Document document;
  if (!document.readFromBlob(blob, false)) {
    facts.problem = "metadata is not MessagePack";
    return;
  }
  llvm::msgpack::MapDocNode root = document.getRoot().getMap();
  facts.target = root["amdhsa.target"].getString().str();
  llvm::msgpack::ArrayDocNode kernels = root["amdhsa.kernels"].getArray();
  if (kernels.size() != 1) {
    facts.problem = "not one kernel";
    return;
  }
  for (auto& [key, value] : kernels[0].getMap()) {
    const std::string name = key.getString().str();
    if (value.getKind() == llvm::msgpack::Type::UInt) facts.numbers[name] = value.getUInt();
    if (value.getKind() == llvm::msgpack::Type::Int) facts.numbers[name] = static_cast<uint64_t>(value.getInt());
    if (name == ".symbol") facts.symbol = value.getString().str();
    if (name == ".args") facts.arguments = value.getArray().size();
  }
}

}  // namespace

CodeObjectFacts read_code_object(std::span<const std::byte> bytes) {
  CodeObjectFacts facts;
  const llvm::StringRef text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  auto object = Elf::create(llvm::MemoryBufferRef(text, "code object"));
  if (!object) {
    facts.problem = llvm::toString(object.takeError());
    return facts;
  }
  read_symbols(*object, facts);
  const auto& file = object->getELFFile();
  auto headers = file.program_headers();
  if (!headers) {
    facts.problem = llvm::toString(headers.takeError());
    return facts;
  }
  for (const auto& header : *headers) {
    if (header.p_type != llvm::ELF::PT_NOTE) continue;
    llvm::Error failed = llvm::Error::success();
    for (const auto& note : file.notes(header, failed)) {
      if (note.getType() != llvm::ELF::NT_AMDGPU_METADATA) continue;
      const auto description = note.getDesc(header.p_align);
      read_metadata(llvm::StringRef(reinterpret_cast<const char*>(description.data()), description.size()), facts);
    }
    if (failed) facts.problem = llvm::toString(std::move(failed));
  }
  return facts;
}

}  // namespace bw::compiler::testing
