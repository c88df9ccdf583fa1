#include "compiler/cache.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/Support/BLAKE3.h>

#include <cstring>
#include <span>
#include <utility>

#include "compiler/codegen.h"
#include "ir/text.h"

namespace bw::compiler {
namespace {

constexpr FileCache::Format kFormat = {
    .magic = {'B', 'W', 'C', 'O', 'D', 'E', '\r', '\n'},
    .version = 1,
    .digest = digest_of,
    .content = "compiled kernels",
};

// The text without the names of params and variables, which end their lines. (Other lines refer to both by number.)
std::string without_names(std::string_view text) {
  std::string result;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    result += line.substr(0, line.find('"'));
    result += '\n';
    begin = end + 1;
  }
  return result;
}

std::string nameless_text(const ir::Kernel& kernel, const KernelForm& form) {
  ir::Kernel nameless = kernel;
  nameless.name.assign(1, 'k');
  return fmt::format("{}\n{}", print_form(form), without_names(ir::print_kernel(nameless)));
}

CacheKey key_of(const std::string& kernels) {
  const std::string text = fmt::format("{} {} codegen {} llvm {}\n{}", kTargetTriple, kTargetCpu, kCodegenVersion,
                                       LLVM_VERSION_STRING, kernels);
  return {digest_of(std::as_bytes(std::span(text)))};
}

}  // namespace

Digest digest_of(std::span<const std::byte> bytes) {
  return llvm::BLAKE3::hash<32>(llvm::ArrayRef<uint8_t>(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

CodeCache::CodeCache(std::string dir) : files_(std::move(dir), kFormat) {}

std::string CacheKey::hex() const {
  return FileCache::hex(digest);
}

size_t CodeCache::KeyHash::operator()(const CacheKey& key) const {
  size_t value = 0;
  std::memcpy(&value, key.digest.data(), sizeof(value));
  return value;
}

CacheKey cache_key(const ir::Kernel& kernel, const KernelForm& form) {
  return key_of(nameless_text(kernel, form));
}

CacheKey cache_key(std::span<const KernelPart> parts) {
  if (parts.size() == 1) return cache_key(parts[0].kernel, parts[0].form);
  std::string text;
  for (const KernelPart& part : parts) {
    text +=
        fmt::format("part {} of {} with {}\n{}", fmt::join(workgroup_counts(part), " x "), part.kernel.variables.size(),
                    fmt::join(part.arguments, ", "), nameless_text(part.kernel, part.form));
    // Which variables of different parts are one is told by their names alone.
    for (const ir::NodePtr& variable : part.kernel.variables) text += variable->attr<ir::VariableAttr>().name + "\n";
  }
  return key_of(text);
}

CacheKey tuning_key(std::span<const KernelPart> parts, std::string_view device_name, size_t candidates) {
  std::string text = fmt::format("the fastest of {} candidates on {}\n", candidates, device_name);
  for (const KernelPart& part : parts) {
    ir::Kernel formless = part.kernel;
    formless.workgroup_size = 1;  // each form has its own
    text += fmt::format("part with {}\n{}", fmt::join(part.arguments, ", "), nameless_text(formless, LaneForm{}));
  }
  return key_of(text);
}

CodeCache::Bytes CodeCache::find(const CacheKey& key) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto it = memory_.find(key); it != memory_.end()) return it->second;
  }
  auto content = files_.find(key.digest);
  if (!content) return nullptr;
  const std::lock_guard lock(mutex_);
  return memory_.emplace(key, std::make_shared<const std::vector<std::byte>>(std::move(*content))).first->second;
}

void CodeCache::insert(const CacheKey& key, Bytes code_object) {
  {
    const std::lock_guard lock(mutex_);
    memory_[key] = code_object;
  }
  files_.insert(key.digest, *code_object);
}

}  // namespace bw::compiler
