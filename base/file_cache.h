// Owns: keeping results that are dear to make in files of a directory, one for each key, so that other processes find
// them; and where such directories are by default. Not here: what the keys and the contents are.
//
// Each file is `<directory>/<key in hex>`, with a header (magic, version, key, length, digest of the content). It is
// written under another name and renamed, so that no reader sees half a file under the final name; a file that is
// truncated, corrupt or of another format counts as absent and is replaced.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"

namespace bw {

using Digest = std::array<uint8_t, 32>;

// $XDG_CACHE_HOME/barewave, else $HOME/.cache/barewave, else "".
std::string default_cache_dir();

// Safe to use from several threads, and with other processes that use the same directory.
class FileCache {
 public:
  struct Format {
    std::array<char, 8> magic;  // of this kind of content
    uint32_t version;
    Digest (*digest)(std::span<const std::byte> content);  // such that no two contents have the same
    const char* content;                                   // for messages: "compiled kernels"
  };

  // `dir` "": nothing is found or kept. It is made when first written to.
  FileCache(std::string dir, const Format& format) : dir_(std::move(dir)), format_(format) {}

  std::optional<std::vector<std::byte>> find(const Digest& key) const;
  void insert(const Digest& key, std::span<const std::byte> content);
  // Why the directory is not written to, one line; "" while it is. Set by the first failure, which ends the attempts.
  std::string problem() const;

  static std::string hex(const Digest& key);

 private:
  std::string path_of(const Digest& key) const;
  Status write(const Digest& key, std::span<const std::byte> content) const;

  const std::string dir_;
  const Format format_;
  mutable std::mutex mutex_;
  std::string problem_;  // guarded by mutex_
};

}  // namespace bw
