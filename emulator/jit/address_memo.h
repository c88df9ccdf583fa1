// Owns: which registers of addresses a translation knows all about at the point it has come to (fast_loads.h), and in
// which of a few places. Not here: what is known, which is the wave's at run time.
#pragma once

#include <array>
#include <cstdint>

namespace bw::emulator::jit {

class AddressMemo {
 public:
  static constexpr unsigned kPlaces = 4;

  struct Place {
    unsigned number;
    bool is_known;  // what is there belongs to this register as it is now
  };
  // The place for the address in `vgpr`, or in the pair that begins there, and from now on what is there is known.
  Place use(unsigned vgpr, bool is_pair) {
    for (unsigned i = 0; i < kPlaces; ++i) {
      Entry& entry = entries_[i];
      if (entry.last_use == 0 || entry.vgpr != vgpr || entry.is_pair != is_pair) continue;
      entry.last_use = ++uses_;
      return {i, true};
    }
    unsigned oldest = 0;
    for (unsigned i = 1; i < kPlaces; ++i) {
      if (entries_[i].last_use < entries_[oldest].last_use) oldest = i;
    }
    entries_[oldest] = {vgpr, is_pair, ++uses_};
    return {oldest, false};
  }
  // Registers that are written.
  void forget(unsigned vgpr, unsigned count) {
    for (Entry& entry : entries_) {
      const unsigned last = entry.vgpr + (entry.is_pair ? 1 : 0);
      if (entry.vgpr < vgpr + count && vgpr <= last) entry.last_use = 0;
    }
  }
  void forget_all() { entries_ = {}; }

 private:
  struct Entry {
    unsigned vgpr = 0;
    bool is_pair = false;
    uint64_t last_use = 0;  // 0: nothing is known
  };
  std::array<Entry, kPlaces> entries_;
  uint64_t uses_ = 0;
};

}  // namespace bw::emulator::jit
