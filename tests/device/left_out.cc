#include "tests/device/left_out.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "amdgpu/gfx11/sdma.h"

namespace bw {
namespace {

namespace gfx11 = amdgpu::gfx11;
namespace pm4 = gfx11::pm4;
namespace sdma = gfx11::sdma;

struct PacketKind {
  Engine engine = Engine::kCompute;
  uint32_t opcode = 0;
};

// SDMA's POLL_REGMEM looks like a packet of type 3, but with an opcode that PM4 does not have.
PacketKind kind_of(std::span<const uint32_t> packet) {
  const uint32_t opcode = pm4::TYPE_3_HEADER::opcode.get(packet.data());
  if (pm4::TYPE_3_HEADER::type.get(packet.data()) == 3 && opcode != 0) return {Engine::kCompute, opcode};
  return {Engine::kCopy, sdma::HEADER::op.get(packet.data())};
}

bool is_pm4(std::span<const uint32_t> packet, pm4::Opcode opcode) {
  const PacketKind kind = kind_of(packet);
  return kind.engine == Engine::kCompute && kind.opcode == static_cast<uint32_t>(opcode);
}

bool is_sdma(std::span<const uint32_t> packet, sdma::Opcode opcode) {
  const PacketKind kind = kind_of(packet);
  return kind.engine == Engine::kCopy && kind.opcode == static_cast<uint32_t>(opcode);
}

void clear(std::span<uint32_t> packet, gfx11::PacketField field) {
  packet[field.dword] = field.bits.set(packet[field.dword], 0);
}

using Acquire = pm4::ACQUIRE_MEM;
using Release = pm4::RELEASE_MEM;

struct Field {
  const char* name;
  gfx11::PacketField field;
};
const Field kAcquireFields[] = {{"glk_inv", Acquire::gcr_cntl_glk_inv}, {"glv_inv", Acquire::gcr_cntl_glv_inv},
                                {"gl1_inv", Acquire::gcr_cntl_gl1_inv}, {"gli_inv", Acquire::gcr_cntl_gli_inv},
                                {"gl2_inv", Acquire::gcr_cntl_gl2_inv}, {"gl2_wb", Acquire::gcr_cntl_gl2_wb}};
const Field kReleaseFields[] = {{"glm_wb", Release::gcr_cntl_glm_wb},   {"glm_inv", Release::gcr_cntl_glm_inv},
                                {"glv_inv", Release::gcr_cntl_glv_inv}, {"gl1_inv", Release::gcr_cntl_gl1_inv},
                                {"gl2_inv", Release::gcr_cntl_gl2_inv}, {"gl2_wb", Release::gcr_cntl_gl2_wb}};

uint32_t gcr_of(std::span<const uint32_t> packet) {
  return sdma::GCR_REQ::gcr_control_15_0.get(packet.data()) | sdma::GCR_REQ::gcr_control_18_16.get(packet.data())
                                                                  << sdma::GCR_REQ::gcr_control_15_0.bits.width();
}

// The parts of the packet that can be left out, each by its name: what order and caches depend on, and nothing else.
std::vector<std::string> parts_of(std::span<const uint32_t> packet, const PlainEntries& entries) {
  std::vector<std::string> parts;
  if (is_pm4(packet, pm4::Opcode::EVENT_WRITE)) return {"wait for shaders"};
  if (is_pm4(packet, pm4::Opcode::ACQUIRE_MEM)) {
    const bool is_frames = Acquire::gcr_cntl_gl2_inv.get(packet.data()) != 0;
    if (!is_frames) parts.emplace_back("ACQUIRE_MEM");
    uint32_t control = packet[Acquire::gcr_cntl_glk_inv.dword];
    for (const Field& field : kAcquireFields) {
      if (field.field.get(packet.data()) != 0) parts.push_back((is_frames ? "ACQUIRE_MEM " : kSomewhere) + field.name);
      control = field.field.bits.set(control, 0);
    }
    if (control != 0) parts.emplace_back("ACQUIRE_MEM, other fields");
  }
  if (is_pm4(packet, pm4::Opcode::RELEASE_MEM)) {
    for (const Field& field : kReleaseFields) {
      if (field.field.get(packet.data()) != 0) parts.emplace_back(std::string("RELEASE_MEM ") + field.name);
    }
  }
  if (is_pm4(packet, pm4::Opcode::WAIT_REG_MEM)) {
    const bool is_memory =
        pm4::WAIT_REG_MEM::mem_space.get(packet.data()) == pm4::WAIT_REG_MEM::mem_space__memory_space;
    parts.emplace_back(is_memory ? "wait for another queue" : "HDP flush");
  }
  if (is_pm4(packet, pm4::Opcode::SET_SH_REG) && entries.contains(packet[2])) parts.emplace_back("acquire by a kernel");
  if (is_sdma(packet, sdma::Opcode::GCR_REQ)) {
    const bool invalidates = Acquire::gcr_cntl_gl2_inv.bits.get(gcr_of(packet)) != 0;
    for (const Field& field : kAcquireFields) {
      if (field.field.bits.get(gcr_of(packet)) == 0) continue;
      parts.push_back(std::string(invalidates ? "acquiring " : "releasing ") + field.name);
    }
  }
  if (is_sdma(packet, sdma::Opcode::POLL_REGMEM)) {
    const bool is_memory = sdma::POLL_REGMEM::mem_poll.get(packet.data()) != 0;
    parts.emplace_back(is_memory ? "wait for another queue" : "HDP flush");
  }
  return parts;
}

void leave_out(std::span<uint32_t> packet, const std::string& part, const PlainEntries& entries) {
  const std::string name = part.substr(part.find(' ') + 1);
  if (is_pm4(packet, pm4::Opcode::ACQUIRE_MEM) && part != "ACQUIRE_MEM") {
    for (const Field& field : kAcquireFields) {
      if (name == field.name) clear(packet, field.field);
    }
  } else if (is_pm4(packet, pm4::Opcode::RELEASE_MEM)) {
    for (const Field& field : kReleaseFields) {
      if (name == field.name) clear(packet, field.field);
    }
  } else if (is_pm4(packet, pm4::Opcode::SET_SH_REG)) {
    packet[2] = entries.at(packet[2]);
  } else if (is_sdma(packet, sdma::Opcode::GCR_REQ)) {
    for (const Field& field : kAcquireFields) {
      if (name != field.name) continue;
      const uint32_t control = field.field.bits.set(gcr_of(packet), 0);
      uint32_t& word = packet[sdma::GCR_REQ::gcr_control_15_0.dword];
      word = sdma::GCR_REQ::gcr_control_15_0.bits.set(word, control & 0xffff);
    }
  } else if (kind_of(packet).engine == Engine::kCopy) {
    const auto count = static_cast<uint32_t>(packet.size());
    std::ranges::fill(packet, 0);
    packet[0] = sdma::NOP::count.bits.set(0, count - 1);
  } else {
    const auto nop = static_cast<uint32_t>(pm4::Opcode::NOP);
    packet[0] = pm4::TYPE_3_HEADER::opcode.bits.set(packet[0], nop);
  }
}

}  // namespace

std::string to_string(const Site& site) {
  return fmt::format("{} {}, packet {}: {}", site.engine == Engine::kCompute ? "submission" : "copy", site.submission,
                     site.packet, site.part);
}

EditedCard::EditedCard(std::optional<Site> left_out) : left_out_(std::move(left_out)) {
  emulator::EmulatedOptions options;
  options.strictness = emulator::Strictness::kOn;
  options.worker_threads = 1;
  options.edit_packet = [this](std::span<uint32_t> packet) { edit(packet); };
  driver = emulator::EmulatedDriver::create(std::move(options)).value();
}

void EditedCard::edit(std::span<uint32_t> packet) {
  std::unique_lock lock(mutex_);
  if (holds_next_end_ && is_pm4(packet, pm4::Opcode::RELEASE_MEM)) {
    holds_next_end_ = false;
    is_held_ = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !is_held_; });
    return;
  }
  Site site;
  site.engine = kind_of(packet).engine;
  if (!is_open_) {
    is_waiting_[static_cast<size_t>(site.engine)] = true;
    changed_.notify_all();
    changed_.wait(lock, [this] { return is_open_; });
  }
  if (!has_sites_) return;
  Position& position = positions_[static_cast<size_t>(site.engine)];
  site.submission = position.submission;
  const std::vector<std::string> parts = parts_of(packet, plain_entries);
  if (!parts.empty()) site.packet = position.packet++;
  for (const std::string& part : parts) {
    site.part = part;
    sites_.push_back(site);
    if (left_out_ == site) leave_out(packet, part, plain_entries);
  }
  // A submission ends with what wakes sleepers.
  const bool ends = is_sdma(packet, sdma::Opcode::TRAP) ||
                    (is_pm4(packet, pm4::Opcode::RELEASE_MEM) && Release::int_sel.get(packet.data()) != 0);
  if (ends) position = {position.submission + 1, 0};
}

}  // namespace bw
