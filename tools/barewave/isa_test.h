// Owns: running instruction test vectors on a device, one whole dispatch for each, and saying how they ended. Not here:
// the vectors and the judge (isa_vectors.h), the options of the command (isa_test_command.cc).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "amdgpu/device.h"
#include "base/status.h"
#include "tools/barewave/driver_choice.h"
#include "tools/barewave/isa_vectors.h"

namespace bw::tools {

struct IsaRunOptions {
  uint32_t wave_size = 32;  // or 64
  uint64_t timeout_ns = 10'000'000'000;
};

// What became of one vector.
struct IsaOutcome {
  Status status;             // a fault or time-out of the program; then nothing of `out` was judged
  std::vector<uint8_t> out;  // what the out buffer held in the end
  IsaVerdict verdict;

  bool passed() const { return status.is_ok() && verdict.hard.empty(); }
};

class IsaRunner {
 public:
  static Result<IsaRunner> open(const ChosenDriver& driver, const IsaRunOptions& options);

  // Afterwards the device takes the next vector, whatever this one did. A failure is the runtime's or the device's, not
  // the vector's.
  Result<IsaOutcome> run(const IsaVector& vector);

 private:
  IsaRunner(const ChosenDriver& driver, const IsaRunOptions& options, std::unique_ptr<amdgpu::Device> device)
      : driver_(&driver), options_(options), device_(std::move(device)) {}
  Result<amdgpu::Buffer> make_out_buffer(const IsaVector& vector);
  // The program's own fault, with what the emulated card tells of it.
  Status execute(const IsaVector& vector, const amdgpu::CommandBuffer& commands);

  const ChosenDriver* driver_;
  IsaRunOptions options_;
  std::unique_ptr<amdgpu::Device> device_;
};

// A failure, understandable alone: program, failed assertions, and both states with the differences marked. Many lines,
// the last one ended. `place` stands behind the name: " on the interpreter".
std::string describe_failure(const IsaVector& vector, const IsaOutcome& outcome, uint32_t wave_size,
                             const std::string& place);

}  // namespace bw::tools
