#include "amdgpu/code_object.h"

#include <algorithm>
#include <cstring>

#include "amdgpu/code_object_metadata.h"
#include "amdgpu/elf_file.h"
#include "amdgpu/gfx11/code_object_abi.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

constexpr std::string_view kDescriptorSuffix = ".kd";

Status check_header(const Elf64_Ehdr& header) {
  if (header.e_machine != gfx11::kElfMachineAmdgpu || header.e_ident[EI_OSABI] != gfx11::kElfOsabiHsa) {
    return error(StatusCode::kUnsupported,
                 "an ELF file of machine {}, OS ABI {}: not a code object of amdgcn-amd-amdhsa", header.e_machine,
                 header.e_ident[EI_OSABI]);
  }
  const uint8_t version = header.e_ident[EI_ABIVERSION];
  if (version < gfx11::kElfAbiVersionFirst || version > gfx11::kElfAbiVersionLast) {
    return error(StatusCode::kUnsupported, "code object version {}, expected 4 to 6", version + 2);
  }
  const uint32_t mach = header.e_flags & gfx11::kElfFlagsMachMask;
  if (mach != gfx11::kElfFlagsMachGfx1100) {
    return error(StatusCode::kUnsupported, "a code object for processor {:#x}, expected {:#x} (gfx1100)", mach,
                 gfx11::kElfFlagsMachGfx1100);
  }
  if (header.e_type != ET_DYN) {
    return error(StatusCode::kUnsupported, "an ELF file of type {}, expected a linked code object ({})", header.e_type,
                 ET_DYN);
  }
  return Status::ok();
}

// The segments at their addresses; what no segment's file bytes cover is zero.
Status build_image(const ElfFile& file, std::vector<std::byte>& image) {
  uint64_t end = 0;
  for (const Elf64_Phdr& segment : file.segments()) {
    if (segment.p_type != PT_LOAD) continue;
    if (segment.p_filesz > segment.p_memsz || segment.p_memsz > CodeObject::kMaxImageBytes ||
        segment.p_vaddr > CodeObject::kMaxImageBytes - segment.p_memsz) {
      return error(StatusCode::kDataLoss, "a segment of {} bytes, {} of them in the file, at address {:#x}",
                   segment.p_memsz, segment.p_filesz, segment.p_vaddr);
    }
    end = std::max(end, segment.p_vaddr + segment.p_memsz);
  }
  if (end == 0) return error(StatusCode::kDataLoss, "the code object has nothing to load");
  // All segments are checked before the image is made, so that a bad file costs little.
  for (const Elf64_Phdr& segment : file.segments()) {
    if (segment.p_type == PT_LOAD) BW_RETURN_IF_ERROR(file.file_bytes(segment.p_offset, segment.p_filesz).status());
  }
  image.resize(end);
  for (const Elf64_Phdr& segment : file.segments()) {
    if (segment.p_type != PT_LOAD) continue;
    BW_ASSIGN(auto bytes, file.file_bytes(segment.p_offset, segment.p_filesz));
    std::copy(bytes.begin(), bytes.end(), image.begin() + static_cast<ptrdiff_t>(segment.p_vaddr));
  }
  return Status::ok();
}

Status read_relocations(const ElfFile& file, CodeObject& object) {
  for (const Elf64_Shdr& section : file.sections()) {
    if (section.sh_type == SHT_REL && section.sh_size != 0) {
      return error(StatusCode::kUnsupported, "the code object has relocations without addends");
    }
    // What is not for the loaded image (debug information) does not concern it.
    if (section.sh_type != SHT_RELA || (section.sh_flags & SHF_ALLOC) == 0) continue;
    BW_ASSIGN(auto relocations, file.entries<Elf64_Rela>(section));
    for (const Elf64_Rela& relocation : relocations) {
      const auto type = static_cast<uint32_t>(ELF64_R_TYPE(relocation.r_info));
      if (type == gfx11::kRelocationNone) continue;
      if (type != gfx11::kRelocationRelative64) {
        return error(StatusCode::kUnsupported,
                     "a relocation of type {} at {:#x}; only relative ones are supported (is a symbol undefined?)",
                     type, relocation.r_offset);
      }
      if (object.image.size() < sizeof(uint64_t) || relocation.r_offset > object.image.size() - sizeof(uint64_t)) {
        return error(StatusCode::kDataLoss, "a relocation at {:#x} of an image of {} bytes", relocation.r_offset,
                     object.image.size());
      }
      object.relocations.push_back({relocation.r_offset, relocation.r_addend});
    }
  }
  return Status::ok();
}

bool is_executable(const ElfFile& file, uint64_t address) {
  return std::any_of(file.segments().begin(), file.segments().end(), [address](const Elf64_Phdr& segment) {
    return segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && address >= segment.p_vaddr &&
           address - segment.p_vaddr < segment.p_filesz;
  });
}

