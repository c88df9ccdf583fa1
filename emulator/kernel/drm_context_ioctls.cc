// Requests about contexts and lists of buffers on the render node.
#include <cerrno>
#include <vector>

#include "emulator/kernel/drm_ioctls.h"
#include "emulator/kernel/user_memory.h"

namespace bw::emulator::drm {
namespace {

int allocate_context(const Call& call, drm_amdgpu_ctx& args) {
  if (args.in.flags != 0) return -EINVAL;
  // More than normal takes rights that are not looked for here.
  const bool is_known =
      args.in.priority == AMDGPU_CTX_PRIORITY_HIGH || args.in.priority == AMDGPU_CTX_PRIORITY_VERY_HIGH;
  if (is_known) return -EACCES;
  const auto id = call.gem().create_context();
  if (!id) return -ENOSPC;
  args.out = {};
  args.out.alloc.ctx_id = *id;
  return 0;
}

}  // namespace

// Linux amdgpu_ctx_ioctl().
int context(const Call& call, drm_amdgpu_ctx& args) {
  std::lock_guard lock(call.process.mutex());
  const uint32_t op = args.in.op, id = args.in.ctx_id, flags = args.in.flags;
  if (op == AMDGPU_CTX_OP_ALLOC_CTX) return allocate_context(call, args);
  if (op < AMDGPU_CTX_OP_FREE_CTX || op > AMDGPU_CTX_OP_SET_STABLE_PSTATE) return -EINVAL;
  if (op == AMDGPU_CTX_OP_SET_STABLE_PSTATE) {
    if ((flags & ~uint32_t{AMDGPU_CTX_STABLE_PSTATE_FLAGS_MASK}) != 0 || flags > AMDGPU_CTX_STABLE_PSTATE_PEAK) {
      return -EINVAL;
    }
  } else if (flags != 0) {
    return -EINVAL;
  }
  if (op == AMDGPU_CTX_OP_FREE_CTX) return call.gem().destroy_context(id) ? 0 : -EINVAL;
  if (!call.gem().has_context(id)) return -EINVAL;
  args.out = {};  // no hangs, no resets, no power state
  return 0;
}

// Linux amdgpu_bo_list_ioctl(): the buffers are read first, whatever is done with them.
int bo_list(const Call& call, drm_amdgpu_bo_list& args) {
  constexpr uint32_t kMaxEntries = 1u << 20;
  const drm_amdgpu_bo_list_in in = args.in;
  if (in.bo_number > kMaxEntries || in.bo_info_size > 4096) return -ENOMEM;
  std::vector<uint32_t> handles(in.bo_number);
  for (uint32_t i = 0; i < in.bo_number; ++i) {
    drm_amdgpu_bo_list_entry entry{};
    const size_t size = std::min<size_t>(in.bo_info_size, sizeof(entry));
    const uint64_t address = in.bo_info_ptr + uint64_t{i} * in.bo_info_size;
    if (int status = copy_from_user(&entry, address, size); status != 0) return status;
    handles[i] = entry.bo_handle;
  }
  std::lock_guard lock(call.process.mutex());
  GemFile& gem = call.gem();
  if (in.operation == AMDGPU_BO_LIST_OP_DESTROY) {
    gem.destroy_list(in.list_handle);
    args.out = {};
    return 0;
  }
  if (in.operation != AMDGPU_BO_LIST_OP_CREATE && in.operation != AMDGPU_BO_LIST_OP_UPDATE) return -EINVAL;
  for (uint32_t handle : handles) {
    if (gem.find(handle) == nullptr) return -ENOENT;
  }
  if (in.operation == AMDGPU_BO_LIST_OP_UPDATE) return gem.has_list(in.list_handle) ? 0 : -ENOENT;
  args.out = {.list_handle = gem.create_list(std::move(handles)), ._pad = 0};
  return 0;
}

// Linux amdgpu_cs_wait_ioctl(). Nothing was submitted: the next number of each ring is 1, what came before is done.
int wait_cs(const Call& call, drm_amdgpu_wait_cs& args) {
  constexpr uint64_t kLatest = ~uint64_t{0};
  constexpr uint32_t kRings[] = {1, 4, 2};  // graphics, compute, SDMA
  const drm_amdgpu_wait_cs_in in = args.in;
  std::lock_guard lock(call.process.mutex());
  if (!call.gem().has_context(in.ctx_id)) return -EINVAL;
  if (in.ip_type >= std::size(kRings) || in.ip_instance != 0 || in.ring >= kRings[in.ip_type]) return -EINVAL;
  if (in.handle != 0 && in.handle != kLatest) return -EINVAL;
  args.out.status = 0;
  return 0;
}

// Linux amdgpu_vm_ioctl().
int vm(const Call&, drm_amdgpu_vm& args) {
  if (args.in.flags != 0) return -EINVAL;
  const bool is_known = args.in.op == AMDGPU_VM_OP_RESERVE_VMID || args.in.op == AMDGPU_VM_OP_UNRESERVE_VMID;
  return is_known ? 0 : -EINVAL;
}

}  // namespace bw::emulator::drm
