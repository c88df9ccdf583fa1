// The render node's requests with good and bad arguments, errno by errno.
#include <amdgpu_drm.h>
#include <drm.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "emulator/testing/machine.h"

namespace bw::emulator {
namespace {

using testing::Machine;

constexpr uint64_t kVa = 0x7f0000000000;

class Drm : public ::testing::Test {
 protected:
  template <typename Args>
  int call(unsigned long request, Args& args) {
    return machine_.driver().ioctl(machine_.render(), request, &args);
  }
  int create(uint64_t size, uint64_t domains, uint64_t flags, uint32_t* handle) {
    drm_amdgpu_gem_create args{};
    args.in = {.bo_size = size, .alignment = 4096, .domains = domains, .domain_flags = flags};
    const int status = call(DRM_IOCTL_AMDGPU_GEM_CREATE, args);
    *handle = args.out.handle;
    return status;
  }
  uint32_t create_vram(uint64_t size = 8192) {
    uint32_t handle = 0;
    EXPECT_EQ(create(size, AMDGPU_GEM_DOMAIN_VRAM, 0, &handle), 0);
    return handle;
  }
  int va(uint32_t operation, uint32_t handle, uint64_t address, uint64_t size, uint64_t offset = 0,
         uint32_t flags = AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE) {
    drm_amdgpu_gem_va args{};
    args.handle = handle;
    args.operation = operation;
    args.flags = flags;
    args.va_address = address;
    args.offset_in_bo = offset;
    args.map_size = size;
    return call(DRM_IOCTL_AMDGPU_GEM_VA, args);
  }
  uint32_t* map_host(uint32_t handle, uint64_t size) {
    drm_amdgpu_gem_mmap args{};
    args.in.handle = handle;
    EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_MMAP, args), 0);
    void* address = nullptr;
    EXPECT_EQ(machine_.driver().mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, machine_.render(),
                                     static_cast<off_t>(args.out.addr_ptr), &address),
              0);
    return static_cast<uint32_t*>(address);
  }
  // Whether the card could store a dword there.
  bool card_stores(uint64_t address, uint32_t value) {
    const size_t faults = machine_.driver().fault_reports().size();
    testing::TestQueue queue = machine_.sdma_queue();
    machine_.submit(queue,
                    {0x00000002, static_cast<uint32_t>(address), static_cast<uint32_t>(address >> 32), 0, value});
    testing::eventually([&] {
      return machine_.read_pointer(queue) == queue.written_dwords * 4 ||
             machine_.driver().fault_reports().size() > faults;
    });
    EXPECT_EQ(machine_.destroy(queue), 0);
    return machine_.driver().fault_reports().size() == faults;
  }
  template <typename Answer>
  int info(uint32_t query, Answer* answer, drm_amdgpu_info args = {}) {
    args.query = query;
    args.return_pointer = reinterpret_cast<uint64_t>(answer);
    args.return_size = sizeof(Answer);
    return call(DRM_IOCTL_AMDGPU_INFO, args);
  }

  Machine machine_;
};

TEST_F(Drm, WhatRenderNodesMayNotDoIsRefusedAsLinuxDoes) {
  uint64_t space[32] = {};
  EXPECT_EQ(call(DRM_IOCTL_GET_UNIQUE, space), -EACCES);
  EXPECT_EQ(call(DRM_IOCTL_GET_CLIENT, space), -EACCES);
  EXPECT_EQ(call(DRM_IOCTL_SET_CLIENT_CAP, space), -EACCES);
  EXPECT_EQ(call(DRM_IOCTL_MODE_GETRESOURCES, space), -EACCES);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_SCHED, space), -EACCES);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CS, space), -EOPNOTSUPP);
  EXPECT_EQ(call(DRM_IOCTL_SYNCOBJ_CREATE, space), -EOPNOTSUPP);
  EXPECT_EQ(call(DRM_IOWR(0x5f, uint64_t), space), -EINVAL) << "after the last of amdgpu";
  EXPECT_EQ(call(DRM_IOWR(0xfe, uint64_t), space), -EINVAL);
  drm_get_cap cap{.capability = DRM_CAP_PRIME, .value = 0};
  EXPECT_EQ(call(DRM_IOCTL_GET_CAP, cap), 0);
  EXPECT_EQ(cap.value, 3u);
  cap.capability = 99;
  EXPECT_EQ(call(DRM_IOCTL_GET_CAP, cap), -EOPNOTSUPP);
}

