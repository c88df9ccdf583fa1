// Copies between the host's memory and the card's, each in turns with a memcpy between the host's places: what the same
// bytes cost without a card.
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <utility>

#include "tools/barewave/bench/bench_machine.h"
#include "tools/barewave/bench/submission_cases.h"

namespace bw::tools {
namespace {

using amdgpu::Buffer;
using amdgpu::MemoryKind;
using amdgpu::Submission;

enum class CopyKind : uint8_t { kUp, kDown, kPinnedUp, kPinnedDown, kBothWays };

struct CopyFamily {
  const char* prefix;
  CopyKind kind;
  const char* summary;
};
constexpr CopyFamily kFamilies[] = {
    {"copy/h2d/", CopyKind::kUp, "ordinary host memory to VRAM"},
    {"copy/d2h/", CopyKind::kDown, "VRAM to ordinary host memory"},
    {"copy/h2d_pinned/", CopyKind::kPinnedUp, "pinned host memory to VRAM"},
    {"copy/d2h_pinned/", CopyKind::kPinnedDown, "VRAM to pinned host memory"},
    {"copy/both_ways/", CopyKind::kBothWays, "pinned host memory to VRAM and as many back, at the same time"},
};
constexpr const char* kReplay = "graph_replay/";

// What one kind of copy moves between. Nothing of the card is mapped for the host, so that all goes by the copy engine.
class Copied {
 public:
  static Result<std::shared_ptr<Copied>> create(BenchMachine& machine, CopyKind kind, uint64_t size_bytes) {
    auto copied = std::make_shared<Copied>();
    copied->kind_ = kind;
    BW_ASSIGN(copied->device_, machine.device());
    for (Buffer& buffer : copied->vram_) {
      BW_ASSIGN(buffer, copied->device_->allocate(MemoryKind::kVram, size_bytes));
    }
    const bool is_ordinary = kind == CopyKind::kUp || kind == CopyKind::kDown;
    for (size_t i = 0; i < 2; ++i) {
      if (is_ordinary) {
        copied->ordinary_[i].resize(size_bytes, std::byte{1});
        copied->host_[i] = copied->ordinary_[i];
      } else {
        BW_ASSIGN(copied->pinned_[i], copied->device_->allocate_host(size_bytes));
        copied->host_[i] = copied->pinned_[i].host();
      }
    }
    return copied;
  }

  uint64_t bytes() const { return host_[0].size() * (kind_ == CopyKind::kBothWays ? 2 : 1); }

  Status copy() {
    if (kind_ == CopyKind::kUp || kind_ == CopyKind::kPinnedUp) return device_->write(vram_[0], 0, host_[0]);
    if (kind_ != CopyKind::kBothWays) return device_->read(vram_[0], 0, host_[0]);
    BW_ASSIGN(const Submission up, device_->copy(vram_[0], 0, pinned_[0], 0, host_[0].size()));
    BW_ASSIGN(const Submission down, device_->copy(pinned_[1], 0, vram_[1], 0, host_[1].size()));
    BW_RETURN_IF_ERROR(device_->wait(up));
    return device_->wait(down);
  }

  // As many bytes as copy().
  void copy_within_host() {
    std::memcpy(host_[1].data(), host_[0].data(), host_[0].size());
    if (kind_ == CopyKind::kBothWays) std::memcpy(host_[0].data(), host_[1].data(), host_[0].size());
  }

  // There and back once, by the copy that is timed and its counterpart; what comes back must be what went.
  Status verify() {
    std::vector<std::byte> sent(host_[0].size()), back(sent.size());
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<std::byte>(i * 7 + i / 256);
    std::memcpy(host_[0].data(), sent.data(), sent.size());
    if (kind_ == CopyKind::kDown || kind_ == CopyKind::kPinnedDown) {
      BW_RETURN_IF_ERROR(device_->write(vram_[0], 0, sent));
      std::memset(host_[0].data(), 0, sent.size());
    }
    if (kind_ == CopyKind::kBothWays) BW_RETURN_IF_ERROR(device_->write(vram_[1], 0, sent));
    BW_RETURN_IF_ERROR(copy());
    if (std::memcmp(host_[0].data(), sent.data(), sent.size()) != 0) return wrong();
    BW_RETURN_IF_ERROR(device_->read(vram_[0], 0, back));
    const bool came_back = kind_ != CopyKind::kBothWays || std::memcmp(host_[1].data(), sent.data(), sent.size()) == 0;
    return back == sent && came_back ? Status::ok() : wrong();
  }

