#include "amdgpu/memory_footprint.h"

#include <algorithm>
#include <iterator>

namespace bw::amdgpu {
namespace {

std::vector<AddressUse> merged(std::vector<AddressUse> ranges) {
  std::ranges::sort(ranges, {}, &AddressUse::begin);
  std::vector<AddressUse> result;
  for (const AddressUse& range : ranges) {
    if (!result.empty() && range.begin <= result.back().end) {
      result.back().end = std::max(result.back().end, range.end);
    } else {
      result.push_back(range);
    }
  }
  return result;
}

// `ranges` are sorted and apart.
bool any_overlaps(const std::vector<AddressUse>& ranges, const AddressUse& use) {
  const auto next = std::ranges::upper_bound(ranges, use.begin, {}, &AddressUse::end);
  return next != ranges.end() && overlap(*next, use);
}

}  // namespace

MemoryFootprint MemoryFootprint::of(std::span<const AddressUse> uses) {
  MemoryFootprint footprint;
  footprint.is_known_ = true;
  footprint.used_ = merged({uses.begin(), uses.end()});
  std::vector<AddressUse> written;
  std::ranges::copy_if(uses, std::back_inserter(written), [](const AddressUse& use) { return writes(use.access); });
  footprint.written_ = merged(std::move(written));
  return footprint;
}

bool MemoryFootprint::conflicts_with(const AddressUse& other) const {
  return !is_known_ || any_overlaps(writes(other.access) ? used_ : written_, other);
}

}  // namespace bw::amdgpu
