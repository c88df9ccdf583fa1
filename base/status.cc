#include "base/status.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bw {
namespace {

StatusCode code_of_errno(int sys_errno) {
  switch (sys_errno) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      return StatusCode::kNotFound;
    case EACCES:
    case EPERM:
      return StatusCode::kPermissionDenied;
    case EINVAL:
    case EFAULT:
      return StatusCode::kInvalidArgument;
    case ENOMEM:
    case ENOSPC:
      return StatusCode::kOutOfMemory;
    case ETIME:
    case ETIMEDOUT:
      return StatusCode::kTimeout;
    case ENOTTY:
    case ENOSYS:
    case EOPNOTSUPP:
      return StatusCode::kUnsupported;
    default:
      return StatusCode::kIo;
  }
}

// The system's text for an errno with a small first letter, as messages here are written.
std::string errno_text(int sys_errno) {
  char buffer[128];
  std::string text = strerror_r(sys_errno, buffer, sizeof buffer);
  if (text.size() > 1 && text[1] >= 'a' && text[1] <= 'z') text[0] = static_cast<char>(text[0] | 0x20);
  return text;
}

}  // namespace

Status Status::from_errno(int sys_errno, std::string_view operation) {
  return Status(code_of_errno(sys_errno), fmt::format("{}: {}", operation, errno_text(sys_errno)), sys_errno);
}

Status Status::with_context(std::string_view context) && {
  if (!is_ok()) message_ = fmt::format("{}: {}", context, message_);
  return std::move(*this);
}

Status Status::with_advice(std::string_view advice) && {
  if (!is_ok()) message_ = fmt::format("{} ({})", message_, advice);
  return std::move(*this);
}

namespace detail {

void result_without_value(const Status& status) {
  std::fprintf(stderr, "barewave bug: value of a failed result taken: %s\n", status.message().c_str());
  std::abort();
}

}  // namespace detail
}  // namespace bw