 private:
  Status wrong() const {
    return error(StatusCode::kDataLoss, "wrong result: what came back of {} bytes differs from what was sent",
                 host_[0].size());
  }

  CopyKind kind_ = CopyKind::kUp;
  std::shared_ptr<amdgpu::Device> device_;
  Buffer vram_[2];
  Buffer pinned_[2];
  std::vector<std::byte> ordinary_[2];
  std::span<std::byte> host_[2];
};

Result<TimedRun> make_copy(BenchMachine& machine, CopyKind kind, uint64_t size_bytes) {
  BW_ASSIGN(const std::shared_ptr<Copied> copied, Copied::create(machine, kind, size_bytes));
  BW_RETURN_IF_ERROR(copied->verify());
  return TimedRun([copied](benchmark::State& state) {
    IterationTimes times(state), within_host(state, IterationTimes::Of::kBeside);
    while (state.KeepRunning()) {
      within_host.add(IterationTimes::measure([&] { copied->copy_within_host(); }));
      Status status = Status::ok();
      times.add(IterationTimes::measure([&] { status = copied->copy(); }));
      BW_RETURN_IF_ERROR(status);
    }
    times.report();
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(copied->bytes()));
    const double memcpy_ns = within_host.median_ns();
    state.counters["memcpy_p50"] = memcpy_ns;
    state.SetLabel(fmt::format("{:.2f} of the rate of memcpy", memcpy_ns / times.median_ns()));
    return Status::ok();
  });
}

TimedCase copy_case(const CopyFamily& family, uint64_t size_bytes) {
  return {
      .name = fmt::format("{}{}", family.prefix, size_bytes),
      .alias = "",
      .summary = fmt::format("{} bytes from {}, with the wait for their end", size_bytes, family.summary),
      .iterations = 0,
      .make = [kind = family.kind, size_bytes](BenchMachine& machine) { return make_copy(machine, kind, size_bytes); }};
}

// The number behind the prefix, from 1 to `most`; 0 for other names.
uint64_t number_behind(const std::string& name, const char* prefix, uint64_t most) {
  if (!name.starts_with(prefix)) return 0;
  const char* const end = name.data() + name.size();
  uint64_t number = 0;
  const auto [stop, problem] = std::from_chars(name.data() + std::strlen(prefix), end, number);
  return problem == std::errc() && stop == end && number <= most ? number : 0;
}

}  // namespace

void add_copy_cases(std::vector<TimedCase>* cases) {
  for (const CopyFamily& family : kFamilies) {
    const bool has_small_ones = family.kind == CopyKind::kUp || family.kind == CopyKind::kDown;
    for (const uint64_t size : {4u << 10, 64u << 10, 1u << 20, 16u << 20, 64u << 20}) {
      if (has_small_ones || size >= 1u << 20) cases->push_back(copy_case(family, size));
    }
  }
}

std::vector<TimedCase> sized_case(const std::string& name) {
  constexpr uint64_t kMostKernels = 10'000, kMostBytes = uint64_t{1} << 32;
  if (const uint64_t kernels = number_behind(name, kReplay, kMostKernels)) {
    return {replay_case(static_cast<int64_t>(kernels))};
  }
  for (const CopyFamily& family : kFamilies) {
    if (const uint64_t size = number_behind(name, family.prefix, kMostBytes)) return {copy_case(family, size)};
  }
  return {};
}

}  // namespace bw::tools
