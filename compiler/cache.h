// Owns: keeping compiled code objects, in memory and on disk (base/file_cache.h), and the key that a kernel is known
// by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/file_cache.h"
#include "compiler/kernel_form.h"
#include "compiler/kernel_part.h"
#include "ir/kernel.h"

namespace bw::compiler {

struct CacheKey {
  Digest digest{};

  bool operator==(const CacheKey& other) const = default;
  std::string hex() const;
};

// Of all that the code object depends on: the kernel without the names in it, its form, the target, LLVM's version and
// kCodegenVersion.
CacheKey cache_key(const ir::Kernel& kernel, const KernelForm& form);
// The same for a launch of several parts: also of how many workgroups each has and which arguments they share.
CacheKey cache_key(std::span<const KernelPart> parts);
// Of which way is the fastest for a launch: as cache_key(), but for its forms and workgroup size, and the device's name
// and how many candidates there are for each choice.
CacheKey tuning_key(std::span<const KernelPart> parts, std::string_view device_name, size_t candidates);

// The digest of BLAKE3.
Digest digest_of(std::span<const std::byte> bytes);

// Safe to use from several threads, and with other processes that use the same directory.
class CodeCache {
 public:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;

  // "" : no directory, memory only. The directory is made when first written to.
  explicit CodeCache(std::string dir);

  // Null if the code object is in neither place.
  Bytes find(const CacheKey& key);
  void insert(const CacheKey& key, Bytes code_object);
  // Why the directory is not written to, one line; "" while it is. Set by the first failure, which ends the attempts.
  std::string problem() const { return files_.problem(); }

 private:
  struct KeyHash {
    size_t operator()(const CacheKey& key) const;
  };

  FileCache files_;
  std::mutex mutex_;
  std::unordered_map<CacheKey, Bytes, KeyHash> memory_;  // guarded by mutex_
};

}  // namespace bw::compiler
