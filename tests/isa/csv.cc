#include "tests/isa/csv.h"

#include <fstream>

namespace bw::test {
namespace {

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  return cells;
}

}  // namespace

std::vector<std::vector<std::string>> read_csv(const std::string& path) {
  std::vector<std::vector<std::string>> rows;
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) rows.push_back(split(line));
  return rows;
}

std::vector<uint32_t> dwords_of_hex(const std::string& hex) {
  std::vector<uint32_t> dwords(hex.size() / 8);
  for (size_t i = 0; i < dwords.size() * 4; ++i) {
    const uint32_t byte = static_cast<uint32_t>(std::stoul(hex.substr(i * 2, 2), nullptr, 16));
    dwords[i / 4] |= byte << (i % 4 * 8);
  }
  return dwords;
}

}  // namespace bw::test
