#include "tools/barewave/driver_choice.h"

#include <fmt/format.h>

#include <cstdio>
#include <utility>

#include "amdgpu/gfx11/limits.h"
#include "base/file_cache.h"
#include "emulator/trace/recorder.h"
#include "kfd/linux_driver.h"
#include "kfd/topology.h"
#include "kfd/tracing_driver.h"

namespace bw::tools {
namespace {

// Whether the system lists a gfx1100 GPU. A system without the KFD driver lists none.
Result<bool> has_real_card(kfd::KernelDriver& driver) {
  auto nodes = kfd::read_topology(driver);
  if (!nodes.is_ok()) {
    if (nodes.status().code() == StatusCode::kNotFound) return false;
    return std::move(nodes).status();
  }
  for (const kfd::Node& node : nodes.value()) {
    if (node.property("gfx_target_version") == amdgpu::gfx11::kTargetVersion) return true;
  }
  return false;
}

kfd::TracingDriver::CallSink call_sink_of(const DriverOptions& options, emulator::TraceRecorder* trace) {
  return [is_verbose = options.verbosity == Verbosity::kVerbose, trace](const kfd::TracedCall& call) {
    if (is_verbose && !call.begins) fmt::print(stderr, "{}\n", call.line);
    if (trace != nullptr) emulator::call_sink (*trace)(call);
  };
}

Status use_emulated(const DriverOptions& choice, ChosenDriver* chosen) {
  emulator::EmulatedOptions options;
  options.card_count = choice.card_count;
  options.strictness = choice.strictness;
  options.counting = choice.counting;
  options.trace = chosen->trace;
  options.watchdog_instructions = choice.watchdog_instructions.value_or(0);
  if (choice.engine) options.engine = *choice.engine;
  if (choice.strictness != emulator::Strictness::kOff && choice.engine &&
      *choice.engine != emulator::ShaderEngine::kInterpreter) {
    return error(StatusCode::kInvalidArgument, "strict mode is the interpreter's (leave --engine jit out)");
  }
  if (choice.counting != emulator::Counting::kOff && choice.engine &&
      *choice.engine != emulator::ShaderEngine::kInterpreter) {
    return error(StatusCode::kInvalidArgument, "counters are the interpreter's (leave --engine jit out)");
  }
  // What is to be translated at once is under test: neither is it to come from the disk, nor worth keeping there.
  if (options.engine != emulator::ShaderEngine::kJitAtOnce) options.cache_dir = default_cache_dir();
  options.warn = warn;
  BW_ASSIGN(std::unique_ptr<emulator::EmulatedDriver> emulated, emulator::EmulatedDriver::create(std::move(options)));
  chosen->emulated = emulated.get();
  chosen->base = std::move(emulated);
  return Status::ok();
}

}  // namespace

std::string name_of(emulator::ShaderEngine engine) {
  switch (engine) {
    case emulator::ShaderEngine::kInterpreter:
      return "interpreter";
    case emulator::ShaderEngine::kNone:
      return "none";
    default:
      return "jit";
  }
}

void warn(const Status& status) {
  fmt::print(stderr, "barewave: warning: {}\n", status.message());
}

Result<ChosenDriver> choose_driver(const DriverOptions& options) {
  ChosenDriver chosen;
  chosen.trace = options.trace;
  if (options.device == DeviceChoice::kEmulated) {
    BW_RETURN_IF_ERROR(use_emulated(options, &chosen));
  } else {
    chosen.base = std::make_unique<kfd::LinuxDriver>();
    if (options.device == DeviceChoice::kAuto) {
      BW_ASSIGN(const bool is_real, has_real_card(*chosen.base));
      if (!is_real) BW_RETURN_IF_ERROR(use_emulated(options, &chosen));
    }
  }
  if (options.verbosity == Verbosity::kVerbose || chosen.trace != nullptr) {
    chosen.tracing = std::make_unique<kfd::TracingDriver>(*chosen.base, call_sink_of(options, chosen.trace.get()));
  }
  return chosen;
}

Status with_fault_reports(const ChosenDriver& chosen, Status status) {
  if (status.is_ok() || chosen.emulated == nullptr) return status;
  std::string details;
  for (const emulator::FaultReport& report : chosen.emulated->fault_reports()) {
    details += fmt::format("{}{}", details.empty() ? "" : "; ", report.message);
  }
  if (details.empty()) return status;
  return std::move(status).with_advice(fmt::format("the emulated card reports: {}", details));
}

}  // namespace bw::tools
