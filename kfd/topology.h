// Owns: what the driver says in sysfs about the machine: its nodes (CPUs and GPUs), their properties, memory, caches
// and links, and the versions of a GPU's hardware blocks. Text in, numbers out; every line is checked. Not here: what
// the numbers mean for this project (amdgpu).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "kfd/driver.h"

namespace bw::kfd {

// "name value" lines of a sysfs file; which CPUs share a cache ("sibling_map") is left out.
using Properties = std::map<std::string, uint64_t, std::less<>>;

struct Node {
  uint32_t index = 0;   // N of topology/nodes/N
  uint32_t gpu_id = 0;  // how ioctls name the device; 0 for a CPU
  Properties properties;

  bool is_gpu() const { return gpu_id != 0; }
  // A property by the driver's name for it ("simd_count"); `otherwise` where the driver does not report it.
  uint64_t property(std::string_view name, uint64_t otherwise = 0) const;
  // kDataLoss that names node and property where it is missing.
  Result<uint64_t> require(std::string_view name) const;
  // "/dev/dri/renderD128". kDataLoss where the driver names no render node.
  Result<std::string> render_path() const;
};

// All nodes that this process may see, in order of index. A node whose files the system hides from the process (ENOENT,
// EPERM: a container with some of the cards) is left out. kNotFound with advice if there is no KFD driver.
Result<std::vector<Node>> read_topology(KernelDriver& driver);

struct MemoryBank {
  uint64_t heap_type = 0;  // 0 system, 1 VRAM that the host sees, 2 VRAM that it does not
  uint64_t size_bytes = 0;
  uint64_t width_bits = 0;
  uint64_t clock_max_mhz = 0;
};

struct Cache {
  uint64_t level = 0;
  uint64_t size_kib = 0;
  uint64_t line_size_bytes = 0;
  uint64_t associativity = 0;
  uint64_t type = 0;  // bits: 1 data, 2 instruction, 4 CPU, 8 SIMD
};

struct IoLink {
  uint64_t type = 0;  // 2: PCIe, 11: xGMI
  uint64_t node_from = 0;
  uint64_t node_to = 0;
  uint64_t weight = 0;
  uint64_t min_bandwidth_mb_s = 0;
  uint64_t max_bandwidth_mb_s = 0;
  uint64_t flags = 0;
};

Result<std::vector<MemoryBank>> read_memory_banks(KernelDriver& driver, const Node& node);
Result<std::vector<Cache>> read_caches(KernelDriver& driver, const Node& node);
Result<std::vector<IoLink>> read_io_links(KernelDriver& driver, const Node& node);

struct IpVersion {
  uint32_t major = 0;
  uint32_t minor = 0;
  uint32_t revision = 0;

  auto operator<=>(const IpVersion&) const = default;
};

// Versions of the first instance of each hardware block asked for by its hardware id (11: GC), as the card's discovery
// table has them; a block that the card does not have is left out.
Result<std::map<uint32_t, IpVersion>> read_ip_versions(KernelDriver& driver, const Node& node,
                                                       std::span<const uint32_t> hardware_ids);

}  // namespace bw::kfd
