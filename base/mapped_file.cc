#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "base/unique_fd.h"

namespace bw {

Result<MappedFile> MappedFile::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_valid()) return Status::from_errno(errno, fmt::format("opening {}", path));
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return Status::from_errno(errno, fmt::format("reading the size of {}", path));
  if (!S_ISREG(info.st_mode)) return error(StatusCode::kInvalidArgument, "opening {}: not a regular file", path);

  MappedFile file;
  if (info.st_size == 0) return file;
  void* data = mmap(nullptr, static_cast<size_t>(info.st_size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (data == MAP_FAILED) return Status::from_errno(errno, fmt::format("mapping {}", path));
  file.data_ = static_cast<const std::byte*>(data);
  file.size_bytes_ = static_cast<size_t>(info.st_size);
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_bytes_(std::exchange(other.size_bytes_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_bytes_, other.size_bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_bytes_);
}

}  // namespace bw
