#include "emulator/shim/card.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "emulator/shim/card_library.h"
#include "emulator/shim/real.h"
#include "emulator/shim/settings.h"

namespace bw::emulator::shim {
namespace {

// Linux's fs.nr_open unless an administrator raises it. Pages of the table appear when they are written to.
constexpr int kMaxDescriptors = 1 << 20;
// Set in the kind of a descriptor that came through a fork.
constexpr DeviceKind kInherited = 0x8000;

[[gnu::tls_model("initial-exec")]] constinit thread_local int inside_depth = 0;

std::array<std::atomic<DeviceKind>, kMaxDescriptors> all_kinds;
std::atomic<int> descriptors_end{0};  // beyond the highest that was ever a device
// The file that all of them are duplicates of, and the one from before the last fork.
std::atomic<uint64_t> arena_inode{0};
std::atomic<uint64_t> inherited_inode{0};
std::atomic<pid_t> owner{0};  // the process that has the machine

std::atomic<const CardLibrary*> library{nullptr};
std::atomic<const char*> root{nullptr};

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
// With the mutex held:
std::atomic<bool> has_started{false};  // written with it held
bool watches_forks = false;

// For descriptors below kMaxDescriptors.
std::atomic<DeviceKind>& entry(int fd) {
  return all_kinds[static_cast<unsigned>(fd) % kMaxDescriptors];
}

class Lock {
 public:
  Lock() { pthread_mutex_lock(&mutex); }
  ~Lock() { pthread_mutex_unlock(&mutex); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
};

void say(const char* what, const char* detail) {
  std::array<char, 1024> line;
  const int length = std::snprintf(line.data(), line.size(), "barewave: shim: %s: %s\n", what, detail);
  [[maybe_unused]] const ssize_t written =
      ::write(STDERR_FILENO, line.data(), length < static_cast<int>(line.size()) ? length : line.size());
}

// Opens the card's library, which lies beside this one. Its symbols, LLVM's among them, are seen by nobody else.
const CardLibrary* open_library() {
  Dl_info self;
  std::array<char, PATH_MAX> path;
  if (dladdr(reinterpret_cast<void*>(&open_library), &self) == 0) return nullptr;
  const char* name = std::strrchr(self.dli_fname, '/');
  const int folder_length = name == nullptr ? 0 : static_cast<int>(name + 1 - self.dli_fname);
  std::snprintf(path.data(), path.size(), "%.*s%s", folder_length, self.dli_fname, kCardLibrary);
  void* handle = dlopen(path.data(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) {
    say("opening the emulated card", dlerror());
    return nullptr;
  }
  auto* get = reinterpret_cast<GetCardLibrary*>(dlsym(handle, kGetCardLibrary));
  return get == nullptr ? nullptr : get();
}

// Without the mutex: the loader has a lock too, and calls constructors that may lead here with it held. To open twice
// is harmless.
const CardLibrary* require_library() {
  const CardLibrary* opened = library.load(std::memory_order_acquire);
  if (opened != nullptr) return opened;
  opened = open_library();
  library.store(opened, std::memory_order_release);
  return opened;
}

// Threads do not come through a fork, and the other side goes on using the memory. So the child begins anew, with its
// next call; until then nothing is done here, since most children only start another program.
void begin_anew() {
  inherited_inode.store(arena_inode.load());
  for (int fd = 0; fd < descriptors_end.load(); ++fd) {
    if (const DeviceKind kind = entry(fd).load(); kind != kNoDevice) entry(fd).store(kind | kInherited);
  }
  owner.store(static_cast<pid_t>(syscall(SYS_getpid)));
  has_started = false;
}

void after_fork_in_child() {
  begin_anew();
  pthread_mutex_unlock(&mutex);
}

// A child that no handler told of: one of vfork(), which has our memory but descriptors of its own, or one of a bare
// system call. It must not change the table.
bool is_other_process() {
  return owner.load(std::memory_order_relaxed) != static_cast<pid_t>(syscall(SYS_getpid));
}

// With the mutex held.
int require_machine() {
  const CardLibrary* card = library.load();
  if (card == nullptr) return -ENODEV;
  // Forked by a bare system call. A child of vfork() may do no such thing as what leads here.
  if (has_started && is_other_process()) begin_anew();
  if (has_started) return 0;
  if (!watches_forks) {
    pthread_atfork([] { pthread_mutex_lock(&mutex); }, [] { pthread_mutex_unlock(&mutex); }, after_fork_in_child);
    watches_forks = true;
  }
  if (const int status = card->start([] { ++inside_depth; }); status != 0) return status;
  owner.store(static_cast<pid_t>(syscall(SYS_getpid)));
  has_started = true;
  return 0;
}

uint64_t inode_of(int fd) {
  struct stat status {};
  return syscall(SYS_fstat, fd, &status) == 0 ? status.st_ino : 0;
}

void enter(int fd, DeviceKind kind) {
  entry(fd).store(kind);
  int end = descriptors_end.load();
  while (end <= fd && !descriptors_end.compare_exchange_weak(end, fd + 1)) {
  }
}

DeviceKind kind_of(int fd) {
  return fd < 0 || fd >= kMaxDescriptors ? kNoDevice : entry(fd).load(std::memory_order_relaxed);
}

// Gives an inherited descriptor of a DRM node the fresh machine's file, under the same number. With the mutex held.
int renew(int fd, DeviceKind kind) {
  if (const int status = require_machine(); status != 0) return status;
  std::array<char, 32> path;
  device_path(kind, path.data(), path.size());
  const CardLibrary* card = library.load();
  const int fresh = card->open(path.data(), O_RDWR);
  if (fresh < 0) return fresh;
  const int close_on_exec = (static_cast<int>(syscall(SYS_fcntl, fd, F_GETFD)) & FD_CLOEXEC) != 0 ? O_CLOEXEC : 0;
  if (syscall(SYS_dup3, fresh, fd, close_on_exec) < 0) return -errno;
  arena_inode.store(inode_of(fd));
  card->add_duplicate(fd, fresh);
  card->close(fresh);
  enter(fd, kind);
  return 0;
}

// Makes an inherited descriptor one of this process's machine.
int require_own(int fd, DeviceKind kind) {
  const bool is_forked = is_other_process();  // by a bare system call
  if ((kind_of(fd) & kInherited) == 0 && !is_forked) return 0;
  // Linux kfd_chardev.c, kfd_ioctl(): only the process that opened it may.
  if (kind == kKfdDevice) return -EBADF;
  const Lock lock;
  if (is_forked) {
    if (const int status = require_machine(); status != 0) return status;
  }
  return (kind_of(fd) & kInherited) == 0 ? 0 : renew(fd, kind);
}

// The first to find the root says where it is; others have found the same.
const char* settle_root(const char* found) {
  const char* other = nullptr;
  return root.compare_exchange_strong(other, found) ? found : other;
}

}  // namespace

Inside::Inside() {
  if (inside_depth++ == 0) pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state_);
}

Inside::~Inside() {
  if (--inside_depth == 0) pthread_setcancelstate(cancel_state_, nullptr);
}

bool is_inside() {
  return inside_depth != 0;
}

const char* known_tree_root() {
  if (const char* known = root.load(std::memory_order_acquire); known != nullptr) return known;
  const char* given = std::getenv(kTreeVariable);
  if (given == nullptr) return "";
  std::array<char, kMaxPathBytes> probe;
  std::snprintf(probe.data(), probe.size(), "%s/dev/kfd", given);
  const int before = errno;
  const bool is_there = syscall(SYS_access, probe.data(), F_OK) == 0;
  errno = before;
  return is_there ? settle_root(strdup(given)) : "";  // a copy, as the program may change its environment
}

const char* tree_root() {
  const char* known = known_tree_root();
  if (*known != '\0' || root.load() != nullptr) return known;
  const Inside inside;
  const int before = errno;
  const CardLibrary* card = require_library();
  known = settle_root(card == nullptr ? "" : card->tree());
  errno = before;
  return known;
}

DeviceKind device_of_descriptor(int fd) {
  const DeviceKind kind = kind_of(fd);
  if (kind == kNoDevice || is_inside()) return kNoDevice;
  const uint64_t inode = inode_of(fd);
  if (inode != 0 && (inode == arena_inode.load() || inode == inherited_inode.load())) return kind & ~kInherited;
  if (!is_other_process()) forget_device(fd);
  return kNoDevice;
}

int open_device(const char* path, DeviceKind kind, int flags) {
  const Inside inside;
  const CardLibrary* card = require_library();
  const Lock lock;
  if (const int status = require_machine(); status != 0) return status;
  const int fd = card->open(path, flags);
  if (fd < 0) return fd;
  if (fd >= kMaxDescriptors) {
    card->close(fd);
    return -EMFILE;
  }
  if ((flags & O_CLOEXEC) == 0) syscall(SYS_fcntl, fd, F_SETFD, 0);
  arena_inode.store(inode_of(fd));
  enter(fd, kind);
  return fd;
}

int device_ioctl(int fd, DeviceKind kind, unsigned long request, void* argument) {
  const Inside inside;
  if (const int status = require_own(fd, kind); status != 0) return status;
  return library.load(std::memory_order_acquire)->ioctl(fd, request, argument);
}

bool has_machine() {
  return owner.load(std::memory_order_relaxed) != 0 && !is_inside() && has_started && !is_other_process();
}

int machine_mmap(void* address, size_t length, int protection, int flags, int fd, off_t offset, void** result) {
  const Inside inside;
  return library.load(std::memory_order_acquire)->mmap(address, length, protection, flags, fd, offset, result);
}

int device_mmap(int fd, DeviceKind kind, void* address, size_t length, int protection, int flags, off_t offset,
                void** result) {
  const Inside inside;
  const int status = require_own(fd, kind);
  // Linux kfd_chardev.c, kfd_mmap().
  if (status != 0) return status == -EBADF ? -EINVAL : status;
  return library.load(std::memory_order_acquire)->mmap(address, length, protection, flags, fd, offset, result);
}

int machine_munmap(void* address, size_t length) {
  const Inside inside;
  return library.load(std::memory_order_acquire)->munmap(address, length);
}

int close_device(int fd) {
  const Inside inside;
  const DeviceKind kind = kind_of(fd);
  if (!is_other_process()) {
    entry(fd).store(kNoDevice);
    if ((kind & kInherited) == 0) return library.load(std::memory_order_acquire)->close(fd);
  }
  return syscall(SYS_close, fd) == 0 ? 0 : -errno;
}

void share_device(int copy, int fd) {
  if (is_other_process() || copy >= kMaxDescriptors) return;
  const Inside inside;
  const DeviceKind kind = kind_of(fd);
  if ((kind & kInherited) == 0 && library.load(std::memory_order_acquire)->add_duplicate(copy, fd) != 0) return;
  enter(copy, kind);
}

void forget_device(int fd) {
  const DeviceKind kind = kind_of(fd);
  if (kind == kNoDevice || is_other_process()) return;
  const Inside inside;
  entry(fd).store(kNoDevice);
  if ((kind & kInherited) == 0) library.load(std::memory_order_acquire)->forget(fd);
}

}  // namespace bw::emulator::shim
