// Owns: which descriptors of the host stand for files of the emulated machine, and what each is. Descriptors are real:
// duplicates of the arena's memfd for device nodes, so that mmap works on them; a memfd with the text for files of
// sysfs.
#pragma once

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
    if (auto old = files_.find(number); old != files_.end()) {
      old->second.fd.release();
      files_.erase(old);
    }
    files_.emplace(number, Entry{std::move(fd), {kind, card, ++last_id_}});
    return number;
  }

  std::optional<OpenFile> find(int fd) const {
    std::lock_guard lock(mutex_);
    auto it = files_.find(fd);
    if (it == files_.end()) return std::nullopt;
    return it->second.file;
  }

  bool close(int fd) {
    std::lock_guard lock(mutex_);
    return files_.erase(fd) != 0;
  }

 private:
  struct Entry {
    UniqueFd fd;
    OpenFile file;
  };

  mutable std::mutex mutex_;
  std::map<int, Entry> files_;
  uint64_t last_id_ = 0;
};

}  // namespace bw::emulator
