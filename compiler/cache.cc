#include "compiler/cache.h"

#include <fcntl.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/Support/BLAKE3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <span>

#include "base/unique_fd.h"
#include "compiler/codegen.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

constexpr std::array<char, 8> kMagic = {'B', 'W', 'C', 'O', 'D', 'E', '\r', '\n'};
constexpr uint32_t kFormatVersion = 1;
constexpr uint64_t kMaxFileBytes = uint64_t{1} << 30;

using Digest = std::array<uint8_t, 32>;

struct Header {
  std::array<char, 8> magic = kMagic;
  uint32_t version = kFormatVersion;
  uint32_t reserved = 0;
  uint64_t length_bytes = 0;
  Digest key{};
  Digest content{};
};
static_assert(sizeof(Header) == 88);
static_assert(offsetof(Header, key) == 24);

Digest digest_of(std::span<const std::byte> bytes) {
  const auto digest =
      llvm::BLAKE3::hash<32>(llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
  Digest result;
  std::copy(digest.begin(), digest.end(), result.begin());
  return result;
}

// The text without the names of params and variables, which end their lines. (Other lines refer to both by number.)
std::string without_names(std::string_view text) {
  std::string result;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    result += line.substr(0, line.find('"'));
    result += '\n';
    begin = end + 1;
  }
  return result;
}

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

std::string CacheKey::hex() const {
  std::string text;
  for (const uint8_t byte : digest) text += fmt::format("{:02x}", byte);
  return text;
}

size_t CodeCache::KeyHash::operator()(const CacheKey& key) const {
  size_t value = 0;
  std::memcpy(&value, key.digest.data(), sizeof(value));
  return value;
}

CacheKey cache_key(const ir::Kernel& kernel) {
  ir::Kernel nameless = kernel;
  nameless.name.assign(1, 'k');
  const std::string text = fmt::format("{} {} codegen {} llvm {}\n{}", kTargetTriple, kTargetCpu, kCodegenVersion,
                                       LLVM_VERSION_STRING, without_names(ir::print_kernel(nameless)));
  return {digest_of(std::as_bytes(std::span(text)))};
}

CodeCache::Bytes CodeCache::find(const CacheKey& key) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = memory_.find(key); it != memory_.end()) return it->second;
  }
  Bytes bytes = read_file(key);
  if (bytes == nullptr) return nullptr;
  const std::lock_guard lock(mutex_);
  return memory_.emplace(key, std::move(bytes)).first->second;
}

void CodeCache::insert(const CacheKey& key, Bytes code_object) {
  {
    const std::lock_guard lock(mutex_);
    memory_[key] = code_object;
    if (dir_.empty() || !problem_.empty()) return;
  }
  Status status = write_file(key, *code_object);
  if (status.is_ok()) return;
  const std::lock_guard lock(mutex_);
  if (problem_.empty()) problem_ = status.message();
}

std::string CodeCache::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::string CodeCache::path_of(const CacheKey& key) const {
  return fmt::format("{}/{}", dir_, key.hex());
}

CodeCache::Bytes CodeCache::read_file(const CacheKey& key) const {
  if (dir_.empty()) return nullptr;
  const UniqueFd fd(::open(path_of(key).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.is_valid() || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
  Header header;
  if (!read_exactly(fd.get(), std::as_writable_bytes(std::span(&header, 1)))) return nullptr;
  if (header.magic != kMagic || header.version != kFormatVersion || header.key != key.digest) return nullptr;
  const auto file_bytes = static_cast<uint64_t>(info.st_size);
  if (header.length_bytes > kMaxFileBytes || file_bytes != sizeof(header) + header.length_bytes) return nullptr;
  auto content = std::make_shared<std::vector<std::byte>>(header.length_bytes);
  if (!read_exactly(fd.get(), *content) || digest_of(*content) != header.content) return nullptr;
  return content;
}

Status CodeCache::write_file(const CacheKey& key, const std::vector<std::byte>& code_object) const {
  const auto failure = [this](int sys_errno) {
    return Status::from_errno(sys_errno, fmt::format("writing to the cache of compiled kernels in {}", dir_))
        .with_advice("kernels are compiled anew in every process; XDG_CACHE_HOME names another place");
  };
  std::error_code made;
  std::filesystem::create_directories(dir_, made);
  if (made) return failure(made.value());
  std::string temporary = fmt::format("{}/.{}.XXXXXX", dir_, key.hex());
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.is_valid()) return failure(errno);
  const Header header{.length_bytes = code_object.size(), .key = key.digest, .content = digest_of(code_object)};
  int sys_errno = 0;
  if (!write_exactly(fd.get(), std::as_bytes(std::span(&header, 1))) || !write_exactly(fd.get(), code_object)) {
    sys_errno = errno;
  }
  fd.reset();
  const std::string path = path_of(key);
  if (sys_errno == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) sys_errno = errno;
  if (sys_errno == 0) return Status::ok();
  ::unlink(temporary.c_str());
  return failure(sys_errno);
}

}  // namespace bw::compiler
