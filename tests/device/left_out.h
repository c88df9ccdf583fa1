// Owns: what of a stream of packets can be left out, and an emulated card that leaves out one part: for tests that show
// that each is missed.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emulator/driver.h"

namespace bw {

enum class Engine : uint8_t { kCompute, kCopy };

// A part of a packet, by where that stands: in which submission, and as which of those that have parts.
struct Site {
  Engine engine = Engine::kCompute;
  size_t submission = 0;
  size_t packet = 0;
  std::string part;

  auto operator<=>(const Site&) const = default;
};

std::string to_string(const Site& site);

// Between kernels it is not known which way they load: the field must be missed somewhere, and the packet everywhere.
inline const std::string kSomewhere = "somewhere ";

// Kernels that invalidate by themselves: where they begin, and where they would begin without.
using PlainEntries = std::map<uint32_t, uint32_t>;  // COMPUTE_PGM_LO

// A strict card that sees packets before they are executed, and leaves out one site.
class EditedCard {
 public:
  explicit EditedCard(std::optional<Site> left_out);

  // The next time that a compute queue is about to say that its work has ended, it stops and waits.
  void hold_next_end() {
    std::lock_guard lock(mutex_);
    holds_next_end_ = true;
  }
  void await_held() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return is_held_; });
  }
  // Until both kinds of queues that are wanted have a packet that may not begin.
  void await_closed_out(std::span<const Engine> engines) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] {
      return std::ranges::all_of(engines, [&](Engine engine) { return is_waiting_[static_cast<size_t>(engine)]; });
    });
  }
  // From now on packets have sites, and none begins before open().
  void close() {
    std::lock_guard lock(mutex_);
    is_open_ = false;
    has_sites_ = true;
  }
  void open() {
    std::lock_guard lock(mutex_);
    is_open_ = true;
    changed_.notify_all();
  }
  // Everything goes on, and nothing has a site any more.
  void let_go() {
    std::lock_guard lock(mutex_);
    has_sites_ = holds_next_end_ = is_held_ = false;
    is_open_ = true;
    changed_.notify_all();
  }
  std::vector<Site> sites() {
    std::lock_guard lock(mutex_);
    return sites_;
  }

  PlainEntries plain_entries;
  std::unique_ptr<emulator::EmulatedDriver> driver;

 private:
  void edit(std::span<uint32_t> packet);

  struct Position {
    size_t submission = 0;
    size_t packet = 0;
  };

  const std::optional<Site> left_out_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_open_ = true;
  bool has_sites_ = false;
  bool holds_next_end_ = false;
  bool is_held_ = false;
  std::array<bool, 2> is_waiting_{};  // by engine
  std::array<Position, 2> positions_;
  std::vector<Site> sites_;
};

}  // namespace bw
