#include "tools/barewave/bench/bench_machine.h"

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <utility>

#include "base/file_cache.h"
#include "emulator/shim/settings.h"
#include "tensor/device_executor.h"

namespace bw::tools {

using emulator::ShaderEngine;

tensor::RuntimeOptions bench_runtime_options(size_t tuning_candidates) {
  tensor::RuntimeOptions options;
  options.cache_dir = default_cache_dir();
  options.compiler_threads = std::max(1u, std::thread::hardware_concurrency());
  options.tuning_candidates = tuning_candidates;
  return options;
}

Result<std::unique_ptr<BenchMachine>> BenchMachine::create(const DriverOptions& options, size_t tuning_candidates) {
  std::unique_ptr<BenchMachine> machine(new BenchMachine(options));
  machine->tuning_candidates_ = tuning_candidates;
  const bool is_strict = options.strictness != emulator::Strictness::kOff;
  machine->engine_ = options.engine.value_or(is_strict ? ShaderEngine::kInterpreter : ShaderEngine::kJit);
  BW_ASSIGN(machine->main_.chosen, choose_driver(options));
  return machine;
}

Result<std::shared_ptr<amdgpu::Device>> BenchMachine::open(Card& card) {
  if (card.device == nullptr) {
    BW_ASSIGN(std::unique_ptr<amdgpu::Device> device, amdgpu::Device::open(card.chosen.driver()));
    card.device = std::move(device);
  }
  return card.device;
}

Result<std::shared_ptr<amdgpu::Device>> BenchMachine::device() {
  return open(main_);
}

Result<std::shared_ptr<tensor::Runtime>> BenchMachine::runtime() {
  if (runtime_ == nullptr) {
    BW_ASSIGN(std::shared_ptr<amdgpu::Device> device, open(main_));
    BW_ASSIGN(std::unique_ptr<tensor::Executor> executor,
              tensor::DeviceExecutor::create(std::move(device), bench_runtime_options(tuning_candidates_)));
    runtime_ = tensor::Runtime::create(std::move(executor));
  }
  return runtime_;
}

Result<std::shared_ptr<amdgpu::Device>> BenchMachine::host_cost_device() {
  if (host_cost_engine() == engine()) return open(main_);
  if (host_cost_.chosen.base == nullptr) {
    DriverOptions options = options_;
    options.device = DeviceChoice::kEmulated;
    options.engine = ShaderEngine::kNone;
    BW_ASSIGN(host_cost_.chosen, choose_driver(options));
  }
  return open(host_cost_);
}

std::string BenchMachine::device_kind() const {
  if (is_emulated()) return "emulated";
  return std::getenv(emulator::shim::kTreeVariable) != nullptr ? "emulated (shim)" : "real";
}

std::string BenchMachine::engine() const {
  return is_emulated() ? name_of(engine_) : "hardware";
}

std::string BenchMachine::host_cost_engine() const {
  const bool is_free = !options_.engine && options_.strictness == emulator::Strictness::kOff;
  return is_emulated() && is_free ? name_of(ShaderEngine::kNone) : engine();
}

Status BenchMachine::with_fault_reports(Status status) const {
  return tools::with_fault_reports(main_.chosen, std::move(status));
}

}  // namespace bw::tools
