// AQL packets as text. Layouts: amdgpu/gfx11/abi.h.
#include <fmt/format.h>

#include <cstring>

#include "amdgpu/gfx11/abi.h"
#include "amdgpu/gfx11/text/packet_text.h"

namespace bw::amdgpu::gfx11 {
namespace {

// ven_hdr of aql_amd_pm4_ib_packet (ROCr, amd_aql_queue.cpp): the format AMD_AQL_FORMAT_PM4_IB.
constexpr uint32_t kPm4IbFormat = 1;

template <typename Packet>
Packet as(std::span<const uint32_t> dwords) {
  static_assert(sizeof(Packet) == 64);
  Packet packet;
  std::memcpy(&packet, dwords.data(), sizeof(packet));
  return packet;
}

std::string hex(uint64_t value) {
  return value < 10 ? fmt::format("{}", value) : fmt::format("{:#x}", value);
}

template <typename T>
std::string triple(T x, T y, T z) {
  return fmt::format("{}x{}x{}", x, y, z);
}

void add_unless_zero(const char* name, uint64_t value, std::vector<FieldText>* fields) {
  if (value != 0) fields->push_back({name, hex(value)});
}

const char* scope_name(uint32_t scope) {
  switch (static_cast<hsa_fence_scope_t>(scope)) {
    case hsa_fence_scope_t::none:
      return "none";
    case hsa_fence_scope_t::agent:
      return "agent";
    case hsa_fence_scope_t::system:
      return "system";
  }
  return "3";
}

void add_header(uint32_t header, std::vector<FieldText>* fields) {
  if (hsa_packet_header::barrier.get(header) != 0) fields->push_back({"barrier", ""});
  const uint32_t acquire = hsa_packet_header::scacquire_fence_scope.get(header);
  const uint32_t release = hsa_packet_header::screlease_fence_scope.get(header);
  if (acquire != 0) fields->push_back({"acquire", scope_name(acquire)});
  if (release != 0) fields->push_back({"release", scope_name(release)});
}

PacketText describe_dispatch(std::span<const uint32_t> dwords) {
  const auto packet = as<hsa_kernel_dispatch_packet_t>(dwords);
  PacketText text{"KERNEL_DISPATCH", {}};
  add_header(packet.header, &text.fields);
  text.fields.push_back({"dimensions", fmt::format("{}", packet.setup & 3)});
  text.fields.push_back(
      {"workgroup", triple(packet.workgroup_size_x, packet.workgroup_size_y, packet.workgroup_size_z)});
  text.fields.push_back({"grid", triple(packet.grid_size_x, packet.grid_size_y, packet.grid_size_z)});
  add_unless_zero("private_segment", packet.private_segment_size, &text.fields);
  add_unless_zero("group_segment", packet.group_segment_size, &text.fields);
  text.fields.push_back({"kernel_object", hex(packet.kernel_object)});
  text.fields.push_back({"kernarg", hex(packet.kernarg_address)});
  add_unless_zero("completion_signal", packet.completion_signal, &text.fields);
  return text;
}

PacketText describe_barrier(const char* name, std::span<const uint32_t> dwords) {
  const auto packet = as<hsa_barrier_and_packet_t>(dwords);
  PacketText text{name, {}};
  add_header(packet.header, &text.fields);
  std::string signals;
  for (const uint64_t signal : packet.dep_signal) {
    if (signal != 0) signals += fmt::format("{}{}", signals.empty() ? "" : " ", hex(signal));
  }
  if (!signals.empty()) text.fields.push_back({"dep_signals", fmt::format("[{}]", signals)});
  add_unless_zero("completion_signal", packet.completion_signal, &text.fields);
  return text;
}

PacketText describe_agent_dispatch(std::span<const uint32_t> dwords) {
  const auto packet = as<hsa_agent_dispatch_packet_t>(dwords);
  PacketText text{"AGENT_DISPATCH", {}};
  add_header(packet.header, &text.fields);
  text.fields.push_back({"type", hex(packet.type)});
  add_unless_zero("return_address", packet.return_address, &text.fields);
  add_unless_zero("completion_signal", packet.completion_signal, &text.fields);
  return text;
}

PacketText describe_vendor(std::span<const uint32_t> dwords) {
  const auto packet = as<aql_amd_pm4_ib_packet>(dwords);
  if (packet.ven_hdr == kPm4IbFormat) {
    PacketText text{"VENDOR_SPECIFIC PM4_IB", {}};
    add_header(packet.header, &text.fields);
    text.fields.push_back({"ib_jump_cmd", to_string(describe_pm4(dwords.subspan(1, 4)))});
    add_unless_zero("completion_signal", packet.completion_signal, &text.fields);
    return text;
  }
  if ((packet.ven_hdr & 0xff) == static_cast<uint32_t>(hsa_amd_packet_type_t::barrier_value)) {
    const auto barrier = as<hsa_amd_barrier_value_packet_t>(dwords);
    PacketText text{"VENDOR_SPECIFIC BARRIER_VALUE", {}};
    add_header(packet.header, &text.fields);
    text.fields.push_back({"signal", hex(barrier.signal)});
    text.fields.push_back({"value", hex(barrier.value)});
    text.fields.push_back({"mask", hex(barrier.mask)});
    text.fields.push_back({"cond", hex(barrier.cond)});
    add_unless_zero("completion_signal", barrier.completion_signal, &text.fields);
    return text;
  }
  return {"VENDOR_SPECIFIC", {{"format", hex(packet.ven_hdr)}}};
}

}  // namespace

PacketText describe_aql(std::span<const uint32_t> packet) {
  if (packet.size() != sizeof(hsa_kernel_dispatch_packet_t) / sizeof(uint32_t)) {
    return {"AQL packet", {{"dwords", fmt::format("{} instead of 16", packet.size())}}};
  }
  const uint32_t type = hsa_packet_header::type.get(packet[0]);
  switch (static_cast<hsa_packet_type_t>(type)) {
    case hsa_packet_type_t::kernel_dispatch:
      return describe_dispatch(packet);
    case hsa_packet_type_t::barrier_and:
      return describe_barrier("BARRIER_AND", packet);
    case hsa_packet_type_t::barrier_or:
      return describe_barrier("BARRIER_OR", packet);
    case hsa_packet_type_t::agent_dispatch:
      return describe_agent_dispatch(packet);
    case hsa_packet_type_t::vendor_specific:
      return describe_vendor(packet);
    case hsa_packet_type_t::invalid:
      return {"INVALID", {}};
  }
  return {fmt::format("type {}", type), {{"header", hex(packet[0] & 0xffff)}}};
}

}  // namespace bw::amdgpu::gfx11
