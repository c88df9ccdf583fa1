// Owns: where tests find their data files.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace bw::tensor::testing {

// Path of a file below tests/data.
inline std::string data_path(const std::string& name) {
  return std::string(BAREWAVE_TEST_DATA_DIR) + "/" + name;
}

inline nlohmann::json read_json(const std::string& name) {
  std::ifstream stream(data_path(name));
  return nlohmann::json::parse(stream);
}

}  // namespace bw::tensor::testing
