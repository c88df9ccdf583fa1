// Owns: starting a program that finds the emulated card in the place of a real one, for the commands that do it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "emulator/trace/recorder.h"
#include "tools/barewave/commands.h"

namespace bw::tools {

struct ShimOptions {
  uint32_t gpus = 1;
  std::optional<uint32_t> kfd_minor;
};

// The file that the program's trace goes to.
struct TraceChoice {
  enum class BegunBy : uint8_t { kNobody, kCaller };
  std::string path;  // "": none
  emulator::TraceFormat format = emulator::TraceFormat::kText;
  BegunBy begun_by = BegunBy::kNobody;
};

void add_shim_options(CLI::App* command, ShimOptions* options);

// Puts `program`, which is not empty, in the place of this process. Returns only if that fails.
Status exec_under_shim(const GlobalOptions& global, const ShimOptions& options, const TraceChoice& trace,
                       const std::vector<std::string>& program);

}  // namespace bw::tools
