// Owns: reading, for tests, what a code object's metadata says of its kernel. LLVM's own readers do it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace bw::compiler::testing {

struct CodeObjectFacts {
  std::map<std::string, uint64_t> symbols;  // dynamic symbols and their sizes
  std::map<std::string, uint64_t> numbers;  // the kernel's metadata, e.g. ".kernarg_segment_size"
  std::string symbol;                       // ".symbol"
  std::string target;                       // "amdhsa.target"
  size_t arguments = 0;
  std::string problem;  // what could not be read; empty if all is well
};

CodeObjectFacts read_code_object(std::span<const std::byte> elf);

}  // namespace bw::compiler::testing
