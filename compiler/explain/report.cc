#include "compiler/explain/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "compiler/explain/loop_listing.h"
#include "compiler/explain/nest_listing.h"
#include "ir/text.h"

namespace bw::compiler::explain {
namespace {

// A listing beyond these lines is cut: no one reads the rest of a written-out tile.
constexpr size_t kMaxLoopLines = 120;
constexpr size_t kMaxIrLines = 400;

std::string print_grid(const KernelPart& part) {
  std::string text;
  for (size_t axis = 0; axis < 3; ++axis) {
    text += (axis == 0 ? "" : " x ") + ir::print_dim(part.grid[axis]);
  }
  return text;
}

std::string print_sizes(const std::array<uint32_t, 3>& sizes) {
  return fmt::format("{} x {} x {}", sizes[0], sizes[1], sizes[2]);
}

// Two spaces before each line; lines beyond the limit are left out, which a last line tells.
std::string indented(const std::string& text, size_t max_lines) {
  std::string result;
  size_t lines = 0;
  size_t left_out = 0;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (++lines <= max_lines) {
      result += "  " + text.substr(begin, end - begin) + "\n";
    } else {
      ++left_out;
    }
    begin = end + 1;
  }
  if (left_out > 0) result += fmt::format("  ... {} more lines\n", left_out);
  return result;
}

// The function itself, without the directives before and behind it.
std::string instructions(const std::string& assembly) {
  const size_t label = assembly.find(std::string(kKernelSymbol) + ":\n");
  const size_t begin = label == assembly.npos ? 0 : label;
  const size_t end = assembly.find("\t.section\t", begin);
  return assembly.substr(begin, end == assembly.npos ? end : end - begin);
}

// Columns as wide as their widest cell; the first two are set flush left, the others flush right.
std::string print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool is_text = i == 1 || i + 1 == row.size();
      line += i == 0 ? "" : "  ";
      line += is_text ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string print_buffers(const Explanation& explanation, const Launch& launch, const KernelPart& part) {
  std::string text;
  for (size_t i = 0; i < part.kernel.params.size(); ++i) {
    const ir::Node& param = *part.kernel.params[i];
    const size_t argument = part.arguments[i];
    const BufferPlan& plan = explanation.schedule.buffers[launch.buffers[argument]];
    text += fmt::format("  {:<6} {} {} {} = {}, {}B\n", argument < launch.written_buffers ? "writes" : "reads",
                        param.attr<ir::ParamAttr>().name, ir::name(param.dtype), ir::print_shape(param.shape),
                        buffer_name(explanation, launch.buffers[argument]),
                        print_quantity(static_cast<double>(plan.size_bytes)));
  }
  for (const ir::NodePtr& variable : part.kernel.variables) {
    const auto& attr = variable->attr<ir::VariableAttr>();
    text += fmt::format("  variable {} in {}..{}\n", attr.name, attr.min, attr.max);
  }
  return text;
}

const char* name(ir::analysis::ProofMethod method) {
  switch (method) {
    case ir::analysis::ProofMethod::kInterval:
      return "by intervals";
    case ir::analysis::ProofMethod::kRelational:
      return "by what ranges and variables have to do with each other";
    case ir::analysis::ProofMethod::kEnumeration:
      break;
  }
  return "by trying all values";
}

std::string print_proofs(const std::vector<Proof>& proofs) {
  std::string text;
  for (const Proof& proof : proofs) {
    text += fmt::format("  {:<5} {}: {}..{} of {} elements, {}", ir::name(proof.op), proof.param, proof.low, proof.high,
                        proof.elements, name(proof.method));
    text += proof.count == 1 ? "\n" : fmt::format(" ({} accesses)\n", proof.count);
  }
  return text;
}

std::string print_roofline(const Roofline& roofline) {
  std::string text;
  for (size_t i = 0; i < kCardUnitCount; ++i) {
    if (roofline.seconds[i] <= 0) continue;
    const auto unit = static_cast<CardUnit>(i);
    text += fmt::format("  {:<16} {:>10}{}\n", name(unit), print_seconds(roofline.seconds[i]),
                        unit == roofline.bound ? "  bound" : "");
  }
  return text;
}

std::string print_resources(const KernelFacts& facts) {
  const KernelResources& used = facts.resources;
  const Occupancy& fits = facts.occupancy;
  std::string text = fmt::format(
      "  {} vector registers, {} scalar registers, {} bytes of LDS, {} bytes of scratch per lane, {} bytes of code\n",
      used.vgprs, used.sgprs, used.lds_bytes, used.scratch_bytes, used.code_bytes);
  text += fmt::format("  occupancy: {:.4g} of 16 waves per SIMD ({} workgroups of {} waves on a WGP), limited by {}\n",
                      fits.waves_per_simd, fits.workgroups, fits.waves_per_workgroup, name(fits.limit));
  if (!facts.diagnostic.empty()) text += "  warning: " + facts.diagnostic + "\n";
  return text;
}

// How the loops of the grid are dealt out, where they do not say it themselves.
std::string describe(const KernelForm& form) {
  if (const auto* tiles = std::get_if<ContractionForm>(&form)) {
    return fmt::format(
        "  a workgroup: {0} x {1} elements; {2} waves, {3} x {4} of them each\n"
        "  a step: {0} x {5} of the rows' operand and {5} x {1} of the columns' staged in LDS{6}\n",
        tiles->block_m, tiles->block_n, tiles->waves(), tiles->wave_m, tiles->wave_n, tiles->block_k,
        tiles->buffers > 1 ? " while the step before is multiplied" : "");
  }
  if (const auto* attention = std::get_if<AttentionForm>(&form)) {
    return fmt::format(
        "  a workgroup: {} rows of y, all of x; {} waves share the positions, 32 at a time\n"
        "  maximum, sum and weighted sum in one pass over the positions\n",
        attention->queries, attention->waves);
  }
  return "";
}

// What a part does and how: its form, buffers, loops, proofs, IR.
Result<std::string> print_part(const Explanation& explanation, const ScheduledKernel& scheduled, size_t number,
                               const std::vector<Proof>& proofs) {
  const KernelPart& part = scheduled.parts[number];
  BW_ASSIGN(const std::string loops, print_loops(part.kernel, part.form, kMaxLoopLines));
  BW_ASSIGN(const std::string nest, print_nest(part));
  std::string text = fmt::format("\nform\n  {}\n{}", print_form(part.form), describe(part.form));
  text += fmt::format("  grid {}, {} of it a workgroup: {} workgroups of {} lanes\n", print_grid(part),
                      print_sizes(part.group_extent), count_workgroups(part), part.kernel.workgroup_size);
  text += "\nbuffers\n" + print_buffers(explanation, scheduled.launch, part);
  text += "\nloops\n" + indented(loops, kMaxLoopLines + 1);
  text += "\nnest, as executed\n" + indented(nest, kMaxLoopLines);
  text += "\nbounds, proven\n" + print_proofs(proofs);
  text += "\nir\n" + indented(ir::print_kernel(part.kernel), kMaxIrLines);
  return text;
}

}  // namespace

