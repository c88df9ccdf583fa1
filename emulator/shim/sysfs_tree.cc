#include "emulator/shim/sysfs_tree.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string_view>
#include <system_error>

#include "base/file_cache.h"
#include "base/unique_fd.h"
#include "emulator/card.h"
#include "emulator/sysfs.h"
#include "kfd/uapi.h"

namespace bw::emulator::shim {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kText = 0444;
constexpr mode_t kDevice = 0666;
constexpr mode_t kProgram = 0555;

// rocminfo of old asks lsmod whether the driver is there.
constexpr std::string_view kLsmod = R"(#!/bin/sh
# Lists amdgpu beside the modules that the host has: this program runs on barewave's emulated card.
format='%-22s %9s  %s\n'
printf "$format" Module Size 'Used by'
printf "$format" amdgpu 14368768 0
[ -r /proc/modules ] || exit 0
while read -r name size used by rest; do
  [ "$by" = - ] && by=
  [ "$name" = amdgpu ] || printf "$format" "$name" "$size" "$used ${by%,}"
done </proc/modules
)";

struct File {
  mode_t mode = kText;
  std::string content;
};

// What is to be there, by path below the tree's folder.
struct Tree {
  std::map<std::string, File> files;
  std::map<std::string, std::string> links;
};

// Where a link at `from` has to lead to reach `to`, both absolute.
std::string relative_target(const std::string& from, const std::string& to) {
  return fs::path(to).lexically_relative(fs::path(from).parent_path()).string();
}

Tree make_tree(uint32_t card_count, uint64_t vram_bytes) {
  const std::vector<Card> cards = make_cards(card_count, vram_bytes);
  const Sysfs sysfs(cards);
  Tree tree;
  for (const auto& [path, content] : sysfs.files()) tree.files["root" + path] = {kText, content};
  for (const auto& [from, to] : sysfs.links()) tree.links["root" + from] = relative_target(from, to);
  tree.files[fmt::format("root{}", kfd::uapi::kKfdPath)] = {kDevice, ""};
  for (const Card& card : cards) {
    tree.files[fmt::format("root/dev/dri/renderD{}", card.render_minor)] = {kDevice, ""};
    tree.files[fmt::format("root/dev/dri/card{}", card.card_minor)] = {kDevice, ""};
  }
  tree.files["bin/lsmod"] = {kProgram, std::string(kLsmod)};
  return tree;
}

// FNV-1a. Source: draft-eastlake-fnv, "FNV-1a".
uint64_t digest(const Tree& tree) {
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view text) {
    for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;  // no text holds this byte
  };
  for (const auto& [path, file] : tree.files) {
    add(path);
    add(file.content);
  }
  for (const auto& [path, target] : tree.links) {
    add(path);
    add(target);
  }
  return hash;
}

bool holds(const std::string& path, const File& file) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status {};
  if (!fd.is_valid() || ::fstat(fd.get(), &status) != 0) return false;
  if ((status.st_mode & 07777) != file.mode || static_cast<size_t>(status.st_size) != file.content.size()) return false;
  std::string content(file.content.size(), '\0');
  return ::read(fd.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
         content == file.content;
}

bool leads_to(const std::string& path, const std::string& target) {
  std::array<char, 4096> text;
  const ssize_t length = ::readlink(path.c_str(), text.data(), text.size());
  return length >= 0 && std::string_view(text.data(), static_cast<size_t>(length)) == target;
}

bool is_whole(const std::string& folder, const Tree& tree) {
  for (const auto& [path, file] : tree.files) {
    if (!holds(folder + "/" + path, file)) return false;
  }
  for (const auto& [path, target] : tree.links) {
    if (!leads_to(folder + "/" + path, target)) return false;
  }
  return true;
}

Status write_file(const std::string& path, const File& file) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.is_valid() ||
      ::write(fd.get(), file.content.data(), file.content.size()) != static_cast<ssize_t>(file.content.size()) ||
      ::fchmod(fd.get(), file.mode) != 0) {
    return Status::from_errno(errno, fmt::format("writing {}", path));
  }
  return Status::ok();
}

