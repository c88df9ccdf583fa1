// Owns: `barewave shim` from outside: programs that know nothing of it find the card.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/shim/run_shim.h"

namespace bw {
namespace {

using ::testing::HasSubstr;
using tests::CommandResult;
using tests::run_shim;

const std::string kModel = BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf";

TEST(Shim, ShowsDeviceNodesAndSysfs) {
  const CommandResult nodes = run_shim({}, {"ls", "-l", "/dev/kfd", "/dev/dri/renderD128"});
  EXPECT_EQ(nodes.exit_status, 0) << nodes.err;
  EXPECT_THAT(nodes.out, HasSubstr("crw-rw-rw-"));
  EXPECT_THAT(nodes.out, HasSubstr("226, 128"));
  EXPECT_EQ(nodes.err, "");
  const CommandResult gpu_id = run_shim({}, {"cat", "/sys/class/kfd/kfd/topology/nodes/1/gpu_id"});
  EXPECT_EQ(gpu_id.out, "28445\n");
  EXPECT_EQ(run_shim({}, {"ls", "/sys/class/kfd/kfd/topology/nodes"}).out, "0\n1\n");
  EXPECT_NE(run_shim({}, {"ls", "/dev/accel/accel0"}).exit_status, 0);
}

TEST(Shim, ShowsAsManyCardsAsAreAskedFor) {
  EXPECT_EQ(run_shim({"--gpus", "2"}, {"ls", "/sys/class/kfd/kfd/topology/nodes"}).out, "0\n1\n2\n");
  EXPECT_EQ(run_shim({"--gpus", "2"}, {"ls", "/dev/dri"}).out, "card0\ncard1\nrenderD128\nrenderD129\n");
  const CommandResult second = run_shim({"--gpus", "2"}, {LIBDRM_PROBE, "/dev/dri/renderD129"});
  EXPECT_THAT(second.out, HasSubstr("driver amdgpu 3\n")) << second.err;
}

TEST(Shim, LibdrmReadsTheCard) {
  const CommandResult probe = run_shim({}, {LIBDRM_PROBE});
  EXPECT_EQ(probe.exit_status, 0) << probe.err;
  EXPECT_THAT(probe.out, HasSubstr("driver amdgpu 3\n"));
  EXPECT_THAT(probe.out, HasSubstr("node type 2\n"));
  EXPECT_THAT(probe.out, HasSubstr("name AMD Radeon"));
  EXPECT_THAT(probe.out, HasSubstr("asic 0x744c family 145\n"));
  EXPECT_THAT(probe.out, HasSubstr("compute units 96\n"));
  EXPECT_THAT(probe.out, HasSubstr("vram 25769803776\n"));
}

// Debian's, of 2022, which knows cards up to gfx1035. It is a program of AMD's on AMD's runtime (ROCr), and asks lsmod.
TEST(Shim, RocminfoListsTheCard) {
  if (access("/usr/bin/rocminfo", X_OK) != 0) GTEST_SKIP() << "no /usr/bin/rocminfo (Debian's package rocminfo)";
  const CommandResult result = run_shim({"--gpus", "2"}, {"rocminfo"}, {"HSA_OVERRIDE_GFX_VERSION=10.3.0"});
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("ROCk module is loaded"));
  EXPECT_THAT(result.out, HasSubstr("Chip ID:                 29772(0x744c)"));
  EXPECT_THAT(result.out, HasSubstr("Compute Unit:            96"));
  EXPECT_THAT(result.out, HasSubstr("Agent 3"));
  EXPECT_THAT(result.out, HasSubstr("*** Done ***"));
}

TEST(Shim, OwnRuntimeGeneratesTheSameTokensThroughLinuxCalls) {
  const std::vector<std::string> generate = {"generate", "--model", kModel,          "--prompt", "In the beginning",
                                             "--tokens", "12",      "--temperature", "0"};
  std::vector<std::string> inside = {"--device", "emulated"};
  inside.insert(inside.end(), generate.begin(), generate.end());
  const CommandResult expected = tests::run_barewave(inside);
  ASSERT_EQ(expected.exit_status, 0) << expected.err;
  std::vector<std::string> through = {BAREWAVE_COMMAND, "--device", "kfd"};
  through.insert(through.end(), generate.begin(), generate.end());
  const CommandResult result = run_shim({}, through);
  EXPECT_EQ(result.exit_status, 0) << result.err;
  EXPECT_EQ(result.out, expected.out);
}

TEST(Shim, GivesTheDriverTheMinorVersionAskedFor) {
  EXPECT_THAT(run_shim({"--kfd-minor", "12"}, {BAREWAVE_COMMAND, "--device", "kfd", "info"}).out, HasSubstr("1.12"));
}

TEST(Shim, HandsOnExitStatusAndArguments) {
  EXPECT_EQ(run_shim({}, {"sh", "-c", "exit 42"}).exit_status, 42);
  EXPECT_EQ(run_shim({}, {"sh", "-c", "kill -9 $$"}).exit_status, 128 + 9);
  EXPECT_EQ(run_shim({}, {"printf", "%s,", "--gpus", "--", "-x", ""}).out, "--gpus,--,-x,,");
}

TEST(Shim, ListsTheDriverAmongTheModules) {
  EXPECT_THAT(run_shim({}, {"sh", "-c", "lsmod | grep amdgpu"}).out, HasSubstr("amdgpu"));
}

TEST(ShimCommand, SaysInOneLineWhatIsWrong) {
  const auto expect_error = [](const std::vector<std::string>& words, const std::string& what) {
    const CommandResult result = tests::run_barewave(words, {tests::kSearchPath});
    EXPECT_NE(result.exit_status, 0) << what;
    EXPECT_THAT(result.err, testing::StartsWith("barewave: "));
    EXPECT_THAT(result.err, HasSubstr(what));
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
    EXPECT_EQ(result.out, "");
  };
  expect_error({"shim"}, "no program");
  expect_error({"shim", "--"}, "no program");
  expect_error({"shim", "ls"}, "ls");
  expect_error({"shim", "--gpus", "0", "--", "ls"}, "--gpus");
  expect_error({"shim", "--gpus", "8", "--", "ls"}, "--gpus");
  expect_error({"shim", "--kfd-minor", "11", "--", "ls"}, "--kfd-minor");
  expect_error({"shim", "--kfd-minor", "18", "--", "ls"}, "--kfd-minor");
  expect_error({"shim", "--", "/nowhere/program"}, "/nowhere/program");
  expect_error({"--device", "kfd", "shim", "--", "ls"}, "--device kfd");
  expect_error({"info", "--", "ls"}, "info starts no other program");
}

TEST(ShimCommand, WarnsOfProgramsThatWillNotSeeTheCard) {
  const CommandResult result = run_shim({}, {STATIC_PROGRAM});
  EXPECT_EQ(result.exit_status, 0);
  EXPECT_THAT(result.err, HasSubstr("linked statically"));
  EXPECT_EQ(run_shim({}, {"true"}).err, "");
}

TEST(ShimCommand, ExplainsItself) {
  const CommandResult help = tests::run_barewave({"shim", "--help"});
  for (const char* word : {"--gpus", "--kfd-minor", "-- COMMAND"}) EXPECT_THAT(help.out, HasSubstr(word));
  EXPECT_THAT(tests::run_barewave({"--help"}).out, HasSubstr("shim"));
}

}  // namespace
}  // namespace bw
