#include "kfd/topology.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>

#include "kfd/uapi.h"

namespace bw::kfd {
namespace {

// Minor numbers of Linux devices have 20 bits; render nodes begin at 128.
constexpr uint64_t kFirstRenderMinor = 128;
constexpr uint64_t kMaxMinor = (1u << 20) - 1;

// The only property that is not a number but a list, which may be empty. (Linux, kfd_topology.c, kfd_cache_show.)
constexpr std::string_view kListProperty = "sibling_map";

constexpr std::string_view kBlanks = " \t\r\n";

std::string_view trimmed(std::string_view text) {
  size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::optional<uint64_t> parse_number(std::string_view text) {
  uint64_t value = 0;
  auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Result<std::string> read_text(KernelDriver& driver, const std::string& path) {
  std::string text;
  int result = driver.read_file(path, &text);
  if (result < 0) return Status::from_errno(-result, fmt::format("reading {}", path));
  return text;
}

Result<uint32_t> read_u32(KernelDriver& driver, const std::string& path) {
  BW_ASSIGN(std::string text, read_text(driver, path));
  std::optional<uint64_t> value = parse_number(trimmed(text));
  if (!value || *value > std::numeric_limits<uint32_t>::max()) {
    return error(StatusCode::kDataLoss, "reading {}: expected a 32-bit number, found '{:.40}'", path, trimmed(text));
  }
  return static_cast<uint32_t>(*value);
}

Result<Properties> read_properties(KernelDriver& driver, const std::string& path) {
  BW_ASSIGN(std::string text, read_text(driver, path));
  Properties properties;
  std::string_view rest = text;
  for (size_t line_number = 1; !rest.empty(); ++line_number) {
    size_t line_end = std::min(rest.find('\n'), rest.size());
    std::string_view line = trimmed(rest.substr(0, line_end));
    rest.remove_prefix(std::min(line_end + 1, rest.size()));
    if (line.empty()) continue;
    size_t name_end = std::min(line.find_first_of(kBlanks), line.size());
    if (line.substr(0, name_end) == kListProperty) continue;
    std::optional<uint64_t> value = parse_number(trimmed(line.substr(name_end)));
    if (!value) {
      return error(StatusCode::kDataLoss, "reading {}, line {}: expected a name and a 64-bit number, found '{:.60}'",
                   path, line_number, line);
    }
    properties.insert_or_assign(std::string(line.substr(0, name_end)), *value);
  }
  return properties;
}

// The entries of a folder whose names are numbers, in numerical order.
Result<std::vector<uint32_t>> list_numbers(KernelDriver& driver, const std::string& path) {
  std::vector<std::string> names;
  int result = driver.list_dir(path, &names);
  if (result < 0) return Status::from_errno(-result, fmt::format("listing {}", path));
  std::vector<uint32_t> numbers;
  for (const std::string& name : names) {
    std::optional<uint64_t> number = parse_number(name);
    if (number && *number <= std::numeric_limits<uint32_t>::max()) numbers.push_back(static_cast<uint32_t>(*number));
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

std::string node_path(uint32_t index) {
  return fmt::format("{}/nodes/{}", uapi::kTopologyPath, index);
}

// The "properties" files of a node's numbered subfolders; none if the node has no such folder.
Result<std::vector<Properties>> read_parts(KernelDriver& driver, const Node& node, std::string_view folder) {
  std::string path = fmt::format("{}/{}", node_path(node.index), folder);
  Result<std::vector<uint32_t>> numbers = list_numbers(driver, path);
  if (!numbers.is_ok() && numbers.status().sys_errno() == ENOENT) return std::vector<Properties>();
  if (!numbers.is_ok()) return std::move(numbers).status();
  std::vector<Properties> parts;
  for (uint32_t number : numbers.value()) {
    BW_ASSIGN(Properties properties, read_properties(driver, fmt::format("{}/{}/properties", path, number)));
    parts.push_back(std::move(properties));
  }
  return parts;
}

uint64_t value_of(const Properties& properties, std::string_view name) {
  auto found = properties.find(name);
  return found == properties.end() ? 0 : found->second;
}

bool is_hidden(const Status& status) {
  return status.sys_errno() == ENOENT || status.sys_errno() == EPERM;
}

}  // namespace

uint64_t Node::property(std::string_view name, uint64_t otherwise) const {
  auto found = properties.find(name);
  return found == properties.end() ? otherwise : found->second;
}

Result<uint64_t> Node::require(std::string_view name) const {
  auto found = properties.find(name);
  if (found == properties.end()) {
    return error(StatusCode::kDataLoss, "reading {}/properties: the driver does not report '{}'", node_path(index),
                 name);
  }
  return found->second;
}

Result<std::string> Node::render_path() const {
  BW_ASSIGN(uint64_t minor, require("drm_render_minor"));
  if (minor < kFirstRenderMinor || minor > kMaxMinor) {
    return error(StatusCode::kDataLoss, "node {} (gpu {}): drm_render_minor {} is not that of a render node", index,
                 gpu_id, minor);
  }
  return fmt::format("/dev/dri/renderD{}", minor);
}

Result<std::vector<Node>> read_topology(KernelDriver& driver) {
  Result<std::vector<uint32_t>> indices = list_numbers(driver, fmt::format("{}/nodes", uapi::kTopologyPath));
  if (!indices.is_ok()) {
    return std::move(indices).status().with_advice(
        "is the amdgpu driver loaded? use --device emulated to run without a card");
  }
  std::vector<Node> nodes;
  for (uint32_t index : indices.value()) {
    Node node;
    node.index = index;
    Result<uint32_t> gpu_id = read_u32(driver, node_path(index) + "/gpu_id");
    if (!gpu_id.is_ok() && is_hidden(gpu_id.status())) continue;
    if (!gpu_id.is_ok()) return std::move(gpu_id).status();
    node.gpu_id = gpu_id.value();
    Result<Properties> properties = read_properties(driver, node_path(index) + "/properties");
    if (!properties.is_ok() && is_hidden(properties.status())) continue;
    if (!properties.is_ok()) return std::move(properties).status();
    node.properties = std::move(properties).value();
    nodes.push_back(std::move(node));
  }
  return nodes;
}

Result<std::vector<MemoryBank>> read_memory_banks(KernelDriver& driver, const Node& node) {
  BW_ASSIGN(std::vector<Properties> parts, read_parts(driver, node, "mem_banks"));
  std::vector<MemoryBank> banks;
  for (const Properties& part : parts) {
    banks.push_back({.heap_type = value_of(part, "heap_type"),
                     .size_bytes = value_of(part, "size_in_bytes"),
                     .width_bits = value_of(part, "width"),
                     .clock_max_mhz = value_of(part, "mem_clk_max")});
  }
  return banks;
}

Result<std::vector<Cache>> read_caches(KernelDriver& driver, const Node& node) {
  BW_ASSIGN(std::vector<Properties> parts, read_parts(driver, node, "caches"));
  std::vector<Cache> caches;
  for (const Properties& part : parts) {
    caches.push_back({.level = value_of(part, "level"),
                      .size_kib = value_of(part, "size"),
                      .line_size_bytes = value_of(part, "cache_line_size"),
                      .associativity = value_of(part, "association"),
                      .type = value_of(part, "type")});
  }
  return caches;
}

Result<std::vector<IoLink>> read_io_links(KernelDriver& driver, const Node& node) {
  BW_ASSIGN(std::vector<Properties> parts, read_parts(driver, node, "io_links"));
  std::vector<IoLink> links;
  for (const Properties& part : parts) {
    links.push_back({.type = value_of(part, "type"),
                     .node_from = value_of(part, "node_from"),
                     .node_to = value_of(part, "node_to"),
                     .weight = value_of(part, "weight"),
                     .min_bandwidth_mb_s = value_of(part, "min_bandwidth"),
                     .max_bandwidth_mb_s = value_of(part, "max_bandwidth"),
                     .flags = value_of(part, "flags")});
  }
  return links;
}

Result<std::map<uint32_t, IpVersion>> read_ip_versions(KernelDriver& driver, const Node& node,
                                                       std::span<const uint32_t> hardware_ids) {
  BW_ASSIGN(std::string render_path, node.render_path());
  const std::string render_name = render_path.substr(render_path.rfind('/') + 1);
  std::map<uint32_t, IpVersion> versions;
  for (uint32_t hardware_id : hardware_ids) {
    std::string path = fmt::format("/sys/class/drm/{}/device/ip_discovery/die/0/{}/0", render_name, hardware_id);
    Result<uint32_t> major = read_u32(driver, path + "/major");
    if (!major.is_ok() && major.status().sys_errno() == ENOENT) continue;
    if (!major.is_ok()) return std::move(major).status();
    BW_ASSIGN(uint32_t minor, read_u32(driver, path + "/minor"));
    BW_ASSIGN(uint32_t revision, read_u32(driver, path + "/revision"));
    versions.emplace(hardware_id, IpVersion{major.value(), minor, revision});
  }
  return versions;
}

}  // namespace bw::kfd