Status write_tree(const std::string& folder, const Tree& tree) {
  std::error_code failure;
  const auto make_room_for = [&](const std::string& path) {
    fs::create_directories(fs::path(path).parent_path(), failure);
    return failure ? Status::from_errno(failure.value(), fmt::format("making the folder of {}", path)) : Status::ok();
  };
  for (const auto& [path, file] : tree.files) {
    BW_RETURN_IF_ERROR(make_room_for(folder + "/" + path));
    BW_RETURN_IF_ERROR(write_file(folder + "/" + path, file));
  }
  for (const auto& [path, target] : tree.links) {
    BW_RETURN_IF_ERROR(make_room_for(folder + "/" + path));
    if (::symlink(target.c_str(), (folder + "/" + path).c_str()) != 0) {
      return Status::from_errno(errno, fmt::format("linking {}", path));
    }
  }
  return Status::ok();
}

// `fresh` becomes `folder`; or what was there gets the name `fresh`.
Status give_name(const std::string& fresh, const std::string& folder, const Tree& tree) {
  if (::rename(fresh.c_str(), folder.c_str()) == 0) return Status::ok();
  // Another program was faster, or what is there is not whole: then they change places.
  const bool is_there = errno == EEXIST || errno == ENOTEMPTY;
  if (is_there && is_whole(folder, tree)) return Status::ok();
  if (is_there && ::renameat2(AT_FDCWD, fresh.c_str(), AT_FDCWD, folder.c_str(), RENAME_EXCHANGE) == 0) {
    return Status::ok();
  }
  return Status::from_errno(errno, fmt::format("renaming {} to {}", fresh, folder));
}

// Lays the tree out beside `folder` and gives it the name in one step, so that nobody sees half of it.
Status put_in_place(const std::string& folder, const Tree& tree) {
  std::string fresh = folder + ".XXXXXX";
  if (::mkdtemp(fresh.data()) == nullptr) return Status::from_errno(errno, fmt::format("making a folder {}", fresh));
  // Programs that give up their rights later are to find the files too.
  Status status = ::chmod(fresh.c_str(), 0755) == 0 ? write_tree(fresh, tree)
                                                    : Status::from_errno(errno, fmt::format("opening up {}", fresh));
  if (status.is_ok()) status = give_name(fresh, folder, tree);
  std::error_code ignored;
  fs::remove_all(fresh, ignored);
  return status;
}

// A folder of this user alone for what needs no keeping, where there is no cache.
Result<std::string> temporary_dir() {
  const char* tmpdir = std::getenv("TMPDIR");
  const std::string dir =
      fmt::format("{}/barewave-{}", tmpdir != nullptr && tmpdir[0] == '/' ? tmpdir : "/tmp", ::geteuid());
  if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return Status::from_errno(errno, fmt::format("making {}", dir));
  }
  struct stat status {};
  if (::lstat(dir.c_str(), &status) != 0) return Status::from_errno(errno, fmt::format("looking at {}", dir));
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    return error(StatusCode::kPermissionDenied, "{} is not a folder of this user alone", dir);
  }
  return dir;
}

Result<MachineFiles> lay_out_in(const std::string& dir, const Tree& tree) {
  std::error_code failure;
  fs::create_directories(dir, failure);
  if (failure) return Status::from_errno(failure.value(), fmt::format("making {}", dir));
  // Without links and the like, as realpath() is to give what is below the root.
  const std::string canonical = fs::canonical(dir, failure).string();
  if (failure) return Status::from_errno(failure.value(), fmt::format("resolving {}", dir));
  const std::string folder = fmt::format("{}/machine-{:016x}", canonical, digest(tree));
  if (!is_whole(folder, tree)) BW_RETURN_IF_ERROR(put_in_place(folder, tree));
  return MachineFiles{folder + "/root", folder + "/bin"};
}

}  // namespace

Result<MachineFiles> lay_out_files(uint32_t card_count, uint64_t vram_bytes) {
  const Tree tree = make_tree(card_count, vram_bytes);
  if (const std::string cache = default_cache_dir(); !cache.empty()) {
    Result<MachineFiles> files = lay_out_in(cache, tree);
    if (files.is_ok()) return files;
  }
  BW_ASSIGN(const std::string dir, temporary_dir());
  return lay_out_in(dir, tree);
}

}  // namespace bw::emulator::shim
