#include "tools/barewave/isa_test.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/limits.h"
#include "base/bits.h"

namespace bw::tools {
namespace {

using namespace amdgpu;

constexpr uint32_t kScratchBytesPerLane = 64 * 1024;

// The registers that the vectors were made for (README.md of the data, section 1): round to nearest even, f32 denormals
// flushed, others kept.
uint32_t vector_rsrc1(uint32_t wave_size) {
  using R = gfx11::compute_pgm_rsrc1;
  constexpr uint32_t kVgprs = 256, kFlushNone = 3;
  const uint32_t granule = wave_size == 32 ? 8 : 4;
  uint32_t word = R::granulated_workitem_vgpr_count.set(0, kVgprs / granule - 1);
  word = R::float_denorm_mode_16_64.set(word, kFlushNone);
  word = R::enable_dx10_clamp.set(word, 1);
  word = R::enable_ieee_mode.set(word, 1);
  word = R::wgp_mode.set(word, 1);
  return R::mem_ordered.set(word, 1);
}

uint32_t vector_rsrc2() {
  using R = gfx11::compute_pgm_rsrc2;
  constexpr uint32_t kLdsBytes = 64 * 1024;
  uint32_t word = R::enable_private_segment.set(0, 1);
  word = R::user_sgpr_count.set(word, 2);
  word = R::enable_sgpr_workgroup_id_x.set(word, 1);
  return R::granulated_lds_size.set(word, kLdsBytes / gfx11::kLdsGranuleBytes);
}

uint32_t word_at(std::span<const uint8_t> bytes, size_t offset) {
  uint32_t word = 0;
  std::memcpy(&word, bytes.data() + offset, 4);
  return word;
}

// A group of dwords that one line of a state shows: a VGPR's lanes, or one scalar.
size_t dwords_in_line(const IsaVector& vector, uint32_t offset) {
  constexpr size_t kMost = 4;
  const size_t rest = (vector.expected.size() - offset) / 4;
  if (vector.layout == IsaVector::Layout::kLanes) return std::min(kMost, rest);
  constexpr uint32_t kVgprs = 16;
  const uint32_t dword = offset / 4;
  if (dword >= kVgprs * vector.lanes) return 1;
  return std::min<size_t>(kMost, vector.lanes - dword % vector.lanes);
}

// Both states side by side: every line that is not zero on both sides.
std::string describe_states(const IsaVector& vector, const IsaOutcome& outcome) {
  std::map<uint32_t, char> marks;
  for (const auto& difference : outcome.verdict.soft) marks[difference.offset] = '~';
  for (const auto& difference : outcome.verdict.hard) marks[difference.offset] = '!';
  std::string text = fmt::format(
      "  state in the end (! violates an assertion: hard, ~ differs: soft; zero on both sides is left out)\n"
      "    {:<14}{:<46}{}\n",
      "from", "expected", "got");
  for (uint32_t offset = 0; offset < vector.expected.size();) {
    const size_t count = dwords_in_line(vector, offset);
    std::string want, got;
    bool is_worth_it = false;
    for (size_t i = 0; i < count; ++i) {
      const uint32_t at = offset + static_cast<uint32_t>(i) * 4;
      const auto mark = marks.find(at);
      want += fmt::format("{:08x}   ", word_at(vector.expected, at));
      got += fmt::format("{:08x}{}  ", word_at(outcome.out, at), mark == marks.end() ? ' ' : mark->second);
      is_worth_it |= word_at(vector.expected, at) != 0 || word_at(outcome.out, at) != 0;
    }
    got.erase(got.find_last_not_of(' ') + 1);
    if (is_worth_it) text += fmt::format("    {:<14}{:<46}{}\n", vector.name_of(offset), want, got);
    offset += static_cast<uint32_t>(count) * 4;
  }
  return text;
}

}  // namespace

Result<IsaRunner> IsaRunner::open(const ChosenDriver& driver, const IsaRunOptions& options) {
  BW_ASSIGN(std::unique_ptr<Device> device, Device::open(driver.driver()));
  return IsaRunner(driver, options, std::move(device));
}

Result<Buffer> IsaRunner::make_out_buffer(const IsaVector& vector) {
  const MemoryKind kind = device_->info().is_vram_host_visible ? MemoryKind::kVramHostVisible : MemoryKind::kVram;
  BW_ASSIGN(Buffer out, device_->allocate(kind, vector.expected.size()));
  BW_RETURN_IF_ERROR(device_->write(out, 0, std::vector<std::byte>(vector.expected.size())));
  return out;
}

Status IsaRunner::execute(const IsaVector& vector, const CommandBuffer& commands) {
  BW_ASSIGN(const Submission done, device_->submit(commands));
  Status status = device_->wait(done, options_.timeout_ns).with_context(vector.id);
  if (status.code() != StatusCode::kDeviceFault || driver_->emulated == nullptr) return status;
  // One queue, one fault at a time: the latest report is this one's.
  const std::vector<emulator::FaultReport> reports = driver_->emulated->fault_reports();
  if (reports.empty()) return status;
  return std::move(status).with_advice(fmt::format("the emulated card reports: {}", reports.back().message));
}

Result<IsaOutcome> IsaRunner::run(const IsaVector& vector) {
  BW_ASSIGN(Buffer out, make_out_buffer(vector));
  RawProgram program;
  program.name = vector.id;
  program.code = std::as_bytes(std::span(vector.code));
  program.pgm_rsrc1 = vector_rsrc1(options_.wave_size);
  program.pgm_rsrc2 = vector_rsrc2();
  program.wave_size = options_.wave_size;
  program.argument_size_bytes = sizeof(uint64_t);
  program.scratch_bytes_per_lane = kScratchBytesPerLane;
  BW_ASSIGN(const auto kernel, device_->load_program(program));
  const uint64_t address = out.gpu_addr().value;
  CommandRecorder recorder = device_->record();
  recorder.dispatch(*kernel, {1, 1, 1}, {vector.lanes, 1, 1}, std::as_bytes(std::span(&address, 1)));
  BW_ASSIGN(const CommandBuffer commands, recorder.finish());

  IsaOutcome outcome;
  outcome.status = execute(vector, commands);
  const StatusCode code = outcome.status.code();
  if (code == StatusCode::kDeviceFault || code == StatusCode::kTimeout) {
    BW_RETURN_IF_ERROR(device_->recover().with_context(fmt::format("going on after {}", vector.id)));
    return outcome;
  }
  BW_RETURN_IF_ERROR(outcome.status);
  outcome.out.resize(vector.expected.size());
  BW_RETURN_IF_ERROR(device_->read(out, 0, std::as_writable_bytes(std::span(outcome.out))));
  outcome.verdict = judge(vector, outcome.out);
  return outcome;
}

std::string describe_failure(const IsaVector& vector, const IsaOutcome& outcome, uint32_t wave_size,
                             const std::string& place) {
  std::string text = fmt::format("{} ({} work-item{}, wave{}){}\n  program\n", vector.id, vector.lanes,
                                 vector.lanes == 1 ? "" : "s", wave_size, place);
  for (const std::string& line : vector.disassembly) text += fmt::format("    {}\n", line);
  if (!outcome.status.is_ok()) return text + fmt::format("  {}\n", outcome.status.message());
  if (!outcome.verdict.hard.empty()) text += "  violated assertions (hard)\n";
  for (const auto& difference : outcome.verdict.hard) text += fmt::format("    {}\n", difference.text);
  return text + describe_states(vector, outcome);
}

}  // namespace bw::tools
