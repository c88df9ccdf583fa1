#include "kfd/process.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "base/bits.h"

namespace bw::kfd {
namespace {

constexpr std::string_view kNoDriverAdvice = "is the amdgpu driver loaded? use --device emulated to run without a card";
constexpr std::string_view kPermissionAdvice = "is the user in group 'render'?";

// More than the driver's 16-bit ids can tell apart is nonsense.
constexpr uint32_t kMaxGpus = 1u << 16;

// Opens a device file for reading and writing; what a user can do about a failure is part of the message.
Result<int> open_device(KernelDriver& driver, const std::string& path) {
  int fd = driver.open(path.c_str(), O_RDWR);
  if (fd >= 0) return fd;
  if (fd == -ENOENT || fd == -ENODEV || fd == -ENXIO) {
    return Status::from_errno(-fd, fmt::format("no {}", path)).with_advice(kNoDriverAdvice);
  }
  Status status = Status::from_errno(-fd, fmt::format("opening {}", path));
  if (fd == -EACCES || fd == -EPERM) return std::move(status).with_advice(kPermissionAdvice);
  return status;
}

}  // namespace

Result<std::unique_ptr<Process>> Process::open(KernelDriver& driver) {
  BW_ASSIGN(int fd, open_device(driver, uapi::kKfdPath));
  std::unique_ptr<Process> process(new Process(driver, fd));
  uapi::GetVersionArgs version{};
  BW_RETURN_IF_ERROR(process->call(uapi::kGetVersion, version, "asking {} for its version", uapi::kKfdPath)
                         .with_advice("is this the device of the amdgpu driver? see dmesg"));
  if (version.major_version != uapi::kMajorVersion) {
    return error(StatusCode::kUnsupported, "{} speaks version {}.{}, expected {}.x", uapi::kKfdPath,
                 version.major_version, version.minor_version, uapi::kMajorVersion);
  }
  process->version_ = {version.major_version, version.minor_version};
  return process;
}

Process::~Process() {
  driver_.close(fd_);
}

Result<std::vector<uapi::DeviceApertures>> Process::apertures() {
  uapi::GetProcessAperturesArgs args{};
  BW_RETURN_IF_ERROR(call(uapi::kGetProcessApertures, args, "counting the process's apertures"));
  if (args.num_of_nodes > kMaxGpus) {
    return error(StatusCode::kIo, "counting the process's apertures: the driver names {} gpus", args.num_of_nodes);
  }
  std::vector<uapi::DeviceApertures> apertures(args.num_of_nodes);
  if (apertures.empty()) return apertures;
  args.kfd_process_device_apertures_ptr = reinterpret_cast<uint64_t>(apertures.data());
  BW_RETURN_IF_ERROR(call(uapi::kGetProcessApertures, args, "reading the apertures of {} gpus", apertures.size()));
  if (args.num_of_nodes < apertures.size()) apertures.resize(args.num_of_nodes);
  return apertures;
}

Result<std::unique_ptr<Gpu>> Gpu::open(Process& process, const Node& node) {
  if (!node.is_gpu()) return error(StatusCode::kInvalidArgument, "opening node {}: it is a cpu", node.index);
  BW_ASSIGN(std::string path, node.render_path());
  BW_ASSIGN(int render_fd, open_device(process.driver(), path));
  std::unique_ptr<Gpu> gpu(new Gpu(process, node, render_fd));

  uapi::AcquireVmArgs acquire{.drm_fd = static_cast<uint32_t>(render_fd), .gpu_id = node.gpu_id};
  BW_RETURN_IF_ERROR(process.call(uapi::kAcquireVm, acquire, "binding the address space of gpu {} ({}) to the process",
                                  node.gpu_id, path));
  if (process.has_minor(uapi::kMinorRuntimeEnable)) {
    // Mode 0, no debugger: what is left is that the driver sets each bound GPU's trap state anew, and with it drops
    // stale state of the scheduler's firmware. (Linux, kfd_chardev.c, runtime_disable; the order is tinygrad's
    // ops_amd.py.)
    uapi::RuntimeEnableArgs enable{};
    BW_RETURN_IF_ERROR(process.call(uapi::kRuntimeEnable, enable, "announcing the runtime for gpu {}", node.gpu_id));
  }
  return gpu;
}

Gpu::~Gpu() {
  if (doorbells_ != nullptr) driver().munmap(doorbells_, uapi::kDoorbellAreaBytes);
  driver().close(render_fd_);
}

Result<ClockCounters> Gpu::clock_counters() {
  uapi::GetClockCountersArgs args{};
  args.gpu_id = id();
  BW_RETURN_IF_ERROR(process_.call(uapi::kGetClockCounters, args, "reading the clocks of gpu {}", id()));
  return ClockCounters{args.gpu_clock_counter, args.cpu_clock_counter, args.system_clock_counter,
                       args.system_clock_freq};
}

Result<uint64_t> Gpu::available_memory_bytes() {
  if (!process_.has_minor(uapi::kMinorAvailableMemory)) {
    return error(StatusCode::kUnsupported,
                 "asking gpu {} for its free memory: the driver is KFD {}.{}, needed is {}.{}", id(),
                 process_.version().major, process_.version().minor, uapi::kMajorVersion, uapi::kMinorAvailableMemory);
  }
  uapi::AvailableMemoryArgs args{};
  args.gpu_id = id();
  BW_RETURN_IF_ERROR(process_.call(uapi::kAvailableMemory, args, "asking gpu {} for its free memory", id()));
  return args.available;
}

Result<uint64_t*> Gpu::map_doorbell(uint64_t doorbell_offset) {
  uint64_t area_offset = align_down(doorbell_offset, uapi::kDoorbellAreaBytes);
  if (!is_aligned(doorbell_offset, uapi::kDoorbellBytes)) {
    return error(StatusCode::kIo, "gpu {}: the driver named a doorbell at odd offset {:#x}", id(), doorbell_offset);
  }
  std::lock_guard lock(doorbell_mutex_);
  if (doorbells_ == nullptr) {
    void* mapped = nullptr;
    int result = driver().mmap(nullptr, uapi::kDoorbellAreaBytes, PROT_READ | PROT_WRITE, MAP_SHARED, process_.fd(),
                               static_cast<off_t>(area_offset), &mapped);
    if (result < 0) return Status::from_errno(-result, fmt::format("mapping the doorbells of gpu {}", id()));
    doorbells_ = static_cast<std::byte*>(mapped);
    doorbells_offset_ = area_offset;
  }
  if (area_offset != doorbells_offset_) {
    return error(StatusCode::kIo, "gpu {}: the driver named a doorbell at {:#x}, outside the area at {:#x}", id(),
                 doorbell_offset, doorbells_offset_);
  }
  return reinterpret_cast<uint64_t*>(doorbells_ + (doorbell_offset - area_offset));
}

}  // namespace bw::kfd
