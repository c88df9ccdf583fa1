// Owns: the proof that the shim's libraries show programs nothing but what has to be seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <regex>
#include <set>
#include <sstream>
#include <string>

namespace bw {
namespace {

// What `command` prints.
std::string output_of(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  char chunk[4096];
  while (size_t count = fread(chunk, 1, sizeof(chunk), pipe.get())) text.append(chunk, count);
  return text;
}

std::set<std::string> exports_of(const std::string& library) {
  std::istringstream lines(output_of("nm -D --defined-only --format=posix " + library));
  std::set<std::string> names;
  for (std::string line; std::getline(lines, line);) names.insert(line.substr(0, line.find_first_of(" @")));
  return names;
}

std::set<std::string> interposed_in_sources() {
  std::set<std::string> names;
  for (const char* file : {"descriptors", "memory", "names", "open", "stat", "xattr"}) {
    std::ifstream in(std::string(BAREWAVE_SOURCE_DIR "/emulator/shim/interpose_") + file + ".cc");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    static const std::regex kMark(R"(BW_INTERPOSES\("(\w+)\"\))");
    for (std::sregex_iterator match(text.begin(), text.end(), kMark), end; match != end; ++match) {
      names.insert((*match)[1]);
    }
  }
  return names;
}

TEST(ShimExports, PreloadedLibraryShowsTheInterposedFunctionsOnly) {
  const std::set<std::string> expected = interposed_in_sources();
  EXPECT_GT(expected.size(), 40u);
  EXPECT_EQ(exports_of(SHIM_LIBRARY), expected);
  EXPECT_FALSE(expected.contains("amdgpu_device_get_fd")) << "which ROCr looks for among all symbols";
}

TEST(ShimExports, CardLibraryShowsItsSeamOnly) {
  EXPECT_THAT(exports_of(CARD_LIBRARY), testing::ElementsAre("barewave_card_library"));
}

TEST(ShimExports, PreloadedLibraryNeedsNothingButTheCLibrary) {
  const std::string needed = output_of("readelf -d " SHIM_LIBRARY);
  EXPECT_THAT(needed, testing::HasSubstr("[libc.so.6]"));
  EXPECT_THAT(needed, testing::Not(testing::HasSubstr("libstdc++")));
  EXPECT_THAT(needed, testing::Not(testing::HasSubstr("LLVM")));
}

// An operator new of the program's is not to meet an operator delete of the card's.
TEST(ShimExports, CardLibraryHoldsAllItsCpp) {
  const std::string needed = output_of("readelf -d " CARD_LIBRARY " | grep NEEDED");
  EXPECT_THAT(needed, testing::HasSubstr("[libc.so.6]"));
  for (const char* library : {"libstdc++", "libfmt", "libLLVM", "libgcc_s"}) {
    EXPECT_THAT(needed, testing::Not(testing::HasSubstr(library)));
  }
}

}  // namespace
}  // namespace bw
