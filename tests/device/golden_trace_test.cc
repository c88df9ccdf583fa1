// The system calls of a device's life - open, allocate, create queues, load, dispatch, wait, free - held against a
// golden file, call by call. The order and the arguments are those of a runtime known to work on the card, as far as
// this one makes the same calls: process, address space, event page, events, rings, context save and end-of-pipe
// buffers, queues; for each buffer: reserve, allocate, map for the host, map to the GPU; and to free it: unmap from the
// GPU, from the host, free.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "emulator/driver.h"
#include "kfd/tracing_driver.h"

namespace bw {
namespace {

class IdleCores final : public emulator::ShaderCores {
 public:
  std::optional<emulator::ShaderFault> run(const emulator::Dispatch&, const emulator::AddressSpace&,
                                           std::stop_token, emulator::Suspension*) override {
    return std::nullopt;
  }
  void set_watchdog(uint64_t) override {}
  uint64_t instruction_count() const override { return 0; }
};

Status live_a_life(kfd::KernelDriver& driver, std::span<const std::byte> code,
                   const std::function<void(const char*)>& say) {
  say("# open");
  // Waits spin only, so that the number of WAIT_EVENTS does not depend on the machine.
  BW_ASSIGN(auto device, amdgpu::Device::open(driver, {.spin_ns = 20'000'000'000}));
  say("# load a code object");
  BW_ASSIGN(auto module, device->load(code));
  BW_ASSIGN(const amdgpu::Kernel* kernel, module->kernel("add_one"));
  say("# allocate 1 MiB of device memory");
  BW_ASSIGN(amdgpu::Buffer buffer, device->allocate(amdgpu::MemoryKind::kVram, 1 << 20));
  say("# record");
  const uint64_t arguments[] = {buffer.gpu_addr().value, buffer.gpu_addr().value};
  amdgpu::CommandRecorder recorder = device->record();
  recorder.dispatch(*kernel, {1, 1, 1}, {32, 1, 1}, std::as_bytes(std::span(arguments)));
  BW_ASSIGN(amdgpu::CommandBuffer commands, recorder.finish());
  say("# submit and wait, twice");
  for (int i = 0; i < 2; ++i) {
    BW_ASSIGN(amdgpu::Submission submission, device->submit(commands));
    BW_RETURN_IF_ERROR(device->wait(submission));
  }
  say("# free");
  buffer = {};
  say("# close");
  return Status::ok();
}

// Takes out of a trace what differs from run to run or with the machine's files: addresses and handles, numbers of
// descriptors, lengths of files, and how a reservation was trimmed to its alignment.
std::string normalise(const std::vector<std::string>& lines) {
  std::vector<std::string> kept;
  for (std::string line : lines) {
    const bool trims = line.starts_with("munmap") && !kept.empty() &&
                       kept.back().find("PRIVATE|ANONYMOUS|NORESERVE") != std::string::npos;
    if (trims) {
      kept.back() = kept.back().substr(0, kept.back().rfind(" = ")) + " = trimmed to its alignment";
      continue;
    }
    if (line.starts_with("read(")) line = line.substr(0, line.rfind(" = "));
    kept.push_back(std::move(line));
  }
  std::string text;
  std::map<std::string, std::string> descriptors;
  kfd::TraceNormaliser normaliser;
  for (const std::string& line : kept) {
    std::smatch match;
    std::string shown = line;
    if (std::regex_match(line, match, std::regex(R"(open\((.*), .*\) = (\d+))"))) {
      descriptors[match[2]] = match[1];
      shown = line.substr(0, line.rfind(" = "));
    } else if (std::regex_match(line, match, std::regex(R"((close\(|ioctl\(|mmap\(.*, )(\d+)([,)].*))"))) {
      const std::string number = match[2];
      shown = match[1].str() + (descriptors.count(number) != 0 ? descriptors[number] : number) + match[3].str();
    }
    for (const auto& [number, path] : descriptors) {
      shown = std::regex_replace(shown, std::regex("drm_fd=" + number + "\\b"), "drm_fd=" + path);
    }
    text += normaliser.normalise(shown) + "\n";
  }
  return text;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(GoldenTrace, ADeviceMakesTheSystemCallsOfTheGoldenFile) {
  emulator::EmulatedOptions options;
  options.make_shader_cores = []() -> Result<std::unique_ptr<emulator::ShaderCores>> {
    return std::unique_ptr<emulator::ShaderCores>(std::make_unique<IdleCores>());
  };
  auto emulated = emulator::EmulatedDriver::create(std::move(options));
  ASSERT_TRUE(emulated.is_ok()) << emulated.status().message();
  std::vector<std::string> lines;
  kfd::TracingDriver driver(*emulated.value(), [&](const std::string& line) { lines.push_back(line); });
  auto code = MappedFile::open(BW_AMDGPU_TESTDATA "/two_kernels.hsaco");
  Status status = live_a_life(driver, code.value().bytes(), [&](const char* text) { lines.push_back(text); });
  ASSERT_TRUE(status.is_ok()) << status.message();

  const std::string trace = normalise(lines);
  const std::string path = BW_GOLDEN_DIR "/device_trace.txt";
  if (std::getenv("BW_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << trace;
  EXPECT_EQ(trace, read_text(path)) << "run with BW_UPDATE_GOLDEN=1 to take the new trace over, if it is right";
}

}  // namespace
}  // namespace bw
