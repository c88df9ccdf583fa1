#include "kfd/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/bits.h"

namespace bw::kfd {
namespace {

// GPU virtual addresses that a host pointer can equal.
constexpr uint64_t kMaxSizeBytes = uint64_t{1} << 47;

Status check_request(const MemoryRequest& request) {
  std::string_view kind = name_of(request.kind);
  if (request.size_bytes == 0 || request.size_bytes > kMaxSizeBytes) {
    return error(StatusCode::kInvalidArgument, "allocating {} bytes of {}: the size must be in 1..2^47",
                 request.size_bytes, kind);
  }
  if (request.alignment_bytes == 0 || !std::has_single_bit(request.alignment_bytes) ||
      request.alignment_bytes > kMaxSizeBytes) {
    return error(StatusCode::kInvalidArgument, "allocating {} bytes of {}: alignment {:#x} is not a power of two",
                 request.size_bytes, kind, request.alignment_bytes);
  }
  if (request.userptr == nullptr) return Status::ok();
  if (request.kind != MemoryKind::kUserptr) {
    return error(StatusCode::kInvalidArgument, "allocating {} bytes of {}: memory of the caller can only be {}",
                 request.size_bytes, kind, name_of(MemoryKind::kUserptr));
  }
  uint64_t address = reinterpret_cast<uint64_t>(request.userptr);
  if (!is_aligned(address, std::max(kPageBytes, request.alignment_bytes)) ||
      !is_aligned(request.size_bytes, kPageBytes)) {
    return error(StatusCode::kInvalidArgument, "allocating {} bytes of {}: address {:#x} or size is not of whole pages",
                 request.size_bytes, kind, address);
  }
  return Status::ok();
}

// What a user can do about a refused allocation.
std::string_view advice_for(int sys_errno, MemoryKind kind) {
  if (sys_errno == ENOMEM && (kind == MemoryKind::kVram || kind == MemoryKind::kVramHostVisible)) {
    return "device memory is exhausted: use a smaller model or end other programs on the GPU";
  }
  if (sys_errno == ENOMEM) return "host memory that the GPU may use is exhausted; see also ulimit -l";
  if (sys_errno == EINVAL && kind == MemoryKind::kVramHostVisible) {
    return "is resizable BAR enabled in the firmware set-up?";
  }
  return {};
}

}  // namespace

std::string_view name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kVram:
      return "vram";
    case MemoryKind::kVramHostVisible:
      return "host-visible vram";
    case MemoryKind::kGtt:
      return "gtt";
    case MemoryKind::kUserptr:
      return "userptr";
    case MemoryKind::kDoorbell:
      return "doorbells";
  }
  return "?";
}

uint32_t alloc_flags_of(MemoryKind kind) {
  using namespace uapi::alloc_flag;
  constexpr uint32_t kAlways = kWritable | kExecutable | kNoSubstitute;
  switch (kind) {
    case MemoryKind::kVram:
      return kAlways | uapi::alloc_flag::kVram;
    case MemoryKind::kVramHostVisible:
      return kAlways | uapi::alloc_flag::kVram | kPublic;
    case MemoryKind::kGtt:
      return kAlways | uapi::alloc_flag::kGtt | kCoherent | kUncached;
    case MemoryKind::kUserptr:
      return kAlways | uapi::alloc_flag::kUserptr | kCoherent | kUncached;
    case MemoryKind::kDoorbell:
      return kWritable | kNoSubstitute | kCoherent | uapi::alloc_flag::kDoorbell;
  }
  return 0;
}

Result<Allocation> Allocation::create(Gpu& gpu, const MemoryRequest& request, std::span<Gpu* const> peers) {
  BW_RETURN_IF_ERROR(check_request(request));
  Allocation allocation;  // its destructor undoes the steps done so far
  allocation.process_ = &gpu.process();
  allocation.kind_ = request.kind;
  allocation.size_bytes_ = align_up(request.size_bytes, kPageBytes);
  BW_RETURN_IF_ERROR(allocation.reserve_address(request));
  BW_RETURN_IF_ERROR(allocation.allocate(gpu, request));
  BW_RETURN_IF_ERROR(allocation.map_for_host(gpu));
  std::vector<Gpu*> gpus{&gpu};
  gpus.insert(gpus.end(), peers.begin(), peers.end());
  BW_RETURN_IF_ERROR(allocation.map_to(gpus));
  return allocation;
}

