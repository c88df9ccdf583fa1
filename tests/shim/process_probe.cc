// Owns: a probe of what becomes of the card as the process forks, starts others, and ends, all through Linux's calls.
#include <fcntl.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <drm.h>

#include <map>
#include <memory>
#include <string>
#include <thread>

#include "amdgpu/device.h"
#include "base/mapped_file.h"
#include "kfd/linux_driver.h"
#include "kfd/uapi.h"
#include "tests/shim/probe.h"

extern char** environ;

namespace bw {
namespace {

kfd::LinuxDriver linux_driver;

struct Card {
  std::unique_ptr<amdgpu::Device> device;
  std::unique_ptr<amdgpu::CodeModule> module;

  static Card open() {
    Card card;
    auto device = amdgpu::Device::open(linux_driver);
    if (!device.is_ok()) std::fprintf(stderr, "%s\n", device.status().message().c_str());
    PROBE(device.is_ok());
    card.device = std::move(device).value();
    const MappedFile file = MappedFile::open(BW_AMDGPU_TESTDATA "/endless.hsaco").value();
    card.module = card.device->load(file.bytes()).value();
    return card;
  }
  amdgpu::Submission start(const char* kernel) const {
    amdgpu::CommandRecorder recorder = device->record();
    recorder.dispatch(*module->kernel(kernel).value(), {4, 1, 1}, {64, 1, 1}, {});
    return device->submit(recorder.finish().value()).value();
  }
  // Runs a kernel that ends.
  void use() const { PROBE(device->wait(start("end")).is_ok()); }
};

// A card with a program on it that never ends.
Card& busy_card() {
  static Card* card = new Card(Card::open());
  card->start("spin");
  usleep(20'000);
  return *card;
}

int ended(pid_t child) {
  int status = 0;
  PROBE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Opened before the card, so it goes after all that came later.
struct LastUse {
  std::unique_ptr<Card> card;
  ~LastUse() {
    if (card == nullptr) return;
    card->use();
    std::puts("used at the end");
    card.release();
  }
};
LastUse last_use;

void exit_busy() {
  busy_card();
}

void exit_from_thread() {
  busy_card();
  std::thread([] { std::exit(3); }).join();
}

void killed_busy() {
  busy_card();
  raise(SIGKILL);
}

void use_in_destructor() {
  last_use.card = std::make_unique<Card>(Card::open());
}

// Both sides of a fork have their own card, also while the parent's is at work.
void fork_opens() {
  const Card card = Card::open();
  card.use();
  const pid_t child = fork();
  if (child == 0) {
    Card::open().use();
    _exit(7);
  }
  PROBE(ended(child) == 7);
  card.use();
}

void fork_busy() {
  busy_card();
  const pid_t child = fork();
  if (child == 0) {
    Card::open().use();
    _exit(7);
  }
  PROBE(ended(child) == 7);
}

void fork_inherits() {
  const int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
  const int drm = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
  kfd::uapi::GetVersionArgs version{};
  PROBE(ioctl(fd, kfd::uapi::kGetVersion, &version) == 0);
  const pid_t child = fork();
  if (child == 0) {
    PROBE_ERRNO(ioctl(fd, kfd::uapi::kGetVersion, &version), EBADF);
    drm_version names{};
    PROBE(ioctl(drm, DRM_IOCTL_VERSION, &names) == 0 && names.version_major == 3);
    PROBE(ioctl(dup(drm), DRM_IOCTL_VERSION, &names) == 0);
    const int fresh = open("/dev/kfd", O_RDWR | O_CLOEXEC);
    PROBE(ioctl(fresh, kfd::uapi::kGetVersion, &version) == 0);
    PROBE(close(fd) == 0 && close(drm) == 0 && close(fresh) == 0);
    _exit(7);
  }
  PROBE(ended(child) == 7);
  PROBE(ioctl(fd, kfd::uapi::kGetVersion, &version) == 0);
}

// As fork_inherits(), by a system call that no handler of fork sees.
void bare_fork() {
  const int fd = open("/dev/kfd", O_RDWR | O_CLOEXEC);
  const int drm = open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
  kfd::uapi::GetVersionArgs version{};
  const auto child = static_cast<pid_t>(syscall(SYS_fork));
  if (child == 0) {
    PROBE_ERRNO(ioctl(fd, kfd::uapi::kGetVersion, &version), EBADF);
    drm_version names{};
    PROBE(ioctl(drm, DRM_IOCTL_VERSION, &names) == 0 && names.version_major == 3);
    PROBE(ioctl(open("/dev/kfd", O_RDWR), kfd::uapi::kGetVersion, &version) == 0);
    syscall(SYS_exit_group, 7);
  }
  PROBE(ended(child) == 7);
  PROBE(ioctl(fd, kfd::uapi::kGetVersion, &version) == 0);
}

// A child of vfork() has the parent's memory and descriptors of its own.
void vfork_closes() {
  const Card card = Card::open();
  const pid_t child = vfork();
  if (child == 0) {
    for (int fd = 3; fd < 64; ++fd) close(fd);
    dup2(1, 5);
    execl("/bin/true", "true", nullptr);
    _exit(9);
  }
  PROBE(ended(child) == 0);
  card.use();
}

// What a program starts sees a card of its own; `self` is this program.
void starts_others(const char* self) {
  busy_card();
  std::string name = self;
  std::string mode = "use";
  char* const words[] = {name.data(), mode.data(), nullptr};
  pid_t child = 0;
  PROBE(posix_spawn(&child, self, nullptr, nullptr, words, environ) == 0);
  PROBE(ended(child) == 0);
  PROBE(system("cat /sys/class/kfd/kfd/topology/nodes/1/gpu_id >/dev/null") == 0);
}

// Many children at once begin anew.
void forks_at_once() {
  const Card card = Card::open();
  pid_t children[4];
  for (pid_t& child : children) {
    child = fork();
    if (child == 0) {
      Card::open().use();
      _exit(7);
    }
  }
  for (pid_t child : children) PROBE(ended(child) == 7);
  card.use();
}

// Under a watchdog this is a fault.
void spins() {
  const Card card = Card::open();
  PROBE(!card.device->wait(card.start("spin"), 10'000'000'000).is_ok());
}

}  // namespace
}  // namespace bw

int main(int argc, char** argv) {
  using namespace bw;
  PROBE(argc == 2);
  const std::string mode = argv[1];
  const std::map<std::string, void (*)()> probes = {
      {"use", [] { Card::open().use(); }},
      {"exit-busy", exit_busy},
      {"exit-from-thread", exit_from_thread},
      {"killed-busy", killed_busy},
      {"destructor", use_in_destructor},
      {"fork-opens", fork_opens},
      {"fork-busy", fork_busy},
      {"fork-inherits", fork_inherits},
      {"vfork", vfork_closes},
      {"bare-fork", bare_fork},
      {"forks-at-once", forks_at_once},
      {"spins", spins},
  };
  if (mode == "starts-others") {
    starts_others(argv[0]);
    return 0;
  }
  PROBE(probes.contains(mode));
  probes.at(mode)();
  return 0;
}
