#include "emulator/jit/disk_cache.h"

#include <llvm/Config/llvm-config.h>
#include <llvm/Support/BLAKE3.h>

#include "emulator/jit/sources_digest.h"

namespace bw::emulator::jit {
namespace {

llvm::ArrayRef<uint8_t> raw(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

Digest digest_of(std::span<const std::byte> bytes) {
  return llvm::BLAKE3::hash<32>(raw(bytes));
}

constexpr FileCache::Format kFormat = {
    .magic = {'B', 'W', 'H', 'O', 'S', 'T', '\r', '\n'},
    .version = 1,
    .digest = digest_of,
    .content = "translated programs",
};

}  // namespace

// The layout of structures that code accesses depends on the sources and on who compiled them.
DiskCache::DiskCache(std::string dir, std::string host)
    : files_(std::move(dir), kFormat),
      host_(fmt::format("{}\n{}\n{}\n{}", host, kSourcesDigest, LLVM_VERSION_STRING, __VERSION__)) {}

Digest DiskCache::key_of(const ProgramCode& code) const {
  llvm::BLAKE3 hash;
  hash.update(host_);
  const auto add = [&](uint64_t number) { hash.update(raw(std::as_bytes(std::span(&number, 1)))); };
  add(code.wave_size);
  for (const ProgramCode::Piece& piece : code.pieces) {
    add(piece.offset_bytes);
    add(piece.dwords.size());
    hash.update(raw(std::as_bytes(piece.dwords)));
  }
  return hash.final<32>();
}

std::optional<CodeImage> DiskCache::find(const Digest& key) const {
  const auto content = files_.find(key);
  if (!content) return std::nullopt;
  auto image = decode_image(*content);
  if (!image.is_ok()) return std::nullopt;
  return std::move(image).value();
}

}  // namespace bw::emulator::jit
