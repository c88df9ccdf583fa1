#include "tests/isa/vector_file.h"

#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

namespace bw::test {
namespace {

using nlohmann::json;

bool is_nan32(uint32_t word) {
  return (word & 0x7f800000) == 0x7f800000 && (word & 0x007fffff) != 0;
}

uint32_t hex32(const json& value) {
  return static_cast<uint32_t>(std::stoul(value.get<std::string>(), nullptr, 16));
}

std::vector<uint8_t> bytes_of(const std::string& hex) {
  std::vector<uint8_t> bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<uint8_t>(std::stoul(hex.substr(i * 2, 2), nullptr, 16));
  return bytes;
}

Check parse_check(const json& in) {
  static const std::map<std::string, Check::Kind> kKinds = {{"exact", Check::Kind::kExact},
                                                            {"range", Check::Kind::kRange},
                                                            {"range16x2", Check::Kind::kRange16x2},
                                                            {"nan32", Check::Kind::kNan32},
                                                            {"nan64hi", Check::Kind::kNan64Hi}};
  Check out;
  out.offset = in.at("off");
  out.name = in.value("reg", std::string("?"));
  if (in.contains("lane")) out.name += " lane " + std::to_string(in.at("lane").get<int>());
  out.kind = kKinds.at(in.at("kind"));
  out.value = hex32(in.at("value"));
  out.bits = hex32(in.at("bits"));
  if (out.kind == Check::Kind::kRange) {
    out.window = hex32(in.at("window"));
    out.low = hex32(in.at("lo"));
    out.high = hex32(in.at("hi"));
  }
  if (out.kind == Check::Kind::kRange16x2) {
    for (const json& half : in.at("halves")) {
      out.halves.push_back({half.at(0).get<uint32_t>(), hex32(half.at(1)), hex32(half.at(2)), hex32(half.at(3))});
    }
  }
  return out;
}

Vector parse_vector(const json& in) {
  Vector out;
  out.id = in.at("id");
  out.format = in.at("fmt");
  out.lanes = in.at("lanes");
  out.code = bytes_of(in.at("code"));
  for (const json& line : in.at("asm")) out.disassembly.push_back(line);
  out.expected.resize(in.at("out_size").get<size_t>());
  for (const json& run : in.at("expect")) {
    const std::vector<uint8_t> bytes = bytes_of(run.at(1));
    std::memcpy(out.expected.data() + run.at(0).get<size_t>(), bytes.data(), bytes.size());
  }
  for (const json& check : in.at("checked")) out.checks.push_back(parse_check(check));
  return out;
}

uint32_t word_at(const std::vector<uint8_t>& bytes, size_t offset) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, 4);
  return word;
}

}  // namespace

bool Check::accepts(uint32_t word) const {
  switch (kind) {
    case Kind::kExact:
      return ((word ^ value) & bits) == 0;
    case Kind::kRange:
      return low <= (word & window) && (word & window) <= high;
    case Kind::kRange16x2:
      for (const Half& half : halves) {
        const uint32_t part = word >> half.shift & half.window;
        if (part < half.low || part > half.high) return false;
      }
      return true;
    case Kind::kNan32:
      return is_nan32(word);
    case Kind::kNan64Hi:
      return (word & 0x7ff00000) == 0x7ff00000;  // the mantissa may be in the low dword
  }
  return false;
}

Result<std::vector<Vector>> read_vectors(const std::string& path) {
  std::ifstream file(path);
  if (!file) return error(StatusCode::kNotFound, "opening {}", path);
  std::vector<Vector> vectors;
  std::string line;
  while (std::getline(file, line)) {
    try {
      vectors.push_back(parse_vector(json::parse(line)));
    } catch (const std::exception& failure) {
      return error(StatusCode::kDataLoss, "{}, vector {}: {}", path, vectors.size() + 1, failure.what());
    }
  }
  return vectors;
}

Verdict judge(const Vector& vector, const std::vector<uint8_t>& out) {
  Verdict verdict;
  std::map<uint32_t, const Check*> checks;
  for (const Check& check : vector.checks) checks[check.offset] = &check;
  for (uint32_t offset = 0; offset + 4 <= vector.expected.size(); offset += 4) {
    const uint32_t got = word_at(out, offset), want = word_at(vector.expected, offset);
    const auto it = checks.find(offset);
    const Check* check = it == checks.end() ? nullptr : it->second;
    if (check != nullptr && !check->accepts(got)) {
      verdict.hard.push_back(fmt::format("{}: got {:#010x}, want {:#010x}", check->name, got, check->value));
    } else if (check != nullptr && check->kind != Check::Kind::kExact) {
      continue;  // inside the tolerance
    } else if (got != want && !(is_nan32(got) && is_nan32(want))) {
      verdict.soft.push_back(fmt::format("out + {:#x}: got {:#010x}, recorded {:#010x}", offset, got, want));
    }
  }
  return verdict;
}

}  // namespace bw::test
