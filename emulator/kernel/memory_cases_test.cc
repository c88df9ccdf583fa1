// Of the table of requests: those about memory.
#include "emulator/testing/ioctl_cases.h"

#include <unistd.h>
#include <array>
#include <cerrno>

namespace bw::emulator::testing {

using namespace kfd::uapi;

std::vector<Case> memory_cases() {
  using B = Bench;
  const auto free = [](B& b, uint64_t handle) { return b.call(kFreeMemory, FreeMemoryArgs{handle}); };
  return {
      {"vram", kAllocMemory, 0, [](B& b) { return b.call(kAllocMemory, b.alloc_args(alloc_flag::kVram)); }},
      {"gtt", kAllocMemory, 0, [](B& b) { return b.call(kAllocMemory, b.alloc_args(alloc_flag::kGtt)); }},
      {"doorbells", kAllocMemory, 0,
       [](B& b) { return b.call(kAllocMemory, b.alloc_args(alloc_flag::kDoorbell, 8192)); }},
      {"registers", kAllocMemory, 0,
       [](B& b) { return b.call(kAllocMemory, b.alloc_args(alloc_flag::kMmioRemap, 4096)); }},
      {"size", kAllocMemory, -EINVAL, [](B& b) { return b.call(kAllocMemory, b.alloc_args(alloc_flag::kVram, 0)); }},
      {"too much", kAllocMemory, -ENOMEM,
       [](B& b) { return b.call(kAllocMemory, b.alloc_args(alloc_flag::kVram, 1ull << 40)); }},
      {"no memory there", kAllocMemory, -EFAULT,
       [](B& b) {
         AllocMemoryArgs args = b.alloc_args(alloc_flag::kUserptr);
         args.mmap_offset = 0x10000;
         return b.call(kAllocMemory, args);
       }},
      {"not acquired", kAllocMemory, -ENODEV,
       [](B& b) { return b.unbound(kAllocMemory, b.alloc_args(alloc_flag::kVram)); }},
      {"ok", kFreeMemory, 0, [=](B& b) { return free(b, b.allocate(alloc_flag::kVram)); }},
      {"handle", kFreeMemory, -EINVAL, [=](B& b) { return free(b, uint64_t{b.gpu} << 32 | 999); }},
      {"gpu", kFreeMemory, -EINVAL, [=](B& b) { return free(b, 999); }},
      {"mapped", kFreeMemory, -EBUSY, [=](B& b) { return free(b, b.machine.vram().handle); }},
      {"twice", kFreeMemory, -EINVAL,
       [=](B& b) {
         const uint64_t handle = b.allocate(alloc_flag::kVram);
         free(b, handle);
         return free(b, handle);
       }},
      {"ok", kMapMemory, 0, [](B& b) { return b.call(kMapMemory, b.map_args(b.allocate(alloc_flag::kVram))); }},
      {"handle", kMapMemory, -ENOMEM, [](B& b) { return b.call(kMapMemory, b.map_args(uint64_t{b.gpu} << 32 | 999)); }},
      {"gpu", kMapMemory, -EINVAL, [](B& b) { return b.call(kMapMemory, b.map_args(999)); }},
      {"list", kMapMemory, -EFAULT,
       [](B& b) {
         MapMemoryArgs args = b.map_args(b.allocate(alloc_flag::kVram));
         args.device_ids_array_ptr = kWild;
         return b.call(kMapMemory, args);
       }},
      {"not acquired", kMapMemory, -ENODEV,
       [](B& b) { return b.unbound(kMapMemory, b.map_args(uint64_t{b.gpu} << 32)); }},
      {"ok", kUnmapMemory, 0, [](B& b) { return b.call(kUnmapMemory, b.map_args(b.machine.vram().handle)); }},
      {"handle", kUnmapMemory, -ENOMEM,
       [](B& b) { return b.call(kUnmapMemory, b.map_args(uint64_t{b.gpu} << 32 | 999)); }},
      {"none", kUnmapMemory, -EINVAL,
       [](B& b) {
         MapMemoryArgs args = b.map_args(b.machine.vram().handle);
         args.n_devices = 0;
         return b.call(kUnmapMemory, args);
       }},
      {"list", kUnmapMemory, -EFAULT,
       [](B& b) {
         MapMemoryArgs args = b.map_args(b.machine.vram().handle);
         args.device_ids_array_ptr = kWild;
         return b.call(kUnmapMemory, args);
       }},
      {"ok", kAvailableMemory, 0,
       [](B& b) {
         return b.call(kAvailableMemory, AvailableMemoryArgs{0, b.gpu, 0});
       }},
      {"gpu", kAvailableMemory, -EINVAL,
       [](B& b) {
         return b.call(kAvailableMemory, AvailableMemoryArgs{0, 3, 0});
       }},
      {"ok", kExportDmabuf, 0,
       [](B& b) {
         ExportDmabufArgs args{b.allocate(alloc_flag::kGtt), O_CLOEXEC, 0};
         const int status = b.machine.ioctl(kExportDmabuf, args);
         GetDmabufInfoArgs info{};
         info.dmabuf_fd = args.dmabuf_fd;
         EXPECT_EQ(b.machine.ioctl(kGetDmabufInfo, info), 0);
         EXPECT_EQ(b.call(kImportDmabuf, ImportDmabufArgs{0, 0, b.gpu, args.dmabuf_fd}), 0);
         ::close(static_cast<int>(args.dmabuf_fd));
         return status;
       }},
      {"handle", kExportDmabuf, -EINVAL,
       [](B& b) {
         return b.call(kExportDmabuf, ExportDmabufArgs{999, 0, 0});
       }},
      {"the client's", kExportDmabuf, -EPERM,
       [](B& b) {
         return b.call(kExportDmabuf, ExportDmabufArgs{b.machine.user().handle, 0, 0});
       }},
      {"fd", kGetDmabufInfo, -EBADF,
       [](B& b) {
         return b.call(kGetDmabufInfo, GetDmabufInfoArgs{0, 0, 0, 0, 0, 99999});
       }},
      {"no dma-buf", kGetDmabufInfo, -EINVAL,
       [](B& b) {
         return b.call(kGetDmabufInfo, GetDmabufInfoArgs{0, 0, 0, 0, 0, static_cast<uint32_t>(b.machine.kfd())});
       }},
      {"fd", kImportDmabuf, -EBADF,
       [](B& b) {
         return b.call(kImportDmabuf, ImportDmabufArgs{0, 0, b.gpu, 99999});
       }},
      {"gpu", kImportDmabuf, -EINVAL,
       [](B& b) {
         return b.call(kImportDmabuf, ImportDmabufArgs{0, 0, kNoGpu, 0});
       }},
      {"not acquired", kImportDmabuf, -ENODEV,
       [](B& b) {
         return b.unbound(kImportDmabuf, ImportDmabufArgs{0, 0, b.gpu, 0});
       }},
      {"no attribute", kSvm, 0,
       [](B& b) {
         static std::array<std::byte, 8192> memory;
         const uint64_t page = (B::address(memory.data()) + 4095) & ~uint64_t{4095};
         return b.call(kSvm, SvmArgs{page, 4096, 0, 0});
       }},
      {"size", kSvm, -EINVAL,
       [](B& b) {
         return b.call(kSvm, SvmArgs{4096, 0, 0, 0});
       }},
      {"no memory there", kSvm, -EFAULT,
       [](B& b) {
         return b.call(kSvm, SvmArgs{0x10000, 4096, 0, 0});
       }},
      {"buffer", kSvm, -EADDRINUSE,
       [](B& b) {
         return b.call(kSvm, SvmArgs{b.machine.vram().va, 4096, 0, 0});
       }},
  };
}

}  // namespace bw::emulator::testing
