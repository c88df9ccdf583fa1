#include "emulator/caches/memory_view.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "emulator/memory/client_access.h"
#include "emulator/memory/client_fault.h"

namespace bw::emulator {

bool MemoryView::find(uint64_t page, Mapping* mapping) {
  const uint64_t address = page * kSetPageBytes;
  const uint64_t generation = space_.generation();
  if (generation != generation_ || address < recent_.begin || address >= recent_.end) {
    recent_ = {};
    if (!space_.find(address, &recent_)) return false;
    generation_ = generation;
  }
  *mapping = recent_;
  return true;
}

bool MemoryView::read(uint64_t page, PageContent* content) {
  bool done = false;
  const auto lost = touch_client_memory(tlb_, [&] {
    const std::byte* host = tlb_.translate(page * kSetPageBytes, kSetPageBytes, Access::kRead);
    if (host == nullptr) return;
    const ClientAccess access;
    std::memcpy(content->data(), host, kSetPageBytes);
    done = true;
  });
  return done && !lost;
}

void MemoryView::for_each_behind_bar(const std::function<void(uint64_t, const PageContent&)>& use) {
  PageContent content;
  std::vector<unsigned char> resident;
  for (const Mapping& mapping : space_.mappings()) {
    if (!mapping.through_bar) continue;
    const uint64_t count = (mapping.end - mapping.begin) / kSetPageBytes;
    resident.assign(count, 1);
    // Where it cannot tell, all count. The memory may be unmapped meanwhile, which read() sees.
    if (::mincore(mapping.host, mapping.end - mapping.begin, resident.data()) != 0) std::ranges::fill(resident, 1);
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t page = mapping.begin / kSetPageBytes + i;
      if ((resident[i] & 1) != 0 && read(page, &content)) use(page, content);
    }
  }
}

}  // namespace bw::emulator
