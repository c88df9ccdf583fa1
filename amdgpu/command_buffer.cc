#include "amdgpu/command_buffer.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "amdgpu/kernel_arguments.h"
#include "base/bits.h"

namespace bw::amdgpu {
namespace {

// Arguments are carved out of chunks of this size; each starts at a multiple of a cache line.
constexpr uint64_t kArgumentChunkBytes = uint64_t{64} << 10;
constexpr uint64_t kArgumentAlignment = 64;

using Properties = gfx11::kernel_code_properties;

uint32_t pgm_rsrc1(const KernelInfo& kernel) {
  // Waves run privileged: without it a context save (CWSR) of a gfx11 wave can go wrong. The way round it of a runtime
  // known to work (tinygrad a9069c1, runtime/ops_amd.py). unverified: whether newer firmware still needs it.
  return gfx11::compute_pgm_rsrc1::priv.set(kernel.descriptor.compute_pgm_rsrc1, 1);
}

uint32_t pgm_rsrc2(const KernelInfo& kernel) {
  const uint32_t granules =
      (kernel.descriptor.group_segment_fixed_size + gfx11::kLdsGranuleBytes - 1) / gfx11::kLdsGranuleBytes;
  return gfx11::compute_pgm_rsrc2::granulated_lds_size.set(kernel.descriptor.compute_pgm_rsrc2, granules);
}

bool needs_scratch(const KernelInfo& kernel) {
  return kernel.descriptor.private_segment_fixed_size != 0 ||
         gfx11::compute_pgm_rsrc2::enable_private_segment.get(kernel.descriptor.compute_pgm_rsrc2) != 0;
}

uint32_t dispatch_initiator(const KernelInfo& kernel) {
  using R = gfx11::COMPUTE_DISPATCH_INITIATOR;
  return R::compute_shader_en.mask() | R::force_start_at_000.mask() | R::cs_w32_en.set(0, kernel.is_wave32() ? 1 : 0);
}

}  // namespace

uint32_t RecordedCommands::started_count() const {
  const auto* word = reinterpret_cast<uint32_t*>(progress.host().data());
  return std::atomic_ref<const uint32_t>(*word).load(std::memory_order_acquire);
}

std::string RecordedCommands::describe_running() const {
  const uint32_t started = started_count();
  if (started == 0 || started > dispatches.size())
    return fmt::format("none of {} dispatches was started", dispatches.size());
  const uint32_t group = dispatches[started - 1].barrier_group;
  size_t first = started - 1;
  while (first > 0 && dispatches[first - 1].barrier_group == group) --first;
  if (first == started - 1) {
    return fmt::format("kernel {} (dispatch {} of {})", dispatches[first].kernel_name, started, dispatches.size());
  }
  std::string names;
  for (size_t i = first; i < started; ++i) names += (i == first ? "" : ", ") + dispatches[i].kernel_name;
  return fmt::format("one of the kernels {} (dispatches {} to {} of {}, which may run together)", names, first + 1,
                     started, dispatches.size());
}

CommandRecorder::CommandRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch, const Limits& limits)
    : memory_(std::move(memory)),
      scratch_provider_(scratch),
      limits_(limits),
      commands_(std::make_shared<RecordedCommands>()) {
  auto progress = memory_->allocate(MemoryKind::kGtt, sizeof(uint32_t));
  if (!progress.is_ok()) {
    status_ = std::move(progress).status();
    return;
  }
  commands_->progress = std::move(progress).value();
  status_ = write_progress(0);
}

void CommandRecorder::dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                               std::span<const std::byte> arguments) {
  if (!status_.is_ok()) return;
  status_ = record_dispatch(kernel, workgroup_count, workgroup_size, arguments)
                .with_context(fmt::format("recording dispatch {} of kernel {}", commands_->dispatches.size() + 1,
                                          kernel.info.name));
}

void CommandRecorder::barrier() {
  if (!status_.is_ok() || !has_work_since_barrier_) return;
  builder_.emit_cs_partial_flush();
  builder_.emit_acquire_mem(Acquire::kFromDevice);
  has_work_since_barrier_ = false;
  ++barrier_group_;
}

void CommandRecorder::write_timestamp(GpuAddr address) {
  if (!status_.is_ok()) return;
  builder_.emit_release_mem({.release = Release::kNoFlush, .data = ReleaseData::kGpuClock, .address = address});
}

