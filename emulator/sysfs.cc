#include "emulator/sysfs.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>

#include "emulator/card_facts.h"
#include "emulator/owned_paths.h"
#include "kfd/uapi.h"

namespace bw::emulator {
namespace {

const std::string kTopology = kfd::uapi::kTopologyPath;

// Paths that are links on Linux: what they begin with, and where that leads.
constexpr std::array<std::pair<std::string_view, std::string_view>, 1> kLinks = {{
    {"/sys/class/kfd/kfd", "/sys/devices/virtual/kfd/kfd"},
}};
bool begins_with_folder(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Without repeated and trailing slashes, and with links resolved.
std::string resolve(const std::string& path) {
  std::string clean;
  for (char c : path) {
    if (c != '/' || clean.empty() || clean.back() != '/') clean.push_back(c);
  }
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  for (const auto& [from, to] : kLinks) {
    if (begins_with_folder(clean, from)) return std::string(to) + clean.substr(from.size());
  }
  // Every name of a render node or card leads to one device.
  constexpr std::string_view kChar = "/sys/dev/char/226:";
  if (clean.starts_with(kChar)) {
    const std::string rest = clean.substr(kChar.size());
    const size_t slash = std::min(rest.find('/'), rest.size());
    const std::string minor = rest.substr(0, slash);
    return fmt::format("/sys/class/drm/{}{}{}", minor.size() >= 3 ? "renderD" : "card", minor, rest.substr(slash));
  }
  return clean;
}

constexpr uint32_t kPcieWeight = 20;

std::string link_properties(uint32_t from, uint32_t to, uint32_t weight = kPcieWeight) {
  // PCIe 4.0 x16; the direction back exists because all VRAM is visible to the host.
  return fmt::format(
      "type 2\nversion_major 0\nversion_minor 0\nnode_from {}\nnode_to {}\nweight {}\nmin_latency 0\nmax_latency 0\n"
      "min_bandwidth 312\nmax_bandwidth 31504\nrecommended_transfer_size 0\nrecommended_sdma_engine_id_mask 0\n"
      "flags 1\n",
      from, to, weight);
}

std::string bank_properties(uint32_t heap_type, uint64_t size_bytes, uint32_t width, uint32_t clock_mhz) {
  return fmt::format("heap_type {}\nsize_in_bytes {}\nflags 0\nwidth {}\nmem_clk_max {}\n", heap_type, size_bytes,
                     width, clock_mhz);
}

}  // namespace

Sysfs::Sysfs(std::span<const Card> cards) {
  add(kTopology + "/generation_id", "2\n");
  add(kTopology + "/system_properties", "platform_oem 0\nplatform_id 0\nplatform_rev 0\n");
  add_module();
  add_host_node(cards);
  for (const Card& card : cards) {
    add_gpu_node(card, cards);
    add_drm(card);
  }
}

std::vector<std::pair<std::string, std::string>> Sysfs::links() const {
  std::vector<std::pair<std::string, std::string>> links;
  for (const auto& [from, to] : kLinks) links.emplace_back(from, to);
  links.insert(links.end(), outside_links_.begin(), outside_links_.end());
  for (const auto& [path, content] : files_) {
    // A device's number, as in /sys/class/drm/renderD128/device/drm/renderD128/dev, names the device.
    const std::string_view whole = path;
    if (!whole.starts_with("/sys/class/drm/") || !whole.ends_with("/dev")) continue;
    const std::string_view folder = whole.substr(0, whole.size() - std::string_view("/dev").size());
    const std::string_view name = folder.substr(folder.rfind('/') + 1);
    if (!whole.starts_with(fmt::format("/sys/class/drm/{}/", name))) continue;
    links.emplace_back("/sys/dev/char/" + content.substr(0, content.find('\n')),
                       fmt::format("/sys/class/drm/{}", name));
  }
  return links;
}

bool Sysfs::owns(const std::string& path) {
  return is_owned_path(path);
}

void Sysfs::add(const std::string& path, std::string content) {
  files_.emplace(path, std::move(content));
}

// By this programs know that there is a driver at all (rocminfo.cc, CheckInitialState(); lsmod), and how it is set up
// (kfdtest). Values are Linux's defaults: amdgpu_drv.c.
void Sysfs::add_module() {
  const std::string module = "/sys/module/amdgpu";
  add(module + "/initstate", "live\n");
  add(module + "/parameters/cwsr_enable", "1\n");
  add(module + "/parameters/emu_mode", "0\n");
  add(module + "/parameters/sched_policy", "0\n");
}

void Sysfs::add_host_node(std::span<const Card> cards) {
  const auto host_memory_bytes =
      static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::string node = kTopology + "/nodes/0";
  add(node + "/gpu_id", "0\n");
  add(node + "/name", "\n");
  add(node + "/properties",
      fmt::format("cpu_cores_count {}\nsimd_count 0\nmem_banks_count 1\ncaches_count 0\nio_links_count {}\n"
                  "p2p_links_count 0\ncpu_core_id_base 0\nsimd_id_base 0\nmax_waves_per_simd 0\nlds_size_in_kb 0\n"
                  "gds_size_in_kb 0\nnum_gws 0\nwave_front_size 0\narray_count 0\nsimd_arrays_per_engine 0\n"
                  "cu_per_simd_array 0\nsimd_per_cu 0\nmax_slots_scratch_cu 0\ngfx_target_version 0\nvendor_id 0\n"
                  "device_id 0\nlocation_id 0\ndomain 0\ndrm_render_minor 0\nhive_id 0\nnum_sdma_engines 0\n"
                  "num_sdma_xgmi_engines 0\nnum_sdma_queues_per_engine 0\nnum_cp_queues 0\n"
                  "max_engine_clk_ccompute 2400\n",
                  ::sysconf(_SC_NPROCESSORS_ONLN), cards.size()));
  add(node + "/mem_banks/0/properties", bank_properties(0, host_memory_bytes, 64, 3200));
  for (const Card& card : cards) {
    add(fmt::format("{}/io_links/{}/properties", node, card.index), link_properties(0, card.node_id));
  }
}

void Sysfs::add_gpu_node(const Card& card, std::span<const Card> cards) {
  using namespace facts;
  const std::string node = fmt::format("{}/nodes/{}", kTopology, card.node_id);
  add(node + "/gpu_id", fmt::format("{}\n", card.gpu_id));
  add(node + "/name", "ip discovery\n");
  constexpr uint32_t kCacheCount = 206;  // 96 vector, 48 instruction, 48 scalar, 12 GL1, L2, L3
  add(node + "/properties",
      fmt::format("cpu_cores_count 0\nsimd_count {}\nmem_banks_count 1\ncaches_count {}\nio_links_count 1\n"
                  "p2p_links_count {}\ncpu_core_id_base 0\nsimd_id_base 2147488032\nmax_waves_per_simd 16\n"
                  "lds_size_in_kb 64\ngds_size_in_kb 0\nnum_gws 64\nwave_front_size 32\narray_count {}\n"
                  "simd_arrays_per_engine {}\ncu_per_simd_array {}\nsimd_per_cu {}\nmax_slots_scratch_cu {}\n"
                  "gfx_target_version {}\nvendor_id {}\ndevice_id {}\nlocation_id {}\ndomain 0\n"
                  "drm_render_minor {}\nhive_id 0\nnum_sdma_engines {}\nnum_sdma_xgmi_engines 0\n"
                  "num_sdma_queues_per_engine {}\nnum_cp_queues 8\nmax_engine_clk_fcompute {}\nlocal_mem_size 0\n"
                  "fw_version {}\ncapability {}\ndebug_prop 1495\nsdma_fw_version {}\nunique_id {}\nnum_xcc 1\n"
                  "max_engine_clk_ccompute 2400\n",
                  kComputeUnits * kSimdsPerComputeUnit, kCacheCount, cards.size() - 1,
                  kShaderEngines * kArraysPerEngine, kArraysPerEngine, kComputeUnitsPerArray, kSimdsPerComputeUnit,
                  kWaveSlotsPerComputeUnit, kGfxTargetVersion, kVendorId, kDeviceId, card.location_id,
                  card.render_minor, kSdmaEngines, kSdmaQueuesPerEngine, kMaxEngineClockMhz, kFirmwareMec, kCapability,
                  kFirmwareSdma, card.unique_id));
  // Heap type 1: VRAM that the host sees.
  add(node + "/mem_banks/0/properties", bank_properties(1, card.vram_bytes, kVramWidthBits, kMaxMemoryClockMhz));
  add(node + "/io_links/0/properties", link_properties(card.node_id, 0));
  // Cards reach each other through the host's bridge. Linux kfd_topology.c, kfd_build_p2p_node_entry().
  uint32_t peers = 0;
  for (const Card& peer : cards) {
    if (peer.index == card.index) continue;
    add(fmt::format("{}/p2p_links/{}/properties", node, peers++),
        link_properties(card.node_id, peer.node_id, 2 * kPcieWeight));
  }
  add_caches(card, node);
}

void Sysfs::add_caches(const Card& card, const std::string& node) {
  // Linux kfd_crat.c, kfd_fill_gpu_cache_info_from_gfx_config(): who shares what, sizes in KB, line sizes in bytes.
  struct Kind {
    uint32_t level, size_kb, line_bytes, units_sharing, type;
  };
  constexpr uint32_t kData = 1, kInstruction = 2, kGpu = 8;
  constexpr uint32_t kUnits = facts::kComputeUnits;
  constexpr Kind kKinds[] = {
      {1, 32, 128, 1, kData | kGpu},         // vector L0, Linux's TCP
      {1, 32, 128, 2, kInstruction | kGpu},  // instruction
      {1, 16, 64, 2, kData | kGpu},          // scalar
      {1, 256, 128, 8, kData | kGpu},        // GL1, one per shader array
      {2, 6144, 128, kUnits, kData | kGpu},  // L2
      {3, 98304, 0, kUnits, kData | kGpu},   // MALL
  };
  uint32_t index = 0;
  for (const Kind& kind : kKinds) {
    for (uint32_t unit = 0; unit < kUnits; unit += kind.units_sharing) {
      std::string siblings = "1";
      for (uint32_t i = 1; i < kind.units_sharing; ++i) siblings += ",1";
      add(fmt::format("{}/caches/{}/properties", node, index++),
          fmt::format("processor_id_low {}\nlevel {}\nsize {}\ncache_line_size {}\ncache_lines_per_tag 1\n"
                      "association 0\nlatency 0\ntype {}\nsibling_map {}\n",
                      2147488032u + unit, kind.level, kind.size_kb, kind.line_bytes, kind.type, siblings));
    }
  }
  (void)card;
}

void Sysfs::add_drm(const Card& card) {
  for (const std::string& name :
       {fmt::format("renderD{}", card.render_minor), fmt::format("card{}", card.card_minor)}) {
    const std::string folder = "/sys/class/drm/" + name;
    const uint32_t minor = name.starts_with("render") ? card.render_minor : card.card_minor;
    add(folder + "/dev", fmt::format("226:{}\n", minor));
    add(folder + "/uevent", fmt::format("MAJOR=226\nMINOR={}\nDEVNAME=dri/{}\nDEVTYPE=drm_minor\n", minor, name));
    const std::string device = folder + "/device";
    add_pci_device(card, device);
    add(device + "/vendor", fmt::format("0x{:04x}\n", facts::kVendorId));
    add(device + "/device", fmt::format("0x{:04x}\n", facts::kDeviceId));
    add(device + "/revision", fmt::format("0x{:02x}\n", facts::kPciRevision));
    add(device + "/subsystem_vendor", fmt::format("0x{:04x}\n", facts::kSubsystemVendorId));
    add(device + "/subsystem_device", fmt::format("0x{:04x}\n", facts::kSubsystemDeviceId));
    add(device + "/unique_id", fmt::format("{:016x}\n", card.unique_id));
    add(device + "/mem_info_vram_total", fmt::format("{}\n", card.vram_bytes));
    add(device + "/mem_info_vis_vram_total", fmt::format("{}\n", card.vram_bytes));
    add(device + fmt::format("/drm/card{}/dev", card.card_minor), fmt::format("226:{}\n", card.card_minor));
    add(device + fmt::format("/drm/renderD{}/dev", card.render_minor), fmt::format("226:{}\n", card.render_minor));
    add_ip_discovery(device);
  }
}

// What the PCI bus tells of the card.
void Sysfs::add_pci_device(const Card& card, const std::string& device) {
  const std::string slot = fmt::format("0000:{:02x}:00.0", card.location_id >> 8);
  add(device + "/uevent",
      fmt::format("DRIVER=amdgpu\nPCI_CLASS=30000\nPCI_ID={:04X}:{:04X}\nPCI_SUBSYS_ID={:04X}:{:04X}\n"
                  "PCI_SLOT_NAME={}\n",
                  facts::kVendorId, facts::kDeviceId, facts::kSubsystemVendorId, facts::kSubsystemDeviceId, slot));
  add(device + "/class", "0x030000\n");
  add(device + "/numa_node", "-1\n");
  add(device + "/current_link_speed", "16.0 GT/s PCIe\n");
  add(device + "/current_link_width", "16\n");
  add(device + "/max_link_speed", "16.0 GT/s PCIe\n");
  add(device + "/max_link_width", "16\n");
  outside_links_.emplace(device + "/subsystem", "/sys/bus/pci");
  outside_links_.emplace(device + "/driver", "/sys/bus/pci/drivers/amdgpu");
}

void Sysfs::add_ip_discovery(const std::string& device) {
  struct Ip {
    uint32_t hardware_id, major, minor, revision;
    std::string_view base_addresses;
  };
  // Versions of a gfx1100 board; bases of the blocks whose registers a queue can name.
  constexpr Ip kIps[] = {
      {1, 13, 0, 0, ""},                                                               // MP1
      {11, 11, 0, 0, "0x00001260\n0x0000A000\n0x0001C000\n0x02402C00\n"},              // GC
      {34, 3, 0, 0, ""},                                                               // MMHUB
      {40, 6, 0, 0, ""},                                                               // OSSSYS
      {41, 6, 0, 0, "0x00000F20\n"},                                                   // HDP
      {42, 6, 0, 0, "0x00001260\n0x0000A000\n0x0001C000\n0x02402C00\n"},               // SDMA0
      {43, 6, 0, 0, "0x00001260\n0x0000A000\n0x0001C000\n0x02402C00\n"},               // SDMA1
      {108, 4, 3, 0, "0x00000000\n0x00000014\n0x00000D20\n0x00010400\n0x0241B000\n"},  // NBIF
      {255, 13, 0, 0, ""},                                                             // MP0
  };
  for (const Ip& ip : kIps) {
    const std::string folder = fmt::format("{}/ip_discovery/die/0/{}/0", device, ip.hardware_id);
    add(folder + "/hw_id", fmt::format("{}\n", ip.hardware_id));
    add(folder + "/num_instance", "0\n");
    add(folder + "/major", fmt::format("{}\n", ip.major));
    add(folder + "/minor", fmt::format("{}\n", ip.minor));
    add(folder + "/revision", fmt::format("{}\n", ip.revision));
    add(folder + "/harvest", "0x0\n");
    if (ip.base_addresses.empty()) continue;
    add(folder + "/num_base_addresses",
        fmt::format("{}\n", std::count(ip.base_addresses.begin(), ip.base_addresses.end(), '\n')));
    add(folder + "/base_addr", std::string(ip.base_addresses));
  }
}

bool Sysfs::is_folder(const std::string& path) const {
  const std::string prefix = path + "/";
  auto it = files_.lower_bound(prefix);
  return it != files_.end() && it->first.starts_with(prefix);
}

int Sysfs::read(const std::string& path, std::string* content) const {
  const std::string resolved = resolve(path);
  auto it = files_.find(resolved);
  if (it == files_.end()) return is_folder(resolved) ? -EISDIR : -ENOENT;
  *content = it->second;
  return 0;
}

int Sysfs::list(const std::string& path, std::vector<std::string>* names) const {
  const std::string resolved = resolve(path);
  if (files_.contains(resolved)) return -ENOTDIR;
  const std::string prefix = resolved + "/";
  std::set<std::string> found;
  for (auto it = files_.lower_bound(prefix); it != files_.end() && it->first.starts_with(prefix); ++it) {
    found.insert(it->first.substr(prefix.size(), it->first.find('/', prefix.size()) - prefix.size()));
  }
  if (found.empty()) return -ENOENT;
  names->assign(found.begin(), found.end());
  return 0;
}

}  // namespace bw::emulator
