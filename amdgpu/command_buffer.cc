#include "amdgpu/command_buffer.h"

#include <algorithm>
#include <cstring>

#include "amdgpu/direct_dispatch.h"
#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/limits.h"
#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "amdgpu/kernel_arguments.h"
#include "base/bits.h"
#include "base/check.h"

namespace bw::amdgpu {
namespace {

// Arguments are carved out of chunks of this size; each starts at a multiple of a cache line.
constexpr uint64_t kArgumentChunkBytes = uint64_t{64} << 10;
constexpr uint64_t kArgumentAlignment = 64;
// A SET_SH_REG packet has this much beside its values.
constexpr uint32_t kSetRegisterHeaderDwords = 2;
constexpr uint32_t kChainDwords = gfx11::pm4::INDIRECT_BUFFER::kDwords;

using Properties = gfx11::kernel_code_properties;

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

CommandRecorder::CommandRecorder(std::shared_ptr<MemoryManager> memory, ScratchProvider& scratch, const Limits& limits)
    : memory_(std::move(memory)),
      scratch_provider_(scratch),
      limits_(limits),
      commands_(std::make_shared<RecordedCommands>()) {
  if (limits_.groups_per_step == 0) return;
  auto progress = memory_->allocate(MemoryKind::kGtt, sizeof(uint32_t));
  if (!progress.is_ok()) {
    status_ = std::move(progress).status();
    return;
  }
  commands_->progress = std::move(progress).value();
  write_progress(0);
}

void CommandRecorder::dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                               std::span<const std::byte> arguments, Entry entry) {
  if (!status_.is_ok() || !count_command()) return;
  status_ = record_dispatch(kernel, workgroup_count, workgroup_size, arguments, entry)
                .with_context(fmt::format("recording dispatch {} of kernel {}", commands_->dispatches.size() + 1,
                                          kernel.info.name));
}

bool CommandRecorder::count_command() {
  if (++command_count_ <= kMostCommands) return true;
  status_ = error(StatusCode::kUnsupported, "a recording has at most {} dispatches, copies and fills", kMostCommands);
  return false;
}

void CommandRecorder::barrier(Barrier barrier) {
  if (!status_.is_ok() || (!has_work_since_barrier_ && !has_waited_since_barrier_)) return;
  // Copies and fills have ended when the next packet begins.
  if (has_dispatches_since_wait_) builder_.emit_cs_partial_flush();
  has_dispatches_since_wait_ = false;
  if (barrier == Barrier::kVisible) {
    builder_.emit_acquire_mem(has_waited_since_barrier_ ? Acquire::kFromPeer : Acquire::kFromDevice);
    has_waited_since_barrier_ = false;
  }
  mark_boundary();
  has_work_since_barrier_ = false;
  begins_group_ = true;
}

void CommandRecorder::copy(GpuAddr destination, GpuAddr source, uint64_t size_bytes) {
  if (!status_.is_ok() || size_bytes == 0 || !count_command()) return;
  begin_work();
  builder_.emit_dma_copy(destination, source, size_bytes);
  mark_boundary();
}

void CommandRecorder::fill(GpuAddr destination, uint64_t size_bytes, uint32_t value) {
  if (!status_.is_ok() || size_bytes == 0 || !count_command()) return;
  begin_work();
  builder_.emit_dma_fill(destination, size_bytes, value);
  mark_boundary();
}

void CommandRecorder::add(GpuAddr word, uint32_t addend) {
  if (!status_.is_ok() || !count_command()) return;
  begin_work();
  builder_.emit_atomic_add(word, addend);
  mark_boundary();
}

void CommandRecorder::signal(GpuAddr word, uint32_t value) {
  if (!status_.is_ok() || !count_command()) return;
  value_positions_.push_back(builder_.size_dwords() + gfx11::pm4::RELEASE_MEM::data_lo.dword);
  builder_.emit_release_mem({.data = ReleaseData::k32Bit, .address = word, .value = value});
  mark_boundary();
}

void CommandRecorder::wait_for(GpuAddr word, Compare compare, uint32_t value) {
  if (!status_.is_ok() || !count_command()) return;
  begin_step();
  if (!commands_->steps.empty()) commands_->waiting_steps.push_back(commands_->steps.size() - 1);
  value_positions_.push_back(builder_.size_dwords() + gfx11::pm4::WAIT_REG_MEM::reference.dword);
  builder_.emit_wait_reg_mem(word, compare, value, ~0u);
  mark_boundary();
  has_waited_since_barrier_ = true;
}

void CommandRecorder::store(GpuAddr word, uint32_t value) {
  if (!status_.is_ok() || !count_command()) return;
  builder_.emit_write_data(word, std::array{value}, WriteConfirm::kWait);
  mark_boundary();
}

void CommandRecorder::write_timestamp(GpuAddr address) {
  if (!status_.is_ok()) return;
  builder_.emit_release_mem({.release = Release::kNoFlush, .data = ReleaseData::kGpuClock, .address = address});
  mark_boundary();
}

void CommandRecorder::write_timestamp_now(GpuAddr address) {
  if (!status_.is_ok()) return;
  builder_.emit_copy_clock(address);
  mark_boundary();
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
  const auto is_set = [&](size_t i) {
    const auto found = registers_.find(first + static_cast<uint32_t>(i));
    return found != registers_.end() && found->second == values[i];
  };
  for (size_t begin = 0; begin < values.size(); ++begin) {
    if (is_set(begin)) continue;
    // One packet also goes over values that are set already, as long as that is no longer than a second packet.
    size_t end = begin + 1;
    for (size_t i = end; i < values.size() && i - end <= kSetRegisterHeaderDwords; ++i) {
      if (!is_set(i)) end = i + 1;
    }
    builder_.emit_set_sh_reg(first + static_cast<uint32_t>(begin), values.subspan(begin, end - begin));
    for (; begin < end; ++begin) registers_[first + static_cast<uint32_t>(begin)] = values[begin];
  }
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

Status CommandRecorder::set_program(const Kernel& kernel, Entry entry) {
  BW_CHECK(entry == Entry::kPlain || kernel.acquiring_entry.has_value());
  const GpuAddr begin = entry == Entry::kPlain ? kernel.entry : *kernel.acquiring_entry;
  const uint64_t shifted = begin.value >> gfx11::kProgramAddressShift;
  set_registers(gfx11::COMPUTE_PGM_LO::kOffset, std::array{lo32(shifted), hi32(shifted)});
  set_registers(gfx11::COMPUTE_PGM_RSRC1::kOffset, std::array{kernel.pgm_rsrc1, pgm_rsrc2(kernel.info)});
  set_registers(gfx11::COMPUTE_PGM_RSRC3::kOffset, std::array{kernel.info.descriptor.compute_pgm_rsrc3});
  BW_RETURN_IF_ERROR(set_scratch(kernel));
  set_registers(gfx11::COMPUTE_RESTART_X::kOffset, std::array{0u, 0u, 0u});
  set_registers(gfx11::COMPUTE_RESOURCE_LIMITS::kOffset, std::array{0u});
  return Status::ok();
}

void CommandRecorder::write_progress(uint32_t started_count) {
  // Not confirmed: a dispatch must not wait for a write over PCIe that only a report needs.
  builder_.emit_write_data(commands_->progress.gpu_addr(), std::array{started_count}, WriteConfirm::kNone);
  mark_boundary();
}

void CommandRecorder::begin_work() {
  has_work_since_barrier_ = true;
  begin_step();
}

void CommandRecorder::begin_step() {
  if (!begins_group_ || limits_.groups_per_step == 0) return;
  begins_group_ = false;
  if (groups_in_step_ == 0) {
    commands_->steps.push_back(commands_->dispatches.size());
    write_progress(static_cast<uint32_t>(commands_->steps.size()));
  }
  groups_in_step_ = (groups_in_step_ + 1) % limits_.groups_per_step;
}

void CommandRecorder::mark_boundary() {
  if (boundaries_.empty() || boundaries_.back() != builder_.size_dwords())
    boundaries_.push_back(builder_.size_dwords());
}

Status CommandRecorder::record_dispatch(const Kernel& kernel, const Dim3& workgroup_count, const Dim3& workgroup_size,
                                        std::span<const std::byte> arguments, Entry entry) {
  BW_RETURN_IF_ERROR(check(kernel, workgroup_count, workgroup_size));
  BW_ASSIGN(auto argument_bytes, complete_arguments(kernel.info, arguments, workgroup_count, workgroup_size));
  BW_ASSIGN(Placed placed, place(argument_bytes));
  last_arguments_ = std::move(argument_bytes);
  BW_ASSIGN(auto registers, user_data(kernel, workgroup_count, workgroup_size, placed.address));
  begin_work();
  BW_RETURN_IF_ERROR(set_program(kernel, entry));
  // START_X..Z, NUM_THREAD_X..Z, then PIPELINESTAT_ENABLE and PERFCOUNT_ENABLE.
  set_registers(gfx11::COMPUTE_START_X::kOffset,
                std::array{0u, 0u, 0u, workgroup_size[0], workgroup_size[1], workgroup_size[2], 0u, 0u});
  user_data_begin_ = builder_.size_dwords();
  if (!registers.empty()) set_registers(gfx11::COMPUTE_USER_DATA_0::kOffset, registers);
  workgroup_count_positions_.push_back(builder_.size_dwords() + gfx11::pm4::DISPATCH_DIRECT::dim_x.dword);
  builder_.emit_dispatch_direct(workgroup_count, dispatch_initiator(kernel.info));
  has_dispatches_since_wait_ = true;
  BW_RETURN_IF_ERROR(builder_.status());
  mark_boundary();
  commands_->dispatches.push_back({kernel.info.name, placed.bytes, placed.address, {}});
  if (commands_->code.empty() || commands_->code.back() != kernel.code) commands_->code.push_back(kernel.code);
  return Status::ok();
}

Result<CommandBuffer> CommandRecorder::finish() {
  BW_RETURN_IF_ERROR(status_);
  status_ = error(StatusCode::kInvalidArgument, "the recorder was already finished");
  BW_ASSIGN(std::vector<uint32_t> packets, builder_.finish());
  BW_RETURN_IF_ERROR(place_packets(packets));
  return CommandBuffer(std::move(commands_));
}

Result<DirectDispatch> CommandRecorder::finish_direct(size_t explicit_bytes) {
  BW_RETURN_IF_ERROR(status_);
  status_ = error(StatusCode::kInvalidArgument, "the recorder was already finished");
  BW_CHECK(commands_->dispatches.size() == 1);
  BW_ASSIGN(commands_->entry, builder_.finish());
  commands_->packet_count_dwords = commands_->entry.size();
  const RecordedCommands::Dispatch& dispatch = commands_->dispatches[0];
  if (dispatch.arguments.size() > DirectDispatch::kMaxArgumentBytes) {
    return error(StatusCode::kUnsupported, "kernel {} has {} bytes of arguments, a direct dispatch at most {}",
                 dispatch.kernel_name, dispatch.arguments.size(), DirectDispatch::kMaxArgumentBytes);
  }
  // The first user registers hold the address, unless the kernel asks for others before it.
  const auto found = registers_.find(gfx11::COMPUTE_USER_DATA_0::kOffset);
  const bool takes_address = found != registers_.end();
  if (takes_address && found->second != lo32(dispatch.arguments_address.value)) {
    return error(StatusCode::kUnsupported, "kernel {} wants an AQL packet, which a direct dispatch does not have",
                 dispatch.kernel_name);
  }
  DirectDispatch direct;
  if (takes_address) direct.address_dword_ = user_data_begin_ + kSetRegisterHeaderDwords;
  direct.again_begin_ = user_data_begin_;
  direct.explicit_bytes_ = explicit_bytes;
  direct.arguments_ = std::move(last_arguments_);
  direct.commands_ = std::move(commands_);
  return direct;
}

Status CommandRecorder::place_packets(std::span<const uint32_t> packets) {
  const uint32_t hardware_limit = gfx11::pm4::INDIRECT_BUFFER::ib_size.bits.max();
  const uint32_t limit = limits_.chunk_dwords == 0 ? hardware_limit : std::min(limits_.chunk_dwords, hardware_limit);
  std::vector<uint32_t> begins = {0};
  for (size_t i = 0; i + 1 < boundaries_.size(); ++i) {
    if (boundaries_[i + 1] - begins.back() + kChainDwords > limit) begins.push_back(boundaries_[i]);
  }
  // From the last to the first, so that each knows the address of the next.
  std::vector<uint32_t> call;
  size_t dispatch = workgroup_count_positions_.size();
  size_t value = value_positions_.size();
  commands_->value_addresses.resize(value);
  auto end = static_cast<uint32_t>(packets.size());
  for (size_t i = begins.size(); i-- > 0;) {
    const uint32_t begin = begins[i];
    std::vector<uint32_t> chunk(packets.begin() + begin, packets.begin() + end);
    chunk.insert(chunk.end(), call.begin(), call.end());
    BW_ASSIGN(Buffer memory, memory_->allocate(MemoryKind::kGtt, chunk.size() * sizeof(uint32_t)));
    std::memcpy(memory.host().data(), chunk.data(), chunk.size() * sizeof(uint32_t));
    for (; dispatch > 0 && workgroup_count_positions_[dispatch - 1] >= begin; --dispatch) {
      const uint64_t offset = (workgroup_count_positions_[dispatch - 1] - begin) * sizeof(uint32_t);
      commands_->dispatches[dispatch - 1].workgroup_count_address = memory.gpu_addr() + offset;
    }
    for (; value > 0 && value_positions_[value - 1] >= begin; --value) {
      commands_->value_addresses[value - 1] =
          memory.gpu_addr() + (value_positions_[value - 1] - begin) * sizeof(uint32_t);
    }
    Pm4Builder builder;
    builder.emit_indirect_buffer(memory.gpu_addr(), static_cast<uint32_t>(chunk.size()),
                                 i == 0 ? IndirectCall::kReturns : IndirectCall::kChains);
    BW_ASSIGN(call, builder.finish());
    commands_->packet_chunks.push_back(std::move(memory));
    commands_->packet_count_dwords += chunk.size();
    end = begin;
  }
  commands_->entry = std::move(call);
  return Status::ok();
}

}  // namespace bw::amdgpu
