#include "emulator/memory/gpu_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/bits.h"
#include "emulator/memory/client_access.h"

namespace bw::emulator {
namespace {

const char* name_of(Access access) {
  switch (access) {
    case Access::kRead:
      return "read";
    case Access::kWrite:
      return "write";
    case Access::kExecute:
      return "instruction fetch";
  }
  return "access";
}

template <typename T>
std::atomic_ref<T> atomic_at(std::byte* host) {
  return std::atomic_ref<T>(*reinterpret_cast<T*>(host));
}

void copy_bytes(void* destination, const void* source, uint64_t size_bytes) {
  const ClientAccess access;
  std::memmove(destination, source, size_bytes);
}

// Blocks that stay in the first-level cache are copied on.
constexpr uint64_t kFillBlockBytes = 4096;

void fill_bytes(std::byte* host, uint32_t value, uint32_t unit_bytes, uint64_t size_bytes) {
  const ClientAccess access;
  if (unit_bytes == 1) {
    std::memset(host, static_cast<int>(value & 0xff), size_bytes);
    return;
  }
  const uint64_t block_bytes = std::min(size_bytes, kFillBlockBytes);
  for (uint64_t i = 0; i < block_bytes; i += unit_bytes) std::memcpy(host + i, &value, unit_bytes);
  for (uint64_t i = block_bytes; i < size_bytes; i += kFillBlockBytes) {
    std::memcpy(host + i, host, std::min(size_bytes - i, kFillBlockBytes));
  }
}

}  // namespace

MemoryFault explain_fault(const AddressSpace& space, uint64_t address, Access access) {
  Mapping mapping;
  if (!space.find(address, &mapping)) return {address, access, MemoryFaultReason::kNotPresent};
  if (mapping.allows(access)) {
    // The access began inside a mapping and ran past its end.
    return {mapping.end, access, MemoryFaultReason::kNotPresent};
  }
  return {address, access, access == Access::kWrite ? MemoryFaultReason::kReadOnly : MemoryFaultReason::kNoExecute};
}

std::string describe(const MemoryFault& fault) {
  const char* reason = "no page is mapped there";
  if (fault.reason == MemoryFaultReason::kReadOnly) reason = "the page is read-only";
  if (fault.reason == MemoryFaultReason::kNoExecute) reason = "the page is not executable";
  return fmt::format("{} at {:#x}: {}", name_of(fault.access), fault.address, reason);
}

std::byte* GpuMemory::word(uint64_t address, uint32_t size_bytes, Access access) {
  std::byte* host = tlb_.translate(address, size_bytes, access);
  if (host == nullptr) {
    fault_ = explain_fault(space_, address, access);
  } else if (access == Access::kWrite) {
    ClientAccess::probe_write(host);
  } else {
    ClientAccess::probe_read(host);
  }
  return host;
}

std::byte* GpuMemory::run(uint64_t address, Access access, uint64_t* size_bytes) {
  if (*size_bytes <= UINT32_MAX) {
    std::byte* whole = tlb_.translate(address, static_cast<uint32_t>(*size_bytes), access);
    if (whole != nullptr) return whole;
  }
  Mapping mapping;
  if (!space_.find(address, &mapping) || !mapping.allows(access)) {
    fault_ = explain_fault(space_, address, access);
    return nullptr;
  }
  *size_bytes = std::min(*size_bytes, mapping.end - address);
  return mapping.host + (address - mapping.begin);
}

bool GpuMemory::load_u32(uint64_t address, uint32_t* value) {
  note(AccessKind::kFarLoad, address, sizeof(*value));
  return use_word(address, sizeof(*value), Access::kRead,
                  [&](std::byte* host) { *value = atomic_at<uint32_t>(host).load(std::memory_order_acquire); });
}

bool GpuMemory::load_u64(uint64_t address, uint64_t* value) {
  note(AccessKind::kFarLoad, address, sizeof(*value));
  return use_word(address, sizeof(*value), Access::kRead,
                  [&](std::byte* host) { *value = atomic_at<uint64_t>(host).load(std::memory_order_acquire); });
}

bool GpuMemory::store_u32(uint64_t address, uint32_t value) {
  note(AccessKind::kFarStore, address, sizeof(value));
  return use_word(address, sizeof(value), Access::kWrite,
                  [&](std::byte* host) { atomic_at<uint32_t>(host).store(value, std::memory_order_release); });
}

bool GpuMemory::store_u64(uint64_t address, uint64_t value) {
  note(AccessKind::kFarStore, address, sizeof(value));
  return use_word(address, sizeof(value), Access::kWrite,
                  [&](std::byte* host) { atomic_at<uint64_t>(host).store(value, std::memory_order_release); });
}

bool GpuMemory::read(uint64_t address, void* destination, uint64_t size_bytes) {
  note(AccessKind::kFarLoad, address, size_bytes);
  return touch([&] {
    for (uint64_t done = 0; done < size_bytes;) {
      uint64_t count = size_bytes - done;
      const std::byte* host = run(address + done, Access::kRead, &count);
      if (host == nullptr) return false;
      copy_bytes(static_cast<std::byte*>(destination) + done, host, count);
      done += count;
    }
    return true;
  });
}

bool GpuMemory::write(uint64_t address, const void* source, uint64_t size_bytes) {
  note(AccessKind::kFarStore, address, size_bytes);
  return touch([&] {
    for (uint64_t done = 0; done < size_bytes;) {
      uint64_t count = size_bytes - done;
      std::byte* host = run(address + done, Access::kWrite, &count);
      if (host == nullptr) return false;
      copy_bytes(host, static_cast<const std::byte*>(source) + done, count);
      done += count;
    }
    return true;
  });
}

bool GpuMemory::copy(uint64_t destination, uint64_t source, uint64_t size_bytes) {
  note(AccessKind::kFarLoad, source, size_bytes);
  note(AccessKind::kFarStore, destination, size_bytes);
  return touch([&] {
    for (uint64_t done = 0; done < size_bytes;) {
      uint64_t count = size_bytes - done;
      const std::byte* from = run(source + done, Access::kRead, &count);
      if (from == nullptr) return false;
      std::byte* to = run(destination + done, Access::kWrite, &count);
      if (to == nullptr) return false;
      copy_bytes(to, from, count);
      done += count;
    }
    return true;
  });
}

bool GpuMemory::fill(uint64_t address, uint32_t value, uint32_t unit_bytes, uint64_t size_bytes) {
  note(AccessKind::kFarStore, address, size_bytes);
  return touch([&] {
    for (uint64_t done = 0; done < size_bytes;) {
      uint64_t count = size_bytes - done;
      std::byte* host = run(address + done, Access::kWrite, &count);
      if (host == nullptr) return false;
      fill_bytes(host, value, unit_bytes, count);
      done += count;
    }
    return true;
  });
}

}  // namespace bw::emulator
