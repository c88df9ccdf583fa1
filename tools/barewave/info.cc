// Owns: `barewave info`.
#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "amdgpu/device.h"
#include "kfd/topology.h"
#include "tools/barewave/commands.h"

namespace bw::tools {
namespace {

constexpr double kGib = 1024.0 * 1024.0 * 1024.0;

std::string text_of(const kfd::IpVersion& version) {
  return fmt::format("{}.{}.{}", version.major, version.minor, version.revision);
}

void print_device(const amdgpu::DeviceInfo& info, const ChosenDriver& chosen) {
  fmt::print("device            {} ({}), {}\n", info.name, info.gfx_target, chosen.is_emulated() ? "emulated" : "real");
  fmt::print("gpu id            {}\n", info.gpu_id);
  fmt::print("pci device        {:#06x}\n", info.pci_device_id);
  fmt::print("compute units     {} in {} shader engines\n", info.compute_unit_count, info.shader_engine_count);
  fmt::print("max clock         {} MHz\n", info.max_clock_mhz);
  fmt::print("vram              {:.1f} GiB, {}\n", static_cast<double>(info.vram_size_bytes) / kGib,
             info.is_vram_host_visible ? "all visible to the host" : "not all visible to the host");
  fmt::print("lds               {} KiB for a workgroup\n", info.lds_size_bytes / 1024);
  fmt::print("sdma engines      {}\n", info.sdma_engine_count);
  fmt::print("hardware blocks   GC {}, SDMA {}, NBIF {}\n", text_of(info.gc_version), text_of(info.sdma_version),
             text_of(info.nbif_version));
  fmt::print("kfd driver        {}.{}\n", info.driver_major_version, info.driver_minor_version);
  fmt::print("firmware          compute {}, sdma {}\n", info.firmware_version, info.sdma_firmware_version);
}

Status print_node(kfd::KernelDriver& driver, const kfd::Node& node) {
  if (!node.is_gpu()) {
    fmt::print("node {}            CPU, {} cores\n", node.index, node.property("cpu_cores_count"));
    return Status::ok();
  }
  BW_ASSIGN(const std::string render_path, node.render_path());
  fmt::print("node {}            GPU {}, {}, {} SIMDs\n", node.index, node.gpu_id, render_path,
             node.property("simd_count"));
  BW_ASSIGN(const auto banks, kfd::read_memory_banks(driver, node));
  for (const kfd::MemoryBank& bank : banks) {
    fmt::print("  memory          {:.1f} GiB, {} bits wide, {} MHz\n", static_cast<double>(bank.size_bytes) / kGib,
               bank.width_bits, bank.clock_max_mhz);
  }
  BW_ASSIGN(const auto caches, kfd::read_caches(driver, node));
  std::map<std::pair<uint64_t, uint64_t>, size_t> count_by_level_and_size;
  for (const kfd::Cache& cache : caches) ++count_by_level_and_size[{cache.level, cache.size_kib}];
  for (const auto& [key, count] : count_by_level_and_size) {
    fmt::print("  cache level {}   {} x {} KiB\n", key.first, count, key.second);
  }
  BW_ASSIGN(const auto links, kfd::read_io_links(driver, node));
  for (const kfd::IoLink& link : links) {
    fmt::print("  link            to node {}, type {}, up to {} MB/s\n", link.node_to, link.type,
               link.max_bandwidth_mb_s);
  }
  return Status::ok();
}

Status run_info(DriverOptions options, uint32_t gpus) {
  options.card_count = gpus;
  BW_ASSIGN(ChosenDriver chosen, choose_driver(options));
  BW_ASSIGN(const auto devices, amdgpu::Device::open_several(chosen.driver(), std::nullopt));
  for (const auto& device : devices) print_device(device->info(), chosen);
  BW_ASSIGN(const std::vector<kfd::Node> nodes, kfd::read_topology(chosen.driver()));
  for (const kfd::Node& node : nodes) BW_RETURN_IF_ERROR(print_node(chosen.driver(), node));
  return Status::ok();
}

}  // namespace

Command add_info_command(CLI::App& app) {
  CLI::App* command =
      app.add_subcommand("info", "Show the devices: topology, driver and firmware versions, real or emulated");
  auto gpus = std::make_shared<uint32_t>(1);
  command->add_option("--gpus", *gpus, "How many cards the emulated machine has")
      ->check(CLI::Range(1u, 7u))
      ->type_name("N")
      ->capture_default_str();
  return [gpus](const GlobalOptions& options) { return run_info(options, *gpus); };
}

}  // namespace bw::tools
