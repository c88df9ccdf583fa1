#include "emulator/trace/queue_trace.h"

#include <fmt/format.h>

#include <utility>

#include "emulator/shader/group_runner.h"

namespace bw::emulator {
namespace {

using amdgpu::gfx11::FieldText;
using amdgpu::gfx11::PacketText;

std::string triple(const std::array<uint32_t, 3>& values) {
  return fmt::format("{}x{}x{}", values[0], values[1], values[2]);
}

}  // namespace

QueueTrace::QueueTrace(TraceRecorder& recorder, QueueListener& inner, const QueueSetup& setup,
                       const std::string& engine, std::string doorbell_unit)
    : recorder_(recorder),
      inner_(inner),
      doorbell_unit_(std::move(doorbell_unit)),
      track_(recorder.add_queue(setup.gpu_id, setup.queue_id, engine)),
      doorbell_(setup.doorbell->load(std::memory_order_relaxed)) {}

QueueTrace::~QueueTrace() {
  abandon();
}

void QueueTrace::abandon() {
  const FieldText fields[] = {{"abandoned", ""}};
  while (!open_.empty()) close(fields);
}

void QueueTrace::instant(const char* category, std::string_view name, std::string_view text) {
  recorder_.add(track_, {.category = category,
                         .begin_ns = TraceRecorder::now_ns(),
                         .name = name,
                         .text = text,
                         .depth = static_cast<uint32_t>(open_.size())});
}

void QueueTrace::note_doorbell(uint64_t value) {
  const auto by = static_cast<int64_t>(value - doorbell_);
  doorbell_ = value;
  instant("doorbell", "doorbell", fmt::format("doorbell {} ({:+} {})", value, by, doorbell_unit_));
}

void QueueTrace::open(uint64_t begin_ns, const std::string& name, std::span<const FieldText> fields) {
  recorder_.add(track_, {.phase = TracePhase::kBegin,
                         .category = "packet",
                         .begin_ns = begin_ns,
                         .name = name,
                         .fields = fields,
                         .depth = static_cast<uint32_t>(open_.size())});
  open_.push_back({begin_ns, name});
}

void QueueTrace::close(std::span<const FieldText> fields) {
  if (open_.empty()) return;
  const Open last = std::move(open_.back());
  open_.pop_back();
  recorder_.add(track_, {.phase = TracePhase::kEnd,
                         .category = "packet",
                         .begin_ns = last.begin_ns,
                         .end_ns = TraceRecorder::now_ns(),
                         .name = last.name,
                         .fields = fields,
                         .depth = static_cast<uint32_t>(open_.size())});
}

void QueueTrace::packet_waits(PacketText packet) {
  if (std::exchange(is_open_, true)) return;
  packet.fields.push_back({"waits", ""});
  open(begin_ns_, packet.name, packet.fields);
}

void QueueTrace::begin_dispatch(PacketText packet, Dispatch* dispatch) {
  std::vector<FieldText>& fields = packet.fields;
  std::array<uint32_t, 3> groups{};
  for (size_t i = 0; i < groups.size(); ++i) groups[i] = dispatch->workgroup_count[i] - dispatch->start_workgroup[i];
  fields.push_back({"workgroups", triple(groups)});
  fields.push_back({"of", triple(dispatch->workgroup_size)});
  if (dispatch->partial_size != std::array<uint32_t, 3>{}) fields.push_back({"last", triple(dispatch->partial_size)});
  fields.push_back({"wave", fmt::format("{}", dispatch->wave_size)});
  DispatchShape shape;
  if (!DispatchShape::make(*dispatch, &shape) && shape.lds_bytes != 0) {
    fields.push_back({"lds", fmt::format("{}", shape.lds_bytes)});
  }
  if (dispatch->scratch_bytes_per_wave != 0) {
    fields.push_back({"scratch", fmt::format("{}/wave", dispatch->scratch_bytes_per_wave)});
  }
  if (is_open_) {  // it has waited
    close({});
    begin_ns_ = TraceRecorder::now_ns();
  }
  instructions_ = 0;
  dispatch->instructions = &instructions_;
  is_open_ = true;
  // The program in the name tells one kernel from another at a glance.
  open(begin_ns_, fmt::format("{} {:#x}", packet.name, dispatch->program_address), fields);
}

void QueueTrace::end_packet(const PacketText& packet) {
  if (std::exchange(is_open_, false)) {
    std::vector<FieldText> fields;
    if (instructions_ != 0) fields.push_back({"instructions", fmt::format("{}", std::exchange(instructions_, 0))});
    return close(fields);
  }
  recorder_.add(track_, {.phase = TracePhase::kSlice,
                         .category = "packet",
                         .begin_ns = begin_ns_,
                         .end_ns = TraceRecorder::now_ns(),
                         .name = packet.name,
                         .fields = packet.fields,
                         .depth = static_cast<uint32_t>(open_.size())});
}

void QueueTrace::call_buffer(const PacketText& packet) {
  is_open_ = false;
  open(begin_ns_, packet.name, packet.fields);
}

void QueueTrace::buffer_ends() {
  close({});
}

void QueueTrace::interrupt(uint32_t context_id) {
  const std::string text = fmt::format("interrupt event={}", context_id);
  recorder_.add(track_,
                {.category = "interrupt", .begin_ns = TraceRecorder::now_ns(), .name = "interrupt", .text = text});
  inner_.interrupt(context_id);
}

void QueueTrace::fault(FaultReport report) {
  instant("fault", "fault", "fault: " + report.message);
  abandon();
  inner_.fault(std::move(report));
}

}  // namespace bw::emulator
