// Owns: the card that timed cases run on, and the runtime over it, opened when a case first needs them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "amdgpu/device.h"
#include "base/status.h"
#include "tensor/runtime.h"
#include "tools/barewave/driver_choice.h"

namespace bw::tools {

// Opens no device twice: on Linux a process can open a GPU once.
class BenchMachine {
 public:
  static Result<std::unique_ptr<BenchMachine>> create(const DriverOptions& options, size_t tuning_candidates);

  Result<std::shared_ptr<amdgpu::Device>> device();
  // Over device().
  Result<std::shared_ptr<tensor::Runtime>> runtime();
  // Where what the host does is measured alone: an emulated card that executes nothing, unless the user has chosen an
  // engine. A real card executes, beside the host.
  Result<std::shared_ptr<amdgpu::Device>> host_cost_device();

  bool is_emulated() const { return main_.chosen.is_emulated(); }
  // "emulated", "real", or "emulated (shim)" where this process is shown an emulated card as if it were real.
  std::string device_kind() const;
  // Whether programs leave results on device().
  bool executes() const { return engine_ != emulator::ShaderEngine::kNone || !is_emulated(); }
  // "jit", "interpreter", "none" or, of a real card, "hardware".
  std::string engine() const;
  std::string host_cost_engine() const;
  // `status` with what the emulated card says of faults.
  Status with_fault_reports(Status status) const;

 private:
  struct Card {
    ChosenDriver chosen;
    std::shared_ptr<amdgpu::Device> device;  // goes before the driver
  };
  explicit BenchMachine(DriverOptions options) : options_(std::move(options)) {}
  static Result<std::shared_ptr<amdgpu::Device>> open(Card& card);

  DriverOptions options_;
  emulator::ShaderEngine engine_ = emulator::ShaderEngine::kJit;
  size_t tuning_candidates_ = 0;
  Card main_;
  Card host_cost_;  // empty where it is the same
  std::shared_ptr<tensor::Runtime> runtime_;
};

// As all commands make them: with the cache of compiled kernels, on all processors.
tensor::RuntimeOptions bench_runtime_options(size_t tuning_candidates);

}  // namespace bw::tools
