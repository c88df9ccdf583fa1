#include "compiler/code_object_resources.h"

#include <llvm/BinaryFormat/ELF.h>
#include <llvm/BinaryFormat/MsgPackDocument.h>
#include <llvm/Object/ELF.h>

#include <limits>
#include <optional>
#include <string>

namespace bw::compiler {
namespace {

Status bad(const std::string& what) {
  return error(StatusCode::kDataLoss, "reading a code object: {}", what);
}

// The number under a key; nothing if there is none, or none that fits.
std::optional<uint32_t> number(llvm::msgpack::MapDocNode& map, llvm::StringRef key) {
  const auto it = map.find(key);
  if (it == map.end()) return std::nullopt;
  const llvm::msgpack::DocNode& node = it->second;
  uint64_t value = 0;
  if (node.getKind() == llvm::msgpack::Type::UInt) {
    value = node.getUInt();
  } else if (node.getKind() == llvm::msgpack::Type::Int && node.getInt() >= 0) {
    value = static_cast<uint64_t>(node.getInt());
  } else {
    return std::nullopt;
  }
  if (value > std::numeric_limits<uint32_t>::max()) return std::nullopt;
  return static_cast<uint32_t>(value);
}

Status read_kernel(llvm::msgpack::MapDocNode& kernel, KernelResources& resources) {
  const struct {
    const char* key;
    uint32_t KernelResources::*member;
  } numbers[] = {{".vgpr_count", &KernelResources::vgprs},
                 {".sgpr_count", &KernelResources::sgprs},
                 {".group_segment_fixed_size", &KernelResources::lds_bytes},
                 {".private_segment_fixed_size", &KernelResources::scratch_bytes},
                 {".vgpr_spill_count", &KernelResources::vgpr_spills},
                 {".sgpr_spill_count", &KernelResources::sgpr_spills}};
  for (const auto& [key, member] : numbers) {
    const std::optional<uint32_t> value = number(kernel, key);
    if (!value) return bad(std::string("its metadata has no ") + key);
    resources.*member = *value;
  }
  const std::optional<uint32_t> wgp_mode = number(kernel, ".workgroup_processor_mode");
  if (!wgp_mode) return bad("its metadata has no .workgroup_processor_mode");
  resources.mode = *wgp_mode != 0 ? WorkgroupMode::kWgp : WorkgroupMode::kCu;
  return Status::ok();
}

Status read_metadata(llvm::StringRef blob, KernelResources& resources) {
  llvm::msgpack::Document document;
  if (!document.readFromBlob(blob, /*Multi=*/false)) return bad("its metadata is not MessagePack");
  if (!document.getRoot().isMap()) return bad("its metadata is not a map");
  llvm::msgpack::MapDocNode& root = document.getRoot().getMap();
  const auto kernels = root.find("amdhsa.kernels");
  if (kernels == root.end() || !kernels->second.isArray()) return bad("its metadata lists no kernels");
  llvm::msgpack::ArrayDocNode& list = kernels->second.getArray();
  if (list.size() != 1 || !list[0].isMap()) return bad("it has not one kernel");
  return read_kernel(list[0].getMap(), resources);
}

// The bytes of the functions among its dynamic symbols. (ELFObjectFile's own iterators end the process where the table
// is damaged.)
Result<uint32_t> code_size(const llvm::object::ELF64LEFile& file) {
  auto sections = file.sections();
  if (!sections) return bad(llvm::toString(sections.takeError()));
  uint64_t size = 0;
  for (const auto& section : *sections) {
    if (section.sh_type != llvm::ELF::SHT_DYNSYM) continue;
    auto symbols = file.symbols(&section);
    if (!symbols) return bad(llvm::toString(symbols.takeError()));
    for (const auto& symbol : *symbols) {
      if (symbol.getType() == llvm::ELF::STT_FUNC) size += symbol.st_size;
    }
  }
  if (size > std::numeric_limits<uint32_t>::max()) return bad("its code is too large");
  return static_cast<uint32_t>(size);
}

}  // namespace

Result<KernelResources> read_resources(std::span<const std::byte> code_object) {
  const llvm::StringRef text(reinterpret_cast<const char*>(code_object.data()), code_object.size());
  auto opened = llvm::object::ELF64LEFile::create(text);
  if (!opened) return bad(llvm::toString(opened.takeError()));
  const llvm::object::ELF64LEFile& file = *opened;
  auto headers = file.program_headers();
  if (!headers) return bad(llvm::toString(headers.takeError()));
  KernelResources resources;
  bool found = false;
  for (const auto& header : *headers) {
    if (header.p_type != llvm::ELF::PT_NOTE) continue;
    llvm::Error failed = llvm::Error::success();
    Status status;
    for (const auto& note : file.notes(header, failed)) {
      if (note.getType() != llvm::ELF::NT_AMDGPU_METADATA || found) continue;
      const auto description = note.getDesc(header.p_align);
      status = read_metadata(llvm::StringRef(reinterpret_cast<const char*>(description.data()), description.size()),
                             resources);
      found = true;
    }
    if (failed) return bad(llvm::toString(std::move(failed)));
    BW_RETURN_IF_ERROR(std::move(status));
  }
  if (!found) return bad("it has no metadata");
  BW_ASSIGN(resources.code_bytes, code_size(file));
  return resources;
}

}  // namespace bw::compiler
