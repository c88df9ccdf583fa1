// The PM4 packets that start programs. Registers: amdgpu/gfx11/registers.h.
#include <algorithm>
#include <utility>

#include "base/bits.h"
#include "emulator/card_facts.h"
#include "emulator/queue/pm4_queue.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = amdgpu::gfx11::pm4;
using Initiator = gfx11::COMPUTE_DISPATCH_INITIATOR;

constexpr uint32_t kProgramAddressShift = 8;

// NUM_THREAD_FULL and NUM_THREAD_PARTIAL stand at the same bits for x, y and z.
using NumThread = gfx11::COMPUTE_NUM_THREAD_X;

}  // namespace

PacketQueue::Outcome Pm4Queue::dispatch_direct() {
  using Packet = pm4::DISPATCH_DIRECT;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  return dispatch({dword(1), dword(2), dword(3)}, dword(4));
}

PacketQueue::Outcome Pm4Queue::dispatch_indirect() {
  using Packet = pm4::DISPATCH_INDIRECT;
  if (!has_size_of<Packet>()) return wrong_size<Packet>();
  if (!is_aligned(address_at(1), 4)) return misaligned(address_at(1), 4);
  std::array<uint32_t, 3> size{};
  for (size_t i = 0; i < size.size(); ++i) {
    if (!memory().load_u32(address_at(1) + i * sizeof(uint32_t), &size[i])) return memory_fault();
  }
  return dispatch(size, dword(3));
}

PacketQueue::Outcome Pm4Queue::check_dispatch(uint32_t initiator) {
  if (Initiator::compute_shader_en.get(initiator) == 0) return fail("COMPUTE_SHADER_EN is not set");
  if (Initiator::ordered_append_enbl.get(initiator) != 0) return fail("ordered append is not implemented");
  const uint64_t sizes[] = {NumThread::num_thread_full.get(sh<gfx11::COMPUTE_NUM_THREAD_X>()),
                            NumThread::num_thread_full.get(sh<gfx11::COMPUTE_NUM_THREAD_Y>()),
                            NumThread::num_thread_full.get(sh<gfx11::COMPUTE_NUM_THREAD_Z>())};
  const uint64_t product = sizes[0] * sizes[1] * sizes[2];
  if (product == 0 || product > facts::kMaxWorkgroupSize) {
    return fail("COMPUTE_NUM_THREAD_X..Z ask for workgroups of {} x {} x {} work-items; 1 to {} are possible", sizes[0],
                sizes[1], sizes[2], facts::kMaxWorkgroupSize);
  }
  return Outcome::kDone;
}

Dispatch Pm4Queue::describe_dispatch(std::array<uint32_t, 3> size, uint32_t initiator) const {
  Dispatch result;
  result.program_address =
      make_u64(sh<gfx11::COMPUTE_PGM_LO>(), gfx11::COMPUTE_PGM_HI::data.get(sh<gfx11::COMPUTE_PGM_HI>()))
      << kProgramAddressShift;
  result.pgm_rsrc1 = sh<gfx11::COMPUTE_PGM_RSRC1>();
  result.pgm_rsrc2 = sh<gfx11::COMPUTE_PGM_RSRC2>();
  result.pgm_rsrc3 = sh<gfx11::COMPUTE_PGM_RSRC3>();
  const auto user_data = registers_.sh_run(gfx11::COMPUTE_USER_DATA_0::kOffset, result.user_data.size());
  std::copy(user_data.begin(), user_data.end(), result.user_data.begin());

  const std::array<uint32_t, 3> num_thread = {sh<gfx11::COMPUTE_NUM_THREAD_X>(), sh<gfx11::COMPUTE_NUM_THREAD_Y>(),
                                              sh<gfx11::COMPUTE_NUM_THREAD_Z>()};
  const std::array<uint32_t, 3> start = {sh<gfx11::COMPUTE_START_X>(), sh<gfx11::COMPUTE_START_Y>(),
                                         sh<gfx11::COMPUTE_START_Z>()};
  for (size_t i = 0; i < 3; ++i) {
    const uint32_t full = NumThread::num_thread_full.get(num_thread[i]);
    result.workgroup_size[i] = full;
    if (Initiator::partial_tg_en.get(initiator) != 0) {
      result.partial_size[i] = NumThread::num_thread_partial.get(num_thread[i]);
    }
    if (Initiator::force_start_at_000.get(initiator) == 0) result.start_workgroup[i] = start[i];
    result.workgroup_count[i] = size[i];
    if (Initiator::use_thread_dimensions.get(initiator) != 0) {
      result.workgroup_count[i] = size[i] / full + (size[i] % full != 0);
      result.partial_size[i] = size[i] % full;
    }
  }
  const uint32_t tmpring = sh<gfx11::COMPUTE_TMPRING_SIZE>();
  result.scratch_address =
      make_u64(sh<gfx11::COMPUTE_DISPATCH_SCRATCH_BASE_LO>(),
               gfx11::COMPUTE_DISPATCH_SCRATCH_BASE_HI::data.get(sh<gfx11::COMPUTE_DISPATCH_SCRATCH_BASE_HI>()))
      << kProgramAddressShift;
  result.scratch_bytes_per_wave = gfx11::COMPUTE_TMPRING_SIZE::wavesize.get(tmpring) * facts::kScratchUnitBytes;
  result.scratch_wave_count = gfx11::COMPUTE_TMPRING_SIZE::waves.get(tmpring) * facts::kShaderEngines;
  result.wave_size = Initiator::cs_w32_en.get(initiator) != 0 ? 32 : 64;
  return result;
}

PacketQueue::Outcome Pm4Queue::dispatch(std::array<uint32_t, 3> size, uint32_t initiator) {
  if (suspension_.dispatch != nullptr) return run({});
  if (check_dispatch(initiator) == Outcome::kFault) return Outcome::kFault;
  if (std::find(size.begin(), size.end(), 0u) != size.end()) return Outcome::kDone;  // no workgroup at all
  Dispatch dispatch = describe_dispatch(size, initiator);
  if (order() != nullptr) {
    shader_accesses_.clear();
    dispatch.accesses = &shader_accesses_;
    program_address_ = dispatch.program_address;
  }
  dispatch.interrupt = [this](uint32_t data) { listener().interrupt(data); };
  if (trace() != nullptr) trace()->begin_dispatch(describe_packet(), &dispatch);
  return run(dispatch);
}

PacketQueue::Outcome Pm4Queue::run(const Dispatch& dispatch) {
  suspension_.request = suspension_request();
  auto fault = shader_cores_.run(dispatch, space(), cancellation(), &suspension_);
  if (fault) return shader_fault(std::move(*fault));
  if (suspension_.dispatch != nullptr) return Outcome::kSuspended;
  if (is_cancelled()) return Outcome::kBlocked;  // for ever: nobody shall see it as done
  if (order() == nullptr) return Outcome::kDone;
  const auto wrong = order()->check_dispatch(program_address_, std::exchange(shader_accesses_, {}));
  return wrong ? fail("{}", *wrong) : Outcome::kDone;
}

}  // namespace bw::emulator
