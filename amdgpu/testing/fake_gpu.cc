#include "amdgpu/testing/fake_gpu.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "amdgpu/gfx11/enums.h"
#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "amdgpu/gfx11/sdma.h"
#include "base/bits.h"

namespace bw::amdgpu::testing {
namespace {

namespace pm4 = gfx11::pm4;
namespace sdma = gfx11::sdma;
namespace uapi = kfd::uapi;

// Host and GPU addresses are the same.
std::byte* at(uint64_t address) {
  return reinterpret_cast<std::byte*>(address);
}
uint64_t load64(uint64_t address) {
  uint64_t value;
  std::memcpy(&value, at(address), sizeof(value));
  return value;
}
template <typename T>
void store(uint64_t address, T value) {
  std::memcpy(at(address), &value, sizeof(value));
}

constexpr uint32_t kReleaseMemHeader = 0xc0064900;

constexpr const char* kProperties =
    "simd_count 192\nsimd_per_cu 2\narray_count 12\nsimd_arrays_per_engine 2\nmax_waves_per_simd 16\n"
    "max_slots_scratch_cu 32\nlds_size_in_kb 64\ngfx_target_version 110000\nvendor_id 4098\ndevice_id 29772\n"
    "drm_render_minor 128\nnum_sdma_engines 2\nfw_version 2140\nsdma_fw_version 20\nmem_banks_count 1\n"
    "max_engine_clk_fcompute 2482\n";

}  // namespace

FakeGpu::FakeGpu() {
  const std::string node = fmt::format("{}/nodes/1", uapi::kTopologyPath);
  driver_.files[node + "/properties"] = kProperties;
  driver_.files[node + "/mem_banks/0/properties"] =
      "heap_type 1\nsize_in_bytes 25753026560\nflags 0\nwidth 384\nmem_clk_max 1249\n";
  driver_.on_ioctl = [this](unsigned long request, void* argument) { return on_ioctl(request, argument); };
}

void FakeGpu::complain(const std::string& text) {
  if (complaint_.empty()) complaint_ = text;
}

std::optional<int> FakeGpu::on_ioctl(unsigned long request, void* argument) {
  // The books are the fake driver's; this looks on from both sides of its call.
  auto pass_on = [&](int fd) {
    auto self = std::move(driver_.on_ioctl);
    driver_.on_ioctl = nullptr;
    const int result = driver_.ioctl(fd, request, argument);
    driver_.on_ioctl = std::move(self);
    return result;
  };
  constexpr int kKfdFd = 100;  // the first that the fake driver opens
  if (request == uapi::kAllocMemory) {
    auto& args = *static_cast<uapi::AllocMemoryArgs*>(argument);
    allocations_.push_back(args);
    // This GPU works in the host's address space, so that memory which only the GPU should reach must be there too.
    if ((args.flags & uapi::alloc_flag::kVram) != 0 && (args.flags & uapi::alloc_flag::kPublic) == 0) {
      mprotect(reinterpret_cast<void*>(args.va_addr), args.size, PROT_READ | PROT_WRITE);
    }
    return std::nullopt;
  }
  if (request == uapi::kCreateQueue) {
    const int result = pass_on(kKfdFd);
    const auto& args = *static_cast<uapi::CreateQueueArgs*>(argument);
    queue_args_.push_back(args);
    if (result == 0) queues_[args.queue_id] = Queue{args};
    return result;
  }
  if (request == uapi::kDestroyQueue) queues_.erase(static_cast<uapi::DestroyQueueArgs*>(argument)->queue_id);
  if (request == uapi::kCreateEvent) {
    const int result = pass_on(kKfdFd);
    const auto& args = *static_cast<uapi::CreateEventArgs*>(argument);
    events_[args.event_id] = static_cast<uapi::EventType>(args.event_type);
    return result;
  }
  if (request == uapi::kWaitEvents) {
    on_wait(*static_cast<uapi::WaitEventsArgs*>(argument));
    return 0;
  }
  return std::nullopt;
}

void FakeGpu::on_wait(uapi::WaitEventsArgs& args) {
  ++wait_count_;
  std::this_thread::sleep_for(std::chrono::nanoseconds(wait_takes_ns));
  bool is_stopped = false;
  for (auto& [id, queue] : queues_) {
    run(queue);
    is_stopped = is_stopped || queue.is_stopped;
  }
  args.wait_result = static_cast<uint32_t>(uapi::WaitResult::kComplete);
  if (!is_stopped) return;
  auto* data = reinterpret_cast<uapi::EventData*>(args.events_ptr);
  for (uint32_t i = 0; i < args.num_events; ++i) {
    const uapi::EventType type = events_[data[i].event_id];
    if (type == uapi::EventType::kMemory && fault_address.has_value()) {
      data[i].memory_exception_data.va = *fault_address;
      data[i].memory_exception_data.gpu_id = kfd::testing::FakeDriver::kFirstGpuId;
      data[i].memory_exception_data.failure.NotPresent = 1;
    }
    if (type == uapi::EventType::kHwException && has_hw_exception) {
      data[i].hw_exception_data.gpu_id = kfd::testing::FakeDriver::kFirstGpuId;
    }
  }
}

void FakeGpu::run(Queue& queue) {
  const bool is_compute = queue.args.queue_type == static_cast<uint32_t>(uapi::QueueType::kCompute);
  const uint64_t end = load64(queue.args.write_pointer_address) / (is_compute ? 1 : sizeof(uint32_t));
  const uint32_t ring_dwords = queue.args.ring_size / sizeof(uint32_t);
  // The packets in one piece, whatever they do at the end of the ring.
  std::vector<uint32_t> packets;
  for (uint64_t i = queue.position_dwords; i < end; ++i) {
    uint32_t dword;
    std::memcpy(&dword, at(queue.args.ring_base_address + i % ring_dwords * sizeof(dword)), sizeof(dword));
    packets.push_back(dword);
  }
  std::span<const uint32_t> rest = packets;
  uint32_t ended = 0;
  while (!rest.empty() && !queue.is_stopped && ended < submissions_per_wait) {
    const bool is_end = is_compute && rest[0] == kReleaseMemHeader &&
                        pm4::RELEASE_MEM::int_sel.get(rest.data()) != pm4::RELEASE_MEM::int_sel__none;
    ended += is_end ? 1 : 0;
    const uint32_t size = is_compute ? execute_pm4(queue, rest) : execute_sdma(queue, rest);
    if (queue.is_stopped) break;
    // The copy engine does not follow a packet around the end of the ring.
    if (!is_compute && queue.position_dwords % ring_dwords + size > ring_dwords) complain("an SDMA packet wraps");
    rest = rest.subspan(size);
    queue.position_dwords += size;
  }
}

void FakeGpu::execute_indirect(Queue& queue, uint64_t address, uint32_t count_dwords) {
  std::span<const uint32_t> rest(reinterpret_cast<const uint32_t*>(address), count_dwords);
  while (!rest.empty() && !queue.is_stopped) rest = rest.subspan(execute_pm4(queue, rest));
}

void FakeGpu::release_mem(const uint32_t* packet) {
  using P = pm4::RELEASE_MEM;
  const uint64_t address = make_u64(packet[P::address_lo_32b.dword], packet[P::address_hi.dword]);
  const uint32_t select = P::data_sel.get(packet);
  if (select == P::data_sel__send_32_bit_low) store(address, P::data_lo.get(packet));
  if (select == P::data_sel__send_64_bit_data) store(address, make_u64(P::data_lo.get(packet), P::data_hi.get(packet)));
  if (select == P::data_sel__send_gpu_clock_counter) store(address, uint64_t{1000} + dispatch_count_);
}

void FakeGpu::dma_data(const uint32_t* packet) {
  using P = pm4::DMA_DATA;
  const uint64_t destination = make_u64(packet[4], packet[5]);
  const uint32_t size = P::byte_count.get(packet);
  if (P::src_sel.get(packet) == P::src_sel__data) {
    for (uint32_t i = 0; i < size; i += sizeof(uint32_t)) store(destination + i, packet[2]);
  } else {
    std::memcpy(at(destination), at(make_u64(packet[2], packet[3])), size);
  }
}

void FakeGpu::copy_data(const uint32_t* packet) {
  using P = pm4::COPY_DATA;
  const uint64_t destination = make_u64(packet[4], packet[5]);
  if (P::src_sel.get(packet) == P::src_sel__gpu_clock_count) {
    store(destination, uint64_t{1000} + dispatch_count_);
  } else if (P::src_sel.get(packet) == P::src_sel__tc_l2) {
    const bool is_64_bit = P::count_sel.get(packet) == P::count_sel__64_bits_of_data;
    std::memcpy(at(destination), at(make_u64(packet[2], packet[3])), is_64_bit ? 8 : 4);
  } else {
    complain("COPY_DATA");
  }
}

void FakeGpu::atomic_mem(const uint32_t* packet) {
  using P = pm4::ATOMIC_MEM;
  if (P::atomic.get(packet) != static_cast<uint32_t>(gfx11::TC_OP::TC_OP_ATOMIC_ADD_32)) complain("ATOMIC_MEM");
  const uint64_t address = make_u64(packet[2], packet[3]);
  uint32_t value = 0;
  std::memcpy(&value, at(address), sizeof value);
  store(address, value + packet[4]);
}

// The packet with what it goes over.
uint32_t FakeGpu::cond_exec(std::span<const uint32_t> packets) {
  using P = pm4::COND_EXEC;
  uint32_t condition = 0;
  std::memcpy(&condition, at(make_u64(packets[1], packets[2])), sizeof condition);
  const uint32_t skipped = condition == 0 ? P::exec_count.get(packets.data()) : 0;
  if (skipped > packets.size() - P::kDwords) complain("COND_EXEC goes over the end");
  return P::kDwords + skipped;
}

uint32_t FakeGpu::execute_pm4(Queue& queue, std::span<const uint32_t> packets) {
  const uint32_t* packet = packets.data();
  const uint32_t size = pm4::TYPE_3_HEADER::count.get(packet) + 2;
  const auto opcode = static_cast<pm4::Opcode>(pm4::TYPE_3_HEADER::opcode.get(packet));
  if (pm4::TYPE_3_HEADER::type.get(packet) != 3 || size > packets.size()) {
    complain(fmt::format("packet header {:#x}", packet[0]));
    return static_cast<uint32_t>(packets.size());
  }
  opcodes_.push_back(static_cast<uint32_t>(opcode));
  if (on_packet) on_packet(packets.first(size));
  switch (opcode) {
    case pm4::Opcode::SET_SH_REG:
      for (uint32_t i = 2; i < size; ++i) {
        queue.registers[(gfx11::kShRegBase + (pm4::SET_SH_REG::reg_offset.get(packet) + i - 2)).dwords] = packet[i];
      }
      break;
    case pm4::Opcode::WRITE_DATA:
      for (uint32_t i = 4; i < size; ++i) store(make_u64(packet[2], packet[3]) + (i - 4) * sizeof(uint32_t), packet[i]);
      break;
    case pm4::Opcode::DISPATCH_DIRECT:
      if (stop_before_dispatch == dispatch_count_) {
        queue.is_stopped = true;
        return size;
      }
      ++dispatch_count_;
      if (on_dispatch) on_dispatch({queue.registers, {packet[1], packet[2], packet[3]}, packet[4]});
      break;
    case pm4::Opcode::RELEASE_MEM:
      release_mem(packet);
      break;
    case pm4::Opcode::COPY_DATA:
      copy_data(packet);
      break;
    case pm4::Opcode::ATOMIC_MEM:
      atomic_mem(packet);
      break;
    case pm4::Opcode::COND_EXEC:
      return cond_exec(packets);
    case pm4::Opcode::DMA_DATA:
      dma_data(packet);
      break;
    case pm4::Opcode::INDIRECT_BUFFER:
      if (pm4::INDIRECT_BUFFER::chain.get(packet) != 0 && size != packets.size()) complain("a chain before the end");
      execute_indirect(queue, make_u64(packet[1], packet[2]), pm4::INDIRECT_BUFFER::ib_size.get(packet));
      break;
    case pm4::Opcode::WAIT_REG_MEM:
    case pm4::Opcode::ACQUIRE_MEM:
    case pm4::Opcode::EVENT_WRITE:
    case pm4::Opcode::NOP:
      break;
    default:
      complain(fmt::format("PM4 opcode {:#x}", static_cast<uint32_t>(opcode)));
  }
  return size;
}

uint32_t FakeGpu::execute_sdma(Queue& queue, std::span<const uint32_t> packets) {
  if (is_copy_engine_hung) {
    queue.is_stopped = true;
    return 0;
  }
  const uint32_t* packet = packets.data();
  switch (static_cast<sdma::Opcode>(sdma::HEADER::op.get(packet))) {
    case sdma::Opcode::NOP:
      return sdma::NOP::count.get(packet) + 1;
    case sdma::Opcode::COPY:
      std::memcpy(at(make_u64(packet[5], packet[6])), at(make_u64(packet[3], packet[4])),
                  sdma::COPY_LINEAR::count.get(packet) + size_t{1});
      return sdma::COPY_LINEAR::kDwords;
    case sdma::Opcode::CONST_FILL:
      for (uint32_t i = 0; i < sdma::CONSTANT_FILL::count.get(packet) + 1; i += sizeof(uint32_t)) {
        store(make_u64(packet[1], packet[2]) + i, packet[3]);
      }
      return sdma::CONSTANT_FILL::kDwords;
    case sdma::Opcode::FENCE:
      store(make_u64(packet[1], packet[2]), packet[3]);
      return sdma::FENCE::kDwords;
    case sdma::Opcode::TRAP:
      return sdma::TRAP::kDwords;
    case sdma::Opcode::POLL_REGMEM:
      return sdma::POLL_REGMEM::kDwords;
    case sdma::Opcode::GCR_REQ:
      return sdma::GCR_REQ::kDwords;
    default:
      complain(fmt::format("SDMA header {:#x}", packet[0]));
      return static_cast<uint32_t>(packets.size());
  }
}

}  // namespace bw::amdgpu::testing
