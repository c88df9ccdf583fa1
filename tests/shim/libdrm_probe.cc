// Owns: a small program of the kind that reads a card through libdrm_amdgpu. Prints what it finds, one fact a line.
#include <amdgpu.h>
#include <amdgpu_drm.h>
#include <fcntl.h>
#include <unistd.h>
#include <xf86drm.h>

#include <cstdio>

namespace {

int fail(const char* what, int status) {
  std::fprintf(stderr, "%s: %d\n", what, status);
  return 1;
}

int print_version(int fd) {
  drmVersionPtr version = drmGetVersion(fd);
  if (version == nullptr) return fail("drmGetVersion", -1);
  std::printf("driver %s %d\n", version->name, version->version_major);
  drmFreeVersion(version);
  std::printf("node type %d\n", drmGetNodeTypeFromFd(fd));
  return 0;
}

int print_device(amdgpu_device_handle device) {
  amdgpu_gpu_info gpu{};
  if (int status = amdgpu_query_gpu_info(device, &gpu); status != 0) return fail("amdgpu_query_gpu_info", status);
  drm_amdgpu_info_device info{};
  if (int status = amdgpu_query_info(device, AMDGPU_INFO_DEV_INFO, sizeof(info), &info); status != 0) {
    return fail("amdgpu_query_info", status);
  }
  const char* name = amdgpu_get_marketing_name(device);
  std::printf("name %s\n", name == nullptr ? "?" : name);
  std::printf("asic %#x family %u\n", gpu.asic_id, gpu.family_id);
  std::printf("compute units %u\n", info.cu_active_number);
  drm_amdgpu_memory_info memory{};
  if (int status = amdgpu_query_info(device, AMDGPU_INFO_MEMORY, sizeof(memory), &memory); status != 0) {
    return fail("amdgpu_query_info(MEMORY)", status);
  }
  std::printf("vram %llu\n", static_cast<unsigned long long>(memory.vram.total_heap_size));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const int fd = open(argc > 1 ? argv[1] : "/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
  if (fd < 0) return fail("open", fd);
  if (int status = print_version(fd); status != 0) return status;
  uint32_t major = 0;
  uint32_t minor = 0;
  amdgpu_device_handle device = nullptr;
  if (int status = amdgpu_device_initialize(fd, &major, &minor, &device); status != 0) {
    return fail("amdgpu_device_initialize", status);
  }
  const int status = print_device(device);
  amdgpu_device_deinitialize(device);
  close(fd);
  return status;
}