TEST_F(Drm, EveryRequestRefusesWildPointers) {
  for (unsigned nr = 0; nr < 0x100; ++nr) {
    for (void* pointer :
         {static_cast<void*>(nullptr), reinterpret_cast<void*>(8), reinterpret_cast<void*>(~0ull - 7)}) {
      EXPECT_LT(machine_.driver().ioctl(machine_.render(), _IOC(_IOC_READ | _IOC_WRITE, 'd', nr, 64), pointer), 0)
          << nr;
    }
  }
}

TEST_F(Drm, ObjectsAreMadeMappedAndClosed) {
  const uint32_t handle = create_vram();
  uint32_t* host = map_host(handle, 8192);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 8192), 0);
  EXPECT_TRUE(card_stores(kVa + 4096, 5)) << "the opening is the one that KFD has acquired";
  EXPECT_EQ(host[1024], 5u);
  drm_amdgpu_gem_create_in created{};
  drm_amdgpu_gem_op op{.handle = handle, .op = AMDGPU_GEM_OP_GET_GEM_CREATE_INFO, .value = 0};
  op.value = reinterpret_cast<uint64_t>(&created);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_OP, op), 0);
  EXPECT_EQ(created.bo_size, 8192u);
  EXPECT_EQ(created.domains, uint64_t{AMDGPU_GEM_DOMAIN_VRAM});
  drm_amdgpu_gem_wait_idle idle{};
  idle.in.handle = handle;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_WAIT_IDLE, idle), 0);
  EXPECT_EQ(idle.out.status, 0u);
  drm_gem_close close{.handle = handle, .pad = 0};
  EXPECT_EQ(call(DRM_IOCTL_GEM_CLOSE, close), 0);
  EXPECT_FALSE(card_stores(kVa, 6)) << "its mappings go with it";
  EXPECT_EQ(call(DRM_IOCTL_GEM_CLOSE, close), -EINVAL);
  ::munmap(host, 8192);
}

TEST_F(Drm, CreationChecksItsArguments) {
  uint32_t handle = 0;
  EXPECT_EQ(create(0, AMDGPU_GEM_DOMAIN_VRAM, 0, &handle), -EINVAL);
  EXPECT_EQ(create(4096, 0x100, 0, &handle), -EINVAL);
  EXPECT_EQ(create(4096, AMDGPU_GEM_DOMAIN_GDS, 0, &handle), -EINVAL);
  EXPECT_EQ(create(4096, AMDGPU_GEM_DOMAIN_VRAM, AMDGPU_GEM_CREATE_ENCRYPTED, &handle), -EINVAL);
  EXPECT_EQ(create(~0ull, AMDGPU_GEM_DOMAIN_VRAM, 0, &handle), -ENOMEM);
  EXPECT_EQ(create(1ull << 39, AMDGPU_GEM_DOMAIN_VRAM, 0, &handle), -ENOMEM);
  EXPECT_EQ(create(40ull << 30, AMDGPU_GEM_DOMAIN_VRAM, 0, &handle), 0) << "what VRAM has no room for is host memory";
}

