// Owns: the proof that includes follow the arrows between the rooms (docs/architecture.md).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string>
#include <vector>

namespace bw {
namespace {

namespace fs = std::filesystem;

// What the files of a room may include, as prefixes of the included path. The longest room name that a file's path
// starts with decides which room it belongs to.
const std::map<std::string, std::vector<std::string>>& arrows() {
  static const std::map<std::string, std::vector<std::string>> kArrows = {
      {"base/", {"base/"}},
      {"kfd/", {"kfd/", "base/"}},
      {"amdgpu/gfx11/", {"amdgpu/gfx11/", "base/"}},
      {"amdgpu/", {"amdgpu/", "kfd/", "base/"}},
      {"emulator/", {"emulator/", "kfd/driver.h", "kfd/uapi", "amdgpu/gfx11/", "base/", "llvm/", "llvm-c/"}},
      {"emulator/shim/", {"emulator/", "kfd/driver.h", "kfd/tracing_driver.h", "kfd/uapi", "amdgpu/gfx11/", "base/"}},
      {"ir/", {"ir/", "base/"}},
      {"compiler/", {"compiler/", "ir/", "amdgpu/gfx11/", "base/", "llvm/", "llvm-c/", "lld/"}},
      {"tensor/", {"tensor/", "ir/", "compiler/", "amdgpu/", "kfd/driver.h", "emulator/driver.h", "base/"}},
  };
  return kArrows;
}

// Names that belong to a room or a library with an arrow of its own; other includes (system headers, fmt) are free.
bool is_guarded(const std::string& included) {
  static const std::vector<std::string> kGuarded = {"base/",   "kfd/",   "amdgpu/", "emulator/", "ir/",  "compiler/",
                                                    "tensor/", "tools/", "tests/",  "llvm/",     "lld/", "llvm-c/"};
  return std::any_of(kGuarded.begin(), kGuarded.end(),
                     [&](const std::string& prefix) { return included.starts_with(prefix); });
}

const std::vector<std::string>* allowed_for(const std::string& file) {
  const std::vector<std::string>* allowed = nullptr;
  size_t best = 0;
  for (const auto& [room, prefixes] : arrows()) {
    if (file.starts_with(room) && room.size() > best) {
      best = room.size();
      allowed = &prefixes;
    }
  }
  return allowed;
}

bool may_include(const std::string& file, const std::string& included) {
  const std::vector<std::string>* allowed = allowed_for(file);
  if (allowed == nullptr || !is_guarded(included)) return true;
  return std::any_of(allowed->begin(), allowed->end(),
                     [&](const std::string& prefix) { return included.starts_with(prefix); });
}

// Tests and what serves only them may include anything.
bool is_test(const std::string& file) {
  return file.find("_test.cc") != std::string::npos || file.find("/testing/") != std::string::npos ||
         file.find("_bench.cc") != std::string::npos;
}

std::vector<std::string> included_by(const fs::path& path) {
  static const std::regex kInclude(R"(^\s*#\s*include\s*[<"]([^>"]+)[>"])");
  std::vector<std::string> result;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    std::smatch match;
    if (std::regex_search(line, match, kInclude)) result.push_back(match[1]);
  }
  return result;
}

TEST(IncludeArrows, EveryIncludeFollowsAnArrow) {
  const fs::path root = BAREWAVE_SOURCE_DIR;
  std::vector<std::string> violations;
  size_t files = 0;
  for (const char* room : {"base", "kfd", "amdgpu", "emulator", "ir", "compiler", "tensor"}) {
    for (const auto& entry : fs::recursive_directory_iterator(root / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cc" && extension != ".def" && extension != ".inc") continue;
      const std::string file = fs::relative(entry.path(), root);
      if (is_test(file)) continue;
      ++files;
      for (const std::string& included : included_by(entry.path())) {
        if (!may_include(file, included)) violations.push_back(file + " includes " + included);
      }
    }
  }
  EXPECT_GT(files, 20u) << "too few sources found under " << root;
  EXPECT_THAT(violations, testing::IsEmpty());
}

TEST(IncludeArrows, RefusesArrowsThatDoNotExist) {
  EXPECT_FALSE(may_include("amdgpu/device.cc", "emulator/driver.h"));
  EXPECT_FALSE(may_include("emulator/driver.cc", "amdgpu/device.h"));
  EXPECT_FALSE(may_include("emulator/driver.cc", "kfd/memory.h"));
  EXPECT_FALSE(may_include("amdgpu/gfx11/pm4.h", "amdgpu/device.h"));
  EXPECT_FALSE(may_include("tensor/tensor.cc", "llvm/IR/Module.h"));
  EXPECT_TRUE(may_include("emulator/queue/pm4.cc", "amdgpu/gfx11/pm4.h"));
  EXPECT_TRUE(may_include("tensor/runtime.cc", "amdgpu/device.h"));
}

}  // namespace
}  // namespace bw
