#include "compiler/schedule_parts.h"

#include <algorithm>
#include <set>

#include "compiler/kernel_part.h"

namespace bw::compiler {
namespace {

// More parts make code that no other launch shares, and longer chains of branches at its beginning.
constexpr size_t kMaxParts = 8;
constexpr size_t kMaxLaunchArguments = 48;

class LaunchSharing {
 public:
  LaunchSharing(const KernelOrder& order, std::vector<LoopNest>& nests)
      : order_(order), nests_(nests), earliest_(nests.size()) {}

  std::vector<std::vector<size_t>> run() {
    for (const size_t i : order_.positions) {
      const size_t launch = find_launch(i);
      if (launch == launches_.size()) launches_.emplace_back();
      launches_[launch].push_back(i);
      for (const size_t next : order_.after[i]) earliest_[next] = std::max(earliest_[next], launch + 1);
    }
    return std::move(launches_);
  }

 private:
  // The first launch after all that the kernel depends on that takes it in; a new one if there is none.
  size_t find_launch(size_t i) {
    for (size_t launch = earliest_[i]; launch < launches_.size(); ++launch) {
      if (can_share(launches_[launch], i) && agree(launches_[launch], i)) return launch;
    }
    return launches_.size();
  }

  bool can_share(const std::vector<size_t>& launch, size_t i) const {
    if (launch.size() >= kMaxParts || !can_share_launch(nests_[i])) return false;
    const auto can_share = [&](size_t other) { return can_share_launch(nests_[other]); };
    if (!std::all_of(launch.begin(), launch.end(), can_share)) return false;
    std::set<BufferRef> arguments(nests_[i].arguments.begin(), nests_[i].arguments.end());
    for (const size_t other : launch) arguments.insert(nests_[other].arguments.begin(), nests_[other].arguments.end());
    return arguments.size() <= kMaxLaunchArguments;
  }

  bool can_have(size_t i, uint32_t lanes) const {
    const LoopNest& nest = nests_[i];
    return can_resize(nest.kernel, nest.form, nest.group_extent[0], lanes);
  }
  void resize(size_t i, uint32_t lanes) {
    nests_[i].kernel.workgroup_size = lanes;
    nests_[i].group_extent[0] = lanes / ir::group_size(nests_[i].kernel);
  }

  // Gives all the same workgroup size. False where that cannot be.
  bool agree(const std::vector<size_t>& launch, size_t i) {
    const uint32_t wanted = nests_[launch[0]].kernel.workgroup_size;
    const uint32_t own = nests_[i].kernel.workgroup_size;
    if (own == wanted) return true;
    if (can_have(i, wanted)) {
      resize(i, wanted);
      return true;
    }
    if (!std::all_of(launch.begin(), launch.end(), [&](size_t other) { return can_have(other, own); })) return false;
    for (const size_t other : launch) resize(other, own);
    return true;
  }

  const KernelOrder& order_;
  std::vector<LoopNest>& nests_;
  std::vector<size_t> earliest_;  // for each kernel: the first launch that it can be part of
  std::vector<std::vector<size_t>> launches_;
};

}  // namespace

bool can_share_launch(const LoopNest& nest) {
  // Strided groups take LDS, which the parts of a launch would have to share.
  return nest.form == KernelForm(LaneForm{}) &&
         std::all_of(nest.grid.begin(), nest.grid.end(), [](const ir::Dim& dim) { return dim.is_static(); });
}

std::vector<std::vector<size_t>> share_launches(const KernelOrder& order, std::vector<LoopNest>& nests) {
  return LaunchSharing(order, nests).run();
}

}  // namespace bw::compiler
