// Owns: values of system calls as text: flags, addresses, handles, results. What differs from run to run stands after
// '@' (addresses) or '#' (handles and offsets of the driver), as hex digits without 0x.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bw::kfd {

struct FlagName {
  uint64_t flag;
  std::string_view name;
};

// "A|B|0x40", with the bits that have no name last; "0" for none, or `none`.
std::string flags_text(uint64_t flags, std::span<const FlagName> names, std::string_view separator = "|",
                       std::string_view none = "0");
// The name at `value`, or the number.
std::string enumerator_text(uint32_t value, std::span<const std::string_view> names);
std::string address_text(uint64_t value);
std::string address_text(const void* pointer);
std::string handle_text(uint64_t value);
// "EINVAL".
std::string errno_text(int negative_errno);
// 0 and positive results as they are, failures by the errno's name.
std::string result_text(int result);

}  // namespace bw::kfd
