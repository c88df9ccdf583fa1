// Owns: BW_CHECK, for what only a bug of ours can break. It aborts; everything a user, a file, a device or a
// program can cause is a Status instead.
#pragma once

namespace bw::detail {
[[noreturn]] void check_failed(const char* file, int line, const char* condition);
}  // namespace bw::detail

#define BW_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::bw::detail::check_failed(__FILE__, __LINE__, #condition))
