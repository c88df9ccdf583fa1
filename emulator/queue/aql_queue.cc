#include "emulator/queue/aql_queue.h"

#include "base/bits.h"
#include "emulator/kernel/clock.h"

namespace bw::emulator {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = amdgpu::gfx11::pm4;
using Header = gfx11::hsa_packet_header;
using Type = gfx11::hsa_packet_type_t;

constexpr int kPacketsPerTurn = 64;
constexpr uint32_t kLooksPerCount = 16;
// The header of a slot that belongs to the client.
constexpr uint16_t kInvalidHeader = static_cast<uint16_t>(Type::invalid);
// Of vendor packets, in the byte after the header. ROCr: amd_aql_queue.cpp, AqlQueue::ExecutePM4(); hsa_ext_amd.h.
constexpr uint32_t kFormatPm4IndirectBuffer = 1;
constexpr uint32_t kFormatBarrierValue = static_cast<uint32_t>(gfx11::hsa_amd_packet_type_t::barrier_value);
constexpr BitField kVendorFormat{23, 16};
// What is left of the packet behind dw_cnt_remain, in dwords.
constexpr uint32_t kRemainingDwords = 10;

// Addresses have 48 bits, and the ones above repeat the highest or are that of an aperture.
bool is_canonical(uint64_t address) {
  const uint64_t above = address >> 48;
  return above == 0 || above == 0xffff;
}

QueueSetup buffer_setup(const QueueSetup& queue, std::atomic<uint64_t>* doorbell) {
  QueueSetup setup = queue;
  setup.doorbell = doorbell;
  return setup;
}

}  // namespace

std::unique_ptr<QueueProcessor> make_aql_queue(const QueueSetup& setup, const QueueContext& context,
                                               ShaderCores& shader_cores) {
  return std::make_unique<AqlQueue>(setup, context, shader_cores);
}

AqlQueue::AqlQueue(const QueueSetup& setup, const QueueContext& context, ShaderCores& shader_cores)
    : setup_(setup),
      context_(context),
      shader_cores_(shader_cores),
      memory_(context.memory),
      signals_(memory_, context.listener),
      buffer_listener_(context.listener),
      buffers_(buffer_setup(setup, &buffer_doorbell_), {context.memory, buffer_listener_, context.trace}, shader_cores),
      cancel_buffers_(cancellation(), [this] { buffers_.cancel(); }) {}

bool AqlQueue::has_work() const {
  if (stopped_ || blocked_ || stalled_) return false;
  if (phase_ == Phase::kIndirectBuffer) return buffers_.has_work();
  if (phase_ != Phase::kFetch) return true;
  return may_have_packets_ || setup_.doorbell->load(std::memory_order_relaxed) != last_doorbell_;
}

StepResult AqlQueue::step(Turn turn) {
  if (stopped_ || is_cancelled()) return StepResult::kStopped;
  if (turn == Turn::kLook && phase_ == Phase::kFetch) return look();
  for (int i = 0; i < kPacketsPerTurn && !stop_requested(); ++i) {
    const bool was_blocked = blocked_;
    const Outcome outcome = advance();
    blocked_ = outcome == Outcome::kBlocked;
    if (outcome == Outcome::kFault) return stop();
    if (is_cancelled()) return StepResult::kStopped;
    if (blocked_ && !was_blocked && context_.trace && phase_ != Phase::kIndirectBuffer &&
        phase_ != Phase::kScratchReturned) {
      context_.trace->packet_waits(gfx11::describe_aql(packet_));
    }
    if (outcome == Outcome::kNothing) return i == 0 ? StepResult::kIdle : StepResult::kProgress;
    if (blocked_) return i == 0 ? StepResult::kBlocked : StepResult::kProgress;
    // What comes after a wait may take long: a turn of its own, which has_work() announces.
    if (was_blocked || (phase_ == Phase::kFetch && !may_have_packets_)) return StepResult::kProgress;
  }
  return StepResult::kProgress;
}

AqlQueue::Outcome AqlQueue::advance() {
  switch (phase_) {
    case Phase::kFetch:
      if (const Outcome outcome = fetch(); outcome != Outcome::kDone) return outcome;
      phase_ = Phase::kPacket;
      time_.start = gpu_clock();
      if (context_.trace) context_.trace->begin_packet();
      [[fallthrough]];
    case Phase::kPacket: {
      const Outcome outcome = execute();
      return outcome == Outcome::kDone ? complete() : outcome;
    }
    case Phase::kIndirectBuffer: {
      const Outcome outcome = run_indirect_buffer();
      return outcome == Outcome::kDone ? complete() : outcome;
    }
    case Phase::kScratchAsked:
      return await_inactive_signal(Phase::kPacket);
    case Phase::kScratchReturned:
      return await_inactive_signal(Phase::kFetch);
  }
  return Outcome::kNothing;
}

