#include "amdgpu/recorded_commands.h"

#include <algorithm>
#include <atomic>

namespace bw::amdgpu {
namespace {

// A report names no more kernels than these.
constexpr size_t kMostNames = 8;

}  // namespace

uint32_t RecordedCommands::started_step_count() const {
  if (!progress.is_valid()) return 0;
  const auto* word = reinterpret_cast<uint32_t*>(progress.host().data());
  return std::atomic_ref<const uint32_t>(*word).load(std::memory_order_acquire);
}

std::string RecordedCommands::describe_running() const {
  if (!progress.is_valid()) return describe(0, dispatches.size());
  const uint32_t started = started_step_count();
  if (started == 0 || started > steps.size())
    return fmt::format("none of {} dispatches was started", dispatches.size());
  const size_t first = steps[started - 1];
  const size_t end = started < steps.size() ? steps[started] : dispatches.size();
  if (!std::ranges::binary_search(waiting_steps, started - 1)) return describe(first, end);
  constexpr std::string_view kWait = "a wait for the signal of another queue or device";
  return first == end ? std::string(kWait) : fmt::format("{}, or {}", describe(first, end), kWait);
}

std::string RecordedCommands::describe(size_t first, size_t end) const {
  if (first == end) return "a copy or a fill";
  if (end - first == 1)
    return fmt::format("kernel {} (dispatch {} of {})", dispatches[first].kernel_name, end, dispatches.size());
  std::string names;
  for (size_t i = first; i < std::min(end, first + kMostNames); ++i)
    names += (i == first ? "" : ", ") + dispatches[i].kernel_name;
  if (end - first > kMostNames) names += ", ...";
  return fmt::format("one of the kernels {} (dispatches {} to {} of {})", names, first + 1, end, dispatches.size());
}

}  // namespace bw::amdgpu
