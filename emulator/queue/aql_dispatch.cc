// AQL's kernel dispatch packet: from the packet and the kernel descriptor to what the shader cores take, and the
// scratch memory that the client provides when a dispatch first needs it. Layouts: amdgpu/gfx11/abi.h.
#include <algorithm>

#include "amdgpu/gfx11/registers.h"
#include "base/bits.h"
#include "emulator/card_facts.h"
#include "emulator/queue/aql_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
using Packet = gfx11::hsa_kernel_dispatch_packet_t;
using Descriptor = gfx11::amdhsa_kernel_descriptor_t;
using Properties = gfx11::kernel_code_properties;

constexpr BitField kSetupDimensions{1, 0};
constexpr uint64_t kDescriptorAlignment = 64;  // LLVM AMDGPUUsage, "Kernel Descriptor"
constexpr uint64_t kEntryAlignment = 256;
// Of one SIMD, for wave32; a wave64 takes two of each. LLVM AMDGPU.td, FeatureGFX11FullVGPRs; AMDGPUBaseInfo.cpp,
// getTotalNumVGPRs(), getVGPRAllocGranule().
constexpr uint32_t kVgprsOfSimd = 1536;
constexpr uint32_t kVgprGranule = 24;
// The older amd_kernel_code_t has them, after all others; in a kernel descriptor these bits are 0.
constexpr BitField kWorkgroupCounts[] = {{7, 7}, {8, 8}, {9, 9}};

struct Geometry {
  std::array<uint32_t, 3> workgroup;
  std::array<uint32_t, 3> grid;  // work-items
};

// Dimensions that the packet does not use count as 1, whatever their fields hold.
Geometry geometry_of(const Packet& packet) {
  Geometry geometry{{packet.workgroup_size_x, packet.workgroup_size_y, packet.workgroup_size_z},
                    {packet.grid_size_x, packet.grid_size_y, packet.grid_size_z}};
  for (size_t i = kSetupDimensions.get(packet.setup); i < 3; ++i) geometry.workgroup[i] = geometry.grid[i] = 1;
  return geometry;
}

uint32_t wave_size_of(const Descriptor& kernel) {
  return Properties::enable_wavefront_size32.get(kernel.kernel_code_properties) != 0 ? 32 : 64;
}

uint32_t align_to_granule(uint32_t vgprs) {
  return (vgprs + kVgprGranule - 1) / kVgprGranule * kVgprGranule;
}

// Whether the waves of a workgroup, which are on one compute unit or, in WGP mode, on one pair of them, find room for
// their VGPRs.
bool has_vgprs(const Dispatch& dispatch) {
  using Rsrc1 = gfx11::compute_pgm_rsrc1;
  const auto& [x, y, z] = dispatch.workgroup_size;
  const uint32_t waves = (x * y * z + dispatch.wave_size - 1) / dispatch.wave_size;
  const uint32_t simds = facts::kSimdsPerComputeUnit * (Rsrc1::wgp_mode.get(dispatch.pgm_rsrc1) != 0 ? 2 : 1);
  // Counted in units of 8 for wave32, and of 4 for wave64: the same room.
  const uint64_t vgprs = align_to_granule((Rsrc1::granulated_workitem_vgpr_count.get(dispatch.pgm_rsrc1) + 1) * 8);
  return (waves + simds - 1) / simds * vgprs <= kVgprsOfSimd;
}

// User SGPRs in the order of LLVM's AMDGPU usage guide, "Initial kernel execution state".
class UserSgprs {
 public:
  explicit UserSgprs(uint32_t properties) : properties_(properties) {}

  void add(BitField enable, std::initializer_list<uint32_t> values) {
    if (enable.get(properties_) == 0) return;
    for (const uint32_t value : values) {
      if (count_ < values_.size()) values_[count_] = value;
      ++count_;
    }
  }
  void add(BitField enable, uint64_t value) { add(enable, {lo32(value), hi32(value)}); }

  uint32_t count() const { return count_; }
  const std::array<uint32_t, 16>& values() const { return values_; }

 private:
  const uint32_t properties_;
  std::array<uint32_t, 16> values_{};
  uint32_t count_ = 0;
};

}  // namespace

AqlQueue::Outcome AqlQueue::dispatch() {
  if (suspension_.dispatch != nullptr) return run({});
  const auto packet = packet_as<Packet>();
  if (check_geometry(packet) == Outcome::kFault) return Outcome::kFault;
  Dispatch dispatch;
  if (const Outcome outcome = describe_dispatch(packet, &dispatch); outcome != Outcome::kDone) return outcome;
  dispatch.interrupt = [this](uint32_t data) { context_.listener.interrupt(data); };
  if (context_.trace) context_.trace->begin_dispatch(gfx11::describe_aql(packet_), &dispatch);
  return run(dispatch);
}

