// Owns: reading the tables of a little-endian 64-bit ELF file with every offset checked. What the tables mean for a GPU
// stands in code_object.cc.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace bw::amdgpu {

// A view of bytes that it does not own.
class ElfFile {
 public:
  // kUnsupported if it is not such an ELF file, kDataLoss if a table reaches past the end.
  static Result<ElfFile> parse(std::span<const std::byte> bytes);

  const Elf64_Ehdr& header() const { return header_; }
  const std::vector<Elf64_Phdr>& segments() const { return segments_; }
  const std::vector<Elf64_Shdr>& sections() const { return sections_; }

  // Bytes of the file, for segments and for sections.
  Result<std::span<const std::byte>> file_bytes(uint64_t offset, uint64_t size_bytes) const;
  Result<std::span<const std::byte>> contents(const Elf64_Shdr& section) const;
  // Entries of a section whose entries are of type T; kDataLoss if its entry size says otherwise.
  template <typename T>
  Result<std::vector<T>> entries(const Elf64_Shdr& section) const;
  // The zero-terminated string at `offset` of a string table.
  Result<std::string_view> string_at(const Elf64_Shdr& table, uint64_t offset) const;
  // The section that another one's sh_link names.
  Result<const Elf64_Shdr*> linked(const Elf64_Shdr& section) const;

 private:
  std::span<const std::byte> bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

extern template Result<std::vector<Elf64_Sym>> ElfFile::entries(const Elf64_Shdr&) const;
extern template Result<std::vector<Elf64_Rela>> ElfFile::entries(const Elf64_Shdr&) const;

}  // namespace bw::amdgpu
