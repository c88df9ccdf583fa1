// Owns: a strict card's look at memory as it is now, page by page, and at who else sees it. Not here: what follows from
// that (outside_writes.h, card_caches.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "emulator/caches/access_set.h"
#include "emulator/memory/address_space.h"

namespace bw::emulator {

using PageContent = std::array<std::byte, kSetPageBytes>;

// For one thread at a time.
class MemoryView {
 public:
  explicit MemoryView(const AddressSpace& space) : space_(space), tlb_(space) {}

  // How the page with that number is mapped; false: it is not.
  bool find(uint64_t page, Mapping* mapping);
  // False: it is not mapped, or the client has taken the memory away.
  bool read(uint64_t page, PageContent* content);
  // Calls `use` for each page of memory that the host writes through the BAR and that has ever been written: the others
  // read as zeros.
  void for_each_behind_bar(const std::function<void(uint64_t page, const PageContent& content)>& use);

 private:
  const AddressSpace& space_;
  Tlb tlb_;
  // What was found last, and when.
  Mapping recent_;
  uint64_t generation_ = 0;
};

}  // namespace bw::emulator