// Host and GPU use the same address. Memory of the driver takes an unused range, held by an inaccessible mapping until
// the driver's is laid over it.
Status Allocation::reserve_address(const MemoryRequest& request) {
  if (request.userptr != nullptr) {
    address_ = reinterpret_cast<uint64_t>(request.userptr);
    host_ = static_cast<std::byte*>(request.userptr);
    return Status::ok();
  }
  KernelDriver& driver = process_->driver();
  const bool is_userptr = kind_ == MemoryKind::kUserptr;
  // Shared, so that a fork does not turn the pages into copies behind the GPU's back.
  const int flags = MAP_ANONYMOUS | (is_userptr ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE);
  const uint64_t slack = request.alignment_bytes > kPageBytes ? request.alignment_bytes - kPageBytes : 0;
  void* mapped = nullptr;
  int result =
      driver.mmap(nullptr, size_bytes_ + slack, is_userptr ? PROT_READ | PROT_WRITE : PROT_NONE, flags, -1, 0, &mapped);
  if (result < 0) {
    return Status::from_errno(
        -result, fmt::format("reserving {} bytes of address space for {}", size_bytes_ + slack, name_of(kind_)));
  }
  const uint64_t begin = reinterpret_cast<uint64_t>(mapped);
  address_ = align_up(begin, std::max(kPageBytes, request.alignment_bytes));
  owns_address_ = true;
  const uint64_t head = address_ - begin;
  if (head != 0) driver.munmap(mapped, head);
  if (slack != head) driver.munmap(reinterpret_cast<void*>(address_ + size_bytes_), slack - head);
  if (is_userptr) host_ = reinterpret_cast<std::byte*>(address_);
  return Status::ok();
}

Status Allocation::allocate(Gpu& gpu, const MemoryRequest& request) {
  uapi::AllocMemoryArgs args{};
  args.va_addr = address_;
  args.size = size_bytes_;
  args.gpu_id = gpu.id();
  args.flags = alloc_flags_of(kind_) | request.extra_flags;
  if (kind_ == MemoryKind::kUserptr) args.mmap_offset = address_;
  Status status = process_->call(uapi::kAllocMemory, args, "allocating {} bytes of {} at {:#x} on gpu {}", size_bytes_,
                                 name_of(kind_), address_, gpu.id());
  if (!status.is_ok()) {
    std::string_view advice = advice_for(status.sys_errno(), kind_);
    return advice.empty() ? std::move(status) : std::move(status).with_advice(advice);
  }
  has_handle_ = true;
  handle_ = args.handle;
  mmap_offset_ = args.mmap_offset;
  return Status::ok();
}

Status Allocation::map_for_host(Gpu& gpu) {
  if (kind_ == MemoryKind::kVram || kind_ == MemoryKind::kUserptr) return Status::ok();
  const int fd = kind_ == MemoryKind::kDoorbell ? process_->fd() : gpu.render_fd();
  void* wanted = reinterpret_cast<void*>(address_);
  void* mapped = nullptr;
  int result = process_->driver().mmap(wanted, size_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
                                       static_cast<off_t>(mmap_offset_), &mapped);
  if (result < 0) {
    return Status::from_errno(-result, fmt::format("mapping {} bytes of {} of gpu {} at {:#x} for the host",
                                                   size_bytes_, name_of(kind_), gpu.id(), address_));
  }
  host_ = static_cast<std::byte*>(mapped);
  return Status::ok();
}