Status CommandRecorder::check(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size) const {
  const KernelInfo& info = kernel.info;
  uint64_t size = 1;
  for (unsigned axis = 0; axis < 3; ++axis) {
    if (workgroup_count[axis] == 0 || workgroup_size[axis] == 0) {
      return error(StatusCode::kInvalidArgument, "a grid of {}x{}x{} workgroups of {}x{}x{}", workgroup_count[0],
                   workgroup_count[1], workgroup_count[2], workgroup_size[0], workgroup_size[1], workgroup_size[2]);
    }
    size *= std::min(workgroup_size[axis], gfx11::kMaxWorkgroupSize + 1);
  }
  const uint32_t most = info.max_workgroup_size == 0 ? gfx11::kMaxWorkgroupSize
                                                     : std::min(info.max_workgroup_size, gfx11::kMaxWorkgroupSize);
  if (size > most) {
    return error(StatusCode::kInvalidArgument, "a workgroup of {}x{}x{}, but the kernel takes at most {} work-items",
                 workgroup_size[0], workgroup_size[1], workgroup_size[2], most);
  }
  if (info.descriptor.group_segment_fixed_size > limits_.lds_size_bytes) {
    return error(StatusCode::kInvalidArgument, "it needs {} bytes of LDS, but the device has {}",
                 info.descriptor.group_segment_fixed_size, limits_.lds_size_bytes);
  }
  const uint32_t properties = info.descriptor.kernel_code_properties;
  if (Properties::uses_dynamic_stack.get(properties) != 0) {
    return error(StatusCode::kUnsupported, "it has a stack of unknown size (recursion or an indirect call)");
  }
  if (Properties::enable_sgpr_queue_ptr.get(properties) != 0 ||
      Properties::enable_sgpr_dispatch_id.get(properties) != 0 ||
      Properties::enable_sgpr_private_segment_buffer.get(properties) != 0 ||
      Properties::enable_sgpr_flat_scratch_init.get(properties) != 0) {
    return error(StatusCode::kUnsupported,
                 "it takes a queue pointer, dispatch id or scratch descriptor (properties {:#x})", properties);
  }
  return Status::ok();
}

Result<CommandRecorder::Placed> CommandRecorder::place(std::span<const std::byte> bytes) {
  const uint64_t size = align_up(bytes.size(), kArgumentAlignment);
  auto& chunks = commands_->argument_chunks;
  if (chunks.empty() || argument_chunk_used_bytes_ + size > chunks.back().size_bytes()) {
    BW_ASSIGN(Buffer chunk, memory_->allocate(limits_.argument_kind, std::max(size, kArgumentChunkBytes)));
    chunks.push_back(std::move(chunk));
    argument_chunk_used_bytes_ = 0;
  }
  Placed placed;
  placed.address = chunks.back().gpu_addr() + argument_chunk_used_bytes_;
  placed.bytes = chunks.back().host().subspan(argument_chunk_used_bytes_, bytes.size());
  std::copy(bytes.begin(), bytes.end(), placed.bytes.begin());
  argument_chunk_used_bytes_ += size;
  return placed;
}

// The registers that the kernel finds filled, in the order of the ABI.
Result<std::vector<uint32_t>> CommandRecorder::user_data(const Kernel& kernel, const Dim3& workgroup_count,
                                                         const Dim3& workgroup_size, GpuAddr arguments) {
  const auto& descriptor = kernel.info.descriptor;
  const uint32_t properties = descriptor.kernel_code_properties;
  std::vector<uint32_t> values;
  auto add_address = [&values](GpuAddr address) {
    values.push_back(lo32(address.value));
    values.push_back(hi32(address.value));
  };
  if (Properties::enable_sgpr_dispatch_ptr.get(properties) != 0) {
    gfx11::hsa_kernel_dispatch_packet_t packet{};
    packet.header = static_cast<uint16_t>(gfx11::hsa_packet_type_t::kernel_dispatch);
    packet.setup = 3;
    packet.workgroup_size_x = static_cast<uint16_t>(workgroup_size[0]);
    packet.workgroup_size_y = static_cast<uint16_t>(workgroup_size[1]);
    packet.workgroup_size_z = static_cast<uint16_t>(workgroup_size[2]);
    packet.grid_size_x = workgroup_size[0] * workgroup_count[0];
    packet.grid_size_y = workgroup_size[1] * workgroup_count[1];
    packet.grid_size_z = workgroup_size[2] * workgroup_count[2];
    packet.private_segment_size = descriptor.private_segment_fixed_size;
    packet.group_segment_size = descriptor.group_segment_fixed_size;
    packet.kernel_object = kernel.descriptor.value;
    packet.kernarg_address = arguments.value;
    BW_ASSIGN(Placed placed, place(std::as_bytes(std::span(&packet, 1))));
    add_address(placed.address);
  }
  if (Properties::enable_sgpr_kernarg_segment_ptr.get(properties) != 0) add_address(arguments);
  if (Properties::enable_sgpr_private_segment_size.get(properties) != 0) {
    values.push_back(descriptor.private_segment_fixed_size);
  }
  const uint32_t declared = gfx11::compute_pgm_rsrc2::user_sgpr_count.get(descriptor.compute_pgm_rsrc2);
  if (values.size() > gfx11::kUserDataRegisters || declared > gfx11::kUserDataRegisters) {
    return error(StatusCode::kUnsupported, "it takes {} user registers, the device has {}", declared,
                 gfx11::kUserDataRegisters);
  }
  return values;
}