Result<KernelInfo> read_kernel(const ElfFile& file, const CodeObject& object, std::string_view name,
                               const Elf64_Sym& symbol) {
  KernelInfo kernel;
  kernel.name = name;
  constexpr uint64_t size = sizeof(kernel.descriptor);
  if (symbol.st_size != size || object.image.size() < size || symbol.st_value > object.image.size() - size ||
      !is_aligned(symbol.st_value, alignof(uint64_t))) {
    return error(StatusCode::kDataLoss, "kernel {}: a descriptor of {} bytes at {:#x} of an image of {} bytes", name,
                 symbol.st_size, symbol.st_value, object.image.size());
  }
  kernel.descriptor_offset = symbol.st_value;
  std::memcpy(&kernel.descriptor, object.image.data() + symbol.st_value, size);
  const uint64_t entry = kernel.entry_offset();
  if (!is_executable(file, entry) || !is_aligned(entry, gfx11::kKernelEntryAlignment)) {
    return error(StatusCode::kDataLoss, "kernel {}: its entry {:#x} is not in executable code at a multiple of {}",
                 name, entry, gfx11::kKernelEntryAlignment);
  }
  return kernel;
}

Status read_kernels(const ElfFile& file, CodeObject& object) {
  for (const Elf64_Shdr& section : file.sections()) {
    if (section.sh_type != SHT_DYNSYM) continue;
    BW_ASSIGN(auto symbols, file.entries<Elf64_Sym>(section));
    BW_ASSIGN(const Elf64_Shdr* names, file.linked(section));
    for (const Elf64_Sym& symbol : symbols) {
      if (symbol.st_shndx == SHN_UNDEF || ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT) continue;
      BW_ASSIGN(std::string_view name, file.string_at(*names, symbol.st_name));
      if (!name.ends_with(kDescriptorSuffix)) continue;
      name.remove_suffix(kDescriptorSuffix.size());
      if (std::any_of(object.kernels.begin(), object.kernels.end(), [name](auto& k) { return k.name == name; })) {
        return error(StatusCode::kDataLoss, "two kernels named {}", name);
      }
      BW_ASSIGN(KernelInfo kernel, read_kernel(file, object, name, symbol));
      object.kernels.push_back(std::move(kernel));
    }
  }
  return Status::ok();
}

// The metadata note, empty if there is none.
Result<std::span<const std::byte>> find_metadata(const ElfFile& file) {
  constexpr uint64_t kNoteAlignment = 4;
  const std::string_view wanted = gfx11::kNoteName;
  for (const Elf64_Phdr& segment : file.segments()) {
    if (segment.p_type != PT_NOTE) continue;
    BW_ASSIGN(auto rest, file.file_bytes(segment.p_offset, segment.p_filesz));
    while (rest.size() >= sizeof(Elf64_Nhdr)) {
      Elf64_Nhdr note;
      std::memcpy(&note, rest.data(), sizeof(note));
      rest = rest.subspan(sizeof(note));
      const uint64_t name_bytes = align_up(note.n_namesz, kNoteAlignment);
      if (name_bytes > rest.size() || note.n_descsz > rest.size() - name_bytes) {
        return error(StatusCode::kDataLoss, "a note of {} + {} bytes, but only {} are left", note.n_namesz,
                     note.n_descsz, rest.size());
      }
      const bool is_named =
          note.n_namesz == wanted.size() + 1 && std::memcmp(rest.data(), wanted.data(), wanted.size()) == 0;
      if (is_named && note.n_type == gfx11::kNoteTypeMetadata) return rest.subspan(name_bytes, note.n_descsz);
      rest = rest.subspan(std::min<uint64_t>(rest.size(), name_bytes + align_up(note.n_descsz, kNoteAlignment)));
    }
  }
  return std::span<const std::byte>();
}

Result<CodeObject> parse_code_object(std::span<const std::byte> bytes) {
  BW_ASSIGN(ElfFile file, ElfFile::parse(bytes));
  BW_RETURN_IF_ERROR(check_header(file.header()));
  CodeObject object;
  BW_RETURN_IF_ERROR(build_image(file, object.image));
  BW_RETURN_IF_ERROR(read_relocations(file, object));
  BW_RETURN_IF_ERROR(read_kernels(file, object));
  BW_ASSIGN(auto metadata, find_metadata(file));
  if (!metadata.empty()) BW_RETURN_IF_ERROR(read_metadata(metadata, object));
  return object;
}

}  // namespace

Result<CodeObject> CodeObject::parse(std::span<const std::byte> bytes) {
  Result<CodeObject> object = parse_code_object(bytes);
  if (!object.is_ok()) return std::move(object).status().with_context("reading a code object");
  return object;
}

}  // namespace bw::amdgpu
