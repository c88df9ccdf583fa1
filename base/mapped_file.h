// Owns: a whole file mapped for reading.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/status.h"

namespace bw {

// Read-only, private mapping of a regular file; move-only. An empty file maps to an empty span.
class MappedFile {
 public:
  // Errors: what open, fstat or mmap say, with the path; kInvalidArgument for what is not a regular file.
  static Result<MappedFile> open(const std::string& path);

  MappedFile() = default;
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_bytes_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
};

}  // namespace bw
