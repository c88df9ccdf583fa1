#include "emulator/kernel/gem.h"

#include <algorithm>
#include <cerrno>

#include "base/bits.h"

namespace bw::emulator {
namespace {

constexpr uint64_t kPageBytes = 4096;
constexpr uint32_t kMaxContexts = 4096;

// The lowest number from 1 that is not in use.
template <typename Container>
uint32_t lowest_free(const Container& used) {
  uint32_t id = 1;
  while (used.contains(id)) ++id;
  return id;
}

}  // namespace

GemFile::~GemFile() {
  while (!mappings_.empty()) leave(mappings_.begin());
}

uint32_t GemFile::add(GemObject object) {
  const uint32_t handle = lowest_free(objects_);
  objects_.emplace(handle, std::move(object));
  return handle;
}

uint32_t GemFile::add_imported(std::shared_ptr<MemoryBlock> memory) {
  for (const auto& [handle, object] : objects_) {
    if (object.memory == memory) return handle;
  }
  constexpr uint64_t kGtt = 2, kVram = 4;  // AMDGPU_GEM_DOMAIN_*
  GemObject object;
  object.size_bytes = memory->size_bytes();
  object.alignment = kPageBytes;
  object.domains = memory->is_vram() ? kVram : kGtt;
  object.memory = std::move(memory);
  return add(std::move(object));
}

GemObject* GemFile::find(uint32_t handle) {
  auto it = objects_.find(handle);
  return it == objects_.end() ? nullptr : &it->second;
}

bool GemFile::close(uint32_t handle) {
  if (!objects_.contains(handle)) return false;
  for (auto it = mappings_.begin(); it != mappings_.end();)
    it = it->second.handle == handle ? leave(it) : std::next(it);
  objects_.erase(handle);
  return true;
}

bool GemFile::is_free(uint64_t begin, uint64_t end) const {
  auto it = mappings_.lower_bound(end);
  return it == mappings_.begin() || std::prev(it)->second.end <= begin;
}

int GemFile::enter(uint64_t begin, const VaMapping& mapping) {
  if (is_compute_) {
    const int status = space_.map({.begin = begin,
                                   .end = mapping.end,
                                   .host = mapping.host,
                                   .writable = mapping.writable,
                                   .executable = mapping.executable,
                                   .host_sees = true});
    if (status != 0) return status;
  }
  mappings_.emplace(begin, mapping);
  return 0;
}

GemFile::Mappings::iterator GemFile::leave(Mappings::iterator mapping) {
  if (is_compute_) space_.unmap(mapping->first, mapping->second.end);
  return mappings_.erase(mapping);
}

int GemFile::map(const GemMapRequest& request) {
  const GemObject* object = find(request.handle);
  if (object == nullptr) return -ENOENT;
  if (!is_aligned(request.va | request.offset | request.size_bytes, kPageBytes) || request.size_bytes == 0) {
    return -EINVAL;
  }
  const uint64_t size = align_up(object->size_bytes, kPageBytes);
  if (request.offset > size || request.size_bytes > size - request.offset) return -EINVAL;
  const uint64_t end = request.va + request.size_bytes;
  if (end < request.va || !is_free(request.va, end)) return -EINVAL;
  return enter(request.va, {.end = end,
                            .handle = request.handle,
                            .host = object->host() + request.offset,
                            .writable = request.writable,
                            .executable = request.executable});
}

int GemFile::unmap(uint32_t handle, uint64_t va) {
  auto it = mappings_.find(va);
  if (it == mappings_.end() || it->second.handle != handle) return -ENOENT;
  leave(it);
  return 0;
}

// Mappings that cross an edge are cut. Linux amdgpu_vm_bo_clear_mappings().
void GemFile::clear(uint64_t va, uint64_t size_bytes) {
  const uint64_t end = va + size_bytes;
  auto it = mappings_.upper_bound(va);
  if (it != mappings_.begin() && std::prev(it)->second.end > va) --it;
  while (it != mappings_.end() && it->first < end) {
    const uint64_t begin = it->first;
    const VaMapping old = it->second;
    it = leave(it);
    if (begin < va) {
      VaMapping left = old;
      left.end = va;
      enter(begin, left);
    }
    if (old.end > end) {
      VaMapping right = old;
      right.host = old.host + (end - begin);
      enter(end, right);
    }
  }
}

int GemFile::become_compute() {
  if (is_compute_) return 0;
  Mappings mappings;
  mappings.swap(mappings_);
  is_compute_ = true;
  for (const auto& [begin, mapping] : mappings) {
    if (int status = enter(begin, mapping); status != 0) return status;
  }
  return 0;
}

std::optional<uint32_t> GemFile::create_context() {
  if (contexts_.size() >= kMaxContexts) return std::nullopt;
  const uint32_t id = lowest_free(contexts_);
  contexts_.insert(id);
  return id;
}

uint32_t GemFile::create_list(std::vector<uint32_t> handles) {
  const uint32_t id = lowest_free(lists_);
  lists_.emplace(id, std::move(handles));
  return id;
}

}  // namespace bw::emulator