TEST_F(Drm, UnknownHandlesAreNoEntries) {
  drm_amdgpu_gem_mmap map{};
  map.in.handle = 77;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_MMAP, map), -ENOENT);
  drm_amdgpu_gem_wait_idle idle{};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_WAIT_IDLE, idle), -ENOENT);
  drm_amdgpu_gem_op op{.handle = 77, .op = 0, .value = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_OP, op), -ENOENT);
  drm_amdgpu_gem_metadata metadata{};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_METADATA, metadata), -ENOENT);
  drm_prime_handle prime{.handle = 77, .flags = 0, .fd = -1};
  EXPECT_EQ(call(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime), -ENOENT);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, 77, kVa, 4096), -ENOENT);
}

TEST_F(Drm, OperationsOnObjectsCheckTheirArguments) {
  const uint32_t handle = create_vram();
  drm_amdgpu_gem_op op{.handle = handle, .op = 9, .value = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_OP, op), -EINVAL);
  op = {.handle = handle, .op = AMDGPU_GEM_OP_GET_GEM_CREATE_INFO, .value = 8};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_OP, op), -EFAULT);
  op = {.handle = handle, .op = AMDGPU_GEM_OP_SET_PLACEMENT, .value = AMDGPU_GEM_DOMAIN_GTT};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_OP, op), 0);
  drm_amdgpu_gem_metadata metadata{};
  metadata.handle = handle;
  metadata.op = 3;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_METADATA, metadata), -EPERM) << "-1, as Linux leaves it";
  metadata.op = AMDGPU_GEM_METADATA_OP_SET_METADATA;
  metadata.data.data_size_bytes = 257;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_METADATA, metadata), -EINVAL);
  metadata.data.data_size_bytes = 8;
  metadata.data.tiling_info = 4;
  metadata.data.data[1] = 17;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_METADATA, metadata), 0);
  metadata.data = {};
  metadata.op = AMDGPU_GEM_METADATA_OP_GET_METADATA;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_METADATA, metadata), 0);
  EXPECT_EQ(metadata.data.tiling_info, 4u);
  EXPECT_EQ(metadata.data.data_size_bytes, 8u);
  EXPECT_EQ(metadata.data.data[1], 17u);
  uint32_t hidden = 0;
  EXPECT_EQ(create(4096, AMDGPU_GEM_DOMAIN_VRAM, AMDGPU_GEM_CREATE_NO_CPU_ACCESS, &hidden), 0);
  drm_amdgpu_gem_mmap map{};
  map.in.handle = hidden;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_MMAP, map), -EPERM);
}

TEST_F(Drm, AddressesAreCheckedAndCut) {
  const uint32_t handle = create_vram(4 * 4096);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, 0x1000, 4096), -EINVAL) << "reserved";
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, 1ull << 47, 4096), -EINVAL);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, ~0ull), -EINVAL);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa + 16, 4096), -EINVAL);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 0), -EINVAL);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 5 * 4096), -EINVAL) << "longer than the object";
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 4096, 16 * 4096), -EINVAL);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 4096, 0, 1u << 20), -EINVAL);
  EXPECT_EQ(va(9, handle, kVa, 4096), -EINVAL);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 4 * 4096), 0);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa + 4096, 4096), -EINVAL) << "taken";
  EXPECT_EQ(va(AMDGPU_VA_OP_CLEAR, 0, kVa + 4096, 4096), 0);
  EXPECT_FALSE(card_stores(kVa + 4096, 1));
  EXPECT_TRUE(card_stores(kVa, 1));
  EXPECT_TRUE(card_stores(kVa + 2 * 4096, 2));
  uint32_t* host = map_host(handle, 4 * 4096);
  EXPECT_EQ(host[2048], 2u);
  EXPECT_EQ(va(AMDGPU_VA_OP_REPLACE, handle, kVa, 4096, 3 * 4096), 0);
  EXPECT_TRUE(card_stores(kVa, 3));
  EXPECT_EQ(host[3072], 3u);
  EXPECT_EQ(va(AMDGPU_VA_OP_UNMAP, handle, kVa + 4096, 4096), -ENOENT);
  EXPECT_EQ(va(AMDGPU_VA_OP_UNMAP, handle, kVa, 4096), 0);
  EXPECT_FALSE(card_stores(kVa, 4));
  ::munmap(host, 4 * 4096);
}

