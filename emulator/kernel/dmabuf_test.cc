// Memory that is shared by descriptor: within a process, between its cards, and between two drivers, which stand for
// two processes.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "emulator/testing/machine.h"
#include "kfd/uapi_debug.h"

namespace bw::emulator {
namespace {

using namespace kfd::uapi;
using testing::Machine;
using testing::TestBuffer;

class Dmabuf : public ::testing::Test {
 protected:
  int export_fd(Machine& machine, const TestBuffer& buffer) {
    ExportDmabufArgs args{.handle = buffer.handle, .flags = O_CLOEXEC, .dmabuf_fd = 0};
    EXPECT_EQ(machine.ioctl(kExportDmabuf, args), 0);
    return static_cast<int>(args.dmabuf_fd);
  }
  ImportDmabufArgs import_args(Machine& machine, int fd, uint64_t va) {
    return {.va_addr = va, .handle = 0, .gpu_id = machine.gpu_id(), .dmabuf_fd = static_cast<uint32_t>(fd)};
  }
  // The card fills a dword by SDMA.
  void card_stores(Machine& machine, uint64_t address, uint32_t value) {
    testing::TestQueue queue = machine.sdma_queue();
    machine.submit(queue, {0x00000002, static_cast<uint32_t>(address), static_cast<uint32_t>(address >> 32), 0, value});
    EXPECT_TRUE(machine.drain(queue));
    EXPECT_EQ(machine.destroy(queue), 0);
  }

