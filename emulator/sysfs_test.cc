#include "emulator/sysfs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <sstream>

namespace bw::emulator {
namespace {

using ::testing::ElementsAre;

class SysfsTree : public ::testing::Test {
 protected:
  std::string read(const std::string& path) {
    std::string content;
    EXPECT_EQ(sysfs_.read(path, &content), 0) << path;
    return content;
  }
  std::vector<std::string> list(const std::string& path) {
    std::vector<std::string> names;
    EXPECT_EQ(sysfs_.list(path, &names), 0) << path;
    return names;
  }
  // The values of a file of "name value" lines.
  std::map<std::string, std::string> properties(const std::string& path) {
    std::istringstream lines(read(path));
    std::map<std::string, std::string> result;
    std::string name;
    std::string value;
    while (lines >> name >> value) result[name] = value;
    return result;
  }

  std::vector<Card> cards_ = make_cards(2, 24ull << 30);
  Sysfs sysfs_{cards_};
  const std::string nodes_ = "/sys/devices/virtual/kfd/kfd/topology/nodes";
};

TEST_F(SysfsTree, ListsTheHostAndEachCardAsNodes) {
  EXPECT_THAT(list(nodes_), ElementsAre("0", "1", "2"));
  EXPECT_EQ(read(nodes_ + "/0/gpu_id"), "0\n");
  EXPECT_NE(read(nodes_ + "/1/gpu_id"), read(nodes_ + "/2/gpu_id"));
  EXPECT_FALSE(read("/sys/class/kfd/kfd/topology/system_properties").empty());
  EXPECT_EQ(read("/sys/class/kfd/kfd/topology/generation_id"), "2\n");
}

TEST_F(SysfsTree, SaysThatTheDriverIsLoaded) {
  EXPECT_EQ(read("/sys/module/amdgpu/initstate"), "live\n");
  EXPECT_EQ(read("/sys/module/amdgpu/parameters/cwsr_enable"), "1\n");
}

TEST_F(SysfsTree, TellsTheCardAsLinuxDoes) {
  auto card = properties(nodes_ + "/1/properties");
  EXPECT_EQ(card["simd_count"], "192");
  EXPECT_EQ(card["array_count"], "12");
  EXPECT_EQ(card["gfx_target_version"], "110000");
  EXPECT_EQ(card["vendor_id"], "4098");
  EXPECT_EQ(card["device_id"], "29772");
  EXPECT_EQ(card["capability"], "671588992");
  EXPECT_EQ(card["drm_render_minor"], "128");
  EXPECT_EQ(card["max_engine_clk_fcompute"], "2482");
  EXPECT_EQ(card["location_id"], "34304");
  EXPECT_EQ(card["num_sdma_engines"], "2");
  EXPECT_EQ(properties(nodes_ + "/2/properties")["drm_render_minor"], "129");
}

TEST_F(SysfsTree, CountsAgreeWithTheFilesThatThereAre) {
  for (const std::string& node : list(nodes_)) {
    const std::string path = nodes_ + "/" + node;
    auto counts = properties(path + "/properties");
    EXPECT_EQ(counts["mem_banks_count"], std::to_string(list(path + "/mem_banks").size()));
    EXPECT_EQ(counts["io_links_count"], std::to_string(list(path + "/io_links").size()));
    const size_t caches = node == "0" ? 0 : list(path + "/caches").size();
    EXPECT_EQ(counts["caches_count"], std::to_string(caches));
    const size_t peers = node == "0" ? 0 : list(path + "/p2p_links").size();
    EXPECT_EQ(counts["p2p_links_count"], std::to_string(peers));
  }
  EXPECT_EQ(list(nodes_ + "/1/caches").size(), 206u);
}

TEST_F(SysfsTree, CardsReachEachOtherThroughTheHost) {
  auto link = properties(nodes_ + "/2/p2p_links/0/properties");
  EXPECT_EQ(link["node_from"], "2");
  EXPECT_EQ(link["node_to"], "1");
  EXPECT_EQ(link["type"], "2");
  EXPECT_EQ(link["weight"], "40");
  EXPECT_EQ(properties(nodes_ + "/2/io_links/0/properties")["weight"], "20");
}

// libdrm's drmGetDevice2() goes by these.
TEST_F(SysfsTree, TheRenderNodeIsOfAPciDevice) {
  const std::string device = "/sys/dev/char/226:129/device";
  EXPECT_THAT(read(device + "/uevent"), ::testing::HasSubstr("PCI_SLOT_NAME=0000:87:00.0\n"));
  EXPECT_THAT(read(device + "/uevent"), ::testing::HasSubstr("PCI_ID=1002:744C\n"));
  EXPECT_EQ(read("/sys/class/drm/renderD129/dev"), "226:129\n");
  EXPECT_EQ(read(device + "/unique_id").size(), 17u);
  EXPECT_THAT(sysfs_.links(), ::testing::Contains(std::pair<std::string, std::string>(
                                  "/sys/class/drm/renderD129/device/subsystem", "/sys/bus/pci")));
}

TEST_F(SysfsTree, MemoryBankIsAllOfVram) {
  auto bank = properties(nodes_ + "/1/mem_banks/0/properties");
  EXPECT_EQ(bank["heap_type"], "1");
  EXPECT_EQ(bank["size_in_bytes"], std::to_string(24ull << 30));
  EXPECT_EQ(bank["width"], "384");
}

TEST_F(SysfsTree, IpVersionsAreThoseOfGfx1100) {
  const std::string die = "/sys/class/drm/renderD128/device/ip_discovery/die/0";
  EXPECT_EQ(read(die + "/11/0/major"), "11\n");
  EXPECT_EQ(read(die + "/42/0/major"), "6\n");
  EXPECT_EQ(read(die + "/108/0/minor"), "3\n");
  EXPECT_EQ(read("/sys/class/drm/renderD128/device/device"), "0x744c\n");
  EXPECT_THAT(list("/sys/dev/char/226:128/device/drm"), ElementsAre("card0", "renderD128"));
}

TEST_F(SysfsTree, WrongKindsAndNamesHaveTheirErrors) {
  std::string content;
  std::vector<std::string> names;
  EXPECT_EQ(sysfs_.read(nodes_, &content), -EISDIR);
  EXPECT_EQ(sysfs_.read(nodes_ + "/3/gpu_id", &content), -ENOENT);
  EXPECT_EQ(sysfs_.list(nodes_ + "/0/gpu_id", &names), -ENOTDIR);
  EXPECT_EQ(sysfs_.list(nodes_ + "/7", &names), -ENOENT);
  EXPECT_EQ(read("/sys/class//kfd/kfd/topology//nodes/0/gpu_id"), "0\n");
  EXPECT_THAT(list(nodes_ + "/"), ElementsAre("0", "1", "2"));
}

}  // namespace
}  // namespace bw::emulator
