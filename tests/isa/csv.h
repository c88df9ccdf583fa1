// Owns: reading the comma-separated test data of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bw::test {

// Lines of a file, split at commas, with quoted cells unquoted; without the header line. Empty if the file cannot be
// read.
std::vector<std::vector<std::string>> read_csv(const std::string& path);

// Bytes written as hex digits, as little-endian dwords.
std::vector<uint32_t> dwords_of_hex(const std::string& hex);

}  // namespace bw::test