// A producer that rings late may store the very value that was seen last; so now and then the client's count is looked
// at too. Not always: that would take it from the client's cache while he writes packets.
StepResult AqlQueue::look() {
  Outcome outcome = Outcome::kNothing;
  if (stalled_) {
    outcome = look_at_header();
  } else if (++looks_ % kLooksPerCount == 0) {
    outcome = look_at_count();
  }
  if (outcome == Outcome::kFault) return stop();
  return outcome == Outcome::kDone ? StepResult::kProgress : StepResult::kIdle;
}

// A doorbell tells that there is something to look at, no more: of several producers the last to ring need not be the
// one with the last packet. What was rung for is known by write_dispatch_id and the headers.
AqlQueue::Outcome AqlQueue::fetch() {
  const auto hold = memory_.hold();
  const uint64_t rung = setup_.doorbell->load(std::memory_order_acquire);
  if (std::exchange(last_doorbell_, rung) != rung && context_.trace) context_.trace->see_doorbell(rung);
  if (const Outcome outcome = look_at_count(); outcome != Outcome::kDone) return outcome;
  packet_address_ = setup_.ring_address + next_ % slots() * sizeof(packet_);
  if (const Outcome outcome = look_at_header(); outcome != Outcome::kDone) return outcome;
  if (!memory_.read(packet_address_, packet_.data(), sizeof(packet_))) return memory_fault();
  return Outcome::kDone;
}

AqlQueue::Outcome AqlQueue::look_at_count() {
  if (!memory_.load_u64(setup_.write_pointer_address, &written_)) return memory_fault();
  may_have_packets_ = has_packets();
  return may_have_packets_ ? Outcome::kDone : Outcome::kNothing;
}

AqlQueue::Outcome AqlQueue::look_at_header() {
  uint32_t head = 0;
  if (!memory_.load_u32(packet_address_, &head)) return memory_fault();
  stalled_ = Header::type.get(head) == static_cast<uint32_t>(Type::invalid);
  return stalled_ ? Outcome::kNothing : Outcome::kDone;
}

gfx11::hsa_packet_type_t AqlQueue::packet_type() const {
  return static_cast<Type>(Header::type.get(packet_[0]));
}

AqlQueue::Outcome AqlQueue::execute() {
  switch (packet_type()) {
    case Type::kernel_dispatch:
      return dispatch();
    case Type::barrier_and:
      return barrier_and();
    case Type::barrier_or:
      return barrier_or();
    case Type::vendor_specific:
      return vendor_packet();
    case Type::agent_dispatch:
      return fail(queue_error::kUnsupportedPacket, "a queue of the card takes no agent dispatch packets");
    case Type::invalid:
      break;
  }
  return fail(queue_error::kUnsupportedPacket, "there is no packet type {}", static_cast<uint32_t>(packet_type()));
}

AqlQueue::Outcome AqlQueue::vendor_packet() {
  const uint32_t format = kVendorFormat.get(packet_[0]);
  if (format == kFormatBarrierValue) return barrier_value();
  if (format != kFormatPm4IndirectBuffer) {
    return fail(queue_error::kVendorPacket, "vendor format {} is not known", format);
  }
  const auto packet = packet_as<gfx11::aql_amd_pm4_ib_packet>();
  using Jump = pm4::INDIRECT_BUFFER;
  const uint32_t* jump = packet.ib_jump_cmd;
  if (static_cast<pm4::Opcode>(pm4::TYPE_3_HEADER::opcode.get(jump)) != pm4::Opcode::INDIRECT_BUFFER ||
      pm4::TYPE_3_HEADER::count.get(jump) + 2 != Jump::kDwords || pm4::TYPE_3_HEADER::type.get(jump) != 3) {
    return fail(queue_error::kVendorPacket, "{:#010x} is no INDIRECT_BUFFER packet", jump[0]);
  }
  if (packet.dw_cnt_remain != kRemainingDwords) {
    return fail(queue_error::kVendorPacket, "{} dwords are said to remain, not {}", packet.dw_cnt_remain,
                kRemainingDwords);
  }
  if ((jump[1] & 3) != 0 || Jump::valid.get(jump) == 0 || Jump::ib_size.get(jump) == 0) {
    return fail(queue_error::kVendorPacket, "INDIRECT_BUFFER of {} dwords at {:#x}, VALID {}", Jump::ib_size.get(jump),
                make_u64(jump[1], jump[2]), Jump::valid.get(jump));
  }
  if (context_.trace) context_.trace->call_buffer(gfx11::describe_aql(packet_));
  buffers_.call_buffer(make_u64(jump[1], jump[2]), Jump::ib_size.get(jump));
  phase_ = Phase::kIndirectBuffer;
  return Outcome::kGoOn;
}

AqlQueue::Outcome AqlQueue::run_indirect_buffer() {
  switch (buffers_.step(Turn::kWork)) {
    case StepResult::kProgress:
      return Outcome::kGoOn;
    case StepResult::kBlocked:
      return Outcome::kBlocked;
    case StepResult::kIdle:
      return Outcome::kDone;
    case StepResult::kStopped:
      break;
  }
  if (!buffer_listener_.last) return Outcome::kBlocked;  // cancelled
  FaultReport& report = *buffer_listener_.last;
  if (report.shader) return shader_fault(std::move(*report.shader));
  memory_fault_ = report.memory;
  return fail(queue_error::kVendorPacket, "{}", report.message);
}