// As ROCr's virtual memory interface does: memory of KFD by handle of GEM.
TEST_F(Drm, MemoryOfKfdIsImportedAndMapped) {
  kfd::uapi::AllocMemoryArgs alloc{};
  alloc.size = 8192;
  alloc.gpu_id = machine_.gpu_id();
  alloc.flags = 0xf0000001;
  ASSERT_EQ(machine_.ioctl(kfd::uapi::kAllocMemory, alloc), 0);
  kfd::uapi::ExportDmabufArgs exported{.handle = alloc.handle, .flags = O_CLOEXEC, .dmabuf_fd = 0};
  ASSERT_EQ(machine_.ioctl(kfd::uapi::kExportDmabuf, exported), 0);
  drm_prime_handle prime{.handle = 0, .flags = 0, .fd = static_cast<int>(exported.dmabuf_fd)};
  ASSERT_EQ(call(DRM_IOCTL_PRIME_FD_TO_HANDLE, prime), 0);
  const uint32_t handle = prime.handle;
  ASSERT_EQ(call(DRM_IOCTL_PRIME_FD_TO_HANDLE, prime), 0);
  EXPECT_EQ(prime.handle, handle) << "the same memory has one handle";
  ::close(prime.fd);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, handle, kVa, 8192), 0);
  EXPECT_TRUE(card_stores(kVa, 9));
  uint32_t* host = map_host(handle, 8192);
  EXPECT_EQ(host[0], 9u);
  ::munmap(host, 8192);
  prime = {.handle = handle, .flags = DRM_CLOEXEC | DRM_RDWR, .fd = -1};
  EXPECT_EQ(call(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime), 0);
  EXPECT_EQ(::lseek(prime.fd, 0, SEEK_END), 8192);
  ::close(prime.fd);
  prime.flags = 0x100;
  EXPECT_EQ(call(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime), -EINVAL);
  prime.fd = -1;
  EXPECT_EQ(call(DRM_IOCTL_PRIME_FD_TO_HANDLE, prime), -EBADF);
}

TEST_F(Drm, AnotherOpeningHasHandlesAndPageTablesOfItsOwn) {
  const uint32_t handle = create_vram();
  EmulatedDriver& driver = machine_.driver();
  const int other = driver.open("/dev/dri/renderD128", O_RDWR);
  drm_amdgpu_gem_mmap map{};
  map.in.handle = handle;
  EXPECT_EQ(driver.ioctl(other, DRM_IOCTL_AMDGPU_GEM_MMAP, &map), -ENOENT);
  drm_amdgpu_gem_create create{};
  create.in = {.bo_size = 1 << 20, .alignment = 0, .domains = AMDGPU_GEM_DOMAIN_VRAM, .domain_flags = 0};
  ASSERT_EQ(driver.ioctl(other, DRM_IOCTL_AMDGPU_GEM_CREATE, &create), 0);
  drm_amdgpu_gem_va args{};
  args.handle = create.out.handle;
  args.operation = AMDGPU_VA_OP_MAP;
  args.flags = AMDGPU_VM_PAGE_READABLE | AMDGPU_VM_PAGE_WRITEABLE;
  args.va_address = kVa;
  args.map_size = 4096;
  EXPECT_EQ(driver.ioctl(other, DRM_IOCTL_AMDGPU_GEM_VA, &args), 0);
  EXPECT_FALSE(card_stores(kVa, 1));
  uint64_t used = 0, after = 0;
  EXPECT_EQ(info(AMDGPU_INFO_VRAM_USAGE, &used), 0);
  EXPECT_EQ(driver.close(other), 0);
  EXPECT_EQ(info(AMDGPU_INFO_VRAM_USAGE, &after), 0);
  EXPECT_EQ(used - after, 1u << 20) << "what it held is given back";
}

