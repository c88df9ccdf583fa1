// Owns: `barewave isa`. Not here: the instruction table (amdgpu/gfx11/isa) and what is implemented of it
// (emulator/shader).
#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "emulator/shader/coverage.h"
#include "tools/barewave/commands.h"

namespace bw::tools {
namespace {

using amdgpu::gfx11::Encoding;
using emulator::InstructionCoverage;
using emulator::Support;

struct Options {
  bool coverage = false;
  bool list = false;
};

const char* name_of(Support support) {
  switch (support) {
    case Support::kImplemented:
      return "implemented";
    case Support::kUnsupported:
      return "unsupported";
    case Support::kMissing:
      break;
  }
  return "missing";
}

// One line for each row of the table: encoding, opcode, mnemonic, what becomes of it.
void print_list(const std::vector<InstructionCoverage>& rows) {
  for (const InstructionCoverage& row : rows) {
    fmt::print("{:<8} {:>4}  {:<32} {}{}{}\n", amdgpu::gfx11::layout(row.info->encoding).name, row.info->opcode,
               row.info->mnemonic, name_of(row.support), row.reason != nullptr ? ": " : "",
               row.reason != nullptr ? row.reason : "");
  }
}

void print_names(const std::vector<InstructionCoverage>& rows, Encoding encoding, Support support) {
  const char* reason = nullptr;
  bool any = false;
  for (const InstructionCoverage& row : rows) {
    if (row.info->encoding != encoding || row.support != support) continue;
    if (!any || row.reason != reason) {
      fmt::print("{}  {}{}{}:", any ? "\n" : "", name_of(support), row.reason != nullptr ? ", " : "",
                 row.reason != nullptr ? row.reason : "");
    }
    fmt::print(" {}", row.info->mnemonic);
    reason = row.reason;
    any = true;
  }
  if (any) fmt::print("\n");
}

void print_coverage(const std::vector<InstructionCoverage>& rows) {
  size_t implemented_in_all = 0, unsupported_in_all = 0;
  for (size_t i = 0; i < static_cast<size_t>(Encoding::kCount); ++i) {
    const Encoding encoding = static_cast<Encoding>(i);
    size_t listed = 0, implemented = 0, unsupported = 0;
    for (const InstructionCoverage& row : rows) {
      if (row.info->encoding != encoding) continue;
      ++listed;
      implemented += row.support == Support::kImplemented;
      unsupported += row.support == Support::kUnsupported;
    }
    if (listed == 0) continue;
    fmt::print("{:<8} {:>4} / {}\n", amdgpu::gfx11::layout(encoding).name, implemented, listed);
    print_names(rows, encoding, Support::kUnsupported);
    print_names(rows, encoding, Support::kMissing);
    implemented_in_all += implemented;
    unsupported_in_all += unsupported;
  }
  fmt::print("all      {:>4} / {}, {} unsupported, {} missing\n", implemented_in_all, rows.size(), unsupported_in_all,
             rows.size() - implemented_in_all - unsupported_in_all);
}

Status run_isa(const Options& options) {
  if (!options.coverage && !options.list) {
    return error(StatusCode::kInvalidArgument, "isa: say what to print (--coverage or --list)");
  }
  const std::vector<InstructionCoverage> rows = emulator::instruction_coverage();
  if (options.list) print_list(rows);
  if (options.coverage) print_coverage(rows);
  return Status::ok();
}

}  // namespace

Command add_isa_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* isa =
      app.add_subcommand("isa", "Show the instruction set of gfx1100 and what of it the emulated card executes");
  isa->add_flag("--coverage", options->coverage,
                "Per encoding: instructions implemented / listed, and the others by name");
  isa->add_flag("--list", options->list, "Every instruction of every encoding");
  return [options](const GlobalOptions&) { return run_isa(*options); };
}

}  // namespace bw::tools
