#include "amdgpu/elf_file.h"

#include <algorithm>
#include <cstring>

namespace bw::amdgpu {
namespace {

// Copies `count` structs of type T from checked bytes, whatever their alignment.
template <typename T>
std::vector<T> copy_structs(std::span<const std::byte> bytes) {
  std::vector<T> result(bytes.size() / sizeof(T));
  if (!result.empty()) std::memcpy(result.data(), bytes.data(), result.size() * sizeof(T));
  return result;
}

}  // namespace

Result<ElfFile> ElfFile::parse(std::span<const std::byte> bytes) {
  ElfFile file;
  file.bytes_ = bytes;
  if (bytes.size() < sizeof(Elf64_Ehdr)) {
    return error(StatusCode::kDataLoss, "reading the ELF header: the data has {} bytes, the header {}", bytes.size(),
                 sizeof(Elf64_Ehdr));
  }
  std::memcpy(&file.header_, bytes.data(), sizeof(Elf64_Ehdr));
  const Elf64_Ehdr& header = file.header_;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return error(StatusCode::kUnsupported, "not an ELF file");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return error(StatusCode::kUnsupported, "not a 64-bit little-endian ELF file");
  }
  if (header.e_phnum != 0) {
    if (header.e_phentsize != sizeof(Elf64_Phdr)) {
      return error(StatusCode::kDataLoss, "program headers of {} bytes, expected {}", header.e_phentsize,
                   sizeof(Elf64_Phdr));
    }
    BW_ASSIGN(auto table, file.file_bytes(header.e_phoff, uint64_t{header.e_phnum} * sizeof(Elf64_Phdr)));
    file.segments_ = copy_structs<Elf64_Phdr>(table);
  }
  if (header.e_shnum != 0) {
    if (header.e_shentsize != sizeof(Elf64_Shdr)) {
      return error(StatusCode::kDataLoss, "section headers of {} bytes, expected {}", header.e_shentsize,
                   sizeof(Elf64_Shdr));
    }
    BW_ASSIGN(auto table, file.file_bytes(header.e_shoff, uint64_t{header.e_shnum} * sizeof(Elf64_Shdr)));
    file.sections_ = copy_structs<Elf64_Shdr>(table);
  }
  return file;
}

Result<std::span<const std::byte>> ElfFile::file_bytes(uint64_t offset, uint64_t size_bytes) const {
  if (offset > bytes_.size() || size_bytes > bytes_.size() - offset) {
    return error(StatusCode::kDataLoss, "{} bytes at offset {} reach past the end of the ELF file of {} bytes",
                 size_bytes, offset, bytes_.size());
  }
  return bytes_.subspan(offset, size_bytes);
}

Result<std::span<const std::byte>> ElfFile::contents(const Elf64_Shdr& section) const {
  if (section.sh_type == SHT_NOBITS) return std::span<const std::byte>();
  return file_bytes(section.sh_offset, section.sh_size);
}

template <typename T>
Result<std::vector<T>> ElfFile::entries(const Elf64_Shdr& section) const {
  BW_ASSIGN(auto bytes, contents(section));
  if (section.sh_entsize != sizeof(T) || bytes.size() % sizeof(T) != 0) {
    return error(StatusCode::kDataLoss, "a section of {} bytes with entries of {}, expected entries of {}",
                 bytes.size(), section.sh_entsize, sizeof(T));
  }
  return copy_structs<T>(bytes);
}

template Result<std::vector<Elf64_Sym>> ElfFile::entries(const Elf64_Shdr&) const;
template Result<std::vector<Elf64_Rela>> ElfFile::entries(const Elf64_Shdr&) const;

Result<std::string_view> ElfFile::string_at(const Elf64_Shdr& table, uint64_t offset) const {
  BW_ASSIGN(auto bytes, contents(table));
  if (offset >= bytes.size()) {
    return error(StatusCode::kDataLoss, "a name at offset {} of a string table of {} bytes", offset, bytes.size());
  }
  auto rest = bytes.subspan(offset);
  auto end = std::find(rest.begin(), rest.end(), std::byte{0});
  if (end == rest.end())
    return error(StatusCode::kDataLoss, "the name at offset {} of a string table has no end", offset);
  return std::string_view(reinterpret_cast<const char*>(rest.data()), static_cast<size_t>(end - rest.begin()));
}

Result<const Elf64_Shdr*> ElfFile::linked(const Elf64_Shdr& section) const {
  if (section.sh_link >= sections_.size()) {
    return error(StatusCode::kDataLoss, "a section is linked to section {} of {}", section.sh_link, sections_.size());
  }
  return &sections_[section.sh_link];
}

}  // namespace bw::amdgpu
