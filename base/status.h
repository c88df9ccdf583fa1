// Owns: Status and Result<T>, the only way a fallible function of this project reports failure.
// Not here: logging (an error is returned, never also printed) and CHECK (base/check.h).
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace bw {

enum class StatusCode : uint8_t {
  kOk,
  kInvalidArgument,   // the caller's input is wrong
  kNotFound,          // a file, device or name does not exist
  kPermissionDenied,  // the system refuses
  kUnsupported,       // the user asked beyond the scope of the project
  kUnimplemented,     // within scope, not built yet
  kDeviceFault,       // a bad program or packet stopped a queue of the device
  kTimeout,           // a deadline passed
  kOutOfMemory,       // host or device memory is exhausted
  kDataLoss,          // a file or message is truncated or corrupt
  kIo,                // any other failure of a system call
};

// Success, or a code with one line of text: lower case, no final period, naming the operation, the
// ids, expected against actual, and what the user can do. `sys_errno` is the errno of the system call
// that failed, 0 if none did.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(StatusCode code, std::string message, int sys_errno = 0)
      : code_(code), sys_errno_(sys_errno), message_(std::move(message)) {}

  static Status ok() { return {}; }
  // From a positive errno; the text of the errno is appended to `operation`: "opening /dev/kfd: permission denied".
  static Status from_errno(int sys_errno, std::string_view operation);

  bool is_ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  int sys_errno() const { return sys_errno_; }
  const std::string& message() const { return message_; }

  // The same failure with `context` set before it: "context: message". An ok status stays as it is.
  Status with_context(std::string_view context) &&;
  // The same failure with advice in parentheses after it: "message (advice)".
  Status with_advice(std::string_view advice) &&;

 private:
  StatusCode code_ = StatusCode::kOk;
  int sys_errno_ = 0;
  std::string message_;
};

// Status with a formatted message.
template <typename... Args>
Status error(StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return Status(code, fmt::format(format, std::forward<Args>(args)...));
}

namespace detail {
[[noreturn]] void result_without_value(const Status& status);
}  // namespace detail

// A value, or the Status that says why there is none. Taking value() of a failure is our bug and aborts.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}          // NOLINT: implicit by design
  Result(Status status) : status_(std::move(status)) {}  // NOLINT: implicit by design

  bool is_ok() const { return value_.has_value(); }
  const Status& status() const& { return status_; }
  Status&& status() && { return std::move(status_); }

  T& value() & {
    require();
    return *value_;
  }
  const T& value() const& {
    require();
    return *value_;
  }
  T&& value() && {
    require();
    return *std::move(value_);
  }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  void require() const {
    if (!value_.has_value()) detail::result_without_value(status_);
  }

  std::optional<T> value_;
  Status status_;
};

}  // namespace bw

#define BW_CONCAT_INNER(a, b) a##b
#define BW_CONCAT(a, b) BW_CONCAT_INNER(a, b)

// Returns from the enclosing function if `expr`, a Status, is a failure.
#define BW_RETURN_IF_ERROR(expr)                                                  \
  do {                                                                            \
    if (::bw::Status bw_status_ = (expr); !bw_status_.is_ok()) return bw_status_; \
  } while (false)

// BW_ASSIGN(auto x, f()): x is the value of the Result that f() returns; a failure is returned.
#define BW_ASSIGN(lhs, expr) BW_ASSIGN_IMPL(BW_CONCAT(bw_result_, __LINE__), lhs, expr)
#define BW_ASSIGN_IMPL(tmp, lhs, expr)              \
  auto tmp = (expr);                                \
  if (!tmp.is_ok()) return std::move(tmp).status(); \
  lhs = std::move(tmp).value()
