// Owns: which descriptors of the host stand for files of the emulated machine, and what each is. Descriptors are real:
// duplicates of the arena's memfd for device nodes, so that mmap works on them; a memfd with the text for files of
// sysfs.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>

#include "base/unique_fd.h"

namespace bw::emulator {

enum class FileKind : uint8_t { kKfd, kRender, kText };

struct OpenFile {
  FileKind kind = FileKind::kText;
  uint32_t card = 0;  // kRender
  uint64_t id = 0;    // of this opening; never used again
};

// Safe from any thread.
class FileTable {
 public:
  // Takes the descriptor over; returns its number.
  int add(UniqueFd fd, FileKind kind, uint32_t card) {
    std::lock_guard lock(mutex_);
    const int number = fd.get();
    // A number that was closed behind our back may come again: the new file replaces the old.
    forget_locked(number);
    files_.emplace(number, Entry{std::move(fd), {kind, card, ++last_id_}});
    return number;
  }

  // `fd` is a duplicate of `of`: the same opening. Takes it over, unless `of` is no descriptor of this table: false.
  bool add_duplicate(int fd, int of) {
    std::lock_guard lock(mutex_);
    auto original = files_.find(of);
    if (original == files_.end()) return false;
    const OpenFile file = original->second.file;
    forget_locked(fd);
    files_.emplace(fd, Entry{UniqueFd(fd), file});
    return true;
  }

  // The number was closed behind our back.
  void forget(int fd) {
    std::lock_guard lock(mutex_);
    forget_locked(fd);
  }

  std::optional<OpenFile> find(int fd) const {
    std::lock_guard lock(mutex_);
    auto it = files_.find(fd);
    if (it == files_.end()) return std::nullopt;
    return it->second.file;
  }

  // What was closed; *is_last tells whether no other descriptor of the same opening is left.
  std::optional<OpenFile> close(int fd, bool* is_last) {
    std::lock_guard lock(mutex_);
    auto it = files_.find(fd);
    if (it == files_.end()) return std::nullopt;
    const OpenFile file = it->second.file;
    files_.erase(it);
    *is_last = std::none_of(files_.begin(), files_.end(), [&](const auto& e) { return e.second.file.id == file.id; });
    return file;
  }

 private:
  struct Entry {
    UniqueFd fd;
    OpenFile file;
  };

  void forget_locked(int fd) {
    auto old = files_.find(fd);
    if (old == files_.end()) return;
    old->second.fd.release();
    files_.erase(old);
  }

  mutable std::mutex mutex_;
  std::map<int, Entry> files_;
  uint64_t last_id_ = 0;
};

}  // namespace bw::emulator
