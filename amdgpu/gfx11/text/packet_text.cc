#include "amdgpu/gfx11/text/packet_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "amdgpu/gfx11/pm4.h"
#include "amdgpu/gfx11/registers.h"
#include "amdgpu/gfx11/sdma.h"
#include "amdgpu/gfx11/text/packet_rows.h"

namespace bw::amdgpu::gfx11 {
namespace {

using Dwords = std::span<const uint32_t>;

constexpr size_t kListed = 8;

// Small numbers read the same in both bases.
std::string hex_text(uint64_t value) {
  return value < 10 ? fmt::format("{}", value) : fmt::format("{:#x}", value);
}

const RegisterRow* find_register(RegOffset offset) {
  const auto rows = register_rows();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.offset == offset; });
  return found == rows.end() ? nullptr : &*found;
}

std::string register_name(RegOffset offset) {
  const RegisterRow* row = find_register(offset);
  return row != nullptr ? row->name : fmt::format("register {:#x}", offset.dwords);
}

bool reaches(const ValueRow& row, Dwords packet) {
  return std::all_of(row.parts.begin(), row.parts.begin() + row.part_count,
                     [&](const ValuePart& part) { return part.dword < packet.size(); });
}

bool holds(const ValueCondition& condition, Dwords packet) {
  if (condition.values == 0) return true;
  if (condition.dword >= packet.size()) return false;
  const uint32_t value = condition.bits.get(packet[condition.dword]);
  return value < 32 && (condition.values >> value & 1) != 0;
}

uint64_t value_of(const ValueRow& row, Dwords packet) {
  uint64_t value = 0;
  for (size_t i = 0; i < row.part_count; ++i) {
    const ValuePart& part = row.parts[i];
    value |= uint64_t{part.bits.get(packet[part.dword])} << part.shift;
  }
  return value + row.bias;
}

std::string value_text(const ValueRow& row, uint64_t value) {
  switch (row.form) {
    case Form::kFlag:
      return "";
    case Form::kDecimal:
      return fmt::format("{}", value);
    case Form::kHex:
      return hex_text(value);
    case Form::kRegister:
      return register_name({static_cast<uint32_t>(value)});
    case Form::kNamed:
      break;
  }
  const auto found =
      std::find_if(row.names.begin(), row.names.end(), [&](const ValueName& name) { return name.value == value; });
  return found != row.names.end() ? found->name : hex_text(value);
}

void add_fields(std::span<const ValueRow> rows, Dwords packet, std::vector<FieldText>* fields) {
  for (const ValueRow& row : rows) {
    if (!reaches(row, packet) || !holds(row.condition, packet)) continue;
    const uint64_t value = value_of(row, packet);
    if (value == 0 && row.shows == Shows::kNonzero) continue;
    fields->push_back({row.name, value_text(row, value)});
  }
}

// "0x7f0010", or "{user_sgpr=2 tgid_x_en}" for a register of several fields.
std::string register_text(const RegisterRow* row, uint32_t value) {
  if (row == nullptr || row->values.size() < 2 || value == 0) return hex_text(value);
  std::vector<FieldText> fields;
  add_fields(row->values, Dwords(&value, 1), &fields);
  std::string text;
  for (const FieldText& field : fields) {
    text += fmt::format("{}{}{}{}", text.empty() ? "" : " ", field.name, field.value.empty() ? "" : "=", field.value);
  }
  return fmt::format("{{{}}}", text);
}

void add_list(Dwords values, std::vector<FieldText>* fields) {
  if (values.empty()) return;
  std::string text;
  for (const uint32_t value : values.first(std::min(values.size(), kListed))) {
    text += fmt::format("{}{}", text.empty() ? "" : " ", hex_text(value));
  }
  fields->push_back({"data", fmt::format("[{}{}]", text, values.size() > kListed ? " ..." : "")});
}

void add_registers(RegOffset first, Dwords values, std::vector<FieldText>* fields) {
  for (size_t i = 0; i < values.size(); ++i) {
    const RegOffset offset = first + static_cast<uint32_t>(i);
    fields->push_back({register_name(offset), register_text(find_register(offset), values[i])});
  }
}

