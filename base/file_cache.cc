#include "base/file_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "base/unique_fd.h"

namespace bw {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

struct Header {
  std::array<char, 8> magic{};
  uint32_t version = 0;
  uint32_t reserved = 0;
  uint64_t length_bytes = 0;
  Digest key{};
  Digest content{};
};
static_assert(sizeof(Header) == 88);
static_assert(offsetof(Header, key) == 24);

bool read_exactly(int fd, std::span<std::byte> to) {
  while (!to.empty()) {
    const ssize_t got = ::read(fd, to.data(), to.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to = to.subspan(static_cast<size_t>(got));
  }
  return true;
}

bool write_exactly(int fd, std::span<const std::byte> from) {
  while (!from.empty()) {
    const ssize_t put = ::write(fd, from.data(), from.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    from = from.subspan(static_cast<size_t>(put));
  }
  return true;
}

}  // namespace

std::string default_cache_dir() {
  // An XDG directory that is not absolute is to be ignored (XDG base directory specification).
  if (const char* xdg = std::getenv("XDG_CACHE_HOME"); xdg != nullptr && xdg[0] == '/') {
    return fmt::format("{}/barewave", xdg);
  }
  const char* home = std::getenv("HOME");
  if (home == nullptr || home[0] != '/') return "";
  return fmt::format("{}/.cache/barewave", home);
}

std::string FileCache::hex(const Digest& key) {
  std::string text;
  for (const uint8_t byte : key) text += fmt::format("{:02x}", byte);
  return text;
}

std::string FileCache::path_of(const Digest& key) const {
  return fmt::format("{}/{}", dir_, hex(key));
}

std::optional<std::vector<std::byte>> FileCache::find(const Digest& key) const {
  if (dir_.empty()) return std::nullopt;
  const UniqueFd fd(::open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.is_valid() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return std::nullopt;
  Header header;
  if (!read_exactly(fd.get(), std::as_writable_bytes(std::span(&header, 1)))) return std::nullopt;
  if (header.magic != format_.magic || header.version != format_.version || header.key != key) return std::nullopt;
  const auto file_bytes = static_cast<uint64_t>(info.st_size);
  if (header.length_bytes > kMaxFileBytes || file_bytes != sizeof(header) + header.length_bytes) return std::nullopt;
  std::vector<std::byte> content(header.length_bytes);
  if (!read_exactly(fd.get(), content) || format_.digest(content) != header.content) return std::nullopt;
  return content;
}

void FileCache::insert(const Digest& key, std::span<const std::byte> content) {
  if (dir_.empty() || !problem().empty()) return;
  Status status = write(key, content);
  if (status.is_ok()) return;
  const std::lock_guard lock(mutex_);
  if (problem_.empty()) problem_ = status.message();
}

std::string FileCache::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

Status FileCache::write(const Digest& key, std::span<const std::byte> content) const {
  const auto failure = [this](int sys_errno) {
    return Status::from_errno(sys_errno, fmt::format("writing to the cache of {} in {}", format_.content, dir_))
        .with_advice("they are made anew in every process; XDG_CACHE_HOME names another place");
  };
  std::error_code made;
  std::filesystem::create_directories(dir_, made);
  if (made) return failure(made.value());
  std::string temporary = fmt::format("{}/.{}.XXXXXX", dir_, hex(key));
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.is_valid()) return failure(errno);
  const Header header{.magic = format_.magic,
                      .version = format_.version,
                      .length_bytes = content.size(),
                      .key = key,
                      .content = format_.digest(content)};
  int sys_errno = 0;
  if (!write_exactly(fd.get(), std::as_bytes(std::span(&header, 1))) || !write_exactly(fd.get(), content)) {
    sys_errno = errno;
  }
  fd.reset();
  const std::string path = path_of(key);
  if (sys_errno == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) sys_errno = errno;
  if (sys_errno == 0) return Status::ok();
  ::unlink(temporary.c_str());
  return failure(sys_errno);
}

}  // namespace bw
