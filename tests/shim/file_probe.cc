// Owns: a probe of paths and descriptors under the shim, by the C library's calls.
#include <dirent.h>
#include <drm.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <climits>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "kfd/uapi.h"
#include "tests/shim/probe.h"

namespace bw {
namespace {

namespace uapi = kfd::uapi;

constexpr const char* kKfd = "/dev/kfd";
constexpr const char* kRender = "/dev/dri/renderD128";
constexpr const char* kNodes = "/sys/class/kfd/kfd/topology/nodes";
constexpr const char* kGpuId = "/sys/class/kfd/kfd/topology/nodes/1/gpu_id";

int get_version(int fd) {
  uapi::GetVersionArgs args{};
  return ioctl(fd, uapi::kGetVersion, &args);
}

bool is_character_device(const struct stat& status, unsigned device_major, unsigned device_minor) {
  return S_ISCHR(status.st_mode) && major(status.st_rdev) == device_major && minor(status.st_rdev) == device_minor;
}

void probe_stat() {
  struct stat status {};
  struct stat64 status64 {};
  PROBE(stat(kRender, &status) == 0 && is_character_device(status, 226, 128));
  PROBE(lstat(kRender, &status) == 0 && is_character_device(status, 226, 128));
  PROBE(stat64(kRender, &status64) == 0 && S_ISCHR(status64.st_mode));
  PROBE(fstatat(AT_FDCWD, kRender, &status, 0) == 0 && is_character_device(status, 226, 128));
  struct statx extended {};
  PROBE(statx(AT_FDCWD, kRender, 0, STATX_ALL, &extended) == 0);
  PROBE(S_ISCHR(extended.stx_mode) && extended.stx_rdev_major == 226 && extended.stx_rdev_minor == 128);
  const int fd = open(kRender, O_RDWR);
  PROBE(fd >= 0 && fstat(fd, &status) == 0 && is_character_device(status, 226, 128));
  PROBE(fstatat(fd, "", &status, AT_EMPTY_PATH) == 0 && is_character_device(status, 226, 128));
  PROBE(stat(kGpuId, &status) == 0 && S_ISREG(status.st_mode));
  PROBE(stat(kNodes, &status) == 0 && S_ISDIR(status.st_mode));
  PROBE(lstat("/sys/class/kfd/kfd", &status) == 0 && S_ISLNK(status.st_mode));
  PROBE_ERRNO(stat("/dev/dri/renderD200", &status), ENOENT);
  PROBE_ERRNO(stat("/dev/accel/accel0", &status), ENOENT);
  const char* volatile nowhere = nullptr;
  PROBE_ERRNO(stat(nowhere, &status), EFAULT);
  PROBE_ERRNO(open(nowhere, O_RDONLY), EFAULT);
}

// Functions of C libraries before 2.33, which old programs still call.
extern "C" int __xstat(int version, const char* name, struct stat* status);
extern "C" int __fxstat(int version, int fd, struct stat* status);

void probe_old_stat() {
  struct stat status {};
  PROBE(__xstat(1, kKfd, &status) == 0 && S_ISCHR(status.st_mode));
  const int fd = open(kRender, O_RDWR);
  PROBE(__fxstat(1, fd, &status) == 0 && is_character_device(status, 226, 128));
  PROBE_ERRNO(__fxstat(7, fd, &status), EINVAL);
}

std::string read_all(int fd) {
  char text[256];
  const ssize_t count = read(fd, text, sizeof(text));
  return count < 0 ? "" : std::string(text, static_cast<size_t>(count));
}

void probe_open() {
  for (const char* name : {kGpuId, "//sys//class/./kfd/kfd/topology/nodes/1/gpu_id/",
                           "/sys/class/../class/kfd/kfd/topology/nodes/1/gpu_id",
                           "/sys/devices/virtual/kfd/kfd/topology/nodes/1/gpu_id"}) {
    const int fd = open(name, O_RDONLY);
    PROBE(fd >= 0 && read_all(fd) == "28445\n");
  }
  const int folder = open(kNodes, O_RDONLY | O_DIRECTORY);
  PROBE(folder >= 0);
  PROBE(read_all(openat(folder, "1/gpu_id", O_RDONLY)) == "28445\n");
  // Back from where a link leads, and not to the folder that holds the link.
  PROBE(read_all(open("/sys/class/kfd/kfd/../kfd/topology/nodes/1/gpu_id", O_RDONLY)) == "28445\n");
  PROBE(open("/sys/dev/char/226:128/device/../uevent", O_RDONLY) >= 0);
  PROBE(open("/dev/dri/../null", O_RDONLY) >= 0 && open("/sys/class/drm/../../devices/system", O_RDONLY) >= 0);
  PROBE_ERRNO(open(kGpuId, O_RDWR), EACCES);
  PROBE_ERRNO(open("/sys/class/kfd/none", O_RDWR | O_CREAT, 0600), ENOENT);
  PROBE_ERRNO(open(kKfd, O_RDONLY | O_DIRECTORY), ENOTDIR);
  PROBE_ERRNO(open("/dev/dri/renderD129", O_RDWR), ENOENT);
  PROBE(get_version(openat(AT_FDCWD, "/dev/../dev/kfd", O_RDWR)) == 0);
  PROBE(get_version(open64(kKfd, O_RDWR)) == 0);
  FILE* file = fopen(kGpuId, "r");
  unsigned id = 0;
  PROBE(file != nullptr && fscanf(file, "%u", &id) == 1 && id == 28445);
  PROBE(fopen("/dev/kfdx", "r") == nullptr && errno == ENOENT);
  // What is not the machine's goes to the host.
  PROBE(open("/dev/null", O_RDWR) >= 0 && open("/sys/devices/system", O_RDONLY) >= 0);
}

void probe_folders() {
  DIR* folder = opendir("/dev/dri");
  PROBE(folder != nullptr);
  std::string names;
  while (const dirent* entry = readdir(folder)) names += std::string(entry->d_name) + " ";
  PROBE(names.find("renderD128 ") != std::string::npos && names.find("card0 ") != std::string::npos);
  dirent** entries = nullptr;
  PROBE(scandir(kNodes, &entries, nullptr, alphasort) == 4);
  PROBE(std::string(entries[3]->d_name) == "1");
  PROBE(opendir("/dev/accel") == nullptr && errno == ENOENT);
  glob_t found{};
  PROBE(glob("/sys/class/kfd/kfd/topology/nodes/*/gpu_id", 0, nullptr, &found) == 0 && found.gl_pathc == 2);
  PROBE(std::string(found.gl_pathv[1]) == kGpuId);
  globfree(&found);
  PROBE(glob("/dev/nul?", 0, nullptr, &found) == 0 && found.gl_pathc == 1);
}

// Paths from a folder of the machine.
void probe_relative() {
  struct stat status {};
  const int folder = open("/dev/dri", O_RDONLY | O_DIRECTORY);
  PROBE(fstatat(folder, "renderD128", &status, 0) == 0 && is_character_device(status, 226, 128));
  drm_version version{};
  PROBE(ioctl(openat(folder, "renderD128", O_RDWR), DRM_IOCTL_VERSION, &version) == 0 && version.version_major == 3);
  PROBE_ERRNO(openat(folder, "renderD129", O_RDWR), ENOENT);
  PROBE(chdir(kNodes) == 0);
  char text[PATH_MAX];
  PROBE(getcwd(text, sizeof(text)) != nullptr && std::string(text) == "/sys/devices/virtual/kfd/kfd/topology/nodes");
  PROBE(read_all(open("1/gpu_id", O_RDONLY)) == "28445\n");
  PROBE(chdir("..") == 0 && access("nodes", R_OK) == 0);
  PROBE(chdir("/dev/dri") == 0 && access("renderD128", R_OK | W_OK) == 0);
  PROBE(stat("./renderD128", &status) == 0 && is_character_device(status, 226, 128));
  PROBE(std::system("cd /dev/dri && test -c renderD128") == 0);
  PROBE(chdir("/usr") == 0 && getcwd(text, sizeof(text)) != nullptr && std::string(text) == "/usr");
}

void probe_streams() {
  FILE* stream = fopen(kKfd, "r+");
  PROBE(stream != nullptr && get_version(fileno(stream)) == 0);
  PROBE(fclose(stream) == 0);
  PROBE(get_version(open(kKfd, O_RDWR)) == 0);
}

void probe_names() {
  PROBE(access(kKfd, R_OK | W_OK) == 0 && access(kGpuId, R_OK) == 0 && eaccess(kKfd, R_OK | W_OK) == 0);
  PROBE(faccessat(AT_FDCWD, kNodes, X_OK, 0) == 0);
  PROBE_ERRNO(access("/dev/accel/accel0", F_OK), ENOENT);
  char text[PATH_MAX] = {};
  PROBE(readlink("/sys/class/kfd/kfd", text, sizeof(text)) > 0);
  PROBE(std::string(text) == "../../devices/virtual/kfd/kfd");
  PROBE(realpath(kGpuId, text) != nullptr);
  PROBE(std::string(text) == "/sys/devices/virtual/kfd/kfd/topology/nodes/1/gpu_id");
  char* resolved = realpath(kKfd, nullptr);
  PROBE(resolved != nullptr && std::string(resolved) == kKfd);
  const std::string link = "/proc/self/fd/" + std::to_string(open(kRender, O_RDWR));
  std::memset(text, 0, sizeof(text));
  PROBE(readlink(link.c_str(), text, sizeof(text)) > 0 && std::string(text) == kRender);
  PROBE(realpath("/dev/null", text) != nullptr && std::string(text) == "/dev/null");
}

void probe_duplicates() {
  const int fd = open(kKfd, O_RDWR | O_CLOEXEC);
  PROBE((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  const int plain = open(kKfd, O_RDWR);
  PROBE((fcntl(plain, F_GETFD) & FD_CLOEXEC) == 0);
  const int copies[] = {dup(fd), dup2(fd, 100), dup3(fd, 101, O_CLOEXEC), fcntl(fd, F_DUPFD, 200),
                        fcntl(fd, F_DUPFD_CLOEXEC, 300)};
  PROBE(close(fd) == 0);
  for (int copy : copies) PROBE(copy >= 0 && get_version(copy) == 0);
  PROBE(copies[3] >= 200 && copies[4] >= 300 && (fcntl(copies[4], F_GETFD) & FD_CLOEXEC) != 0);
  PROBE_ERRNO(get_version(fd), EBADF);
  PROBE_ERRNO(close(fd), EBADF);
  // Another file takes the number of a device, and a device that of another file.
  const int null = open("/dev/null", O_RDWR);
  PROBE(dup2(null, 100) == 100);
  PROBE_ERRNO(get_version(100), ENOTTY);
  PROBE(dup2(copies[4], null) == null && get_version(null) == 0);
  PROBE(dup2(null, null) == null && get_version(null) == 0);
  PROBE_ERRNO(dup2(999, null), EBADF);
  PROBE(get_version(null) == 0);
}

// The number comes back for another file although nobody saw the first go.
void probe_bare_close() {
  const int fd = open(kKfd, O_RDWR);
  PROBE(get_version(fd) == 0);
  PROBE(syscall(SYS_close, fd) == 0);
  PROBE(open("/dev/null", O_RDWR) == fd);
  PROBE_ERRNO(get_version(fd), ENOTTY);
  struct stat status {};
  PROBE(fstat(fd, &status) == 0 && is_character_device(status, 1, 3));
  PROBE(close(fd) == 0);
  PROBE(open(kKfd, O_RDWR) == fd && get_version(fd) == 0);
  PROBE(syscall(SYS_close, fd) == 0);
  PROBE_ERRNO(get_version(fd), EBADF);
}

void probe_many() {
  for (int i = 0; i < 1000; ++i) {
    const int fd = open(i % 2 == 0 ? kKfd : kRender, O_RDWR | O_CLOEXEC);
    PROBE(fd >= 0 && fd < 16);
    PROBE(close(fd) == 0);
  }
  const rlimit few = {64, 64};
  PROBE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  std::vector<int> fds;
  for (int fd = open(kKfd, O_RDWR); fd >= 0; fd = open(kKfd, O_RDWR)) fds.push_back(fd);
  PROBE(errno == EMFILE);
  PROBE(fds.size() > 40);
  for (int fd : fds) PROBE(close(fd) == 0);
  PROBE(get_version(open(kKfd, O_RDWR)) == 0);
}

void probe_threads() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([] {
      for (int round = 0; round < 200; ++round) {
        const int fd = open(kKfd, O_RDWR | O_CLOEXEC);
        const int other = open("/dev/null", O_RDONLY | O_CLOEXEC);
        PROBE(fd >= 0 && get_version(fd) == 0);
        const int copy = dup(fd);
        PROBE(close(fd) == 0 && get_version(copy) == 0 && close(copy) == 0);
        PROBE_ERRNO(get_version(other), ENOTTY);
        PROBE(close(other) == 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// 1 MiB of VRAM, seen through a mapping of the bare system call.
void probe_bare_mmap() {
  constexpr size_t kBytes = 1 << 20;
  const int fd = open(kKfd, O_RDWR | O_CLOEXEC);
  const int drm = open(kRender, O_RDWR | O_CLOEXEC);
  uapi::AcquireVmArgs acquire{};
  acquire.drm_fd = static_cast<uint32_t>(drm);
  acquire.gpu_id = 28445;
  PROBE(ioctl(fd, uapi::kAcquireVm, &acquire) == 0);
  uapi::AllocMemoryArgs allocate{};
  allocate.va_addr = 0x7000'0000'0000;
  allocate.size = kBytes;
  allocate.gpu_id = 28445;
  allocate.flags = uapi::alloc_flag::kVram | uapi::alloc_flag::kPublic | uapi::alloc_flag::kWritable;
  PROBE(ioctl(fd, uapi::kAllocMemory, &allocate) == 0);
  const auto offset = static_cast<off_t>(allocate.mmap_offset);
  auto* seen = static_cast<int*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, drm, offset));
  PROBE(seen != MAP_FAILED);
  auto* bare =
      reinterpret_cast<int*>(syscall(SYS_mmap, nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, drm, offset));
  PROBE(bare != MAP_FAILED);
  seen[7] = 42;
  PROBE(bare[7] == 42);
  PROBE(munmap(seen, kBytes) == 0 && bare[7] == 42);
  PROBE(mmap(nullptr, kBytes, PROT_READ, MAP_SHARED, drm, offset + (1 << 30)) == MAP_FAILED && errno == EINVAL);
}

}  // namespace
}  // namespace bw

int main(int argc, char** argv) {
  const std::map<std::string, void (*)()> probes = {
      {"stat", bw::probe_stat},       {"old-stat", bw::probe_old_stat},     {"open", bw::probe_open},
      {"folders", bw::probe_folders}, {"names", bw::probe_names},           {"relative", bw::probe_relative},
      {"streams", bw::probe_streams}, {"duplicates", bw::probe_duplicates}, {"bare-close", bw::probe_bare_close},
      {"many", bw::probe_many},       {"threads", bw::probe_threads},       {"bare-mmap", bw::probe_bare_mmap},
  };
  PROBE(argc == 2 && probes.contains(argv[1]));
  probes.at(argv[1])();
  return 0;
}
