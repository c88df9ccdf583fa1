#include "emulator/shim/paths.h"

#include <fcntl.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <cstring>

#include "emulator/owned_paths.h"
#include "emulator/shim/card.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
namespace {

// Linux's number for DRM; that of KFD is given out as the driver loads.
constexpr unsigned kDrmMajor = 226;
constexpr unsigned kKfdMajor = 511;
constexpr uint32_t kFirstRender = 128;
constexpr uint32_t kMinorEnd = 256;

// Cheap: whether an absolute path may be ours at all.
bool may_be_ours(const char* path) {
  while (*path == '/') ++path;
  return std::strncmp(path, "sys", 3) == 0 || std::strncmp(path, "dev", 3) == 0 || *path == '.';
}

// Without repeated and trailing slashes, "." and ".."; 0 if it is too long. A ".." behind a link goes back past the
// link's name here, not past where it leads. Sets *backs_up where a ".." goes back from what is ours.
size_t normalise(const char* path, char* to, size_t capacity, bool* backs_up) {
  size_t length = 0;
  while (*path != '\0') {
    while (*path == '/') ++path;
    const size_t word = std::strcspn(path, "/");
    if (word == 0) break;
    if (word == 2 && path[0] == '.' && path[1] == '.') {
      *backs_up |= is_owned_path({to, length});
      while (length > 0 && to[--length] != '/') {
      }
    } else if (word != 1 || path[0] != '.') {
      if (length + 1 + word >= capacity) return 0;
      to[length++] = '/';
      std::memcpy(to + length, path, word);
      length += word;
    }
    path += word;
  }
  if (length == 0) to[length++] = '/';
  to[length] = '\0';
  return length;
}

DeviceKind numbered(std::string_view digits, uint32_t first, uint32_t end) {
  uint32_t minor = 0;
  if (digits.empty() || digits.size() > 3) return kNoDevice;
  for (char c : digits) {
    if (c < '0' || c > '9') return kNoDevice;
    minor = minor * 10 + static_cast<uint32_t>(c - '0');
  }
  return minor >= first && minor < end ? drm_device(minor) : kNoDevice;
}

DeviceKind device_of(std::string_view path) {
  constexpr std::string_view kRender = "/dev/dri/renderD";
  constexpr std::string_view kCard = "/dev/dri/card";
  if (path == "/dev/kfd") return kKfdDevice;
  if (path.starts_with(kRender)) return numbered(path.substr(kRender.size()), kFirstRender, kMinorEnd);
  if (path.starts_with(kCard)) return numbered(path.substr(kCard.size()), 0, kFirstRender);
  return kNoDevice;
}

// Whether the last word of a path is one of those that devices have.
bool may_name_device(const char* path) {
  const char* slash = std::strrchr(path, '/');
  const std::string_view name = slash == nullptr ? path : slash + 1;
  return name.starts_with("renderD") || name.starts_with("card") || name == "kfd";
}

// The machine's path for a relative one; false if that does not lead into the tree.
bool make_absolute(int folder, const char* path, char (&absolute)[kMaxPathBytes]) {
  char link[32];
  std::snprintf(link, sizeof(link), folder == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", folder);
  const long found = syscall(SYS_readlink, link, absolute, sizeof(absolute));
  if (found <= 0) return false;
  const size_t length = strip_root(absolute, static_cast<size_t>(found));
  if (length == static_cast<size_t>(found)) return false;
  return static_cast<size_t>(std::snprintf(absolute + length, sizeof(absolute) - length, "/%s", path)) <
         sizeof(absolute) - length;
}

}  // namespace

uint64_t device_number(DeviceKind kind) {
  return kind == kKfdDevice ? makedev(kKfdMajor, 0) : makedev(kDrmMajor, kind - drm_device(0));
}

size_t device_path(DeviceKind kind, char* text, size_t capacity) {
  const unsigned minor = kind - drm_device(0);
  const char* format = minor >= kFirstRender ? "/dev/dri/renderD%u" : "/dev/dri/card%u";
  const int length = std::snprintf(text, capacity, kind == kKfdDevice ? "/dev/kfd" : format, minor);
  return static_cast<size_t>(length);
}

HostPath::HostPath(int folder, const char* path) : path_(path) {
  if (path == nullptr || is_inside()) return;
  if (*path == '/') {
    if (may_be_ours(path)) place(path);
    return;
  }
  if (!may_name_device(path) || *known_tree_root() == '\0') return;
  char absolute[kMaxPathBytes];
  if (make_absolute(folder, path, absolute)) place(absolute);
}

void HostPath::place(const char* path) {
  char* const meant = host_ + kMaxPathBytes;
  bool backs_up = false;
  size_t length = normalise(path, meant, kMaxPathBytes, &backs_up);
  if (length == 0) return;
  if (!is_owned_path({meant, length})) {
    if (backs_up) path_ = meant;
    return;
  }
  device_ = device_of({meant, length});
  const char* root = tree_root();
  root_length_ = std::strlen(root);
  if (root_length_ == 0 || root_length_ >= kMaxPathBytes) return;
  std::memcpy(host_, root, root_length_);
  // Within the tree the kernel knows best where ".." leads.
  const char* in_tree = meant;
  if (backs_up && device_ == kNoDevice && std::strlen(path) < kMaxPathBytes) {
    in_tree = path;
    length = std::strlen(path);
  }
  std::memmove(host_ + root_length_, in_tree, length + 1);
  path_ = host_;
  is_ours_ = true;
}

size_t strip_root(char* path, size_t length) {
  const char* root = known_tree_root();
  const size_t root_length = std::strlen(root);
  if (root_length == 0 || length < root_length || std::memcmp(path, root, root_length) != 0) return length;
  if (length > root_length && path[root_length] != '/') return length;
  if (length == root_length) {
    path[0] = '/';
    return 1;
  }
  std::memmove(path, path + root_length, length - root_length);
  return length - root_length;
}

}  // namespace bw::emulator::shim