// Where the registers of a SET_*_REG packet begin; false for other packets.
bool register_base(pm4::Opcode opcode, RegOffset* base) {
  switch (opcode) {
    case pm4::Opcode::SET_SH_REG:
    case pm4::Opcode::SET_SH_REG_INDEX:
      *base = kShRegBase;
      return true;
    case pm4::Opcode::SET_UCONFIG_REG:
    case pm4::Opcode::SET_UCONFIG_REG_INDEX:
      *base = kUconfigRegBase;
      return true;
    default:
      return false;
  }
}

PacketText unknown(std::string name, Dwords packet) {
  PacketText text{std::move(name), {}};
  add_list(packet.subspan(1), &text.fields);
  return text;
}

const PacketRow* find_row(std::span<const PacketRow> rows, uint32_t opcode, uint32_t sub_opcode) {
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const PacketRow& row) {
    return row.opcode == opcode && row.sub_opcode == sub_opcode;
  });
  return found == rows.end() ? nullptr : &*found;
}

}  // namespace

PacketText describe_pm4(std::span<const uint32_t> packet) {
  constexpr uint32_t kType3 = 3;
  if (packet.empty()) return {"nothing", {}};
  if (pm4::TYPE_3_HEADER::type.get(packet.data()) != kType3) {
    return unknown(fmt::format("header {:#010x}", packet[0]), packet);
  }
  const uint32_t opcode = pm4::TYPE_3_HEADER::opcode.get(packet.data());
  const PacketRow* row = find_row(pm4_rows(), opcode, 0);
  if (row == nullptr) return unknown(fmt::format("opcode {:#x}", opcode), packet);
  if (row->values.empty() && row->tail_dword == 0) return unknown(row->name, packet);
  PacketText text{row->name, {}};
  if (pm4::TYPE_3_HEADER::predicate.get(packet.data()) != 0) text.fields.push_back({"predicate", ""});
  add_fields(row->values, packet, &text.fields);
  if (row->tail_dword == 0) {
    if (row->dwords != 0 && packet.size() != row->dwords) {
      text.fields.push_back({"dwords", fmt::format("{} instead of {}", packet.size(), row->dwords)});
    }
  } else if (packet.size() > row->tail_dword) {
    const Dwords tail = packet.subspan(row->tail_dword);
    RegOffset base;
    if (register_base(static_cast<pm4::Opcode>(opcode), &base)) {
      add_registers(base + pm4::SET_SH_REG::reg_offset.get(packet.data()), tail, &text.fields);
    } else {
      add_list(tail, &text.fields);
    }
  }
  return text;
}

PacketText describe_sdma(std::span<const uint32_t> packet) {
  if (packet.empty()) return {"nothing", {}};
  const uint32_t opcode = sdma::HEADER::op.get(packet.data());
  const uint32_t sub_opcode = sdma::HEADER::sub_op.get(packet.data());
  const PacketRow* row = find_row(sdma_rows(), opcode, sub_opcode);
  if (row == nullptr) {
    const char* name = sdma::name_of(static_cast<sdma::Opcode>(opcode));
    const std::string text = name != nullptr ? name : fmt::format("opcode {}", opcode);
    return unknown(sub_opcode == 0 ? text : fmt::format("{} sub_op {}", text, sub_opcode), packet);
  }
  PacketText text{row->name, {}};
  add_fields(row->values, packet, &text.fields);
  if (row->tail_dword != 0 && packet.size() > row->tail_dword) {
    add_list(packet.subspan(row->tail_dword), &text.fields);
  }
  return text;
}

std::string to_string(const PacketText& packet) {
  std::string text = packet.name;
  for (const FieldText& field : packet.fields) {
    text += ' ';
    text += field.name;
    if (field.value.empty()) continue;
    text += '=';
    text += field.value;
  }
  return text;
}

}  // namespace bw::amdgpu::gfx11
