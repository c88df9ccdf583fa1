// Owns: translations on disk, and the key that a program's translation is known by. Not here: files
// (base/file_cache.h), what is in a translation (code_image.h).
#pragma once

#include <optional>
#include <string>

#include "base/file_cache.h"
#include "emulator/jit/code_image.h"
#include "emulator/shader/translator.h"

namespace bw::emulator::jit {

// Safe to use from several threads, and with other processes that use the same directory.
class DiskCache {
 public:
  // `dir` "": nothing is found or kept. `host` names the processor that code is made for, with all its features.
  DiskCache(std::string dir, std::string host);

  // Of all that a translation depends on: the program's bytes, the host, LLVM, and the sources of the shader cores.
  Digest key_of(const ProgramCode& code) const;
  std::optional<CodeImage> find(const Digest& key) const;
  void insert(const Digest& key, const CodeImage& image) { files_.insert(key, encode_image(image)); }
  // Why nothing is kept, one line; "" while all is well.
  std::string problem() const { return files_.problem(); }

 private:
  FileCache files_;
  const std::string host_;
};

}  // namespace bw::emulator::jit
