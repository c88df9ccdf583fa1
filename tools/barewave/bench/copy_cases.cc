// Copies between the host's ordinary memory and the card's.
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/submission_cases.h"

namespace bw::tools {
namespace {

struct CopiedBuffer {
  std::shared_ptr<amdgpu::Device> device;
  amdgpu::Buffer buffer;
  std::vector<std::byte> host;

  Status copy(CopyDirection direction) {
    return direction == CopyDirection::kHostToDevice ? device->write(buffer, 0, host) : device->read(buffer, 0, host);
  }
};

// There and back once; what comes back must be what went.
Status verify(CopiedBuffer& copied) {
  for (size_t i = 0; i < copied.host.size(); ++i) copied.host[i] = static_cast<std::byte>(i * 7 + i / 256);
  const std::vector<std::byte> sent = copied.host;
  BW_RETURN_IF_ERROR(copied.copy(CopyDirection::kHostToDevice));
  std::memset(copied.host.data(), 0, copied.host.size());
  BW_RETURN_IF_ERROR(copied.copy(CopyDirection::kDeviceToHost));
  if (copied.host == sent) return Status::ok();
  return error(StatusCode::kDataLoss, "wrong result: what came back of {} bytes differs from what was sent",
               sent.size());
}

Result<TimedRun> make_copy(BenchMachine& machine, CopyDirection direction, uint64_t size_bytes) {
  auto copied = std::make_shared<CopiedBuffer>();
  BW_ASSIGN(copied->device, machine.device());
  BW_ASSIGN(copied->buffer, copied->device->allocate(amdgpu::MemoryKind::kVram, size_bytes));
  copied->host.resize(size_bytes);
  BW_RETURN_IF_ERROR(verify(*copied));
  return TimedRun([copied, direction](benchmark::State& state) {
    IterationTimes times(state);
    while (state.KeepRunning()) {
      Status status = Status::ok();
      times.add(IterationTimes::measure([&] { status = copied->copy(direction); }));
      BW_RETURN_IF_ERROR(status);
    }
    times.report();
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(copied->host.size()));
    return Status::ok();
  });
}

constexpr const char* kToDevice = "copy/h2d/";
constexpr const char* kToHost = "copy/d2h/";
constexpr const char* kReplay = "graph_replay/";

}  // namespace

TimedCase copy_case(CopyDirection direction, uint64_t size_bytes) {
  const bool is_up = direction == CopyDirection::kHostToDevice;
  return {.name = fmt::format("{}{}", is_up ? kToDevice : kToHost, size_bytes),
          .alias = "",
          .summary = fmt::format("{} bytes from {}, with the wait for their end", size_bytes,
                                 is_up ? "ordinary host memory to VRAM" : "VRAM to ordinary host memory"),
          .iterations = 0,
          .make = [=](BenchMachine& machine) { return make_copy(machine, direction, size_bytes); }};
}

void add_copy_cases(std::vector<TimedCase>* cases) {
  for (const CopyDirection direction : {CopyDirection::kHostToDevice, CopyDirection::kDeviceToHost}) {
    for (const uint64_t size : {4u << 10, 64u << 10, 1u << 20, 16u << 20, 64u << 20}) {
      cases->push_back(copy_case(direction, size));
    }
  }
}

std::vector<TimedCase> sized_case(const std::string& name) {
  constexpr uint64_t kMostKernels = 10'000, kMostBytes = uint64_t{1} << 32;
  for (const char* family : {kReplay, kToDevice, kToHost}) {
    if (!name.starts_with(family)) continue;
    const char* begin = name.data() + std::strlen(family);
    const char* end = name.data() + name.size();
    uint64_t size = 0;
    const auto [stop, problem] = std::from_chars(begin, end, size);
    const uint64_t most = family == kReplay ? kMostKernels : kMostBytes;
    if (problem != std::errc() || stop != end || size == 0 || size > most) return {};
    if (family == kReplay) return {replay_case(static_cast<int64_t>(size))};
    return {copy_case(family == kToDevice ? CopyDirection::kHostToDevice : CopyDirection::kDeviceToHost, size)};
  }
  return {};
}

}  // namespace bw::tools
