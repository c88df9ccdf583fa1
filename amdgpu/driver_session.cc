#include "amdgpu/driver_session.h"

#include "base/check.h"

namespace bw::amdgpu {

Status DriverSession::open(std::span<const kfd::Node> nodes) {
  BW_CHECK(gpus_.empty() && !nodes.empty());
  for (const kfd::Node& node : nodes) {
    BW_ASSIGN(std::unique_ptr<kfd::Gpu> gpu, kfd::Gpu::open(*process_, node));
    gpus_.push_back(std::move(gpu));
  }
  BW_ASSIGN(events_, kfd::EventPage::create(*gpus_.front(), peers_of(*gpus_.front())));
  return Status::ok();
}

std::vector<kfd::Gpu*> DriverSession::peers_of(const kfd::Gpu& gpu) const {
  std::vector<kfd::Gpu*> peers;
  for (const auto& other : gpus_) {
    if (other.get() != &gpu) peers.push_back(other.get());
  }
  return peers;
}

}  // namespace bw::amdgpu
