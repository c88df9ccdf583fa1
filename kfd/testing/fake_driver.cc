#include "kfd/testing/fake_driver.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "kfd/uapi.h"

namespace bw::kfd::testing {
namespace {

template <typename Args>
Args& as(void* argument) {
  return *static_cast<Args*>(argument);
}

// GPU 1001's doorbells are at type, id and page; the n-th queue has the n-th doorbell.
uint64_t doorbell_offset(uint32_t gpu_id, uint32_t queue) {
  return uapi::kMmapTypeDoorbell | uapi::mmap_gpu_id_bits(gpu_id) | (uint64_t{queue} * uapi::kDoorbellBytes);
}

}  // namespace

FakeDriver::FakeDriver() {
  const std::string nodes = fmt::format("{}/nodes", uapi::kTopologyPath);
  files[nodes + "/0/gpu_id"] = "0\n";
  files[nodes + "/0/properties"] = "cpu_cores_count 8\nsimd_count 0\n";
  for (uint32_t index : {1u, 2u}) {
    const uint32_t gpu_id = index == 1 ? kFirstGpuId : kSecondGpuId;
    files[fmt::format("{}/{}/gpu_id", nodes, index)] = fmt::format("{}\n", gpu_id);
    files[fmt::format("{}/{}/properties", nodes, index)] =
        fmt::format("simd_count 192\ngfx_target_version 110000\ndrm_render_minor {}\nhive_id 0\n", 127 + index);
    const std::string ip = fmt::format("/sys/class/drm/renderD{}/device/ip_discovery/die/0/11/0", 127 + index);
    files[ip + "/major"] = "11\n";
    files[ip + "/minor"] = "0\n";
    files[ip + "/revision"] = "0\n";
  }
}

int FakeDriver::open(const char* path, int) {
  if (auto failure = open_failures.find(path); failure != open_failures.end()) return -failure->second;
  const std::set<std::string> devices = {uapi::kKfdPath, "/dev/dri/renderD128", "/dev/dri/renderD129"};
  if (devices.count(path) == 0) return -ENOENT;
  open_files_[next_fd_] = path;
  return next_fd_++;
}

int FakeDriver::close(int fd) {
  return open_files_.erase(fd) == 1 ? 0 : -EBADF;
}

int FakeDriver::ioctl(int fd, unsigned long request, void* argument) {
  if (on_ioctl) {
    if (std::optional<int> result = on_ioctl(request, argument)) return *result;
  }
  auto file = open_files_.find(fd);
  if (file == open_files_.end()) return -EBADF;
  if (file->second != uapi::kKfdPath) return -ENOTTY;
  switch (request) {
    case uapi::kGetVersion:
      as<uapi::GetVersionArgs>(argument) = {major_version, minor_version};
      return 0;
    case uapi::kAcquireVm: {
      auto& args = as<uapi::AcquireVmArgs>(argument);
      return open_files_.count(static_cast<int>(args.drm_fd)) == 1 ? 0 : -EINVAL;
    }
    case uapi::kRuntimeEnable:
      return minor_version >= uapi::kMinorRuntimeEnable ? 0 : -ENOTTY;
    case uapi::kAvailableMemory:
      as<uapi::AvailableMemoryArgs>(argument).available = uint64_t{24} << 30;
      return 0;
    case uapi::kGetClockCounters: {
      auto& args = as<uapi::GetClockCountersArgs>(argument);
      args.gpu_clock_counter = 5;
      args.system_clock_freq = 1000000000;
      return 0;
    }
    default:
      break;
  }
  int result = memory_ioctl(request, argument);
  if (result == -ENOTTY) result = queue_ioctl(request, argument);
  if (result == -ENOTTY) result = event_ioctl(request, argument);
  return result;
}

int FakeDriver::memory_ioctl(unsigned long request, void* argument) {
  if (request == uapi::kAllocMemory) {
    auto& args = as<uapi::AllocMemoryArgs>(argument);
    if (args.va_addr == 0 || args.size % 4096 != 0) return -EINVAL;
    args.handle = next_handle_++;
    args.mmap_offset = args.handle << 12;
    buffers_[args.handle] = {};
    return 0;
  }
  if (request == uapi::kFreeMemory) {
    const uint64_t handle = as<uapi::FreeMemoryArgs>(argument).handle;
    if (handle == event_page_) return -EPERM;
    auto buffer = buffers_.find(handle);
    if (buffer == buffers_.end()) return -EINVAL;
    if (!buffer->second.empty()) return -EBUSY;
    buffers_.erase(buffer);
    return 0;
  }
  if (request != uapi::kMapMemory && request != uapi::kUnmapMemory) return -ENOTTY;
  auto& args = as<uapi::MapMemoryArgs>(argument);  // both calls have this layout
  auto buffer = buffers_.find(args.handle);
  if (buffer == buffers_.end() || args.n_devices == 0 || args.n_success > args.n_devices) return -EINVAL;
  const auto* ids = reinterpret_cast<const uint32_t*>(args.device_ids_array_ptr);
  for (; args.n_success < args.n_devices; ++args.n_success) {
    const uint32_t id = ids[args.n_success];
    if (request == uapi::kUnmapMemory) {
      buffer->second.erase(id);
      continue;
    }
    if (refusing_gpu_ids.count(id) != 0) return refusal;
    buffer->second.insert(id);
  }
  return 0;
}

int FakeDriver::queue_ioctl(unsigned long request, void* argument) {
  if (request == uapi::kCreateQueue) {
    auto& args = as<uapi::CreateQueueArgs>(argument);
    if (args.ring_size < uapi::kMinQueueRingBytes || args.queue_percentage > uapi::kMaxQueuePercentage) return -EINVAL;
    args.queue_id = next_queue_++;
    args.doorbell_offset = doorbell_offset(args.gpu_id, args.queue_id);
    queues_.insert(args.queue_id);
    return 0;
  }
  if (request == uapi::kUpdateQueue) {
    return queues_.count(as<uapi::UpdateQueueArgs>(argument).queue_id) == 1 ? 0 : -EINVAL;
  }
  if (request == uapi::kDestroyQueue) {
    return queues_.erase(as<uapi::DestroyQueueArgs>(argument).queue_id) == 1 ? 0 : -EINVAL;
  }
  return -ENOTTY;
}

int FakeDriver::event_ioctl(unsigned long request, void* argument) {
  switch (request) {
    case uapi::kCreateEvent: {
      auto& args = as<uapi::CreateEventArgs>(argument);
      if (args.event_page_offset != 0) {
        if (event_page_ != 0 || buffers_.count(args.event_page_offset) == 0) return -EINVAL;
        event_page_ = args.event_page_offset;
      }
      args.event_id = next_event_++;
      args.event_slot_index = args.event_id;
      args.event_trigger_data = args.event_id;
      args.event_page_offset = uapi::kMmapTypeEvents;
      events_.insert(args.event_id);
      return 0;
    }
    case uapi::kDestroyEvent:
      return events_.erase(as<uapi::DestroyEventArgs>(argument).event_id) == 1 ? 0 : -EINVAL;
    case uapi::kSetEvent:
    case uapi::kResetEvent:
      return events_.count(as<uapi::SetEventArgs>(argument).event_id) == 1 ? 0 : -EINVAL;
    case uapi::kWaitEvents:
      as<uapi::WaitEventsArgs>(argument).wait_result = static_cast<uint32_t>(uapi::WaitResult::kTimeout);
      return 0;
    default:
      return -ENOTTY;
  }
}

int FakeDriver::mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t, void** result) {
  if (fd >= 0 && open_files_.count(fd) == 0) return -EBADF;
  void* mapped = ::mmap(address, length_bytes, protection, flags | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return -errno;
  *result = mapped;
  return 0;
}

int FakeDriver::munmap(void* address, size_t length_bytes) {
  return ::munmap(address, length_bytes) < 0 ? -errno : 0;
}

int FakeDriver::read_file(const std::string& path, std::string* content) {
  if (auto failure = read_failures.find(path); failure != read_failures.end()) return -failure->second;
  auto file = files.find(path);
  if (file == files.end()) return -ENOENT;
  *content = file->second;
  return 0;
}

int FakeDriver::list_dir(const std::string& path, std::vector<std::string>* names) {
  if (auto failure = read_failures.find(path); failure != read_failures.end()) return -failure->second;
  std::set<std::string> found;
  const std::string prefix = path + "/";
  for (const auto& [file, content] : files) {
    if (!file.starts_with(prefix)) continue;
    const size_t end = file.find('/', prefix.size());
    found.insert(file.substr(prefix.size(), end == std::string::npos ? end : end - prefix.size()));
  }
  if (found.empty()) return -ENOENT;
  found.erase("");  // a file named "folder/" makes an empty folder
  names->assign(found.begin(), found.end());
  return 0;
}

}  // namespace bw::kfd::testing
