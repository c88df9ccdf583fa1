// Owns: the declarations of the render node's requests, one function each: 0 or a negative errno, results in the
// arguments, which are the driver's own copy. Each follows the function of Linux's drm core or amdgpu that its
// definition names.
#pragma once

#include <amdgpu_drm.h>
#include <drm.h>

#include "emulator/kernel/gem.h"
#include "emulator/kernel/process.h"

namespace bw::emulator::drm {

// Who asks: the opening of a card's render node.
struct Call {
  Process& process;
  const Card& card;
  uint64_t file;  // the id of the opening

  // With the process's mutex held.
  GemFile& gem() const { return process.gem_file(card.index, file); }
};

// drm_info.cc
int info(const Call& call, drm_amdgpu_info& args);

// drm_gem_ioctls.cc
int prime_handle_to_fd(const Call& call, drm_prime_handle& args);
int prime_fd_to_handle(const Call& call, drm_prime_handle& args);
int gem_close(const Call& call, drm_gem_close& args);
int gem_create(const Call& call, drm_amdgpu_gem_create& args);
int gem_mmap(const Call& call, drm_amdgpu_gem_mmap& args);
int gem_wait_idle(const Call& call, drm_amdgpu_gem_wait_idle& args);
int gem_va(const Call& call, drm_amdgpu_gem_va& args);
int gem_op(const Call& call, drm_amdgpu_gem_op& args);
int gem_metadata(const Call& call, drm_amdgpu_gem_metadata& args);
int gem_userptr(const Call& call, drm_amdgpu_gem_userptr& args);

// drm_context_ioctls.cc
int context(const Call& call, drm_amdgpu_ctx& args);
int bo_list(const Call& call, drm_amdgpu_bo_list& args);
int wait_cs(const Call& call, drm_amdgpu_wait_cs& args);
int vm(const Call& call, drm_amdgpu_vm& args);

}  // namespace bw::emulator::drm
