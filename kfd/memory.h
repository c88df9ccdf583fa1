// Owns: memory that GPUs can reach: reserving its address, allocating it, mapping it for the host and for one or more
// GPUs, and undoing all that in reverse. Not here: sub-allocation and pools (amdgpu).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/gpu_addr.h"
#include "base/status.h"
#include "kfd/process.h"

namespace bw::kfd {

inline constexpr uint64_t kPageBytes = 4096;

// All kinds are writable and executable, and never replaced by another kind. An address is the same for host and GPU.
enum class MemoryKind : uint8_t {
  kVram,             // device memory that only GPUs reach
  kVramHostVisible,  // device memory mapped by the host through the PCIe bar (needs resizable BAR for much of it)
  kGtt,              // host memory of the driver, coherent and uncached on the GPU: rings, pointers, signals
  kUserptr,          // host memory of this process, coherent and uncached on the GPU
  kDoorbell,         // the device's doorbells, so that a GPU may ring them too; size uapi::kDoorbellAreaBytes
};

std::string_view name_of(MemoryKind kind);
// The ALLOC_MEMORY_OF_GPU flags of a kind.
uint32_t alloc_flags_of(MemoryKind kind);

struct MemoryRequest {
  MemoryKind kind = MemoryKind::kVram;
  uint64_t size_bytes = 0;                // rounded up to whole pages
  uint64_t alignment_bytes = kPageBytes;  // of the address; a power of two
  uint32_t extra_flags = 0;               // uapi::alloc_flag bits added to the kind's
  void* userptr = nullptr;                // kUserptr: page-aligned memory of the caller, which outlives the allocation;
                                          // nullptr: the allocation brings its own, zeroed
};

// Memory allocated on one GPU and mapped to it and perhaps others; move-only. Goes before the Gpus it is mapped to.
class Allocation {
 public:
  // `peers`: other GPUs to map it to at once. On failure nothing is left behind.
  static Result<Allocation> create(Gpu& gpu, const MemoryRequest& request, std::span<Gpu* const> peers = {});

  Allocation() = default;
  Allocation(Allocation&& other) noexcept;
  Allocation& operator=(Allocation&& other) noexcept;
  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;
  // As free(), without the report.
  ~Allocation();

  bool is_valid() const { return process_ != nullptr; }
  GpuAddr gpu_address() const { return {address_}; }
  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t handle() const { return handle_; }
  MemoryKind kind() const { return kind_; }
  // Empty for memory that the host cannot reach.
  std::span<std::byte> host() const { return {host_, host_ == nullptr ? 0 : size_bytes_}; }
  std::byte* host_data() const { return host_; }

  // Maps it to more GPUs: all of them, or none and an error that names the GPU that refused.
  Status map_to(std::span<Gpu* const> gpus);
  // Unmaps from all GPUs, then from the host, then frees. All steps are tried; the first failure is returned.
  Status free();

 private:
  friend class EventPage;
  enum class HandleFate : uint8_t { kFree, kLeaveToProcess };

  Status reserve_address(const MemoryRequest& request);
  Status allocate(Gpu& gpu, const MemoryRequest& request);
  Status map_for_host(Gpu& gpu);
  Status release(HandleFate fate);

  Process* process_ = nullptr;
  MemoryKind kind_ = MemoryKind::kVram;
  bool owns_address_ = false;  // the address range is a mapping of ours
  uint64_t address_ = 0;
  uint64_t size_bytes_ = 0;
  bool has_handle_ = false;
  uint64_t handle_ = 0;
  uint64_t mmap_offset_ = 0;
  std::byte* host_ = nullptr;
  std::vector<uint32_t> mapped_gpu_ids_;
};

}  // namespace bw::kfd