TEST_F(Drm, ClientMemoryBecomesAnObject) {
  void* memory = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  drm_amdgpu_gem_userptr args{};
  args.addr = reinterpret_cast<uint64_t>(memory);
  args.size = 4096;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_USERPTR, args), -EACCES) << "neither read only nor watched";
  args.flags = AMDGPU_GEM_USERPTR_REGISTER | AMDGPU_GEM_USERPTR_VALIDATE | AMDGPU_GEM_USERPTR_ANONONLY;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_USERPTR, args), 0);
  EXPECT_EQ(va(AMDGPU_VA_OP_MAP, args.handle, kVa, 4096), 0);
  EXPECT_TRUE(card_stores(kVa, 21));
  EXPECT_EQ(*static_cast<uint32_t*>(memory), 21u);
  drm_amdgpu_gem_mmap map{};
  map.in.handle = args.handle;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_MMAP, map), -EPERM);
  drm_prime_handle prime{.handle = args.handle, .flags = 0, .fd = -1};
  EXPECT_EQ(call(DRM_IOCTL_PRIME_HANDLE_TO_FD, prime), -EPERM);
  args.flags |= 1u << 10;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_USERPTR, args), -EINVAL);
  args.addr += 8;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_USERPTR, args), -EINVAL);
  args.addr = ~0ull - 4095;
  args.size = 8192;
  args.flags = AMDGPU_GEM_USERPTR_REGISTER;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_USERPTR, args), -EOVERFLOW);
  args.size = 4096;
  args.addr = 0x10000;
  args.flags = AMDGPU_GEM_USERPTR_REGISTER | AMDGPU_GEM_USERPTR_VALIDATE;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_GEM_USERPTR, args), -EFAULT);
  EXPECT_EQ(va(AMDGPU_VA_OP_UNMAP, prime.handle, kVa, 4096), 0);
  ::munmap(memory, 4096);
}

TEST_F(Drm, ContextsAndListsComeAndGo) {
  drm_amdgpu_ctx ctx{};
  ctx.in = {.op = AMDGPU_CTX_OP_ALLOC_CTX, .flags = 1, .ctx_id = 0, .priority = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), -EINVAL);
  ctx.in = {.op = AMDGPU_CTX_OP_ALLOC_CTX, .flags = 0, .ctx_id = 0, .priority = AMDGPU_CTX_PRIORITY_HIGH};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), -EACCES);
  ctx.in = {.op = AMDGPU_CTX_OP_ALLOC_CTX, .flags = 0, .ctx_id = 0, .priority = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), 0);
  const uint32_t id = ctx.out.alloc.ctx_id;
  ctx.in = {.op = AMDGPU_CTX_OP_QUERY_STATE2, .flags = 0, .ctx_id = id, .priority = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), 0);
  EXPECT_EQ(ctx.out.state.flags, 0u);
  drm_amdgpu_wait_cs wait{};
  wait.in.ctx_id = id;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_WAIT_CS, wait), 0);
  EXPECT_EQ(wait.out.status, 0u);
  wait.in = {.handle = 5, .timeout = 0, .ip_type = 0, .ip_instance = 0, .ring = 0, .ctx_id = id};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_WAIT_CS, wait), -EINVAL) << "was never submitted";
  wait.in = {.handle = 0, .timeout = 0, .ip_type = 0, .ip_instance = 0, .ring = 7, .ctx_id = id};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_WAIT_CS, wait), -EINVAL);
  ctx.in = {.op = AMDGPU_CTX_OP_FREE_CTX, .flags = 0, .ctx_id = id, .priority = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), 0);
  ctx.in = {.op = AMDGPU_CTX_OP_FREE_CTX, .flags = 0, .ctx_id = id, .priority = 0};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), -EINVAL);
  ctx.in.op = 99;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_CTX, ctx), -EINVAL);

  drm_amdgpu_bo_list_entry entry{.bo_handle = create_vram(), .bo_priority = 0};
  drm_amdgpu_bo_list list{};
  const auto in = [&](uint32_t operation, uint32_t handle) {
    list.in = {.operation = operation,
               .list_handle = handle,
               .bo_number = 1,
               .bo_info_size = sizeof(entry),
               .bo_info_ptr = reinterpret_cast<uint64_t>(&entry)};
  };
  in(AMDGPU_BO_LIST_OP_CREATE, 0);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), 0);
  const uint32_t made = list.out.list_handle;
  in(AMDGPU_BO_LIST_OP_UPDATE, made);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), 0);
  in(AMDGPU_BO_LIST_OP_DESTROY, made);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), 0);
  in(AMDGPU_BO_LIST_OP_UPDATE, made);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), -ENOENT);
  entry.bo_handle = 99;
  in(AMDGPU_BO_LIST_OP_CREATE, 0);
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), -ENOENT);
  list.in.bo_info_ptr = 8;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), -EFAULT);
  list.in.bo_number = 0xffffffff;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_BO_LIST, list), -ENOMEM);
  drm_amdgpu_vm vm{};
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_VM, vm), -EINVAL);
  vm.in.op = AMDGPU_VM_OP_RESERVE_VMID;
  EXPECT_EQ(call(DRM_IOCTL_AMDGPU_VM, vm), 0);
}

