#include "emulator/kernel/smi_events.h"

#include <errno.h>  // program_invocation_short_name
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string_view>

#include "emulator/kernel/clock.h"

namespace bw::emulator {

using kfd::uapi::SmiEvent;

namespace {

// The name that the kernel knows the program by.
std::string_view task_name() {
  constexpr size_t kTaskNameLength = 15;
  return std::string_view(program_invocation_short_name).substr(0, kTaskNameLength);
}

// Takes what the client has written; false when it is gone.
bool read_masks(int socket, uint64_t* mask) {
  uint64_t written = 0;
  for (;;) {
    const ssize_t count = ::recv(socket, &written, sizeof(written), MSG_DONTWAIT);
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN;
    if (count == sizeof(written)) *mask = written;
  }
}

}  // namespace

int SmiClients::open(uint32_t card) {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0) return -errno;
  UniqueFd ours(ends[0]);
  ::fcntl(ours.get(), F_SETFD, FD_CLOEXEC);
  std::lock_guard lock(mutex_);
  std::erase_if(clients_, [](Client& client) { return !read_masks(client.socket.get(), &client.mask); });
  clients_.push_back({.socket = std::move(ours), .card = card, .mask = 0});
  return ends[1];
}

void SmiClients::emit(uint32_t card, SmiEvent event, const std::string& text) {
  std::lock_guard lock(mutex_);
  const std::string line = fmt::format("{:x} {}", static_cast<uint32_t>(event), text);
  std::erase_if(clients_, [&](Client& client) {
    if (!read_masks(client.socket.get(), &client.mask)) return true;
    if (client.card == card && (client.mask & kfd::uapi::smi_mask(event)) != 0) {
      (void)::send(client.socket.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return false;
  });
}

void SmiClients::vm_fault(uint32_t card) {
  emit(card, SmiEvent::kVmFault, fmt::format("{:x}:{}\n", ::getpid(), task_name()));
}

void SmiClients::migrated(const Card& card, const SvmMigration& migration) {
  constexpr uint64_t kPageBytes = 4096;
  constexpr int kPrefetch = 0;  // Linux kfd_ioctl.h, enum KFD_MIGRATE_TRIGGERS
  const std::string where = fmt::format("@{:x}({:x}) {:x}->{:x}", migration.begin / kPageBytes,
                                        (migration.end - migration.begin) / kPageBytes, migration.from, migration.to);
  const auto now = [] { return host_clock_ns(CLOCK_BOOTTIME); };
  emit(card.index, SmiEvent::kMigrateStart,
       fmt::format("{} -{} {} {:x}:{:x} {}\n", now(), ::getpid(), where, migration.prefetch_location,
                   migration.preferred_location, kPrefetch));
  emit(card.index, SmiEvent::kMigrateEnd, fmt::format("{} -{} {} {}\n", now(), ::getpid(), where, kPrefetch));
}

void SmiClients::queues_evicted_and_restored(const Card& card, EvictionTrigger trigger) {
  const auto now = [] { return host_clock_ns(CLOCK_BOOTTIME); };
  emit(card.index, SmiEvent::kQueueEviction,
       fmt::format("{} -{} {:x} {}\n", now(), ::getpid(), card.gpu_id, static_cast<uint32_t>(trigger)));
  emit(card.index, SmiEvent::kQueueRestore, fmt::format("{} -{} {:x} 0\n", now(), ::getpid(), card.gpu_id));
}

}  // namespace bw::emulator
