#include "compiler/link.h"

#include <fcntl.h>
#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <string>
#include <thread>

#include "base/unique_fd.h"

LLD_HAS_DRIVER(elf)

namespace bw::compiler {
namespace {

Status write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return Status::from_errno(errno, "handing an object to LLD");
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return Status::ok();
}

// Caches keep the result: it takes no more memory than it has bytes.
std::vector<std::byte> read_to_end(int fd) {
  std::vector<std::byte> bytes;
  std::array<std::byte, 65536> chunk;  // as much as a pipe holds
  while (true) {
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got > 0) bytes.insert(bytes.end(), chunk.begin(), chunk.begin() + got);
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  bytes.shrink_to_fit();
  return bytes;
}

std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

// Guarded by the caller's mutex. `can_run_again` is false for good once LLD has failed in a way it cannot recover from.
Status run_lld(const std::string& input, const std::string& output, bool& can_run_again) {
  if (!can_run_again) return error(StatusCode::kUnsupported, "linking: LLD failed before and cannot be used again");
  std::string text;
  llvm::raw_string_ostream stream(text);
  const char* arguments[] = {"ld.lld",      "-shared",     "-m", "elf64_amdgpu", "--no-undefined",
                             "--threads=1", input.c_str(), "-o", output.c_str()};
  const lld::Result result = lld::lldMain(arguments, llvm::nulls(), stream, {{lld::Gnu, &lld::elf::link}});
  can_run_again = result.canRunAgain;
  if (result.retCode == 0) return Status::ok();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return error(StatusCode::kInvalidArgument, "linking: {}", text);
}

}  // namespace

// LLD reads and writes files by name. The input is a memfd. The output is a pipe: for a regular file, a memfd included,
// LLD would make a temporary file beside it, which /proc does not allow.
Result<std::vector<std::byte>> link_code_object(std::span<const std::byte> object) {
  static std::mutex mutex;
  static bool can_run_again = true;
  UniqueFd input(::memfd_create("barewave-object", MFD_CLOEXEC));
  if (!input.is_valid()) return Status::from_errno(errno, "making a memory file for LLD's input");
  BW_RETURN_IF_ERROR(write_all(input.get(), object));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return Status::from_errno(errno, "making a pipe for LLD's output");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  std::vector<std::byte> linked;
  Status status;
  {
    std::jthread reader([&] { linked = read_to_end(read_end.get()); });
    const std::lock_guard lock(mutex);
    status = run_lld(path_of(input.get()), path_of(write_end.get()), can_run_again);
    write_end.reset();
  }
  BW_RETURN_IF_ERROR(std::move(status));
  return linked;
}

}  // namespace bw::compiler
