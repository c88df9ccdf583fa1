#include "tools/barewave/bench/rocr_machine.h"

#include <immintrin.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>

#include "amdgpu/gfx11/abi.h"
#include "tools/barewave/bench/submission_cases.h"

namespace bw::tools {
namespace {

namespace abi = amdgpu::gfx11;

constexpr std::chrono::seconds kLongestWait{20};
constexpr std::chrono::seconds kLongestSleep{300};
constexpr size_t kNameBytes = 64;
constexpr uint64_t kCodeOffset = 256;

// What iterations over agents and pools look for; the first that fits counts.
struct Found {
  const hsa::Functions* functions;
  hsa::Agent* cpu = nullptr;
  hsa::Agent* gpu = nullptr;
  hsa::Pool* pool = nullptr;
  uint32_t pool_flag = 0;
};

hsa::Code look_at_agent(hsa::Agent agent, void* data) {
  const Found& found = *static_cast<Found*>(data);
  uint32_t type = 0;
  char name[kNameBytes] = {};
  if (const auto code = found.functions->agent_get_info(agent, hsa::kAgentInfoDevice, &type)) return code;
  if (const auto code = found.functions->agent_get_info(agent, hsa::kAgentInfoName, name)) return code;
  if (type == hsa::kDeviceTypeCpu && found.cpu->handle == 0) *found.cpu = agent;
  const bool is_ours = std::string_view(name).starts_with("gfx1100");
  if (type == hsa::kDeviceTypeGpu && is_ours && found.gpu->handle == 0) *found.gpu = agent;
  return hsa::kSuccess;
}

hsa::Code look_at_pool(hsa::Pool pool, void* data) {
  const Found& found = *static_cast<Found*>(data);
  uint32_t segment = 0, flags = 0;
  if (const auto code = found.functions->amd_memory_pool_get_info(pool, hsa::kPoolInfoSegment, &segment)) return code;
  if (segment != hsa::kSegmentGlobal) return hsa::kSuccess;
  if (const auto code = found.functions->amd_memory_pool_get_info(pool, hsa::kPoolInfoGlobalFlags, &flags)) return code;
  if ((flags & found.pool_flag) != 0 && found.pool->handle == 0) *found.pool = pool;
  return hsa::kSuccess;
}

// What the empty kernel gets.
constexpr std::array<std::byte, 64> kEmptyArguments{};

abi::hsa_kernel_dispatch_packet_t packet_of(const RocrLaunch& launch, const void* arguments, hsa::Signal completion) {
  abi::hsa_kernel_dispatch_packet_t packet{};
  packet.setup = launch.grid_size[2] > 1 ? 3 : launch.grid_size[1] > 1 ? 2 : 1;  // dimensions
  packet.workgroup_size_x = static_cast<uint16_t>(launch.workgroup_size[0]);
  packet.workgroup_size_y = static_cast<uint16_t>(launch.workgroup_size[1]);
  packet.workgroup_size_z = static_cast<uint16_t>(launch.workgroup_size[2]);
  packet.grid_size_x = launch.grid_size[0];
  packet.grid_size_y = launch.grid_size[1];
  packet.grid_size_z = launch.grid_size[2];
  packet.private_segment_size = launch.kernel.private_bytes;
  packet.group_segment_size = launch.kernel.group_bytes;
  packet.kernel_object = launch.kernel.object;
  std::memcpy(&packet.kernarg_address, &arguments, sizeof arguments);
  std::memcpy(&packet.completion_signal, &completion, sizeof completion);
  return packet;
}

constexpr uint16_t kHeader = hsa::kPacketKernelDispatch | 1u << hsa::kHeaderBarrierShift |
                             hsa::kFenceScopeSystem << hsa::kHeaderAcquireShift |
                             hsa::kFenceScopeSystem << hsa::kHeaderReleaseShift;

}  // namespace

Result<std::unique_ptr<RocrMachine>> RocrMachine::create(const std::string& library_path) {
  std::unique_ptr<RocrMachine> machine(new RocrMachine());
  BW_ASSIGN(const hsa::Functions* f, hsa::load(library_path));
  BW_RETURN_IF_ERROR(hsa::check(*f, f->init(), "hsa_init"));
  machine->functions_ = f;
  uint16_t major = 0, minor = 0;
  BW_RETURN_IF_ERROR(hsa::check(*f, f->system_get_info(hsa::kSystemInfoVersionMajor, &major), "hsa_system_get_info"));
  BW_RETURN_IF_ERROR(hsa::check(*f, f->system_get_info(hsa::kSystemInfoVersionMinor, &minor), "hsa_system_get_info"));
  machine->version_ = fmt::format("{}.{}", major, minor);
  BW_RETURN_IF_ERROR(machine->find_agents());
  BW_RETURN_IF_ERROR(machine->find_pools());
  BW_RETURN_IF_ERROR(machine->load_kernel());
  BW_RETURN_IF_ERROR(hsa::check(*f,
                                f->queue_create(machine->gpu_, kQueuePackets, hsa::kQueueTypeMulti, nullptr, nullptr,
                                                UINT32_MAX, UINT32_MAX, &machine->queue_),
                                "hsa_queue_create"));
  return machine;
}

RocrMachine::~RocrMachine() {
  if (functions_ == nullptr) return;
  if (queue_ != nullptr) functions_->queue_destroy(queue_);
  for (const hsa::Signal signal : signals_) functions_->signal_destroy(signal);
  for (const hsa::Executable executable : executables_) functions_->executable_destroy(executable);
  for (void* memory : allocations_) functions_->amd_memory_pool_free(memory);
  functions_->shut_down();
}

Status RocrMachine::find_agents() {
  Found found{.functions = functions_, .cpu = &cpu_, .gpu = &gpu_};
  BW_RETURN_IF_ERROR(hsa::check(*functions_, functions_->iterate_agents(look_at_agent, &found), "hsa_iterate_agents"));
  if (cpu_.handle != 0 && gpu_.handle != 0) return Status::ok();
  return error(StatusCode::kNotFound, "ROCr {} knows no gfx1100 GPU", version_);
}

Status RocrMachine::find_pools() {
  const hsa::Functions& f = *functions_;
  Found device{.functions = &f, .pool = &device_pool_, .pool_flag = hsa::kPoolCoarseGrained};
  Found kernarg{.functions = &f, .pool = &kernarg_pool_, .pool_flag = hsa::kPoolKernargInit};
  constexpr const char* kWhat = "hsa_amd_agent_iterate_memory_pools";
  BW_RETURN_IF_ERROR(hsa::check(f, f.amd_agent_iterate_memory_pools(gpu_, look_at_pool, &device), kWhat));
  BW_RETURN_IF_ERROR(hsa::check(f, f.amd_agent_iterate_memory_pools(cpu_, look_at_pool, &kernarg), kWhat));
  if (device_pool_.handle == 0 || kernarg_pool_.handle == 0) {
    return error(StatusCode::kNotFound, "ROCr {} has no pool of device memory, or none for arguments", version_);
  }
  void* memory = nullptr;
  BW_RETURN_IF_ERROR(
      hsa::check(f, f.amd_memory_pool_allocate(kernarg_pool_, size_t{kQueuePackets} * kMostArgumentBytes, 0, &memory),
                 "hsa_amd_memory_pool_allocate"));
  allocations_.push_back(memory);
  arguments_ = static_cast<std::byte*>(memory);
  return hsa::check(f, f.amd_agents_allow_access(1, &gpu_, nullptr, memory), "hsa_amd_agents_allow_access");
}

Result<void*> RocrMachine::allocate_device(size_t size_bytes) {
  void* memory = nullptr;
  BW_RETURN_IF_ERROR(hsa::check(
      *functions_, functions_->amd_memory_pool_allocate(device_pool_, size_bytes, hsa::kAllocateExecutable, &memory),
      "hsa_amd_memory_pool_allocate"));
  allocations_.push_back(memory);
  return memory;
}

void RocrMachine::free_device(void* memory) {
  std::erase(allocations_, memory);
  functions_->amd_memory_pool_free(memory);
}

Result<hsa::Executable> RocrMachine::load(std::span<const std::byte> code_object) {
  const hsa::Functions& f = *functions_;
  hsa::Executable executable;
  BW_RETURN_IF_ERROR(hsa::check(f,
                                f.executable_create_alt(hsa::kProfileFull, hsa::kRoundingDefault, nullptr, &executable),
                                "hsa_executable_create_alt"));
  executables_.push_back(executable);
  hsa::CodeObjectReader reader;
  BW_RETURN_IF_ERROR(
      hsa::check(f, f.code_object_reader_create_from_memory(code_object.data(), code_object.size(), &reader),
                 "hsa_code_object_reader_create_from_memory"));
  const hsa::Code loaded = f.executable_load_agent_code_object(executable, gpu_, reader, nullptr, nullptr);
  Status status = hsa::check(f, loaded, "hsa_executable_load_agent_code_object");
  if (status.is_ok()) status = hsa::check(f, f.executable_freeze(executable, nullptr), "hsa_executable_freeze");
  f.code_object_reader_destroy(reader);
  BW_RETURN_IF_ERROR(std::move(status));
  return executable;
}

Result<RocrKernel> RocrMachine::kernel(hsa::Executable executable, const std::string& name) {
  const hsa::Functions& f = *functions_;
  hsa::Symbol symbol;
  BW_RETURN_IF_ERROR(hsa::check(f, f.executable_get_symbol_by_name(executable, (name + ".kd").c_str(), &gpu_, &symbol),
                                "hsa_executable_get_symbol_by_name"));
  RocrKernel kernel;
  const auto get = [&](uint32_t attribute, void* value) {
    return hsa::check(f, f.executable_symbol_get_info(symbol, attribute, value), "hsa_executable_symbol_get_info");
  };
  BW_RETURN_IF_ERROR(get(hsa::kSymbolKernelObject, &kernel.object));
  BW_RETURN_IF_ERROR(get(hsa::kSymbolKernargSize, &kernel.argument_bytes));
  BW_RETURN_IF_ERROR(get(hsa::kSymbolGroupSize, &kernel.group_bytes));
  BW_RETURN_IF_ERROR(get(hsa::kSymbolPrivateSize, &kernel.private_bytes));
  return kernel;
}

// The descriptor is what the packet names; the code lies behind it.
Status RocrMachine::load_kernel() {
  std::array<std::byte, 4096> image{};
  abi::amdhsa_kernel_descriptor_t descriptor{};
  descriptor.kernarg_size = kEmptyArguments.size();
  descriptor.kernel_code_entry_byte_offset = kCodeOffset;
  descriptor.compute_pgm_rsrc2 = abi::compute_pgm_rsrc2::user_sgpr_count.set(0, 2);
  uint32_t properties = abi::kernel_code_properties::enable_sgpr_kernarg_segment_ptr.set(0, 1);
  properties = abi::kernel_code_properties::enable_wavefront_size32.set(properties, 1);
  descriptor.kernel_code_properties = static_cast<uint16_t>(properties);
  std::memcpy(image.data(), &descriptor, sizeof descriptor);
  // The rest of the page, too, as the hardware reads ahead.
  for (size_t at = kCodeOffset; at < image.size(); at += sizeof kEndProgram) {
    std::memcpy(image.data() + at, &kEndProgram, sizeof kEndProgram);
  }
  BW_ASSIGN(void* const memory, allocate_device(image.size()));
  empty_ = {.kernel = {}, .workgroup_size = {64, 1, 1}, .grid_size = {64, 1, 1}, .arguments = kEmptyArguments};
  std::memcpy(&empty_.kernel.object, &memory, sizeof empty_.kernel.object);
  return hsa::check(*functions_, functions_->memory_copy(memory, image.data(), image.size()), "hsa_memory_copy");
}

Result<std::vector<hsa::Signal>> RocrMachine::make_signals(size_t count) {
  std::vector<hsa::Signal> made(count);
  for (hsa::Signal& signal : made) {
    BW_RETURN_IF_ERROR(hsa::check(*functions_, functions_->signal_create(0, 0, nullptr, &signal), "hsa_signal_create"));
    signals_.push_back(signal);
  }
  return made;
}

void RocrMachine::wait_for_room(uint64_t count) const {
  const uint64_t next = functions_->queue_add_write_index_relaxed(queue_, 0);
  while (next + count - functions_->queue_load_read_index_relaxed(queue_) > queue_->size) _mm_pause();
}

uint64_t RocrMachine::write(const RocrLaunch& launch, hsa::Signal completion) {
  if (completion.handle != 0) functions_->signal_store_relaxed(completion, 1);
  const uint64_t index = functions_->queue_add_write_index_relaxed(queue_, 1);
  const uint64_t place = index & (queue_->size - 1);
  std::byte* const arguments = arguments_ + place % kQueuePackets * kMostArgumentBytes;
  std::memcpy(arguments, launch.arguments.data(), launch.arguments.size());
  auto* const slot = static_cast<std::byte*>(queue_->base_address) + place * 64;
  const auto packet = packet_of(launch, arguments, completion);
  // All but the header, which hands the packet over.
  std::memcpy(slot + sizeof(uint32_t), reinterpret_cast<const std::byte*>(&packet) + sizeof(uint32_t),
              sizeof packet - sizeof(uint32_t));
  const uint32_t first = kHeader | uint32_t{packet.setup} << 16;
  std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(slot)).store(first, std::memory_order_release);
  return index;
}

Status RocrMachine::spin_until_done(hsa::Signal signal) const {
  const auto end = std::chrono::steady_clock::now() + kLongestWait;
  while (functions_->signal_load_relaxed(signal) > 0) {
    if (std::chrono::steady_clock::now() > end) return error(StatusCode::kTimeout, "ROCr: a kernel did not end");
    for (int i = 0; i < 64 && functions_->signal_load_relaxed(signal) > 0; ++i) _mm_pause();
  }
  return Status::ok();
}

Status RocrMachine::wait_until_done(hsa::Signal signal) const {
  constexpr uint64_t kHint = 1'000'000'000;  // in ticks of ROCr's clock, whatever they are
  const auto end = std::chrono::steady_clock::now() + kLongestSleep;
  while (functions_->signal_wait_scacquire(signal, hsa::kSignalConditionLess, 1, kHint, hsa::kWaitStateBlocked) > 0) {
    if (std::chrono::steady_clock::now() > end) return error(StatusCode::kTimeout, "ROCr: a kernel did not end");
  }
  return Status::ok();
}

}  // namespace bw::tools
