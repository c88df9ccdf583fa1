#include "kfd/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <random>

#include "kfd/testing/fake_driver.h"
#include "kfd/uapi.h"

namespace bw::kfd {
namespace {

using testing::FakeDriver;
using ::testing::HasSubstr;
using std::literals::operator""sv;

std::string node_file(uint32_t index, std::string_view name) {
  return fmt::format("{}/nodes/{}/{}", uapi::kTopologyPath, index, name);
}

TEST(Topology, ReadsNodesInOrderOfTheirIndex) {
  FakeDriver driver;
  driver.files[node_file(10, "gpu_id")] = "7";
  driver.files[node_file(10, "properties")] = "";
  Result<std::vector<Node>> nodes = read_topology(driver);
  ASSERT_TRUE(nodes.is_ok()) << nodes.status().message();
  ASSERT_EQ(nodes->size(), 4u);
  EXPECT_FALSE(nodes.value()[0].is_gpu());
  EXPECT_EQ(nodes.value()[1].gpu_id, FakeDriver::kFirstGpuId);
  EXPECT_EQ(nodes.value()[1].property("simd_count"), 192u);
  EXPECT_EQ(nodes.value()[1].render_path().value(), "/dev/dri/renderD128");
  EXPECT_EQ(nodes.value()[2].gpu_id, FakeDriver::kSecondGpuId);
  EXPECT_EQ(nodes.value()[3].index, 10u);
}

TEST(Topology, WithoutADriverSaysWhatToDo) {
  FakeDriver driver;
  driver.files.clear();
  Status status = read_topology(driver).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_THAT(status.message(), HasSubstr("is the amdgpu driver loaded? use --device emulated"));
}

TEST(Topology, LeavesOutNodesThatTheSystemHides) {
  FakeDriver driver;
  driver.read_failures[node_file(1, "gpu_id")] = EPERM;
  driver.read_failures[node_file(2, "properties")] = EPERM;
  EXPECT_EQ(read_topology(driver)->size(), 1u);
  driver.read_failures[node_file(1, "gpu_id")] = EIO;
  EXPECT_EQ(read_topology(driver).status().sys_errno(), EIO);
}

TEST(Topology, AnEmptyFolderHasNoNodes) {
  FakeDriver driver;
  driver.files.clear();
  driver.files[fmt::format("{}/nodes/", uapi::kTopologyPath)] = "";
  Result<std::vector<Node>> nodes = read_topology(driver);
  ASSERT_TRUE(nodes.is_ok()) << nodes.status().message();
  EXPECT_TRUE(nodes->empty());
}

TEST(Topology, NamesFileAndLineOfWhatIsNotANumber) {
  FakeDriver driver;
  for (std::string line : {"simd_count", "simd_count x", "simd_count 18446744073709551616", "simd_count -1",
                           "simd_count 1 2", "simd_count 0x10"}) {
    driver.files[node_file(1, "properties")] = "good 1\n" + line + "\n";
    Status status = read_topology(driver).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << line;
    EXPECT_THAT(status.message(), HasSubstr("nodes/1/properties, line 2: expected a name and a 64-bit number"));
  }
}

TEST(Topology, TakesTheLargestNumberAndMissingLineEnds) {
  FakeDriver driver;
  driver.files[node_file(1, "properties")] = "\n unique_id  18446744073709551615 \r\n\nlast 3";
  Result<std::vector<Node>> nodes = read_topology(driver);
  ASSERT_TRUE(nodes.is_ok()) << nodes.status().message();
  EXPECT_EQ(nodes.value()[1].property("unique_id"), ~uint64_t{0});
  EXPECT_EQ(nodes.value()[1].property("last"), 3u);
}

TEST(Topology, RefusesAGpuIdThatIsNotOne) {
  FakeDriver driver;
  for (std::string content : {"", "\n", "abc", "4294967296"}) {
    driver.files[node_file(1, "gpu_id")] = content;
    Status status = read_topology(driver).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << content;
    EXPECT_THAT(status.message(), HasSubstr("nodes/1/gpu_id: expected a 32-bit number"));
  }
}

TEST(Topology, NamesThePropertyThatIsMissing) {
  Node node;
  node.index = 3;
  node.gpu_id = 9;
  EXPECT_EQ(node.property("simd_count", 5), 5u);
  EXPECT_THAT(node.require("simd_count").status().message(),
              HasSubstr("nodes/3/properties: the driver does not report"));
  EXPECT_EQ(node.render_path().status().code(), StatusCode::kDataLoss);
  for (uint64_t minor : {uint64_t{0}, uint64_t{127}, ~uint64_t{0}}) {
    node.properties["drm_render_minor"] = minor;
    EXPECT_EQ(node.render_path().status().code(), StatusCode::kDataLoss) << minor;
  }
}

TEST(Topology, ReadsMemoryCachesAndLinks) {
  FakeDriver driver;
  driver.files[node_file(1, "mem_banks/0/properties")] =
      "heap_type 1\nsize_in_bytes 25753026560\nflags 0\nwidth 384\nmem_clk_max 1249\n";
  driver.files[node_file(1, "caches/0/properties")] =
      "level 1\nsize 32\ncache_line_size 128\nassociation 16\ntype 9\nsibling_map 1,1,0\n";
  driver.files[node_file(1, "caches/10/properties")] = "level 3\nsize 98304\nsibling_map\n";
  driver.files[node_file(1, "caches/2/properties")] = "level 2\nsize 6144\n";
  driver.files[node_file(1, "io_links/0/properties")] =
      "type 2\nnode_from 1\nnode_to 0\nweight 20\nmax_bandwidth 31508\n";
  Node node = read_topology(driver).value()[1];
  std::vector<MemoryBank> banks = read_memory_banks(driver, node).value();
  ASSERT_EQ(banks.size(), 1u);
  EXPECT_EQ(banks[0].size_bytes, 25753026560u);
  EXPECT_EQ(banks[0].width_bits, 384u);
  std::vector<Cache> caches = read_caches(driver, node).value();
  ASSERT_EQ(caches.size(), 3u);
  EXPECT_EQ(caches[0].line_size_bytes, 128u);
  EXPECT_EQ(caches[1].level, 2u);
  EXPECT_EQ(caches[2].size_kib, 98304u);
  std::vector<IoLink> links = read_io_links(driver, node).value();
  ASSERT_EQ(links.size(), 1u);
  EXPECT_EQ(links[0].weight, 20u);
  EXPECT_EQ(links[0].max_bandwidth_mb_s, 31508u);
}

TEST(Topology, MissingFoldersOfANodeAreEmptyAndBrokenOnesAreErrors) {
  FakeDriver driver;
  Node node = read_topology(driver).value()[1];
  EXPECT_TRUE(read_memory_banks(driver, node)->empty());
  driver.files[node_file(1, "mem_banks/0/other")] = "";
  EXPECT_EQ(read_memory_banks(driver, node).status().sys_errno(), ENOENT);
  driver.files[node_file(1, "mem_banks/0/properties")] = "size_in_bytes 99999999999999999999\n";
  EXPECT_EQ(read_memory_banks(driver, node).status().code(), StatusCode::kDataLoss);
}

// Whatever bytes stand in the files, the answer is a topology or an error.
TEST(Topology, SurvivesAnyBytes) {
  constexpr std::string_view kInteresting = "0 9\n\t\r-+x.\0\xff"sv;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    FakeDriver driver;
    for (auto& [path, content] : driver.files) {
      for (uint32_t edits = random() % 4; edits > 0 && !content.empty(); --edits) {
        const size_t at = random() % content.size();
        const char byte = kInteresting[random() % kInteresting.size()];
        switch (random() % 3) {
          case 0:
            content[at] = byte;
            break;
          case 1:
            content.insert(at, 1 + random() % 30, byte);
            break;
          default:
            content.erase(at);
        }
      }
    }
    Result<std::vector<Node>> nodes = read_topology(driver);
    if (!nodes.is_ok()) {
      EXPECT_EQ(nodes.status().code(), StatusCode::kDataLoss) << "seed " << seed << ": " << nodes.status().message();
      continue;
    }
    EXPECT_EQ(nodes->size(), 3u) << "seed " << seed;
    for (const Node& node : nodes.value()) static_cast<void>(node.render_path().is_ok());
  }
}

TEST(Topology, ReadsTheVersionsOfHardwareBlocksThatExist) {
  FakeDriver driver;
  Node node = read_topology(driver).value()[1];
  const std::vector<uint32_t> wanted = {11, 42};
  auto versions = read_ip_versions(driver, node, wanted).value();
  ASSERT_EQ(versions.size(), 1u);
  EXPECT_EQ(versions[11], (IpVersion{11, 0, 0}));
  driver.files["/sys/class/drm/renderD128/device/ip_discovery/die/0/11/0/minor"] = "x";
  EXPECT_EQ(read_ip_versions(driver, node, wanted).status().code(), StatusCode::kDataLoss);
}

}  // namespace
}  // namespace bw::kfd
