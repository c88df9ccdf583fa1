// Owns: keeping compiled code objects, in memory and on disk, and the key that a kernel is known by.
//
// On disk each code object is one file, `<cache dir>/<key in hex>`, with a header (magic, version, key, length, digest
// of the content). It is written under another name and renamed, so that no reader sees half a file under the final
// name; a file that is truncated, corrupt or of another version counts as absent and is replaced.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "ir/kernel.h"

namespace bw::compiler {

struct CacheKey {
  std::array<uint8_t, 32> digest{};

  bool operator==(const CacheKey& other) const = default;
  std::string hex() const;
};

// Of all that the code object depends on: the kernel without the names in it, the target, LLVM's version and
// kCodegenVersion.
CacheKey cache_key(const ir::Kernel& kernel);

// Safe to use from several threads, and with other processes that use the same directory.
class CodeCache {
 public:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;

  // "" : no directory, memory only. The directory is made when first written to.
  explicit CodeCache(std::string dir) : dir_(std::move(dir)) {}

  // Null if the code object is in neither place.
  Bytes find(const CacheKey& key);
  void insert(const CacheKey& key, Bytes code_object);
  // Why the directory is not written to, one line; "" while it is. Set by the first failure, which ends the attempts.
  std::string problem() const;

 private:
  struct KeyHash {
    size_t operator()(const CacheKey& key) const;
  };

  std::string path_of(const CacheKey& key) const;
  Bytes read_file(const CacheKey& key) const;
  Status write_file(const CacheKey& key, const std::vector<std::byte>& code_object) const;

  const std::string dir_;
  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<CacheKey, Bytes, KeyHash> memory_;
  std::string problem_;
};

}  // namespace bw::compiler
