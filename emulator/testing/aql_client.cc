#include "emulator/testing/aql_client.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "base/bits.h"

namespace bw::emulator::testing {
namespace {

void put(AqlPacket& packet, size_t offset, uint64_t value) {
  packet[offset / 4] = lo32(value);
  packet[offset / 4 + 1] = hi32(value);
}

}  // namespace

AqlPacket dispatch_packet(const AqlGrid& grid, uint64_t kernel, uint64_t kernarg, const AqlSignal& signal) {
  AqlPacket packet{};
  packet[0] = kAqlDispatch | uint32_t{grid.dimensions} << 16;
  packet[1] = grid.workgroup[0] | uint32_t{grid.workgroup[1]} << 16;
  packet[2] = grid.workgroup[2];
  for (size_t i = 0; i < 3; ++i) packet[3 + i] = grid.grid[i];
  put(packet, 32, kernel);
  put(packet, 40, kernarg);
  put(packet, 56, signal.handle);
  return packet;
}

AqlPacket barrier_packet(uint32_t header, const std::array<uint64_t, 5>& dependencies, const AqlSignal& signal) {
  AqlPacket packet{};
  packet[0] = header;
  for (size_t i = 0; i < dependencies.size(); ++i) put(packet, 8 + 8 * i, dependencies[i]);
  put(packet, 56, signal.handle);
  return packet;
}

AqlPacket indirect_buffer_packet(uint64_t address, uint32_t count_dwords, const AqlSignal& signal) {
  AqlPacket packet{};
  packet[0] = kAqlVendor | 1u << 16;
  packet[1] = 0xc0023f00;
  put(packet, 8, address);
  packet[4] = 0x00800000 | count_dwords;
  packet[5] = 10;
  put(packet, 56, signal.handle);
  return packet;
}

AqlClient::AqlClient(Machine& machine, uint64_t ring_packets) : machine_(machine) {
  kfd::uapi::CreateQueueArgs args = machine.queue_args(&queue_, 2, ring_packets * 64);
  args.read_pointer_address = queue_.pointers.va + 0x80;
  args.write_pointer_address = queue_.pointers.va + 0x38;
  for (uint64_t i = 0; i < ring_packets; ++i) queue_.ring.dwords()[i * 16] = kAqlInvalid;
  machine.create(args, &queue_);
  signals_ = machine.gtt(64 * 1024);
  code_ = machine.vram(256 * 1024);
}

AqlSignal AqlClient::signal(int64_t value) {
  const AqlSignal made{signals_.va + 64 * signals_used_++};
  EXPECT_LE(64 * signals_used_, signals_.size_bytes);
  made.value().store(value);
  return made;
}

uint64_t AqlClient::load(uint32_t rsrc1, uint32_t rsrc2, uint16_t properties, const std::vector<uint32_t>& code) {
  const uint64_t at = code_.va + code_used_;
  code_used_ += 256 + align_up(code.size() * 4, 256);
  EXPECT_LE(code_used_, code_.size_bytes);
  auto* bytes = reinterpret_cast<std::byte*>(at);
  const uint64_t entry = 256;
  const uint32_t words[] = {rsrc1, rsrc2, properties};
  std::memset(bytes, 0, 64);
  std::memcpy(bytes + 16, &entry, sizeof(entry));
  std::memcpy(bytes + 48, words, sizeof(words));
  std::memcpy(bytes + entry, code.data(), code.size() * 4);
  return at;
}

uint64_t AqlClient::reserve(uint64_t count) {
  const uint64_t index = qword(0x38).fetch_add(count);
  while (index + count - read_index() > ring_packets()) std::this_thread::yield();
  return index;
}

void AqlClient::write_body(uint64_t index, const AqlPacket& packet) {
  std::memcpy(reinterpret_cast<std::byte*>(packet_address(index)) + 4, packet.data() + 1, 60);
}

void AqlClient::write_header(uint64_t index, uint32_t header) {
  std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(packet_address(index)))
      .store(header, std::memory_order_release);
}

uint64_t AqlClient::submit(const AqlPacket& packet) {
  const uint64_t index = reserve();
  write_body(index, packet);
  write_header(index, packet[0]);
  ring(index);
  return index;
}

bool AqlClient::run(AqlPacket packet) {
  const AqlSignal done = signal();
  put(packet, 56, done.handle);
  submit(packet);
  const bool ended = eventually([&] { return done.value() == 0 || !machine_.driver().fault_reports().empty(); });
  for (const FaultReport& report : machine_.driver().fault_reports()) ADD_FAILURE() << report.message;
  return ended && done.value() == 0;
}

uint16_t AqlClient::header(uint64_t index) const {
  return std::atomic_ref<uint16_t>(*reinterpret_cast<uint16_t*>(packet_address(index))).load();
}

AqlSignal AqlClient::watch_inactive() {
  const AqlSignal inactive = signal(0);
  qword(0xc0) = inactive.handle;
  return inactive;
}

}  // namespace bw::emulator::testing