std::string buffer_name(const Explanation& explanation, size_t buffer) {
  const BufferPlan& plan = explanation.schedule.buffers[buffer];
  if (plan.kind == BufferKind::kTemporary) return fmt::format("temporary {}", buffer);
  const auto found = explanation.param_names.find(plan.param_id);
  return found == explanation.param_names.end() ? fmt::format("param {}", plan.param_id) : found->second;
}

std::string print_quantity(double value) {
  constexpr std::array<const char*, 6> kPrefixes = {"", "k", "M", "G", "T", "P"};
  size_t prefix = 0;
  while (value >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return fmt::format("{:.3g} {}", value, kPrefixes[prefix]);
}

std::string print_seconds(double seconds) {
  if (seconds < 0.9995e-6) return fmt::format("{:.3g} ns", seconds * 1e9);
  if (seconds < 0.9995e-3) return fmt::format("{:.3g} us", seconds * 1e6);
  if (seconds < 0.9995) return fmt::format("{:.3g} ms", seconds * 1e3);
  return fmt::format("{:.4g} s", seconds);
}

std::string print_summary(const Explanation& explanation) {
  if (explanation.kernels.empty()) return "no kernels: nothing is to be computed\n";
  std::vector<std::vector<std::string>> rows = {
      {"#", "kernel", "groups", "lanes", "FLOP", "bytes", "FLOP/B", "VGPRs", "LDS", "waves", "time", "bound"}};
  double flops = 0;
  double bytes = 0;
  for (size_t i = 0; i < explanation.kernels.size(); ++i) {
    const KernelFacts& facts = explanation.kernels[i];
    const auto own_flops = static_cast<double>(facts.costs.flops);
    const auto own_bytes = static_cast<double>(facts.costs.bytes);
    rows.push_back({fmt::format("{}", i), facts.name, fmt::format("{}", facts.workgroups),
                    fmt::format("{}", facts.workgroup_size), print_quantity(own_flops), print_quantity(own_bytes),
                    own_bytes > 0 ? fmt::format("{:.2f}", own_flops / own_bytes) : "-",
                    fmt::format("{}{}", facts.resources.vgprs, facts.diagnostic.empty() ? "" : "!"),
                    fmt::format("{}", facts.resources.lds_bytes), fmt::format("{:.3g}", facts.occupancy.waves_per_simd),
                    print_seconds(facts.roofline.total_seconds()), name(facts.roofline.bound)});
    flops += own_flops;
    bytes += own_bytes;
  }
  std::string text = print_table(rows);
  text += fmt::format("{} kernels, {}FLOP, {}B, at least {} one after the other\n", explanation.kernels.size(),
                      print_quantity(flops), print_quantity(bytes), print_seconds(explanation.total_seconds));
  const Schedule& schedule = explanation.schedule;
  if (schedule.planned_bytes() < schedule.unshared_bytes) {
    text += fmt::format("temporary memory: {}B, {}B if values did not share it\n",
                        print_quantity(static_cast<double>(schedule.planned_bytes())),
                        print_quantity(static_cast<double>(schedule.unshared_bytes)));
  }
  for (size_t i = 0; i < explanation.kernels.size(); ++i) {
    if (explanation.kernels[i].diagnostic.empty()) continue;
    text += fmt::format("warning: kernel {}: {}\n", i, explanation.kernels[i].diagnostic);
  }
  return text;
}

Result<std::string> print_kernel_report(const Explanation& explanation, size_t number, const ReportOptions& options) {
  const ScheduledKernel& scheduled = explanation.schedule.kernels[number];
  const KernelFacts& facts = explanation.kernels[number];
  const auto flops = static_cast<double>(facts.costs.flops);
  const auto bytes = static_cast<double>(facts.costs.bytes);
  std::string text = fmt::format("kernel {}: {}\n", number, facts.name);
  for (size_t i = 0; i < scheduled.parts.size(); ++i) {
    if (scheduled.parts.size() > 1) {
      text += fmt::format("\npart {} of {}: {}\n", i + 1, scheduled.parts.size(), scheduled.parts[i].kernel.name);
    }
    BW_ASSIGN(const std::string part, print_part(explanation, scheduled, i, facts.proofs[i]));
    text += part;
  }
  text += fmt::format("\ncosts\n  {}FLOP, {}B of memory", print_quantity(flops), print_quantity(bytes));
  text += bytes > 0 ? fmt::format(", {:.2f} FLOP/B\n", flops / bytes) : "\n";
  text += "\nresources\n" + print_resources(facts);
  text += fmt::format("\nleast time on an RX 7900 XTX{}\n",
                      facts.roofline.filled < 1
                          ? fmt::format(" ({:.3g} % of its SIMDs have a wave)", 100 * facts.roofline.filled)
                          : "");
  text += print_roofline(facts.roofline);
  if (facts.model_seconds) {
    text += fmt::format("  by the cost model of tiles: {}\n", print_seconds(*facts.model_seconds));
  }
  if (options.llvm_ir == Listing::kShown) text += "\nLLVM IR\n" + indented(facts.code.llvm_ir, SIZE_MAX);
  if (options.assembly == Listing::kShown)
    text += "\nassembly\n" + indented(instructions(facts.code.assembly), SIZE_MAX);
  return text;
}

}  // namespace bw::compiler::explain
