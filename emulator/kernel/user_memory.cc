#include "emulator/kernel/user_memory.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/bits.h"

namespace bw::emulator {
namespace {

constexpr uint64_t kPageBytes = 4096;

void* pointer(uint64_t address) {
  return reinterpret_cast<void*>(address);
}

}  // namespace

int copy_from_user(void* destination, uint64_t user_address, size_t size_bytes) {
  if (size_bytes == 0) return 0;
  const iovec local{destination, size_bytes};
  const iovec remote{pointer(user_address), size_bytes};
  const ssize_t count = ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0);
  return count == static_cast<ssize_t>(size_bytes) ? 0 : -EFAULT;
}

int copy_to_user(uint64_t user_address, const void* source, size_t size_bytes) {
  if (size_bytes == 0) return 0;
  const iovec local{const_cast<void*>(source), size_bytes};
  const iovec remote{pointer(user_address), size_bytes};
  const ssize_t count = ::process_vm_writev(::getpid(), &local, 1, &remote, 1, 0);
  return count == static_cast<ssize_t>(size_bytes) ? 0 : -EFAULT;
}

int probe_user_range(uint64_t user_address, uint64_t size_bytes) {
  if (size_bytes == 0 || user_address + size_bytes < user_address) return -EFAULT;
  std::array<iovec, 512> remote;
  std::array<std::byte, 512> sink;
  uint64_t page = align_down(user_address, kPageBytes);
  const uint64_t end = user_address + size_bytes;
  while (page < end) {
    size_t count = 0;
    for (; count < remote.size() && page < end; ++count, page += kPageBytes) {
      remote[count] = {pointer(std::max(page, user_address)), 1};
    }
    const iovec local{sink.data(), count};
    const ssize_t done = ::process_vm_readv(::getpid(), &local, 1, remote.data(), count, 0);
    if (done != static_cast<ssize_t>(count)) return -EFAULT;
  }
  return 0;
}

uint64_t user_memory_limit_bytes() {
  const auto total = static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * kPageBytes;
  return total - (total >> 6);
}

Status check_user_memory_access() {
  const uint64_t value = 1;
  uint64_t copy = 0;
  if (copy_from_user(&copy, reinterpret_cast<uint64_t>(&value), sizeof(value)) == 0 && copy == value) {
    return Status::ok();
  }
  return Status::from_errno(errno, "emulated card: process_vm_readv on this process")
      .with_advice("does the container's system-call filter forbid it?");
}

}  // namespace bw::emulator
