#include "emulator/queue/packet_queue.h"

#include <algorithm>
#include <utility>

namespace bw::emulator {
namespace {

constexpr int kPacketsPerTurn = 64;
constexpr size_t kReportedDwords = 16;

}  // namespace

PacketQueue::PacketQueue(const QueueSetup& setup, const QueueContext& context, std::string engine,
                         uint32_t bytes_per_count)
    : setup_(setup),
      context_(context),
      engine_(std::move(engine)),
      bytes_per_count_(bytes_per_count),
      order_(context.checker == nullptr
                 ? nullptr
                 : std::make_unique<MemoryChecker::Queue>(context.checker, context.memory,
                                                          fmt::format("{} queue {}", engine_, setup.queue_id))),
      memory_(context.memory, context.checker == nullptr ? nullptr : &accesses_),
      ordering_memory_(context.memory) {}

StepResult PacketQueue::step(Turn turn) {
  if (stopped_ || is_cancelled()) return StepResult::kStopped;
  if (turn == Turn::kLook && !blocked_) return StepResult::kIdle;
  for (int i = 0; i < kPacketsPerTurn && !stop_requested(); ++i) {
    const StepResult without_more = i == 0 ? StepResult::kIdle : StepResult::kProgress;
    if (!has_packet_) {
      const Fetch fetched = fetch();
      if (fetched == Fetch::kFault) return stop();
      if (fetched == Fetch::kNothing) return without_more;
      has_packet_ = true;
      begin_packet();
      if (trace() != nullptr) trace()->begin_packet();
    }
    const size_t depth = buffers_.size();
    const Outcome outcome = execute();
    if (outcome == Outcome::kFault || (outcome == Outcome::kDone && !check_packet())) return stop();
    if (outcome == Outcome::kSuspended) return StepResult::kProgress;
    const bool was_blocked = std::exchange(blocked_, outcome == Outcome::kBlocked);
    if (trace() != nullptr && !blocked_) trace_packet(depth);
    if (trace() != nullptr && blocked_ && !was_blocked) trace()->packet_waits(describe_packet());
    if (blocked_) return i == 0 ? StepResult::kBlocked : StepResult::kProgress;
    has_packet_ = false;
    if (!retire()) return stop();
    if (interrupt_) context_.listener.interrupt(*std::exchange(interrupt_, std::nullopt));
    // What comes after a wait may take long: a turn of its own, which has_work() announces.
    if (was_blocked) return StepResult::kProgress;
  }
  return StepResult::kProgress;
}

bool PacketQueue::has_work() const {
  return !stopped_ && !blocked_ && (has_packet_ || !buffers_.empty() || written_dwords() != ring_next_);
}

uint64_t PacketQueue::written_dwords() const {
  return setup_.doorbell->load(std::memory_order_acquire) * bytes_per_count_ / sizeof(uint32_t);
}

void PacketQueue::look_at_doorbell() {
  written_ = written_dwords();
  if (trace() != nullptr && written_ != ring_next_) {
    trace()->see_doorbell(setup_.doorbell->load(std::memory_order_relaxed));
  }
  if (order_ == nullptr) return;
  if (written_ != seen_doorbell_) order_->see_doorbell(written_);
  if (written_ == ring_next_ && seen_doorbell_ != 0) order_->drained();
  seen_doorbell_ = written_ == ring_next_ ? 0 : written_;
}

PacketQueue::Fetch PacketQueue::fetch() {
  return buffers_.empty() ? fetch_from_ring() : fetch_from_buffer();
}

PacketQueue::Fetch PacketQueue::fetch_from_ring() {
  // Each look takes the doorbell from the cache of the client, who may be about to ring it; who keeps its times looks
  // at each packet.
  if (ring_next_ == written_ || skipping_ != 0 || order_ != nullptr || trace() != nullptr) look_at_doorbell();
  if (ring_next_ == written_) return Fetch::kNothing;
  if (skipping_ != 0 && available_dwords() <= ring_dwords()) {
    if (!skip_in_ring()) return Fetch::kFault;
    if (ring_next_ == written_) return Fetch::kNothing;
  }
  ring_packet_ = ring_next_;
  packet_address_ = setup_.ring_address + ring_next_ % ring_dwords() * sizeof(uint32_t);
  packet_.clear();
  if (available_dwords() > ring_dwords()) {
    fail("the doorbell says {} dwords, {} are done: that is not within a ring of {} dwords", written_, ring_next_,
         ring_dwords());
    return Fetch::kFault;
  }
  uint32_t need = 1;
  while (packet_.size() < need) {
    if (need > available_dwords()) look_at_doorbell();
    // The rest of the packet may be yet to come.
    if (need > available_dwords()) return Fetch::kNothing;
    if (!read_ring(ring_next_, need)) return Fetch::kFault;
    need = packet_dwords(packet_.data(), need);
    if (need == 0) return Fetch::kFault;
    if (need > ring_dwords()) {
      fail("the packet has {} dwords, the ring {}", need, ring_dwords());
      return Fetch::kFault;
    }
  }
  ring_next_ += need;
  return Fetch::kReady;
}

bool PacketQueue::skip_in_ring() {
  const uint64_t count = std::min(skipping_, available_dwords());
  ring_next_ += count;
  skipping_ -= count;
  return retire();
}

PacketQueue::Outcome PacketQueue::skip_dwords(uint64_t count) {
  if (buffers_.empty()) {
    skipping_ = count;
    return Outcome::kDone;
  }
  PacketBuffer& buffer = buffers_.back();
  if (count > buffer.remaining_dwords) {
    return fail("{} dwords are to be skipped, the indirect buffer has only {} more", count, buffer.remaining_dwords);
  }
  buffer.address += count * sizeof(uint32_t);
  buffer.remaining_dwords -= count;
  return Outcome::kDone;
}

uint64_t PacketQueue::dword_address(size_t index) const {
  const uint64_t address = packet_address_ + index * sizeof(uint32_t);
  const uint64_t ring_end = setup_.ring_address + setup_.ring_bytes;
  return buffers_.empty() && address >= ring_end ? address - setup_.ring_bytes : address;
}

PacketQueue::Fetch PacketQueue::fetch_from_buffer() {
  PacketBuffer& buffer = buffers_.back();
  packet_address_ = buffer.address;
  packet_.clear();
  uint32_t need = 1;
  while (packet_.size() < need) {
    if (need > buffer.remaining_dwords) {
      fail("the packet has {} dwords, the indirect buffer only {} more", need, buffer.remaining_dwords);
      return Fetch::kFault;
    }
    if (!read_buffer(buffer.address, need)) return Fetch::kFault;
    need = packet_dwords(packet_.data(), need);
    if (need == 0) return Fetch::kFault;
  }
  buffer.address += need * sizeof(uint32_t);
  buffer.remaining_dwords -= need;
  return Fetch::kReady;
}

bool PacketQueue::read_ring(uint64_t at, uint32_t count) {
  const uint64_t begin = at % ring_dwords();
  const auto first = static_cast<uint32_t>(std::min<uint64_t>(count, ring_dwords() - begin));
  packet_.resize(count);
  if (ordering_memory_.read(setup_.ring_address + begin * sizeof(uint32_t), packet_.data(), first * sizeof(uint32_t)) &&
      ordering_memory_.read(setup_.ring_address, packet_.data() + first, (count - first) * sizeof(uint32_t))) {
    return true;
  }
  memory_fault(ordering_memory_);
  return false;
}

bool PacketQueue::read_buffer(uint64_t address, uint32_t count) {
  packet_.resize(count);
  const auto size_bytes = static_cast<uint32_t>(count * sizeof(uint32_t));
  if (ordering_memory_.read(address, packet_.data(), size_bytes)) return true;
  packet_.clear();
  memory_fault(ordering_memory_);
  return false;
}

bool PacketQueue::retire() {
  while (!buffers_.empty() && buffers_.back().remaining_dwords == 0) {
    buffers_.pop_back();
    if (trace() != nullptr) trace()->buffer_ends();
  }
  if (!buffers_.empty() || published_ == ring_next_) return true;
  if (!publish_read_pointer(ring_next_)) {
    memory_fault(ordering_memory_);
    return false;
  }
  published_ = ring_next_;
  return true;
}

void PacketQueue::begin_packet() {
  if (context_.edit_packet) context_.edit_packet(packet_);
  if (order_ == nullptr) return;
  accesses_.clear();
  stored_signal_ = {};
  order_->begin_at(ring_packet_);
}

PacketQueue::Outcome PacketQueue::signal_at_end(const StoredSignal& signal, const CacheActions& actions,
                                                MemoryChecker::Queue::Meaning meaning) {
  if (order_ == nullptr) return Outcome::kDone;
  stored_signal_ = signal;
  const auto wrong = order_->signal_at_end(signal.address, signal.value, actions, meaning);
  return wrong ? fail("{}", *wrong) : Outcome::kDone;
}

PacketQueue::Outcome PacketQueue::acquire(const CacheActions& actions) {
  if (order_ == nullptr) return Outcome::kDone;
  const auto wrong = order_->acquire(actions);
  return wrong ? fail("{}", *wrong) : Outcome::kDone;
}

bool PacketQueue::check_packet() {
  if (order_ == nullptr) return true;
  if (stored_signal_.size_bytes != 0) {
    order_->stored_signal(packet_name(), stored_signal_.address, stored_signal_.size_bytes);
  }
  if (accesses_.is_empty()) return true;
  const auto wrong = order_->check_packet(packet_name(), std::exchange(accesses_, {}));
  if (wrong) fail("{}", *wrong);
  return !wrong;
}

void PacketQueue::trace_packet(size_t depth) {
  buffers_.size() > depth ? trace()->call_buffer(describe_packet()) : trace()->end_packet(describe_packet());
}

PacketQueue::Outcome PacketQueue::memory_fault(const GpuMemory& memory) {
  memory_fault_ = memory.fault();
  return fail("{}", describe(*memory_fault_));
}

PacketQueue::Outcome PacketQueue::shader_fault(ShaderFault fault) {
  if (fault.kind == ShaderFaultKind::kMemory) {
    memory_fault_ = explain_fault(context_.memory, fault.address, fault.access);
    memory_fault_->address = fault.address;
  }
  shader_fault_ = std::move(fault);
  return fail("{}", shader_fault_->message);
}

StepResult PacketQueue::stop() {
  stopped_ = true;
  FaultReport report;
  report.kind = shader_fault_ ? FaultKind::kShader : memory_fault_ ? FaultKind::kMemory : FaultKind::kPacket;
  report.gpu_id = setup_.gpu_id;
  report.queue_id = setup_.queue_id;
  report.engine = engine_;
  report.packet_address = packet_address_;
  report.ring_offset_dwords = ring_packet_ % ring_dwords();
  report.dwords = packet_;
  report.memory = memory_fault_;
  report.shader = shader_fault_;
  std::string dwords;
  for (size_t i = 0; i < std::min(packet_.size(), kReportedDwords); ++i) dwords += fmt::format(" {:08x}", packet_[i]);
  if (packet_.size() > kReportedDwords) dwords += " ...";
  if (!packet_.empty()) dwords += fmt::format(" ({})", amdgpu::gfx11::to_string(describe_packet()));
  report.message = fmt::format("gpu {:#x}, {} queue {}: {} at {:#x} (dword {} of the ring): {}; packet:{}",
                               setup_.gpu_id, engine_, setup_.queue_id, packet_.empty() ? "fetch" : packet_name(),
                               packet_address_, report.ring_offset_dwords, reason_, dwords);
  context_.listener.fault(std::move(report));
  return StepResult::kStopped;
}

}  // namespace bw::emulator
