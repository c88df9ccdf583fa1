// Owns: which driver a command talks to: Linux's with a real card behind it, or the emulated one.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/status.h"
#include "emulator/driver.h"
#include "emulator/trace/recorder.h"
#include "kfd/driver.h"

namespace bw::tools {

enum class DeviceChoice : uint8_t { kAuto, kKfd, kEmulated };

enum class Verbosity : uint8_t { kQuiet, kVerbose };

// A driver ready to be opened, and how it came to be.
struct ChosenDriver {
  std::shared_ptr<emulator::TraceRecorder> trace;  // outlives all that writes to it
  std::unique_ptr<kfd::KernelDriver> base;
  std::unique_ptr<kfd::KernelDriver>
      tracing;  // over `base`, writes every call to stderr or to the trace; null unless asked for
  emulator::EmulatedDriver* emulated = nullptr;  // `base`, where it is the emulated one

  kfd::KernelDriver& driver() const { return tracing != nullptr ? *tracing : *base; }
  bool is_emulated() const { return emulated != nullptr; }
};

struct DriverOptions {
  DeviceChoice device = DeviceChoice::kAuto;
  Verbosity verbosity = Verbosity::kQuiet;
  std::shared_ptr<emulator::TraceRecorder> trace;  // null: none
  // For the emulated card; a real one takes no notice.
  uint32_t card_count = 1;
  emulator::Strictness strictness = emulator::Strictness::kOff;
  emulator::Counting counting = emulator::Counting::kOff;
  std::optional<uint64_t> watchdog_instructions;  // nothing: as for the engine; 0: any number
  std::optional<emulator::ShaderEngine> engine;   // nothing: the user leaves it to the command
};

// How a user names it.
std::string name_of(emulator::ShaderEngine engine);

// To stderr, one line.
void warn(const Status& status);

// kAuto takes the real card where the system lists a gfx1100 GPU, and the emulated one where it lists none. A card that
// is there but cannot be used is an error, never a reason to emulate.
// What the emulated card warns of goes to stderr.
Result<ChosenDriver> choose_driver(const DriverOptions& options);

// `status` with the emulated card's precise fault reports (wave, pc, disassembly) set behind it, where there are any.
Status with_fault_reports(const ChosenDriver& chosen, Status status);

}  // namespace bw::tools
