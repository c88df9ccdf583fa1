#include "emulator/kernel/svm.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "emulator/kernel/user_memory.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;

constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kMaxGranularity = 0x3f;

// Which cards the range is mapped on, and with which rights.
uint32_t mapped_cards(const SvmAttributes& attributes) {
  return attributes.access | attributes.access_in_place;
}
// Linux kfd_svm.c, svm_range_get_pte_flags(): coherent ranges have MTYPE UC.
bool is_uncached(const SvmAttributes& attributes) {
  return (attributes.flags & svm_flag::kCoherent) != 0;
}
bool is_writable(const SvmAttributes& attributes) {
  return (attributes.flags & svm_flag::kGpuReadOnly) == 0;
}
bool is_executable(const SvmAttributes& attributes) {
  return (attributes.flags & svm_flag::kGpuExec) != 0;
}

// Whether the client has memory of some kind at every page, readable or not.
bool is_client_memory(uint64_t begin, uint64_t end) {
  constexpr uint64_t kChunk = 64ull << 20;
  std::vector<unsigned char> residence(kChunk / kPageBytes);
  while (begin < end) {
    const uint64_t size = std::min(end - begin, kChunk);
    if (::mincore(reinterpret_cast<void*>(begin), size, residence.data()) != 0) return false;
    begin += size;
  }
  return true;
}

}  // namespace

SvmTable::SvmTable(BufferTable& buffers, std::span<const Card> cards) : buffers_(buffers) {
  for (const Card& card : cards) gpu_ids_.push_back(card.gpu_id);
}

int SvmTable::card_of(uint32_t gpu_id) const {
  const auto it = std::find(gpu_ids_.begin(), gpu_ids_.end(), gpu_id);
  return it == gpu_ids_.end() ? -1 : static_cast<int>(it - gpu_ids_.begin());
}

// Linux svm_range_check_attr().
int SvmTable::check(std::span<const SvmAttribute> attributes) const {
  for (const SvmAttribute& attribute : attributes) {
    bool names_card = false;
    switch (static_cast<SvmAttr>(attribute.type)) {
      case SvmAttr::kPreferredLoc:
        names_card = attribute.value != kSvmLocationSysmem && attribute.value != kSvmLocationUndefined;
        break;
      case SvmAttr::kPrefetchLoc:
        names_card = attribute.value != kSvmLocationSysmem;
        break;
      case SvmAttr::kAccess:
      case SvmAttr::kAccessInPlace:
      case SvmAttr::kNoAccess:
        names_card = true;
        break;
      case SvmAttr::kSetFlags:
      case SvmAttr::kClearFlags:
      case SvmAttr::kGranularity:
        break;
      default:
        return -EINVAL;
    }
    if (names_card && card_of(attribute.value) < 0) return -EINVAL;
  }
  return 0;
}

bool SvmTable::has_buffers(uint64_t begin, uint64_t end) const {
  for (uint32_t card = 0; card < gpu_ids_.size(); ++card) {
    if (buffers_.has_mapped(card, begin, end)) return true;
  }
  return buffers_.has_user_buffer(begin, end);
}

void SvmTable::apply(const SvmAttribute& attribute, SvmAttributes* attributes) const {
  const auto bit = [&] { return 1u << card_of(attribute.value); };
  switch (static_cast<SvmAttr>(attribute.type)) {
    case SvmAttr::kPreferredLoc:
      attributes->preferred_location = attribute.value;
      break;
    case SvmAttr::kPrefetchLoc:
      attributes->prefetch_location = attribute.value;
      attributes->location = attribute.value;
      break;
    case SvmAttr::kAccess:
      attributes->access |= bit();
      attributes->access_in_place &= ~bit();
      break;
    case SvmAttr::kAccessInPlace:
      attributes->access &= ~bit();
      attributes->access_in_place |= bit();
      break;
    case SvmAttr::kNoAccess:
      attributes->access &= ~bit();
      attributes->access_in_place &= ~bit();
      break;
    case SvmAttr::kSetFlags:
      attributes->flags |= attribute.value;
      break;
    case SvmAttr::kClearFlags:
      attributes->flags &= ~attribute.value;
      break;
    case SvmAttr::kGranularity:
      attributes->granularity = std::min(attribute.value, kMaxGranularity);
      break;
  }
}

void SvmTable::split(uint64_t at) {
  auto it = ranges_.upper_bound(at);
  if (it == ranges_.begin()) return;
  --it;
  if (it->first == at || it->second.end <= at) return;
  Range right = it->second;
  it->second.end = at;
  ranges_.emplace(at, right);
}

void SvmTable::add_missing(uint64_t begin, uint64_t end) {
  auto it = ranges_.lower_bound(begin);
  while (begin < end) {
    if (it == ranges_.end() || it->first >= end) {
      ranges_.emplace_hint(it, begin, Range{end, {}});
      return;
    }
    if (begin < it->first) ranges_.emplace_hint(it, begin, Range{it->first, {}});
    begin = it->second.end;
    ++it;
  }
}

void SvmTable::for_each(uint64_t begin, uint64_t end, const std::function<void(uint64_t, const Range&)>& use) const {
  auto it = ranges_.upper_bound(begin);
  if (it != ranges_.begin() && std::prev(it)->second.end > begin) --it;
  for (; it != ranges_.end() && it->first < end; ++it) use(it->first, it->second);
}

