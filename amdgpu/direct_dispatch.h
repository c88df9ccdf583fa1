// Owns: a single kernel launch whose packets are written beforehand, for the least time between a caller and the GPU.
// Not here: more than one kernel (graph/graph_recorder.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "amdgpu/recorded_commands.h"

namespace bw::amdgpu {

// Made by Device::prepare_dispatch(), for one kernel and grid. Each dispatch has arguments of its own, so that many may
// be under way. Copies share the packets.
class DirectDispatch {
 public:
  static constexpr size_t kMaxArgumentBytes = 512;

  // Of the explicit arguments, which each dispatch must give.
  size_t argument_bytes() const { return explicit_bytes_; }

 private:
  friend class CommandRecorder;
  friend class Device;
  friend class QueueSet;

  std::shared_ptr<const RecordedCommands> commands_;
  size_t explicit_bytes_ = 0;
  std::vector<std::byte> arguments_;       // the whole kernarg segment, with zeros for the explicit ones
  std::optional<uint32_t> address_dword_;  // where the address of the arguments stands in the packets
  uint32_t again_begin_ = 0;  // the packets from here on are enough where nothing else was submitted in between
};

}  // namespace bw::amdgpu
