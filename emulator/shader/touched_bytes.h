// Owns: a set of bytes of an address space, kept as bits by page.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace bw::emulator {

class TouchedBytes {
 public:
  // Adds [address, address + size_bytes), which does not wrap; returns how many of them are new.
  uint64_t add(uint64_t address, uint64_t size_bytes);
  void add(const TouchedBytes& other);
  // Forgets all; what it has allocated stays for the next time, up to kMaxSparePages.
  void clear();
  uint64_t count() const { return count_; }

 private:
  static constexpr uint64_t kPageBytes = 4096;
  static constexpr size_t kWords = kPageBytes / 64;
  static constexpr size_t kMaxSparePages = 1 << 15;
  static constexpr size_t kRecent = 64;

  struct Page {
    uint64_t epoch = 0;
    std::array<uint64_t, kWords> bits{};
  };
  struct Recent {
    uint64_t number = ~0ull;
    Page* page = nullptr;
  };

  Page& page(uint64_t number);
  uint64_t add_in_page(Page& page, uint64_t begin, uint64_t end);

  uint64_t count_ = 0;
  uint64_t epoch_ = 1;  // pages of an earlier one are empty
  std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
  std::array<Recent, kRecent> recent_{};
};

}  // namespace bw::emulator
