#include "kfd/value_text.h"

#include <fmt/format.h>
#include <string.h>  // strerrorname_np

namespace bw::kfd {

std::string flags_text(uint64_t flags, std::span<const FlagName> names, std::string_view separator,
                       std::string_view none) {
  std::string text;
  const auto add = [&](std::string_view part) {
    if (!text.empty()) text += separator;
    text += part;
  };
  for (const FlagName& name : names) {
    if ((flags & name.flag) == 0) continue;
    add(name.name);
    flags &= ~name.flag;
  }
  if (flags != 0) add(fmt::format("{:#x}", flags));
  return text.empty() ? std::string(none) : text;
}

std::string enumerator_text(uint32_t value, std::span<const std::string_view> names) {
  return value < names.size() ? std::string(names[value]) : fmt::format("{}", value);
}

std::string address_text(uint64_t value) {
  return fmt::format("@{:x}", value);
}
std::string address_text(const void* pointer) {
  return address_text(reinterpret_cast<uint64_t>(pointer));
}
std::string handle_text(uint64_t value) {
  return fmt::format("#{:x}", value);
}

std::string errno_text(int negative_errno) {
  const char* name = strerrorname_np(-negative_errno);
  return name == nullptr ? fmt::format("{}", negative_errno) : name;
}

std::string result_text(int result) {
  return result < 0 ? errno_text(result) : fmt::format("{}", result);
}

}  // namespace bw::kfd
