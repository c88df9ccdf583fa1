#include "emulator/kernel/debug_session.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

namespace bw::emulator {

using namespace kfd::uapi;

namespace {

// Without waiting for a debugger that does not read, and without a signal for one that has gone.
void write_byte(int fd) {
  pollfd room{.fd = fd, .events = POLLOUT, .revents = 0};
  if (::poll(&room, 1, 0) != 1) return;
  sigset_t broken_pipe, before, pending;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  sigpending(&pending);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, &before);
  const bool is_broken = ::write(fd, ".", 1) < 0 && errno == EPIPE;
  if (is_broken && sigismember(&pending, SIGPIPE) == 0) {
    const timespec at_once{};
    ::sigtimedwait(&broken_pipe, nullptr, &at_once);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

// Of one queue or device; those in `clear` are forgotten.
template <typename Map>
uint64_t read_exceptions(Map& sources, uint32_t id, uint64_t clear) {
  const auto it = sources.find(id);
  if (it == sources.end()) return 0;
  const uint64_t exceptions = it->second.exceptions;
  it->second.exceptions &= ~clear;
  return exceptions;
}

}  // namespace

DebugSession::DebugSession(std::span<const Card> cards) {
  for (const Card& card : cards) devices_[card.gpu_id];
}

bool DebugSession::is_enabled() const {
  std::lock_guard lock(mutex_);
  return enabled_;
}

int DebugSession::enable(UniqueFd notify) {
  std::lock_guard lock(mutex_);
  if (enabled_) return -EALREADY;
  enabled_ = true;
  notify_ = std::move(notify);
  return 0;
}

void DebugSession::disable() {
  std::lock_guard lock(mutex_);
  enabled_ = false;
  notify_.reset();
  flags_ = 0;
  process_exceptions_ = 0;
  for (auto& [id, queue] : queues_) queue.exceptions = 0;
  for (auto& [id, device] : devices_) device.exceptions = 0;
}

void DebugSession::notify(uint64_t mask) {
  if (enabled_ && (wanted_ & mask) != 0) write_byte(notify_.get());
}

void DebugSession::set_enabled_exceptions(uint64_t mask) {
  std::lock_guard lock(mutex_);
  uint64_t raised = process_exceptions_;
  for (const auto& [id, queue] : queues_) raised |= queue.exceptions;
  for (const auto& [id, device] : devices_) raised |= device.exceptions;
  wanted_ = mask;
  notify(raised);
}

void DebugSession::queue_created(uint32_t queue_id, uint32_t gpu_id) {
  std::lock_guard lock(mutex_);
  queues_[queue_id] = {.gpu_id = gpu_id, .exceptions = exception_mask(ExceptionCode::kQueueNew)};
  notify(exception_mask(ExceptionCode::kQueueNew));
}

void DebugSession::queue_destroyed(uint32_t queue_id) {
  std::lock_guard lock(mutex_);
  queues_.erase(queue_id);
}

void DebugSession::runtime_changed() {
  std::lock_guard lock(mutex_);
  if (!enabled_) return;
  process_exceptions_ |= exception_mask(ExceptionCode::kProcessRuntime);
  notify(exception_mask(ExceptionCode::kProcessRuntime));
}

bool DebugSession::memory_violation(const MemoryExceptionData& data) {
  std::lock_guard lock(mutex_);
  const uint64_t mask = exception_mask(ExceptionCode::kDeviceMemoryViolation);
  auto it = devices_.find(data.gpu_id);
  if (!enabled_ || it == devices_.end()) return false;
  it->second.exceptions |= mask;
  if (!it->second.violation) it->second.violation = data;
  notify(mask);
  return (wanted_ & mask) != 0;
}

int DebugSession::query_event(uint64_t clear, DbgTrapQueryDebugEventArgs* found) {
  std::lock_guard lock(mutex_);
  *found = {};
  for (auto& [id, queue] : queues_) {
    if ((queue.exceptions & wanted_) == 0) continue;
    *found = {.exception_mask = queue.exceptions, .gpu_id = queue.gpu_id, .queue_id = id};
    queue.exceptions &= ~clear;
    return 0;
  }
  for (auto& [id, device] : devices_) {
    if ((device.exceptions & wanted_) == 0) continue;
    *found = {.exception_mask = device.exceptions, .gpu_id = id, .queue_id = 0};
    device.exceptions &= ~clear;
    return 0;
  }
  if ((process_exceptions_ & wanted_) == 0) return -EAGAIN;
  found->exception_mask = process_exceptions_;
  process_exceptions_ &= ~clear;
  return 0;
}

uint64_t* DebugSession::find(uint32_t code, uint32_t source_id) {
  if (code == 0 || code > 64) return nullptr;
  const uint64_t mask = 1ull << (code - 1);
  if ((mask & kQueueExceptions) != 0) {
    auto it = queues_.find(source_id);
    return it == queues_.end() ? nullptr : &it->second.exceptions;
  }
  if ((mask & kDeviceExceptions) != 0) {
    auto it = devices_.find(source_id);
    return it == devices_.end() ? nullptr : &it->second.exceptions;
  }
  return (mask & kProcessExceptions) != 0 ? &process_exceptions_ : nullptr;
}

int DebugSession::query_exception(uint32_t code, uint32_t source_id, bool clear,
                                  std::optional<MemoryExceptionData>* violation) {
  std::lock_guard lock(mutex_);
  uint64_t* exceptions = find(code, source_id);
  if (exceptions == nullptr) return -EINVAL;
  const uint64_t mask = 1ull << (code - 1);
  if ((*exceptions & mask) == 0) return -ENODATA;
  if (code == static_cast<uint32_t>(ExceptionCode::kDeviceMemoryViolation)) {
    auto& kept = devices_[source_id].violation;
    *violation = kept;
    if (clear) kept.reset();
  }
  if (clear) *exceptions &= ~mask;
  return 0;
}

uint64_t DebugSession::queue_exceptions(uint32_t queue_id, uint64_t clear) {
  std::lock_guard lock(mutex_);
  return read_exceptions(queues_, queue_id, clear);
}

uint64_t DebugSession::device_exceptions(uint32_t gpu_id, uint64_t clear) {
  std::lock_guard lock(mutex_);
  return read_exceptions(devices_, gpu_id, clear);
}

std::optional<MemoryExceptionData> DebugSession::last_violation(uint32_t gpu_id) const {
  std::lock_guard lock(mutex_);
  auto it = devices_.find(gpu_id);
  return it == devices_.end() ? std::nullopt : it->second.violation;
}

uint32_t DebugSession::exchange_flags(uint32_t flags) {
  std::lock_guard lock(mutex_);
  return std::exchange(flags_, flags);
}

}  // namespace bw::emulator
