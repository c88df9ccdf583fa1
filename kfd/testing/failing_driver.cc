#include "kfd/testing/failing_driver.h"

#include <fmt/format.h>

#include <algorithm>

#include "kfd/tracing_driver.h"
#include "kfd/uapi.h"

namespace bw::kfd::testing {
namespace {

bool gives_back(unsigned long request) {
  return request == uapi::kFreeMemory || request == uapi::kUnmapMemory || request == uapi::kDestroyQueue ||
         request == uapi::kDestroyEvent;
}

template <typename Args>
const Args& as(const void* argument) {
  return *static_cast<const Args*>(argument);
}

template <typename Args>
std::vector<uint32_t> gpu_ids_of(const Args& args, uint32_t count) {
  const auto* ids = reinterpret_cast<const uint32_t*>(args.device_ids_array_ptr);
  return {ids, ids + std::min(count, args.n_devices)};
}

}  // namespace

void FailingDriver::fail_call(uint64_t number, int sys_errno) {
  std::lock_guard lock(mutex_);
  is_armed_ = true;
  failing_number_ = number;
  failing_errno_ = sys_errno;
}

uint64_t FailingDriver::call_count() const {
  std::lock_guard lock(mutex_);
  return call_count_;
}

std::string FailingDriver::failed_call() const {
  std::lock_guard lock(mutex_);
  return failed_call_;
}

std::string FailingDriver::process_leaks() const {
  std::string text;
  for (const auto& [handle, buffer] : buffers_) {
    if (!buffer.gpu_ids.empty()) {
      text += fmt::format("handle {:#x} still mapped to {} gpus\n", handle, buffer.gpu_ids.size());
    }
    if (!buffer.is_event_page) text += fmt::format("handle {:#x} of {:#x} bytes\n", handle, buffer.size_bytes);
  }
  for (uint32_t id : queues_) text += fmt::format("queue {}\n", id);
  for (uint32_t id : events_) text += fmt::format("event {}\n", id);
  return text;
}

std::string FailingDriver::leaks() const {
  std::lock_guard lock(mutex_);
  std::string text = leaked_at_close_ + process_leaks();
  for (const auto& [fd, path] : open_files_) text += fmt::format("fd {} ({})\n", fd, path);
  for (const auto& [begin, end] : mappings_) text += fmt::format("mapping {:#x}-{:#x}\n", begin, end);
  return text;
}

int FailingDriver::take_failure(const std::string& call) {
  std::lock_guard lock(mutex_);
  if (call_count_++ != failing_number_ || !is_armed_) return 0;
  failed_call_ = call;
  return -failing_errno_;
}

int FailingDriver::open(const char* path, int flags) {
  if (int failure = take_failure(fmt::format("open {}", path)); failure != 0) return failure;
  int fd = inner_.open(path, flags);
  std::lock_guard lock(mutex_);
  if (fd >= 0) open_files_[fd] = path;
  return fd;
}

int FailingDriver::close(int fd) {
  int failure = take_failure("close");
  int result = inner_.close(fd);
  std::lock_guard lock(mutex_);
  auto found = open_files_.find(fd);
  if (found != open_files_.end() && found->second == uapi::kKfdPath) {
    leaked_at_close_ += process_leaks();
    buffers_.clear();
    queues_.clear();
    events_.clear();
  }
  if (found != open_files_.end()) open_files_.erase(found);
  return failure != 0 ? failure : result;
}

int FailingDriver::ioctl(int fd, unsigned long request, void* argument) {
  int failure = take_failure(fmt::format("ioctl {}", request_name(request)));
  if (failure != 0 && !gives_back(request)) return failure;
  // Read before the call, which writes the page's mmap offset over it.
  const uint64_t page_handle =
      request == uapi::kCreateEvent ? as<uapi::CreateEventArgs>(argument).event_page_offset : 0;
  int result = inner_.ioctl(fd, request, argument);
  if (result >= 0 && page_handle != 0) note_event_page(page_handle);
  // A map call may have done a part of its work when it fails.
  if (result >= 0 || request == uapi::kMapMemory) note_ioctl(request, argument);
  return failure != 0 ? failure : result;
}

void FailingDriver::note_event_page(uint64_t handle) {
  std::lock_guard lock(mutex_);
  if (auto found = buffers_.find(handle); found != buffers_.end()) found->second.is_event_page = true;
}

void FailingDriver::note_ioctl(unsigned long request, const void* argument) {
  std::lock_guard lock(mutex_);
  if (request == uapi::kCreateQueue) queues_.insert(as<uapi::CreateQueueArgs>(argument).queue_id);
  if (request == uapi::kDestroyQueue) queues_.erase(as<uapi::DestroyQueueArgs>(argument).queue_id);
  if (request == uapi::kCreateEvent) events_.insert(as<uapi::CreateEventArgs>(argument).event_id);
  if (request == uapi::kDestroyEvent) events_.erase(as<uapi::DestroyEventArgs>(argument).event_id);
  note_memory_ioctl(request, argument);
}

void FailingDriver::note_memory_ioctl(unsigned long request, const void* argument) {
  if (request == uapi::kAllocMemory) {
    const auto& args = as<uapi::AllocMemoryArgs>(argument);
    buffers_[args.handle] = {.size_bytes = args.size, .is_event_page = false, .gpu_ids = {}};
  } else if (request == uapi::kFreeMemory) {
    buffers_.erase(as<uapi::FreeMemoryArgs>(argument).handle);
  } else if (request == uapi::kMapMemory) {
    const auto& args = as<uapi::MapMemoryArgs>(argument);
    for (uint32_t id : gpu_ids_of(args, args.n_success)) buffers_[args.handle].gpu_ids.insert(id);
  } else if (request == uapi::kUnmapMemory) {
    const auto& args = as<uapi::UnmapMemoryArgs>(argument);
    for (uint32_t id : gpu_ids_of(args, args.n_success)) buffers_[args.handle].gpu_ids.erase(id);
  }
}

int FailingDriver::mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset,
                        void** result) {
  if (int failure = take_failure("mmap"); failure != 0) return failure;
  int code = inner_.mmap(address, length_bytes, protection, flags, fd, offset, result);
  if (code < 0) return code;
  std::lock_guard lock(mutex_);
  const uint64_t begin = reinterpret_cast<uint64_t>(*result);
  forget_range(begin, begin + length_bytes);  // a fixed mapping replaces what was there
  mappings_[begin] = begin + length_bytes;
  return code;
}

int FailingDriver::munmap(void* address, size_t length_bytes) {
  int failure = take_failure("munmap");
  int result = inner_.munmap(address, length_bytes);
  std::lock_guard lock(mutex_);
  const uint64_t begin = reinterpret_cast<uint64_t>(address);
  if (result >= 0) forget_range(begin, begin + length_bytes);
  return failure != 0 ? failure : result;
}

void FailingDriver::forget_range(uint64_t begin, uint64_t end) {
  std::map<uint64_t, uint64_t> kept;
  for (const auto& [old_begin, old_end] : mappings_) {
    if (old_begin < std::min(old_end, begin)) kept[old_begin] = std::min(old_end, begin);
    if (std::max(old_begin, end) < old_end) kept[std::max(old_begin, end)] = old_end;
  }
  mappings_ = std::move(kept);
}

int FailingDriver::read_file(const std::string& path, std::string* content) {
  int failure = take_failure(fmt::format("read {}", path));
  return failure != 0 ? failure : inner_.read_file(path, content);
}

int FailingDriver::list_dir(const std::string& path, std::vector<std::string>* names) {
  int failure = take_failure(fmt::format("list {}", path));
  return failure != 0 ? failure : inner_.list_dir(path, names);
}

}  // namespace bw::kfd::testing