Status Allocation::map_to(std::span<Gpu* const> gpus) {
  std::vector<uint32_t> ids;
  for (const Gpu* gpu : gpus) {
    const bool is_mapped = std::count(mapped_gpu_ids_.begin(), mapped_gpu_ids_.end(), gpu->id()) != 0;
    if (!is_mapped && std::count(ids.begin(), ids.end(), gpu->id()) == 0) ids.push_back(gpu->id());
  }
  if (ids.empty()) return Status::ok();
  uapi::MapMemoryArgs args{};
  args.handle = handle_;
  args.device_ids_array_ptr = reinterpret_cast<uint64_t>(ids.data());
  args.n_devices = static_cast<uint32_t>(ids.size());
  Status status = process_->call(uapi::kMapMemory, args, "mapping {} bytes of {} at {:#x} to {} gpus", size_bytes_,
                                 name_of(kind_), address_, ids.size());
  const size_t done = std::min<size_t>(args.n_success, ids.size());
  if (status.is_ok() && done == ids.size()) {
    mapped_gpu_ids_.insert(mapped_gpu_ids_.end(), ids.begin(), ids.end());
    return Status::ok();
  }
  if (status.is_ok()) {
    status = error(StatusCode::kIo, "mapping {} bytes of {} at {:#x}: the driver reports success for {} of {} gpus",
                   size_bytes_, name_of(kind_), address_, done, ids.size());
  }
  if (done > 0) {
    uapi::UnmapMemoryArgs undo{};
    undo.handle = handle_;
    undo.device_ids_array_ptr = args.device_ids_array_ptr;
    undo.n_devices = static_cast<uint32_t>(done);
    // The first failure is the one to report.
    static_cast<void>(process_->call(uapi::kUnmapMemory, undo, "undoing").is_ok());
  }
  if (done < ids.size()) return std::move(status).with_context(fmt::format("gpu {}", ids[done]));
  return status;
}

Status Allocation::release(HandleFate fate) {
  if (process_ == nullptr) return Status::ok();
  Status first;
  auto keep_first = [&first](Status status) {
    if (first.is_ok()) first = std::move(status);
  };
  if (!mapped_gpu_ids_.empty()) {
    uapi::UnmapMemoryArgs args{};
    args.handle = handle_;
    args.device_ids_array_ptr = reinterpret_cast<uint64_t>(mapped_gpu_ids_.data());
    args.n_devices = static_cast<uint32_t>(mapped_gpu_ids_.size());
    keep_first(process_->call(uapi::kUnmapMemory, args, "unmapping {} bytes of {} at {:#x} from {} gpus", size_bytes_,
                              name_of(kind_), address_, mapped_gpu_ids_.size()));
  }
  const auto unmap_from_host = [&] {
    if (!owns_address_) return;
    int result = process_->driver().munmap(reinterpret_cast<void*>(address_), size_bytes_);
    if (result < 0) keep_first(Status::from_errno(-result, fmt::format("unmapping {:#x} from the host", address_)));
  };
  // A userptr's pages are the GPU's until it is freed.
  if (kind_ != MemoryKind::kUserptr) unmap_from_host();
  if (has_handle_ && fate == HandleFate::kFree) {
    uapi::FreeMemoryArgs args{.handle = handle_};
    keep_first(process_->call(uapi::kFreeMemory, args, "freeing {} bytes of {} at {:#x}", size_bytes_, name_of(kind_),
                              address_));
  }
  if (kind_ == MemoryKind::kUserptr) unmap_from_host();
  process_ = nullptr;
  host_ = nullptr;
  owns_address_ = false;
  has_handle_ = false;
  mapped_gpu_ids_.clear();
  return first;
}

Status Allocation::free() {
  return release(HandleFate::kFree);
}

Allocation::~Allocation() {
  static_cast<void>(free().is_ok());
}

Allocation::Allocation(Allocation&& other) noexcept {
  *this = std::move(other);
}

Allocation& Allocation::operator=(Allocation&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(free().is_ok());
  process_ = std::exchange(other.process_, nullptr);
  kind_ = other.kind_;
  owns_address_ = std::exchange(other.owns_address_, false);
  address_ = other.address_;
  size_bytes_ = other.size_bytes_;
  has_handle_ = std::exchange(other.has_handle_, false);
  handle_ = other.handle_;
  mmap_offset_ = other.mmap_offset_;
  host_ = std::exchange(other.host_, nullptr);
  mapped_gpu_ids_ = std::exchange(other.mapped_gpu_ids_, {});
  return *this;
}

}  // namespace bw::kfd