AqlQueue::Outcome AqlQueue::run(const Dispatch& dispatch) {
  suspension_.request = suspension_request();
  auto fault = shader_cores_.run(dispatch, context_.memory, cancellation(), &suspension_);
  if (fault) return shader_fault(std::move(*fault));
  if (suspension_.dispatch != nullptr) return Outcome::kGoOn;
  return is_cancelled() ? Outcome::kBlocked : Outcome::kDone;  // for ever: nobody shall see it as done
}

AqlQueue::Outcome AqlQueue::check_geometry(const Packet& packet) {
  const uint32_t dimensions = kSetupDimensions.get(packet.setup);
  const Geometry geometry = geometry_of(packet);
  const auto& [x, y, z] = geometry.workgroup;
  if (dimensions == 0 || std::find(geometry.grid.begin(), geometry.grid.end(), 0u) != geometry.grid.end() || x == 0 ||
      y == 0 || z == 0) {
    return fail(queue_error::kDimensions,
                "a grid of {} dimensions, {} x {} x {} work-items in workgroups of {} x {} x {}", dimensions,
                geometry.grid[0], geometry.grid[1], geometry.grid[2], x, y, z);
  }
  if (uint64_t{x} * y * z > facts::kMaxWorkgroupSize) {
    return fail(queue_error::kWorkgroupSize, "workgroups of {} x {} x {} work-items; {} are possible", x, y, z,
                facts::kMaxWorkgroupSize);
  }
  if (packet.group_segment_size > facts::kMaxLdsBytes) {
    return fail(queue_error::kGroupSegment, "a group segment of {} bytes; {} are possible", packet.group_segment_size,
                facts::kMaxLdsBytes);
  }
  return Outcome::kDone;
}

AqlQueue::Outcome AqlQueue::describe_dispatch(const Packet& packet, Dispatch* dispatch) {
  if (packet.kernel_object == 0 || !is_aligned(packet.kernel_object, kDescriptorAlignment)) {
    return fail(queue_error::kCode, "a kernel object at {:#x}", packet.kernel_object);
  }
  Descriptor kernel;
  if (!memory_.read(packet.kernel_object, &kernel, sizeof(kernel))) return memory_fault();
  dispatch->program_address = packet.kernel_object + static_cast<uint64_t>(kernel.kernel_code_entry_byte_offset);
  if (!is_aligned(dispatch->program_address, kEntryAlignment)) {
    return fail(queue_error::kCode, "the kernel's entry {:#x} is not a multiple of {}", dispatch->program_address,
                kEntryAlignment);
  }
  dispatch->wave_size = wave_size_of(kernel);
  dispatch->pgm_rsrc1 = kernel.compute_pgm_rsrc1;
  // The size of LDS is what the packet says: what the kernel needs, and what the client adds at run time.
  const uint32_t lds_granules = (packet.group_segment_size + facts::kLdsGranuleBytes - 1) / facts::kLdsGranuleBytes;
  dispatch->pgm_rsrc2 = gfx11::COMPUTE_PGM_RSRC2::lds_size.set(kernel.compute_pgm_rsrc2, lds_granules);
  dispatch->pgm_rsrc3 = kernel.compute_pgm_rsrc3;
  const Geometry geometry = geometry_of(packet);
  for (size_t i = 0; i < 3; ++i) {
    const uint32_t size = geometry.workgroup[i], grid = geometry.grid[i];
    dispatch->workgroup_size[i] = size;
    dispatch->workgroup_count[i] = grid / size + (grid % size != 0);
    dispatch->partial_size[i] = grid % size;
  }
  if (!has_vgprs(*dispatch)) {
    return fail(queue_error::kRegisters, "a workgroup's waves do not find room for their VGPRs (RSRC1 {:#010x})",
                dispatch->pgm_rsrc1);
  }
  return describe_user_data(packet, kernel, dispatch);
}

