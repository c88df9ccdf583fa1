#include "tools/barewave/bench/bench_report.h"

#include <fmt/format.h>

#include <utility>

#include "compiler/kernel_resources.h"

namespace bw::tools {
namespace {

using emulator::AccessCounts;
using emulator::DispatchCounters;
using emulator::GlobalTraffic;
using emulator::InstructionCounts;

double ratio(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}
double ratio(uint64_t part, uint64_t whole) {
  return ratio(static_cast<double>(part), static_cast<double>(whole));
}
std::string percent(double part, double whole) {
  return fmt::format("{:.1f}%", 100 * ratio(part, whole));
}
std::string percent(uint64_t part, uint64_t whole) {
  return percent(static_cast<double>(part), static_cast<double>(whole));
}

std::string with_unit(double value, const char* unit) {
  constexpr const char* kPrefixes[] = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  for (; value >= 1000 && prefix + 1 < std::size(kPrefixes); ++prefix) value /= 1000;
  return fmt::format("{:.4g} {}{}", value, kPrefixes[prefix], unit);
}
std::string bytes_text(uint64_t bytes) {
  return with_unit(static_cast<double>(bytes), "B");
}

std::string row(const char* label, const std::string& text) {
  return fmt::format("    {:<13}{}\n", label, text);
}

struct NamedCount {
  const char* name;
  uint64_t InstructionCounts::*field;
};
// What adds up to the total.
constexpr NamedCount kClasses[] = {
    {"valu", &InstructionCounts::valu},       {"vmem", &InstructionCounts::vmem},
    {"lds", &InstructionCounts::lds},         {"salu", &InstructionCounts::salu},
    {"smem", &InstructionCounts::smem},       {"branch", &InstructionCounts::branch},
    {"barrier", &InstructionCounts::barrier}, {"wait", &InstructionCounts::wait},
    {"message", &InstructionCounts::message}, {"other", &InstructionCounts::other},
};
// Of the VALU's.
constexpr NamedCount kValuKinds[] = {
    {"fma", &InstructionCounts::fma},       {"vopd", &InstructionCounts::vopd},
    {"wmma", &InstructionCounts::wmma},     {"dot", &InstructionCounts::dot},
    {"packed", &InstructionCounts::packed}, {"transcendental", &InstructionCounts::transcendental},
};

uint64_t vector_count(const InstructionCounts& all) {
  return all.valu + all.vmem + all.lds;
}

std::string instructions_text(const InstructionCounts& all) {
  std::string text = fmt::format("{}:", all.total);
  for (const auto& [name, field] : kClasses) {
    if (all.*field != 0) text += fmt::format(" {} {}", name, percent(all.*field, all.total));
  }
  return text;
}

std::string valu_text(const InstructionCounts& all) {
  std::string text = fmt::format("{}:", all.valu);
  for (const auto& [name, field] : kValuKinds) {
    if (all.*field != 0) text += fmt::format(" {} {}", name, percent(all.*field, all.valu));
  }
  return text +
         fmt::format("{} lanes active {}", text.back() == ':' ? "" : ";", percent(all.valu_lanes, all.valu * 32));
}

std::string units_text(const InstructionCounts& all) {
  const double fmas = all.fma_instructions();
  std::string text = fmt::format("FMA {} of VALU", percent(fmas, static_cast<double>(all.valu)));
  if (all.vopd_fmas != 0) {
    const uint64_t fma_results = all.fma + all.packed_fma + all.vopd_fmas;
    text += fmt::format(" ({} of FMAs dual)", percent(all.vopd_fmas, fma_results));
  }
  return text + fmt::format(", WMMA {} of VALU, {} of VALU + VMEM + LDS", percent(all.wmma, all.valu),
                            percent(all.wmma, vector_count(all)));
}

std::string widths_text(const AccessCounts& counts) {
  std::string text;
  for (size_t i = emulator::kAccessWidths; i-- > 0;) {
    if (counts.bytes[i] == 0) continue;
    text += fmt::format("{}{}-bit {}", text.empty() ? "" : ", ", emulator::kAccessBits[i],
                        percent(counts.bytes[i], counts.byte_count()));
  }
  return text;
}

std::string traffic_text(const GlobalTraffic& traffic, uint64_t by_groups, uint64_t touched) {
  return fmt::format("requested {} ({}), coalesced {}, in lines of 128 {}; by workgroups {}, touched {}",
                     bytes_text(traffic.requested.byte_count()), widths_text(traffic.requested),
                     bytes_text(traffic.coalesced_bytes), bytes_text(traffic.lines_128 * 128), bytes_text(by_groups),
                     bytes_text(touched));
}

std::string lds_text(const DispatchCounters& counters) {
  const emulator::LdsCounts& lds = counters.lds;
  return fmt::format("loaded {}, stored {}, {} exchanges; {} cycles of conflicts beyond {} (loads {}, stores {})",
                     bytes_text(lds.loads.byte_count()), bytes_text(lds.stores.byte_count()), lds.exchanges,
                     lds.conflict_cycles(), lds.cycles, lds.load_conflict_cycles, lds.store_conflict_cycles);
}

std::string resources_text(const tensor::LaunchDescription& launch) {
  const compiler::KernelResources& r = launch.resources;
  const compiler::Occupancy occupancy = compiler::occupancy(r, launch.workgroup_lanes);
  return fmt::format("{} VGPRs, {} SGPRs, {} B of LDS, {} B of scratch, {} spills; {:.3g} of 16 waves a SIMD ({})",
                     r.vgprs, r.sgprs, r.lds_bytes, r.scratch_bytes, r.vgpr_spills + r.sgpr_spills,
                     occupancy.waves_per_simd, compiler::name(occupancy.limit));
}

std::string buffers_text(const std::vector<BufferCounts>& buffers) {
  std::string text;
  for (const BufferCounts& buffer : buffers) {
    text += fmt::format("{}{}", text.empty() ? "" : "; ", bytes_text(buffer.size_bytes));
    if (buffer.stored_bytes != 0)
      text += fmt::format(" stored {:.3f} times", ratio(buffer.stored_bytes, buffer.size_bytes));
    if (buffer.loaded_bytes == 0) continue;
    text += fmt::format(" loaded {:.3f} times, {} in 128 bits", ratio(buffer.loaded_bytes, buffer.size_bytes),
                        percent(buffer.loaded_bytes_128, buffer.loaded_bytes));
  }
  return text;
}

std::string kernel_text(const KernelCounts& kernel) {
  const DispatchCounters& counters = kernel.counters;
  const auto& extent = kernel.launch.group_extent;
  std::string text =
      fmt::format("  {} [{}], {} launch{}: {} workgroups of {} lanes, each {} x {} x {}\n", kernel.launch.kernel,
                  kernel.launch.form, kernel.launches, kernel.launches == 1 ? "" : "es", kernel.workgroups,
                  kernel.launch.workgroup_lanes, extent[0], extent[1], extent[2]);
  text += row("instructions", instructions_text(counters.instructions));
  text += row("valu", valu_text(counters.instructions));
  text += row("units", units_text(counters.instructions));
  text += row("read", traffic_text(counters.loads, counters.touched_by_groups.read, counters.touched.read));
  if (kernel.tiling_bytes) {
    const uint64_t requested = counters.loads.requested.byte_count() + counters.scalar_load_bytes;
    text += row("", fmt::format("{:.3f} of the tiling's minimum, {}", ratio(requested, *kernel.tiling_bytes),
                                bytes_text(*kernel.tiling_bytes)));
  }
  text += row("written", traffic_text(counters.stores, counters.touched_by_groups.written, counters.touched.written));
  if (counters.atomics.requested.instruction_count() != 0) {
    text += row("atomics", bytes_text(counters.atomics.requested.byte_count()));
  }
  const uint64_t scratch = counters.scratch_loads.byte_count() + counters.scratch_stores.byte_count();
  if (scratch != 0) text += row("scratch", bytes_text(scratch));
  text += row("scalar loads", bytes_text(counters.scalar_load_bytes));
  text += row("buffers", buffers_text(kernel.buffers));
  if (counters.instructions.lds != 0) text += row("lds", lds_text(counters));
  return text + row("resources", resources_text(kernel.launch));
}

nlohmann::ordered_json access_json(const AccessCounts& counts) {
  nlohmann::ordered_json json;
  json["instructions"] = counts.instruction_count();
  json["bytes"] = counts.byte_count();
  for (size_t i = 0; i < emulator::kAccessWidths; ++i) {
    json["bytes_by_bits"][fmt::format("{}", emulator::kAccessBits[i])] = counts.bytes[i];
  }
  return json;
}

nlohmann::ordered_json traffic_json(const GlobalTraffic& traffic) {
  nlohmann::ordered_json json = access_json(traffic.requested);
  json["coalesced_bytes"] = traffic.coalesced_bytes;
  json["bytes_in_lines"] = {
      {"32", traffic.lines_32 * 32}, {"64", traffic.lines_64 * 64}, {"128", traffic.lines_128 * 128}};
  return json;
}

nlohmann::ordered_json instructions_json(const InstructionCounts& all) {
  nlohmann::ordered_json json;
  json["total"] = all.total;
  for (const auto& [name, field] : kClasses) json[name] = all.*field;
  for (const auto& [name, field] : kValuKinds) json[fmt::format("valu_{}", name)] = all.*field;
  json["packed_fma"] = all.packed_fma;
  json["vopd_fma_halves"] = all.vopd_fmas;
  json["vopd_dual_fma"] = all.vopd_dual_fma;
  json["vopd_mov_halves"] = all.vopd_movs;
  json["flat"] = all.flat;
  json["valu_lanes"] = all.valu_lanes;
  json["memory_lanes"] = all.memory_lanes;
  return json;
}

nlohmann::ordered_json lds_json(const emulator::LdsCounts& lds) {
  nlohmann::ordered_json json;
  json["loads"] = access_json(lds.loads);
  json["stores"] = access_json(lds.stores);
  json["atomics"] = access_json(lds.atomics);
  json["exchanges"] = lds.exchanges;
  json["cycles"] = lds.cycles;
  json["load_conflict_cycles"] = lds.load_conflict_cycles;
  json["store_conflict_cycles"] = lds.store_conflict_cycles;
  return json;
}

nlohmann::ordered_json shares_json(const KernelCounts& kernel) {
  const InstructionCounts& all = kernel.counters.instructions;
  const AccessCounts& loads = kernel.counters.loads.requested;
  const auto valu = static_cast<double>(all.valu);
  nlohmann::ordered_json json;
  json["fma_of_valu"] = ratio(all.fma_instructions(), valu);
  json["vopd_of_valu"] = ratio(all.vopd, all.valu);
  json["dual_of_fma"] = ratio(all.vopd_fmas, all.fma + all.packed_fma + all.vopd_fmas);
  json["wmma_of_valu"] = ratio(all.wmma, all.valu);
  json["wmma_of_vector"] = ratio(all.wmma, vector_count(all));
  json["load_bytes_in_128_bits"] = ratio(loads.bytes.back(), loads.byte_count());
  if (kernel.tiling_bytes) {
    json["read_of_tiling_minimum"] =
        ratio(loads.byte_count() + kernel.counters.scalar_load_bytes, *kernel.tiling_bytes);
  }
  return json;
}

nlohmann::ordered_json resources_json(const tensor::LaunchDescription& launch) {
  const compiler::KernelResources& r = launch.resources;
  nlohmann::ordered_json json;
  json["vgprs"] = r.vgprs;
  json["sgprs"] = r.sgprs;
  json["lds_bytes"] = r.lds_bytes;
  json["scratch_bytes"] = r.scratch_bytes;
  json["vgpr_spills"] = r.vgpr_spills;
  json["sgpr_spills"] = r.sgpr_spills;
  json["waves_per_simd"] = compiler::occupancy(r, launch.workgroup_lanes).waves_per_simd;
  return json;
}

nlohmann::ordered_json kernel_json(const KernelCounts& kernel) {
  const DispatchCounters& counters = kernel.counters;
  nlohmann::ordered_json json;
  json["name"] = kernel.launch.kernel;
  json["form"] = kernel.launch.form;
  json["launches"] = kernel.launches;
  json["workgroups"] = kernel.workgroups;
  json["workgroup_lanes"] = kernel.launch.workgroup_lanes;
  json["grid"] = kernel.launch.grid;
  json["group_extent"] = kernel.launch.group_extent;
  json["instructions"] = instructions_json(counters.instructions);
  json["shares"] = shares_json(kernel);
  json["global_loads"] = traffic_json(counters.loads);
  json["global_stores"] = traffic_json(counters.stores);
  json["global_atomics"] = traffic_json(counters.atomics);
  json["scalar_load_bytes"] = counters.scalar_load_bytes;
  json["touched_bytes"] = {{"read", counters.touched.read}, {"written", counters.touched.written}};
  json["touched_bytes_by_workgroups"] = {{"read", counters.touched_by_groups.read},
                                         {"written", counters.touched_by_groups.written}};
  if (kernel.tiling_bytes) json["tiling_minimum_bytes"] = *kernel.tiling_bytes;
  json["scratch_bytes"] = counters.scratch_loads.byte_count() + counters.scratch_stores.byte_count();
  json["buffers"] = nlohmann::ordered_json::array();
  for (const BufferCounts& buffer : kernel.buffers) {
    json["buffers"].push_back({{"size_bytes", buffer.size_bytes},
                               {"loaded_bytes", buffer.loaded_bytes},
                               {"loaded_bytes_in_128_bits", buffer.loaded_bytes_128},
                               {"stored_bytes", buffer.stored_bytes}});
  }
  json["lds"] = lds_json(counters.lds);
  json["resources"] = resources_json(kernel.launch);
  return json;
}

// Of all kernels, against what must be moved.
std::string totals_text(const BenchResult& result) {
  DispatchCounters all;
  for (const KernelCounts& kernel : result.kernels) all.add(kernel.counters);
  const auto against = [&](const char* what, uint64_t bytes) {
    return fmt::format("{} {} ({:.3f} of the least)", what, bytes_text(bytes), ratio(bytes, result.minimum_bytes));
  };
  const uint64_t requested =
      all.loads.requested.byte_count() + all.stores.requested.byte_count() + all.scalar_load_bytes;
  return fmt::format("  {} instructions; {}, {}, {}\n", all.instructions.total, against("requested", requested),
                     against("by workgroups", all.touched_by_groups.read + all.touched_by_groups.written),
                     against("touched", all.touched.read + all.touched.written));
}

}  // namespace

std::string to_text(const BenchResult& result) {
  if (!result.status.is_ok()) return fmt::format("{:<20} FAILED: {}\n", result.name, result.status.message());
  std::string text = fmt::format("{:<20} ", result.name);
  text += fmt::format("{}, at least {} of memory, {} launch{}\n", with_unit(result.flops, "FLOP"),
                      bytes_text(result.minimum_bytes), result.launches, result.launches == 1 ? "" : "es");
  text += totals_text(result);
  for (const KernelCounts& kernel : result.kernels) text += kernel_text(kernel);
  return text;
}

nlohmann::ordered_json to_json(const BenchResult& result) {
  nlohmann::ordered_json json;
  json["name"] = result.name;
  json["ok"] = result.status.is_ok();
  if (!result.status.is_ok()) {
    json["error"] = result.status.message();
    return json;
  }
  json["minimum_bytes"] = result.minimum_bytes;
  json["flops"] = result.flops;
  json["launches"] = result.launches;
  json["kernels"] = nlohmann::ordered_json::array();
  for (const KernelCounts& kernel : result.kernels) json["kernels"].push_back(kernel_json(kernel));
  return json;
}

}  // namespace bw::tools
