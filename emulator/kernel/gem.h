// Owns: what each opening of a render node holds: memory by GEM handle, where it lies in page tables, contexts and
// lists of buffers. Semantics follow Linux, amdgpu_gem.c, amdgpu_vm.c, amdgpu_ctx.c, amdgpu_bo_list.c (6.6). Not here:
// the argument structs (emulator/kernel/drm_ioctls).
//
// An opening that KFD has taken for its page tables (ACQUIRE_VM) maps into those of the card; of any other, mappings
// are only remembered, since nothing is submitted through DRM. Callers hold the process's mutex.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "emulator/kernel/buffers.h"

namespace bw::emulator {

struct GemObject {
  std::shared_ptr<MemoryBlock> memory;  // null: the client's own memory
  uint64_t user_address = 0;
  uint64_t size_bytes = 0;
  // As GEM_CREATE was given them.
  uint64_t alignment = 0;
  uint64_t domains = 0;
  uint64_t flags = 0;

  std::byte* host() const { return memory != nullptr ? memory->host() : reinterpret_cast<std::byte*>(user_address); }
};

struct GemMapRequest {
  uint32_t handle = 0;
  uint64_t va = 0;
  uint64_t offset = 0;  // in the object
  uint64_t size_bytes = 0;
  bool writable = false;
  bool executable = false;
};

// One opening. Calls that return int return 0 or a negative errno.
class GemFile {
 public:
  GemFile(AddressSpace& card_space, bool is_compute) : space_(card_space), is_compute_(is_compute) {}
  ~GemFile();
  GemFile(const GemFile&) = delete;
  GemFile& operator=(const GemFile&) = delete;

  uint32_t add(GemObject object);
  // The handle that stands for that memory already, or a new one.
  uint32_t add_imported(std::shared_ptr<MemoryBlock> memory);
  GemObject* find(uint32_t handle);
  bool close(uint32_t handle);

  int map(const GemMapRequest& request);
  // The mapping of that object that begins at `va`.
  int unmap(uint32_t handle, uint64_t va);
  void clear(uint64_t va, uint64_t size_bytes);
  // KFD uses this opening's page tables from now on.
  int become_compute();

  std::optional<uint32_t> create_context();
  bool destroy_context(uint32_t id) { return contexts_.erase(id) != 0; }
  bool has_context(uint32_t id) const { return contexts_.contains(id); }
  uint32_t create_list(std::vector<uint32_t> handles);
  void destroy_list(uint32_t id) { lists_.erase(id); }
  bool has_list(uint32_t id) const { return lists_.contains(id); }

 private:
  struct VaMapping {
    uint64_t end = 0;
    uint32_t handle = 0;
    std::byte* host = nullptr;
    bool writable = false;
    bool executable = false;
  };
  using Mappings = std::map<uint64_t, VaMapping>;

  int enter(uint64_t begin, const VaMapping& mapping);
  Mappings::iterator leave(Mappings::iterator mapping);
  bool is_free(uint64_t begin, uint64_t end) const;

  AddressSpace& space_;
  bool is_compute_;
  std::map<uint32_t, GemObject> objects_;
  Mappings mappings_;  // by begin
  std::set<uint32_t> contexts_;
  std::map<uint32_t, std::vector<uint32_t>> lists_;
};

// By the id of the opening (emulator/files).
using GemFiles = std::map<uint64_t, std::unique_ptr<GemFile>>;

}  // namespace bw::emulator