AqlQueue::Outcome AqlQueue::complete() {
  // Before the client is told: who is woken may take this thread's processor.
  if (context_.trace && phase_ == Phase::kPacket) context_.trace->end_packet(gfx11::describe_aql(packet_));
  time_.end = gpu_clock();
  const auto hold = memory_.hold();
  const uint64_t signal = packet_as<gfx11::hsa_kernel_dispatch_packet_t>().completion_signal;
  if (const Outcome outcome = free_slot(); outcome != Outcome::kDone) return outcome;
  if (signal != 0 && !signals_.complete(signal, time_)) return memory_fault();
  phase_ = Phase::kFetch;
  ++next_;
  may_have_packets_ = has_packets();
  return returns_scratch_ ? return_scratch() : Outcome::kDone;
}

// The slot is the client's again, and it hears of it before the signal. Kernels read their packet, so not earlier.
AqlQueue::Outcome AqlQueue::free_slot() {
  const bool freed = memory_.with_word(packet_address_, sizeof(uint16_t), Access::kWrite, [](std::byte* header) {
    std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(header)).store(kInvalidHeader, std::memory_order_release);
  });
  if (!freed || !memory_.store_u64(setup_.read_pointer_address, next_ + 1)) return memory_fault();
  return Outcome::kDone;
}

AqlQueue::Outcome AqlQueue::memory_fault() {
  memory_fault_ = memory_.fault();
  return fail({}, "{}", describe(*memory_fault_));
}

AqlQueue::Outcome AqlQueue::shader_fault(ShaderFault fault) {
  QueueError error = queue_error::kIllegalInstruction;
  if (fault.kind == ShaderFaultKind::kMemory && !is_canonical(fault.address)) {
    error = queue_error::kApertureViolation;  // never gets as far as the page tables
  } else if (fault.kind == ShaderFaultKind::kMemory) {
    memory_fault_ = explain_fault(context_.memory, fault.address, fault.access);
    memory_fault_->address = fault.address;
  } else if (fault.kind == ShaderFaultKind::kTrap) {
    error = queue_error::kWaveTrap;
  } else if (fault.kind == ShaderFaultKind::kWatchdog) {
    error = queue_error::kWaveAbort;
  }
  shader_fault_ = std::move(fault);
  return fail(error, "{}", shader_fault_->message);
}

std::string AqlQueue::packet_name() const {
  switch (packet_type()) {
    case Type::kernel_dispatch:
      return "kernel dispatch";
    case Type::barrier_and:
      return "barrier-AND";
    case Type::barrier_or:
      return "barrier-OR";
    case Type::agent_dispatch:
      return "agent dispatch";
    case Type::vendor_specific:
      return "vendor packet";
    case Type::invalid:
      break;
  }
  return "packet";
}

StepResult AqlQueue::stop() {
  stopped_ = true;
  FaultReport report;
  report.kind = shader_fault_ ? FaultKind::kShader : memory_fault_ ? FaultKind::kMemory : FaultKind::kPacket;
  report.gpu_id = setup_.gpu_id;
  report.queue_id = setup_.queue_id;
  report.engine = "aql";
  report.packet_address = packet_address_;
  report.ring_offset_dwords = next_ % slots() * packet_.size();
  report.memory = memory_fault_;
  report.shader = shader_fault_;
  std::string dwords;
  const bool has_packet = phase_ != Phase::kFetch;
  if (has_packet) report.dwords.assign(packet_.begin(), packet_.end());
  for (uint32_t dword : report.dwords) dwords += fmt::format(" {:08x}", dword);
  if (has_packet) dwords += fmt::format(" ({})", gfx11::to_string(gfx11::describe_aql(packet_)));
  report.message = fmt::format("gpu {:#x}, aql queue {}: {} {} at {:#x}: {}; packet:{}", setup_.gpu_id, setup_.queue_id,
                               has_packet ? packet_name() : "fetch of packet", next_, packet_address_, reason_, dwords);
  tell_client(report);
  context_.listener.fault(std::move(report));
  return StepResult::kStopped;
}

// A client that has enabled the runtime hears from the driver; another one, from the queue's signal, if it has one.
// Memory faults are always the driver's to tell.
void AqlQueue::tell_client(FaultReport& report) {
  if (memory_fault_) return;
  if (setup_.reports_to_runtime) {
    report.notice = FaultNotice::kRuntime;
    report.exception_code = error_.exception_code;
    report.context_save_address = setup_.context_save_address;
    return;
  }
  uint64_t signal = 0;
  const uint64_t at = queue_address() + offsetof(gfx11::amd_queue_t, queue_inactive_signal);
  if (!memory_.load_u64(at, &signal) || signal == 0) return;
  if (signals_.store(signal, static_cast<int64_t>(error_.inactive_bits))) report.notice = FaultNotice::kSignal;
}

}  // namespace bw::emulator