int SvmTable::remap(uint64_t begin, uint64_t end, const SvmAttributes& before, const SvmAttributes& after) {
  const bool rights_change = is_writable(before) != is_writable(after) ||
                             is_executable(before) != is_executable(after) || is_uncached(before) != is_uncached(after);
  for (uint32_t card = 0; card < gpu_ids_.size(); ++card) {
    const bool was_mapped = (mapped_cards(before) >> card & 1) != 0;
    const bool shall_be = (mapped_cards(after) >> card & 1) != 0;
    if (was_mapped == shall_be && !(shall_be && rights_change)) continue;
    if (was_mapped) buffers_.space(card).unmap(begin, end);
    if (!shall_be) continue;
    const int status = buffers_.space(card).map({.begin = begin,
                                                 .end = end,
                                                 .host = reinterpret_cast<std::byte*>(begin),
                                                 .writable = is_writable(after),
                                                 .executable = is_executable(after),
                                                 .uncached = is_uncached(after),
                                                 .host_sees = true,
                                                 .shared = std::popcount(mapped_cards(after)) > 1});
    if (status != 0) return status;
  }
  return 0;
}

int SvmTable::set(uint64_t begin, uint64_t end, std::span<const SvmAttribute> attributes,
                  std::vector<SvmMigration>* migrations) {
  if (int status = check(attributes); status != 0) return status;
  if (!is_client_memory(begin, end)) return -EFAULT;
  if (has_buffers(begin, end)) return -EADDRINUSE;
  split(begin);
  split(end);
  add_missing(begin, end);
  for (auto it = ranges_.lower_bound(begin); it != ranges_.end() && it->first < end; ++it) {
    Range& range = it->second;
    SvmAttributes after = range.attributes;
    for (const SvmAttribute& attribute : attributes) apply(attribute, &after);
    if (after == range.attributes) continue;
    if (after.location != range.attributes.location) {
      migrations->push_back({.begin = it->first,
                             .end = range.end,
                             .from = range.attributes.location,
                             .to = after.location,
                             .prefetch_location = after.prefetch_location,
                             .preferred_location = after.preferred_location});
    }
    const int status = remap(it->first, range.end, range.attributes, after);
    range.attributes = after;
    if (status != 0) return status;
  }
  return 0;
}

// Linux svm_range_get_attr(): what all ranges have in common; where there are none, what a new one would have.
SvmAttributes SvmTable::intersect(uint64_t begin, uint64_t end, uint32_t* clear_flags) const {
  bool is_first = true;
  SvmAttributes common;
  uint32_t any_flags = common.flags;
  for_each(begin, end, [&](uint64_t, const Range& range) {
    const SvmAttributes& its = range.attributes;
    if (is_first) {
      common = its;
      any_flags = its.flags;
      is_first = false;
      return;
    }
    if (common.preferred_location != its.preferred_location) common.preferred_location = kSvmLocationUndefined;
    if (common.prefetch_location != its.prefetch_location) common.prefetch_location = kSvmLocationUndefined;
    common.access &= its.access;
    common.access_in_place &= its.access_in_place;
    common.flags &= its.flags;
    any_flags |= its.flags;
    common.granularity = std::min(common.granularity, its.granularity);
  });
  *clear_flags = ~any_flags;
  return common;
}

int SvmTable::get(uint64_t begin, uint64_t end, std::span<SvmAttribute> attributes) const {
  if (!is_client_memory(begin, end)) return -EINVAL;
  for (const SvmAttribute& attribute : attributes) {
    const auto type = static_cast<SvmAttr>(attribute.type);
    if (type > SvmAttr::kGranularity || type == SvmAttr::kAccessInPlace || type == SvmAttr::kNoAccess) return -EINVAL;
  }
  uint32_t clear_flags = 0;
  const SvmAttributes common = intersect(begin, end, &clear_flags);
  for (SvmAttribute& attribute : attributes) {
    switch (static_cast<SvmAttr>(attribute.type)) {
      case SvmAttr::kPreferredLoc:
        attribute.value = common.preferred_location;
        break;
      case SvmAttr::kPrefetchLoc:
        attribute.value = common.prefetch_location;
        break;
      case SvmAttr::kAccess: {
        const int card = card_of(attribute.value);
        if (card < 0) return -EINVAL;
        const SvmAttr access = (common.access >> card & 1) != 0            ? SvmAttr::kAccess
                               : (common.access_in_place >> card & 1) != 0 ? SvmAttr::kAccessInPlace
                                                                           : SvmAttr::kNoAccess;
        attribute.type = static_cast<uint32_t>(access);
        break;
      }
      case SvmAttr::kSetFlags:
        attribute.value = common.flags;
        break;
      case SvmAttr::kClearFlags:
        attribute.value = clear_flags;
        break;
      case SvmAttr::kGranularity:
        attribute.value = common.granularity;
        break;
      case SvmAttr::kAccessInPlace:
      case SvmAttr::kNoAccess:
        break;
    }
  }
  return 0;
}

bool SvmTable::overlaps(uint64_t begin, uint64_t end) const {
  bool found = false;
  for_each(begin, end, [&](uint64_t, const Range&) { found = true; });
  return found;
}

void SvmTable::forget(uint64_t begin, uint64_t end) {
  if (!overlaps(begin, end)) return;
  split(begin);
  split(end);
  auto it = ranges_.lower_bound(begin);
  while (it != ranges_.end() && it->first < end) {
    remap(it->first, it->second.end, it->second.attributes, SvmAttributes{});
    it = ranges_.erase(it);
  }
}

void SvmTable::forget_unreadable(uint64_t begin, uint64_t end) {
  std::vector<std::pair<uint64_t, uint64_t>> gone;
  for_each(begin, end, [&](uint64_t first, const Range& range) {
    const uint64_t from = std::max(first, begin);
    const uint64_t to = std::min(range.end, end);
    if (probe_user_range(from, to - from) != 0) gone.emplace_back(from, to);
  });
  for (const auto& [from, to] : gone) forget(from, to);
}

}  // namespace bw::emulator