AqlQueue::Outcome AqlQueue::describe_user_data(const Packet& packet, const Descriptor& kernel, Dispatch* dispatch) {
  const uint32_t properties = kernel.kernel_code_properties;
  gfx11::amd_queue_t queue{};
  const bool reads_queue = packet.private_segment_size != 0 ||
                           Properties::enable_sgpr_private_segment_buffer.get(properties) != 0 ||
                           Properties::enable_sgpr_flat_scratch_init.get(properties) != 0;
  if (reads_queue && read_queue(&queue) == Outcome::kFault) return Outcome::kFault;
  const uint32_t(&srd)[4] = queue.scratch_resource_descriptor;
  UserSgprs sgprs(properties);
  sgprs.add(Properties::enable_sgpr_private_segment_buffer, {srd[0], srd[1], srd[2], srd[3]});
  sgprs.add(Properties::enable_sgpr_dispatch_ptr, packet_address_);
  sgprs.add(Properties::enable_sgpr_queue_ptr, queue_address());
  sgprs.add(Properties::enable_sgpr_kernarg_segment_ptr, packet.kernarg_address);
  sgprs.add(Properties::enable_sgpr_dispatch_id, next_);
  sgprs.add(Properties::enable_sgpr_flat_scratch_init, queue.scratch_backing_memory_location);
  sgprs.add(Properties::enable_sgpr_private_segment_size, {packet.private_segment_size});
  for (size_t i = 0; i < 3; ++i) sgprs.add(kWorkgroupCounts[i], {dispatch->workgroup_count[i]});
  if (sgprs.count() > sgprs.values().size()) {
    return fail(queue_error::kCode, "the kernel asks for {} user SGPRs; {} are possible", sgprs.count(),
                sgprs.values().size());
  }
  dispatch->user_data = sgprs.values();
  return packet.private_segment_size == 0 ? Outcome::kDone
                                          : describe_scratch(queue, packet.private_segment_size, dispatch);
}

AqlQueue::Outcome AqlQueue::read_queue(gfx11::amd_queue_t* queue) {
  return memory_.read(queue_address(), queue, sizeof(*queue)) ? Outcome::kDone : memory_fault();
}

// The queue says what each work-item of a wave64 has; a wave32 has the same for half as many.
AqlQueue::Outcome AqlQueue::describe_scratch(const gfx11::amd_queue_t& queue, uint32_t private_bytes,
                                             Dispatch* dispatch) {
  const uint64_t lane_bytes = uint64_t{queue.scratch_wave64_lane_byte_size} * 64 / dispatch->wave_size;
  if (lane_bytes < private_bytes) return ask_for_scratch(queue, private_bytes, dispatch->wave_size);
  using Ring = gfx11::COMPUTE_TMPRING_SIZE;
  dispatch->scratch_address = queue.scratch_backing_memory_location;  // gfx11: a GPU address as it is
  dispatch->scratch_bytes_per_wave = Ring::wavesize.get(queue.compute_tmpring_size) * facts::kScratchUnitBytes;
  dispatch->scratch_wave_count = Ring::waves.get(queue.compute_tmpring_size) * facts::kShaderEngines;
  returns_scratch_ = gfx11::amd_queue_properties::use_scratch_once.get(queue.queue_properties) != 0;
  return Outcome::kDone;
}

// The client's handler reads this packet, at read_dispatch_id, and fills the queue in again.
AqlQueue::Outcome AqlQueue::ask_for_scratch(const gfx11::amd_queue_t& queue, uint32_t private_bytes,
                                            uint32_t wave_size) {
  const uint64_t signal = queue.queue_inactive_signal;
  if (signal == 0) {
    return fail(queue_error::kUnsupportedPacket,
                "{} bytes of private memory for each work-item; the queue has {} for each of a wave64, and no inactive "
                "signal to ask for more by",
                private_bytes, queue.scratch_wave64_lane_byte_size);
  }
  if (!signals_.store(signal, wave_size == 32 ? scratch_request::kWave32 : scratch_request::kWave64)) {
    return memory_fault();
  }
  phase_ = Phase::kScratchAsked;
  return Outcome::kBlocked;
}

AqlQueue::Outcome AqlQueue::return_scratch() {
  returns_scratch_ = false;
  gfx11::amd_queue_t queue;
  if (read_queue(&queue) == Outcome::kFault) return Outcome::kFault;
  if (queue.queue_inactive_signal == 0) return Outcome::kDone;
  if (!signals_.store(queue.queue_inactive_signal, scratch_request::kReturned)) return memory_fault();
  phase_ = Phase::kScratchReturned;
  return Outcome::kBlocked;
}

AqlQueue::Outcome AqlQueue::await_inactive_signal(Phase next) {
  gfx11::amd_queue_t queue;
  int64_t value = 0;
  if (read_queue(&queue) == Outcome::kFault) return Outcome::kFault;
  if (!signals_.load(queue.queue_inactive_signal, &value)) return memory_fault();
  if (value != 0) return Outcome::kBlocked;
  phase_ = next;
  return Outcome::kGoOn;
}

}  // namespace bw::emulator
