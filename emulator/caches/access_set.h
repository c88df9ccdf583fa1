// Owns: which bytes of an address space have been accessed, in which way, and by which instruction: bits by page.
// Not here: who records them (emulator/shader/access_recorder.h, emulator/queue), what follows from them
// (memory_checker.h).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

namespace bw::emulator {

constexpr uint64_t kSetPageBytes = 4096;
constexpr uint64_t kVectorLineBytes = 128;  // of L0, L1 and L2: RDNA3 ISA guide, "Memory hierarchy"
constexpr uint64_t kScalarLineBytes = 64;   // of the scalar cache
constexpr size_t kSetWords = kSetPageBytes / 64;
constexpr size_t kSetLines = kSetPageBytes / kVectorLineBytes;
constexpr size_t kWordsOfLine = kVectorLineBytes / 64;

using PageBits = std::array<uint64_t, kSetWords>;  // one bit a byte

class AccessSet {
 public:
  struct Page {
    PageBits bits{};
    // Of each line, the last instruction that touched a byte of it first: how far it is from the program's address.
    std::array<int32_t, kSetLines> program_offset{};
  };
  using Pages = std::unordered_map<uint64_t, std::unique_ptr<Page>>;  // by address / kSetPageBytes

  // Adds [address, address + size_bytes), which does not wrap.
  void add(uint64_t address, uint64_t size_bytes, int32_t program_offset);
  void add(const AccessSet& other);
  bool is_empty() const { return pages_.empty(); }
  void clear();
  const Pages& pages() const { return pages_; }
  const Page* page(uint64_t number) const;
  // The lowest byte that is in both, of some page that they share.
  std::optional<uint64_t> find_common(const AccessSet& other) const;
  // Of the line with that byte, which is in the set.
  int32_t program_offset_at(uint64_t address) const;

 private:
  Page& page_of(uint64_t number);

  Pages pages_;
  uint64_t recent_number_ = ~uint64_t{0};
  Page* recent_ = nullptr;
};

// The lowest bit that is set in both; nullopt: none.
std::optional<uint64_t> find_common_bit(const PageBits& a, const PageBits& b);
bool is_empty(const PageBits& bits);
// All bytes of the lines of kVectorLineBytes that have some of these.
PageBits whole_lines(const PageBits& bits);

// Ways to access memory, as far as caches and races tell them apart.
enum class AccessKind : uint8_t {
  kLoad,         // through the near caches (vector L0, L1)
  kFreshLoad,    // the same, by a wave that has invalidated them before
  kFarLoad,      // from L2: GLC, and packets
  kScalarLoad,   // through the scalar cache
  kFreshScalar,  // the same, by a wave that has invalidated it before
  kFetch,        // of instructions, through the instruction cache
  kStore,        // by shaders: through the near caches to L2
  kFarStore,     // by packets
  kAtomic,       // in L2
};
constexpr size_t kAccessKinds = 9;

constexpr bool is_write(AccessKind kind) {
  return kind >= AccessKind::kStore;
}

// What a dispatch or a packet has accessed.
struct Accesses {
  std::array<AccessSet, kAccessKinds> sets;
  uint64_t program_address = 0;  // what program offsets are counted from; 0: a packet

  AccessSet& of(AccessKind kind) { return sets[static_cast<size_t>(kind)]; }
  const AccessSet& of(AccessKind kind) const { return sets[static_cast<size_t>(kind)]; }
  void add(const Accesses& other) {
    for (size_t i = 0; i < kAccessKinds; ++i) sets[i].add(other.sets[i]);
  }
  bool is_empty() const {
    for (const AccessSet& set : sets) {
      if (!set.is_empty()) return false;
    }
    return true;
  }
  void clear() {
    for (AccessSet& set : sets) set.clear();
    program_address = 0;
  }
};

}  // namespace bw::emulator
