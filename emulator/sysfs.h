// Owns: the text files under /sys that the emulated machine shows: KFD's topology and what a render node's device has.
// Not here: the device nodes themselves (emulator/driver).
#pragma once

#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "emulator/card.h"

namespace bw::emulator {

class Sysfs {
 public:
  explicit Sysfs(std::span<const Card> cards);

  // Whether the path lies in a part of the file system that the emulated machine has its own version of.
  static bool owns(const std::string& path);
  // 0, -ENOENT, or -EISDIR / -ENOTDIR for the wrong kind.
  int read(const std::string& path, std::string* content) const;
  int list(const std::string& path, std::vector<std::string>* names) const;

  // All there is, for those who lay it out in a real file system: contents by path, no path being a link, and the
  // links with where they lead.
  const std::map<std::string, std::string>& files() const { return files_; }
  std::vector<std::pair<std::string, std::string>> links() const;

 private:
  void add(const std::string& path, std::string content);
  void add_module();
  void add_host_node(std::span<const Card> cards);
  void add_gpu_node(const Card& card, std::span<const Card> cards);
  void add_caches(const Card& card, const std::string& node);
  void add_drm(const Card& card);
  void add_pci_device(const Card& card, const std::string& device);
  void add_ip_discovery(const std::string& device);
  bool is_folder(const std::string& path) const;

  std::map<std::string, std::string> files_;          // by path, links resolved
  std::map<std::string, std::string> outside_links_;  // to folders of the host's tree, of which the name matters
};

}  // namespace bw::emulator