TEST_F(Drm, InfoTellsTheCardsFacts) {
  uint32_t value = 0;
  drm_amdgpu_info args{};
  args.read_mmr_reg = {.dword_offset = 0x263e, .count = 1, .instance = 0xffffffff, .flags = 0};
  EXPECT_EQ(info(AMDGPU_INFO_READ_MMR_REG, &value, args), 0);
  EXPECT_EQ(value, 0x545u);
  args.read_mmr_reg.dword_offset = 0x1234;
  EXPECT_EQ(info(AMDGPU_INFO_READ_MMR_REG, &value, args), -EFAULT);
  args.read_mmr_reg.count = 0;
  EXPECT_EQ(info(AMDGPU_INFO_READ_MMR_REG, &value, args), -EINVAL);
  args.read_mmr_reg.count = 129;
  EXPECT_EQ(info(AMDGPU_INFO_READ_MMR_REG, &value, args), -EINVAL);
  args = {};
  args.query_hw_ip.type = AMDGPU_HW_IP_DMA;
  EXPECT_EQ(info(AMDGPU_INFO_HW_IP_COUNT, &value, args), 0);
  EXPECT_EQ(value, 2u);
  args.query_hw_ip.type = AMDGPU_HW_IP_NUM;
  EXPECT_EQ(info(AMDGPU_INFO_HW_IP_COUNT, &value, args), -EINVAL);
  args = {};
  args.query_fw.fw_type = AMDGPU_INFO_FW_GFX_MEC;
  EXPECT_EQ(info(AMDGPU_INFO_FW_VERSION, &value, args), 0);
  EXPECT_EQ(value, 494u);
  args.query_fw.index = 2;
  EXPECT_EQ(info(AMDGPU_INFO_FW_VERSION, &value, args), -EINVAL);
  EXPECT_EQ(info(AMDGPU_INFO_SENSOR, &value), -ENOENT);
  EXPECT_EQ(info(AMDGPU_INFO_NUM_HANDLES, &value), -ENODATA);
  EXPECT_EQ(info(AMDGPU_INFO_CRTC_FROM_ID, &value), -EINVAL);
  // As Linux 6.6 tells the device: what libdrm 2.4.114 has no fields for follows.
  std::array<uint64_t, 64> device{};
  EXPECT_EQ(info(AMDGPU_INFO_DEV_INFO, &device), 0);
  const size_t known = sizeof(drm_amdgpu_info_device) / sizeof(uint64_t);
  EXPECT_EQ(device[known], 500000u);
  EXPECT_EQ(device[known + 1], 96000u);
  EXPECT_EQ(device[known + 5], 100663296u) << "MALL";
}

}  // namespace
}  // namespace bw::emulator