  Machine machine_;
};

TEST_F(Dmabuf, IsAFileOfTheMemorysSizeAndContent) {
  const TestBuffer buffer = machine_.vram(3 * 4096);
  buffer.dwords()[1024] = 0x1234;
  const int fd = export_fd(machine_, buffer);
  EXPECT_EQ(::lseek(fd, 0, SEEK_END), 3 * 4096);
  EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  auto* mapped = static_cast<uint32_t*>(::mmap(nullptr, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_EQ(mapped[1024], 0x1234u);
  mapped[5] = 7;
  EXPECT_EQ(buffer.dwords()[5], 7u) << "where the client had mapped it before";
  card_stores(machine_, buffer.va + 24, 99);
  EXPECT_EQ(mapped[6], 99u);
  ::munmap(mapped, 3 * 4096);
  ::close(fd);
}

TEST_F(Dmabuf, LaterMappingsOfTheRenderNodeSeeTheSameMemory) {
  AllocMemoryArgs args{};
  args.va_addr = 0x700000000000;
  args.size = 8192;
  args.gpu_id = machine_.gpu_id();
  args.flags = alloc_flag::kGtt | alloc_flag::kWritable;
  ASSERT_EQ(machine_.ioctl(kAllocMemory, args), 0);
  const int fd = export_fd(machine_, {args.handle, args.va_addr, 8192});
  void* mapped = nullptr;
  ASSERT_EQ(machine_.driver().mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, machine_.render(),
                                   static_cast<off_t>(args.mmap_offset + 4096), &mapped),
            0);
  const uint32_t value = 0xabcd;
  ASSERT_EQ(::pwrite(fd, &value, sizeof(value), 4096), 4);
  EXPECT_EQ(*static_cast<uint32_t*>(mapped), value);
  ::munmap(mapped, 4096);
  ::close(fd);
}

TEST_F(Dmabuf, ImportedInTheSameProcessItIsTheSameMemory) {
  const TestBuffer buffer = machine_.vram();
  const int fd = export_fd(machine_, buffer);
  ImportDmabufArgs args = import_args(machine_, fd, 0x700000000000);
  ASSERT_EQ(machine_.ioctl(kImportDmabuf, args), 0);
  ::close(fd);
  EXPECT_NE(args.handle, buffer.handle);
  EXPECT_EQ(machine_.map({args.handle, args.va_addr, 4096}), 0);
  card_stores(machine_, 0x700000000000, 42);
  EXPECT_EQ(buffer.dwords()[0], 42u);
  EXPECT_EQ(machine_.unmap(buffer), 0);
  EXPECT_EQ(machine_.free(buffer), 0);
  card_stores(machine_, 0x700000000004, 43);
  EXPECT_EQ(buffer.dwords()[1], 43u) << "lives as long as one handle does";
}

TEST_F(Dmabuf, MemoryComesBackEmptyAndIsNoLongerShared) {
  const TestBuffer buffer = machine_.vram(64 << 20);
  AvailableMemoryArgs before{.available = 0, .gpu_id = machine_.gpu_id(), .pad = 0};
  EXPECT_EQ(machine_.ioctl(kAvailableMemory, before), 0);
  const int fd = export_fd(machine_, buffer);
  buffer.dwords()[0] = 1;
  EXPECT_EQ(machine_.unmap(buffer), 0);
  EXPECT_EQ(machine_.free(buffer), 0);
  AvailableMemoryArgs after = before;
  EXPECT_EQ(machine_.ioctl(kAvailableMemory, after), 0);
  EXPECT_EQ(after.available - before.available, 64u << 20);
  const TestBuffer next = machine_.vram(64 << 20);
  EXPECT_EQ(next.dwords()[0], 0u);
  next.dwords()[0] = 5;
  uint32_t value = 0;
  EXPECT_EQ(::pread(fd, &value, sizeof(value), 0), 4);
  EXPECT_EQ(value, 1u) << "the holder of the dma-buf keeps what was there";
  ::close(fd);
}

TEST_F(Dmabuf, AnotherProcessSharesIt) {
  const TestBuffer buffer = machine_.vram(8192);
  buffer.dwords()[1] = 11;
  const int fd = export_fd(machine_, buffer);
  Machine other;
  GetDmabufInfoArgs info{};
  info.dmabuf_fd = static_cast<uint32_t>(fd);
  EXPECT_EQ(other.ioctl(kGetDmabufInfo, info), 0);
  EXPECT_EQ(info.size, 8192u);
  EXPECT_EQ(info.flags, alloc_flag::kVram | alloc_flag::kPublic);
  EXPECT_EQ(info.gpu_id, other.gpu_id());
  EXPECT_EQ(info.metadata_size, 0u);
  ImportDmabufArgs args = import_args(other, fd, 0x700000000000);
  ASSERT_EQ(other.ioctl(kImportDmabuf, args), 0);
  ::close(fd);
  EXPECT_EQ(other.map({args.handle, args.va_addr, 8192}), 0);
  card_stores(other, 0x700000000000, 12);
  EXPECT_EQ(buffer.dwords()[0], 12u);
  EXPECT_EQ(machine_.unmap(buffer), 0);
  EXPECT_EQ(machine_.free(buffer), 0);
  EXPECT_EQ(other.unmap({args.handle, args.va_addr, 8192}), 0);
  EXPECT_EQ(other.free({args.handle, args.va_addr, 8192}), 0);
  EXPECT_EQ(buffer.dwords()[1], 11u) << "the client's own mapping lasts";
}

TEST_F(Dmabuf, IpcHandlesNameMemoryForOtherProcesses) {
  const TestBuffer buffer = machine_.vram(8192);
  buffer.dwords()[1] = 31;
  IpcExportHandleArgs exported{};
  exported.handle = buffer.handle;
  exported.gpu_id = machine_.gpu_id();
  ASSERT_EQ(machine_.ioctl(kIpcExportHandle, exported), 0);
  Machine other;
  IpcImportHandleArgs args{};
  args.va_addr = 0x700000000000;
  std::copy(std::begin(exported.share_handle), std::end(exported.share_handle), args.share_handle);
  args.gpu_id = other.gpu_id();
  ASSERT_EQ(other.ioctl(kIpcImportHandle, args), 0);
  EXPECT_EQ(args.flags & alloc_flag::kTypeMask, alloc_flag::kVram);
  void* mapped = nullptr;
  ASSERT_EQ(other.driver().mmap(nullptr, 8192, PROT_READ, MAP_SHARED, other.render(),
                                static_cast<off_t>(args.mmap_offset), &mapped),
            0);
  EXPECT_EQ(static_cast<uint32_t*>(mapped)[1], 31u);
  EXPECT_EQ(other.map({args.handle, args.va_addr, 8192}), 0);
  card_stores(other, args.va_addr, 32);
  EXPECT_EQ(buffer.dwords()[0], 32u);
  other.driver().munmap(mapped, 8192);

  IpcImportHandleArgs wrong = args;
  wrong.share_handle[2] += 1;
  EXPECT_EQ(other.ioctl(kIpcImportHandle, wrong), -EINVAL);
  wrong = args;
  wrong.gpu_id = 1;
  EXPECT_EQ(other.ioctl(kIpcImportHandle, wrong), -EINVAL);
  exported.handle = 77;
  EXPECT_EQ(machine_.ioctl(kIpcExportHandle, exported), -EINVAL);
  exported.gpu_id = 1;
  EXPECT_EQ(machine_.ioctl(kIpcExportHandle, exported), -EINVAL);
  EXPECT_EQ(machine_.unmap(buffer), 0);
  EXPECT_EQ(machine_.free(buffer), 0);
  EXPECT_EQ(machine_.ioctl(kIpcImportHandle, args), -EINVAL) << "the exporter has it no longer";
}

TEST_F(Dmabuf, BadHandlesAndDescriptorsAreRefused) {
  ExportDmabufArgs out{.handle = 12345, .flags = 0, .dmabuf_fd = 0};
  EXPECT_EQ(machine_.ioctl(kExportDmabuf, out), -EINVAL) << "of no card";
  const TestBuffer buffer = machine_.vram();
  out.handle = buffer.handle + 999;
  EXPECT_EQ(machine_.ioctl(kExportDmabuf, out), -EINVAL);
  const TestBuffer user = machine_.user();
  out.handle = user.handle;
  EXPECT_EQ(machine_.ioctl(kExportDmabuf, out), -EPERM) << "the client's own memory";
  EXPECT_EQ(machine_.unmap(user), 0);
  EXPECT_EQ(machine_.free(user), 0);
  ::munmap(user.dwords(), 4096);

  const int fd = export_fd(machine_, buffer);
  const int other_file = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const int memfd = ::memfd_create("barewave-dmabuf-vram-0", MFD_CLOEXEC);
  ASSERT_EQ(::ftruncate(memfd, 4096), 0);
  for (const auto& [bad, expected] :
       {std::pair{-1, -EBADF}, {100000, -EBADF}, {other_file, -EINVAL}, {machine_.kfd(), -EINVAL}, {memfd, -EINVAL}}) {
    ImportDmabufArgs args = import_args(machine_, bad, 0x700000000000);
    EXPECT_EQ(machine_.ioctl(kImportDmabuf, args), expected) << bad;
    GetDmabufInfoArgs info{};
    info.dmabuf_fd = static_cast<uint32_t>(bad);
    EXPECT_EQ(machine_.ioctl(kGetDmabufInfo, info), expected) << bad;
  }
  ImportDmabufArgs args = import_args(machine_, fd, 0x700000000000);
  args.gpu_id = 1;
  EXPECT_EQ(machine_.ioctl(kImportDmabuf, args), -EINVAL);
  GetDmabufInfoArgs info{};
  info.dmabuf_fd = static_cast<uint32_t>(fd);
  info.metadata_ptr = 8;
  info.metadata_size = 0xffffffff;
  EXPECT_EQ(machine_.ioctl(kGetDmabufInfo, info), -ENOMEM);
  ::close(fd);
  ::close(other_file);
  ::close(memfd);
}

TEST_F(Dmabuf, AnotherCardReachesItAsItDoesByHandle) {
  EmulatedOptions options;
  options.card_count = 2;
  Machine two(options);
  std::string id;
  ASSERT_EQ(two.driver().read_file("/sys/class/kfd/kfd/topology/nodes/2/gpu_id", &id), 0);
  const auto second = static_cast<uint32_t>(std::stoul(id));
  const TestBuffer buffer = two.vram();
  const int fd = export_fd(two, buffer);
  ImportDmabufArgs args = import_args(two, fd, 0x700000000000);
  args.gpu_id = second;
  EXPECT_EQ(two.ioctl(kImportDmabuf, args), -ENODEV) << "not acquired";
  AcquireVmArgs acquire{.drm_fd = static_cast<uint32_t>(two.driver().open("/dev/dri/renderD129", O_RDWR)),
                        .gpu_id = second};
  ASSERT_EQ(two.ioctl(kAcquireVm, acquire), 0);
  ASSERT_EQ(two.ioctl(kImportDmabuf, args), 0);
  EXPECT_EQ(args.handle >> 32, second);
  ::close(fd);
}

}  // namespace
}  // namespace bw::emulator
