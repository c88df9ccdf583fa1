#include "tools/barewave/isa_vectors.h"

#include <charconv>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/check.h"
#include "base/mapped_file.h"

namespace bw::tools {
namespace {

using nlohmann::json;

// Far beyond any real vector, so that a hostile file cannot exhaust host or device.
constexpr size_t kMaxBytes = size_t{1} << 20;
constexpr uint32_t kMaxLanes = 1024;

// How the out buffer is laid out by the programs' frame (README.md of the data, section 2).
constexpr uint32_t kVgprs = 16, kSgprs = 16;

bool is_nan32(uint32_t word) {
  return (word & 0x7f800000) == 0x7f800000 && (word & 0x007fffff) != 0;
}

// Thrown by what reads one line, and caught by parse_line(), as the JSON library's own exceptions are.
[[noreturn]] void refuse(const std::string& reason) {
  throw std::invalid_argument(reason);
}

uint32_t number(const json& in, uint32_t low, uint32_t high) {
  if (!in.is_number_unsigned() || in.get<uint64_t>() < low || in.get<uint64_t>() > high) {
    refuse(fmt::format("{} is not a number from {} to {}", in.dump().substr(0, 40), low, high));
  }
  return in.get<uint32_t>();
}

uint32_t hex32(const json& in) {
  const std::string text = in.get<std::string>();
  uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const bool is_prefixed = text.starts_with("0x");
  const auto [stop, problem] = std::from_chars(text.data() + (is_prefixed ? 2 : 0), end, value, 16);
  if (!is_prefixed || problem != std::errc{} || stop != end) {
    refuse(fmt::format("'{}' is not a dword in hexadecimal", text.substr(0, 40)));
  }
  return value;
}

std::vector<uint8_t> bytes_of(const json& in) {
  const std::string& hex = in.get_ref<const std::string&>();
  if (hex.size() % 2 != 0) refuse("an odd number of hexadecimal digits");
  std::vector<uint8_t> bytes(hex.size() / 2);
  for (size_t i = 0; i < bytes.size(); ++i) {
    const char* const digits = hex.data() + i * 2;
    const auto [stop, problem] = std::from_chars(digits, digits + 2, bytes[i], 16);
    if (problem != std::errc{} || stop != digits + 2) refuse("bytes that are not hexadecimal digits");
  }
  return bytes;
}

IsaCheck parse_check(const json& in, uint32_t out_bytes) {
  using Kind = IsaCheck::Kind;
  static const std::map<std::string, Kind> kKinds = {{"exact", Kind::kExact},
                                                     {"range", Kind::kRange},
                                                     {"range16x2", Kind::kRange16x2},
                                                     {"nan32", Kind::kNan32},
                                                     {"nan64hi", Kind::kNan64Hi}};
  IsaCheck out;
  out.offset = number(in.at("off"), 0, out_bytes - 4);
  if (out.offset % 4 != 0) refuse(fmt::format("a checked offset {} that is no multiple of 4", out.offset));
  out.name = in.value("reg", std::string("?"));
  if (in.contains("lane")) out.name += fmt::format(" lane {}", number(in.at("lane"), 0, kMaxLanes - 1));
  const auto kind = kKinds.find(in.at("kind").get<std::string>());
  if (kind == kKinds.end()) refuse(fmt::format("no such kind of check: {}", in.at("kind").dump().substr(0, 40)));
  out.kind = kind->second;
  out.value = hex32(in.at("value"));
  out.bits = hex32(in.at("bits"));
  if (out.kind == Kind::kRange) {
    out.window = hex32(in.at("window"));
    out.low = hex32(in.at("lo"));
    out.high = hex32(in.at("hi"));
  }
  if (out.kind == Kind::kRange16x2) {
    for (const json& half : in.at("halves")) {
      out.halves.push_back({number(half.at(0), 0, 31), hex32(half.at(1)), hex32(half.at(2)), hex32(half.at(3))});
    }
  }
  return out;
}

void parse_expected(const json& in, IsaVector* out) {
  const uint32_t out_bytes = number(in.at("out_size"), 4, kMaxBytes);
  if (out_bytes % 4 != 0) refuse(fmt::format("an out_size of {}, which is no multiple of 4", out_bytes));
  out->expected.resize(out_bytes);
  for (const json& run : in.at("expect")) {
    const uint32_t begin = number(run.at(0), 0, out_bytes);
    const std::vector<uint8_t> bytes = bytes_of(run.at(1));
    if (bytes.size() > out_bytes - begin) {
      refuse(fmt::format("{} expected bytes at {} of {}", bytes.size(), begin, out_bytes));
    }
    std::copy(bytes.begin(), bytes.end(), out->expected.begin() + begin);
  }
  for (const json& check : in.at("checked")) out->checks.push_back(parse_check(check, out_bytes));
}

IsaVector parse_vector(const json& in) {
  if (!in.is_object()) refuse("not a JSON object");
  IsaVector out;
  out.id = in.at("id");
  out.format = in.at("fmt");
  const std::string layout = in.at("layout");
  if (layout != "state" && layout != "lanes") refuse(fmt::format("no such layout: '{}'", layout.substr(0, 40)));
  out.layout = layout == "state" ? IsaVector::Layout::kState : IsaVector::Layout::kLanes;
  out.lanes = number(in.at("lanes"), 1, kMaxLanes);
  out.code = bytes_of(in.at("code"));
  if (out.code.empty() || out.code.size() % 4 != 0 || out.code.size() > kMaxBytes) {
    refuse(fmt::format("code of {} bytes", out.code.size()));
  }
  const uint32_t code_bytes = static_cast<uint32_t>(out.code.size());
  out.body_begin = number(in.at("body").at(0), 0, code_bytes);
  out.body_end = number(in.at("body").at(1), out.body_begin, code_bytes);
  for (const json& line : in.at("asm")) out.disassembly.push_back(line);
  parse_expected(in, &out);
  return out;
}

Result<IsaVector> parse_line(std::string_view line) {
  try {
    return parse_vector(json::parse(line));
  } catch (const json::parse_error& failure) {
    return error(StatusCode::kDataLoss, "not a whole JSON value (byte {} of {})", failure.byte, line.size());
  } catch (const std::exception& failure) {
    std::string_view reason = failure.what();
    // The JSON library sets the name of the exception before the reason, in brackets.
    if (reason.starts_with("[json.")) reason.remove_prefix(std::min(reason.find("] ") + 2, reason.size()));
    return error(StatusCode::kDataLoss, "{}", reason);
  }
}

uint32_t word_at(std::span<const uint8_t> bytes, size_t offset) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, 4);
  return word;
}

}  // namespace