void CommandRecorder::set_registers(gfx11::RegOffset first, std::span<const uint32_t> values) {
  bool is_known = true;
  for (uint32_t i = 0; i < values.size(); ++i) {
    auto [entry, is_new] = registers_.try_emplace(first + i, values[i]);
    is_known = is_known && !is_new && entry->second == values[i];
    entry->second = values[i];
  }
  if (!is_known) builder_.emit_set_sh_reg(first, values);
}

Status CommandRecorder::set_scratch(const Kernel& kernel) {
  uint32_t tmpring_size = 0;
  GpuAddr base;
  if (needs_scratch(kernel.info)) {
    BW_ASSIGN(auto scratch, scratch_provider_.scratch(kernel.info.descriptor.private_segment_fixed_size));
    tmpring_size = scratch->tmpring_size;
    base = scratch->memory.gpu_addr();
    if (commands_->scratch.empty() || commands_->scratch.back() != scratch) commands_->scratch.push_back(scratch);
  }
  const uint64_t shifted = base.value >> gfx11::kProgramAddressShift;
  set_registers(gfx11::COMPUTE_TMPRING_SIZE::kOffset, std::array{tmpring_size});
  set_registers(gfx11::COMPUTE_DISPATCH_SCRATCH_BASE_LO::kOffset, std::array{lo32(shifted), hi32(shifted)});
  return Status::ok();
}

Status CommandRecorder::set_program(const Kernel& kernel) {
  const uint64_t entry = kernel.entry.value >> gfx11::kProgramAddressShift;
  set_registers(gfx11::COMPUTE_PGM_LO::kOffset, std::array{lo32(entry), hi32(entry)});
  set_registers(gfx11::COMPUTE_PGM_RSRC1::kOffset, std::array{pgm_rsrc1(kernel.info), pgm_rsrc2(kernel.info)});
  set_registers(gfx11::COMPUTE_PGM_RSRC3::kOffset, std::array{kernel.info.descriptor.compute_pgm_rsrc3});
  BW_RETURN_IF_ERROR(set_scratch(kernel));
  set_registers(gfx11::COMPUTE_RESTART_X::kOffset, std::array{0u, 0u, 0u});
  set_registers(gfx11::COMPUTE_RESOURCE_LIMITS::kOffset, std::array{0u});
  return Status::ok();
}

Status CommandRecorder::write_progress(uint32_t started_count) {
  // Not confirmed: a dispatch must not wait for a write over PCIe that only a report needs.
  builder_.emit_write_data(commands_->progress.gpu_addr(), std::array{started_count}, WriteConfirm::kNone);
  return builder_.status();
}

Status CommandRecorder::record_dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                                        std::span<const std::byte> arguments) {
  BW_RETURN_IF_ERROR(check(kernel, workgroup_count, workgroup_size));
  BW_ASSIGN(auto argument_bytes, complete_arguments(kernel.info, arguments, workgroup_count, workgroup_size));
  BW_ASSIGN(Placed placed, place(argument_bytes));
  BW_ASSIGN(auto registers, user_data(kernel, workgroup_count, workgroup_size, placed.address));
  BW_RETURN_IF_ERROR(write_progress(static_cast<uint32_t>(commands_->dispatches.size()) + 1));
  BW_RETURN_IF_ERROR(set_program(kernel));
  if (!registers.empty()) set_registers(gfx11::COMPUTE_USER_DATA_0::kOffset, registers);
  // START_X..Z, NUM_THREAD_X..Z, then PIPELINESTAT_ENABLE and PERFCOUNT_ENABLE.
  set_registers(gfx11::COMPUTE_START_X::kOffset,
                std::array{0u, 0u, 0u, workgroup_size[0], workgroup_size[1], workgroup_size[2], 0u, 0u});
  builder_.emit_dispatch_direct(workgroup_count, dispatch_initiator(kernel.info));
  BW_RETURN_IF_ERROR(builder_.status());
  has_work_since_barrier_ = true;
  commands_->dispatches.push_back({kernel.info.name, placed.bytes, barrier_group_});
  if (commands_->code.empty() || commands_->code.back() != kernel.code) commands_->code.push_back(kernel.code);
  return Status::ok();
}

Result<CommandBuffer> CommandRecorder::finish() {
  BW_RETURN_IF_ERROR(status_);
  status_ = error(StatusCode::kInvalidArgument, "the recorder was already finished");
  BW_ASSIGN(std::vector<uint32_t> packets, builder_.finish());
  if (packets.size() > gfx11::pm4::INDIRECT_BUFFER::ib_size.bits.max()) {
    return error(StatusCode::kUnsupported, "finishing a recording of {} dwords: an indirect buffer has at most {}",
                 packets.size(), gfx11::pm4::INDIRECT_BUFFER::ib_size.bits.max());
  }
  BW_ASSIGN(commands_->packets, memory_->allocate(MemoryKind::kGtt, packets.size() * sizeof(uint32_t)));
  std::memcpy(commands_->packets.host().data(), packets.data(), packets.size() * sizeof(uint32_t));
  commands_->packet_count_dwords = static_cast<uint32_t>(packets.size());
  return CommandBuffer(std::move(commands_));
}

}  // namespace bw::amdgpu
