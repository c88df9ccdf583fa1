#include "tools/barewave/bench/bench_run.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace bw::tools {
namespace {

Result<BenchProgram> prepare(const BenchCase& what, const std::shared_ptr<tensor::Runtime>& runtime,
                             BenchResult* result) {
  BW_ASSIGN(BenchProgram program, what.make(runtime));
  result->minimum_bytes = program.minimum_bytes;
  result->flops = program.flops;
  result->launches = static_cast<uint32_t>(program.launches().size());
  return program;
}

KernelCounts& entry_for(const tensor::LaunchDescription& launch, std::vector<KernelCounts>* kernels) {
  const auto found = std::find_if(kernels->begin(), kernels->end(), [&](const KernelCounts& counts) {
    return counts.launch.program_address == launch.program_address && counts.launch.grid == launch.grid;
  });
  if (found != kernels->end()) return *found;
  kernels->emplace_back().launch = launch;
  return kernels->back();
}

void add_buffers(const tensor::LaunchDescription& launch, const emulator::DispatchCounters& dispatch,
                 std::vector<BufferCounts>* buffers) {
  buffers->resize(launch.buffers.size());
  for (size_t i = 0; i < launch.buffers.size(); ++i) {
    BufferCounts& counts = (*buffers)[i];
    counts.size_bytes += launch.buffers[i].size_bytes;
    for (const emulator::RangeCounts& range : dispatch.ranges) {
      if (launch.buffers[i].address != range.begin) continue;
      counts.loaded_bytes += range.loaded_bytes;
      counts.loaded_bytes_128 += range.loaded_bytes_128;
      counts.stored_bytes += range.stored_bytes;
    }
  }
}

// Launches without work-items are left out by the program, and independent ones may go in another order: a dispatch is
// the first launch of its program that has none yet.
Status assign(const BenchProgram& program, const std::vector<emulator::DispatchCounters>& dispatches,
              std::vector<KernelCounts>* kernels) {
  const std::vector<tensor::LaunchDescription> launches = program.launches();
  std::vector<bool> is_taken(launches.size());
  for (const emulator::DispatchCounters& dispatch : dispatches) {
    size_t next = 0;
    const auto is_it = [&](const tensor::LaunchDescription& launch) {
      return launch.program_address == dispatch.program_address || launch.acquiring_address == dispatch.program_address;
    };
    while (next < launches.size() && (is_taken[next] || !is_it(launches[next]))) ++next;
    if (next == launches.size()) {
      return error(StatusCode::kDataLoss, "a dispatch of the program at {:#x} belongs to no launch",
                   dispatch.program_address);
    }
    KernelCounts& kernel = entry_for(launches[next], kernels);
    add_buffers(launches[next], dispatch, &kernel.buffers);
    is_taken[next] = true;
    ++kernel.launches;
    kernel.workgroups += dispatch.workgroups;
    kernel.counters.add(dispatch);
    if (program.product) kernel.tiling_bytes = tiling_bytes(*program.product, kernel.launch);
  }
  return Status::ok();
}

// Of all launches, each once, as long as its largest use. Two of them begin at the same address or do not overlap.
std::vector<emulator::RangeCounts> ranges_of(const std::vector<tensor::LaunchDescription>& launches) {
  std::map<uint64_t, uint64_t> ends;  // by begin
  for (const tensor::LaunchDescription& launch : launches) {
    for (const tensor::BufferDescription& buffer : launch.buffers) {
      uint64_t& end = ends[buffer.address];
      end = std::max(end, buffer.address + buffer.size_bytes);
    }
  }
  std::vector<emulator::RangeCounts> ranges;
  for (const auto& [begin, end] : ends) ranges.push_back({.begin = begin, .end = end});
  return ranges;
}

Status count_into(const BenchCase& what, const std::shared_ptr<tensor::Runtime>& runtime,
                  emulator::EmulatedDriver& card, BenchResult* result) {
  BW_ASSIGN(const BenchProgram program, prepare(what, runtime, result));
  card.take_dispatch_counters();  // those of its preparation
  card.count_ranges(ranges_of(program.launches()));
  BW_RETURN_IF_ERROR(program.run());
  BW_RETURN_IF_ERROR(assign(program, card.take_dispatch_counters(), &result->kernels));
  return program.verify();
}

}  // namespace

std::optional<uint64_t> tiling_bytes(const BenchProduct& product, const tensor::LaunchDescription& launch) {
  std::array<uint64_t, 3> groups{};
  for (size_t axis = 0; axis < groups.size(); ++axis) {
    groups[axis] =
        static_cast<uint64_t>((launch.grid[axis] + launch.group_extent[axis] - 1) / launch.group_extent[axis]);
  }
  // Along x the columns of the result, along y its rows.
  if (launch.grid[0] != product.n || launch.grid[1] != product.m) return std::nullopt;
  return product.a_bytes * groups[0] + product.b_bytes * groups[1];
}

BenchResult count_case(const BenchCase& what, const std::shared_ptr<tensor::Runtime>& runtime,
                       emulator::EmulatedDriver& card) {
  BenchResult result;
  result.name = what.name;
  result.status = count_into(what, runtime, card, &result);
  return result;
}

}  // namespace bw::tools