bool IsaCheck::accepts(uint32_t word) const {
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

std::string IsaCheck::describe() const {
  switch (kind) {
    case Kind::kExact:
      return bits == ~0u ? fmt::format("{:#010x}", value) : fmt::format("{:#010x} in the bits {:#010x}", value, bits);
    case Kind::kRange:
      return fmt::format("{:#x} to {:#x} in the bits {:#010x}, best {:#010x}", low, high, window, value);
    case Kind::kRange16x2: {
      std::string text;
      for (const Half& half : halves) {
        text += fmt::format("{:#x} to {:#x} in the bits {:#x} from bit {} on, ", half.low, half.high, half.window,
                            half.shift);
      }
      return text + fmt::format("best {:#010x}", value);
    }
    case Kind::kNan32:
      return "any f32 NaN";
    case Kind::kNan64Hi:
      return "the high half of any f64 NaN";
  }
  return "";
}

std::string IsaVector::name_of(uint32_t offset) const {
  const uint32_t dword = offset / 4;
  if (layout == Layout::kLanes) return fmt::format("v1 lane {}", dword);
  if (dword < kVgprs * lanes) return fmt::format("v{} lane {}", dword / lanes, dword % lanes);
  const uint32_t scalar = dword - kVgprs * lanes;
  static constexpr const char* kSpecial[] = {"vcc_lo", "scc", "exec_lo"};
  if (scalar < kSgprs) return fmt::format("s{}", scalar);
  if (scalar < kSgprs + std::size(kSpecial)) return kSpecial[scalar - kSgprs];
  return fmt::format("out + {:#x}", offset);
}

Result<std::vector<IsaVector>> parse_isa_vectors(std::string_view text, const std::string& name) {
  std::vector<IsaVector> vectors;
  for (size_t line = 1; !text.empty(); ++line) {
    const size_t end = std::min(text.find('\n'), text.size());
    if (text.substr(0, end).find_first_not_of(" \t\r") != std::string_view::npos) {
      auto vector = parse_line(text.substr(0, end));
      if (!vector.is_ok()) {
        return std::move(vector).status().with_context(fmt::format("reading test vectors: {}:{}", name, line));
      }
      vectors.push_back(std::move(vector).value());
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (vectors.empty()) return error(StatusCode::kDataLoss, "reading test vectors: {}: there are none", name);
  return vectors;
}

Result<std::vector<IsaVector>> read_isa_vectors(const std::string& path) {
  auto file = MappedFile::open(path);
  if (!file.is_ok()) return std::move(file).status().with_context("reading test vectors");
  const std::span<const std::byte> bytes = file->bytes();
  return parse_isa_vectors({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path);
}

IsaVerdict judge(const IsaVector& vector, std::span<const uint8_t> out) {
  BW_CHECK(out.size() == vector.expected.size());
  IsaVerdict verdict;
  std::map<uint32_t, const IsaCheck*> checks;
  for (const IsaCheck& check : vector.checks) checks[check.offset] = &check;
  for (uint32_t offset = 0; offset + 4 <= vector.expected.size(); offset += 4) {
    const uint32_t got = word_at(out, offset), want = word_at(vector.expected, offset);
    const auto it = checks.find(offset);
    const IsaCheck* check = it == checks.end() ? nullptr : it->second;
    if (check != nullptr && !check->accepts(got)) {
      verdict.hard.push_back(
          {offset, fmt::format("{}: got {:#010x}, asserted {}", check->name, got, check->describe())});
    } else if (check != nullptr && check->kind != IsaCheck::Kind::kExact) {
      continue;  // inside the tolerance
    } else if (got != want && !(is_nan32(got) && is_nan32(want))) {
      verdict.soft.push_back(
          {offset, fmt::format("{}: got {:#010x}, recorded {:#010x}", vector.name_of(offset), got, want)});
    }
  }
  return verdict;
}

}  // namespace bw::tools
