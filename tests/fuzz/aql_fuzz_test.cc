// Random AQL packets: whatever stands in a ring, the queue executes it, waits, or stops with a report, and it can be
// destroyed. The seed is fixed; BAREWAVE_FUZZ_SEED and BAREWAVE_FUZZ_PACKETS choose others, for longer runs.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string>
#include <thread>

#include "emulator/testing/aql_client.h"

namespace bw::emulator {
namespace {

using testing::AqlClient;
using testing::AqlPacket;
using testing::AqlSignal;
using testing::Machine;
using testing::TestBuffer;

uint64_t number_from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 0);
}

// Packets near valid ones: a valid one, a few of whose dwords are replaced by edge values, addresses or noise.
class PacketSource {
 public:
  PacketSource(uint64_t seed, std::vector<AqlPacket> valid, std::vector<uint64_t> addresses)
      : random_(seed), valid_(std::move(valid)), addresses_(std::move(addresses)) {}

  AqlPacket next() {
    AqlPacket packet = valid_[below(valid_.size())];
    for (uint64_t changes = below(4); changes != 0; --changes) change(packet);
    if (below(4) == 0) packet[0] = (packet[0] & ~0xffu) | static_cast<uint32_t>(below(8));
    return packet;
  }

 private:
  uint64_t below(uint64_t limit) { return random_() % limit; }

  void change(AqlPacket& packet) {
    static constexpr uint32_t kEdges[] = {0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xffffffff, 0xffff, 0x10000, 1024, 1025};
    const size_t at = below(packet.size());
    switch (below(4)) {
      case 0:
        packet[at] = kEdges[below(std::size(kEdges))];
        break;
      case 1:
        packet[at] ^= 1u << below(32);
        break;
      case 2:
        packet[at] = static_cast<uint32_t>(random_());
        break;
      default: {
        const uint64_t address = addresses_[below(addresses_.size())] + below(3) * 4;
        packet[at & ~size_t{1}] = static_cast<uint32_t>(address);
        packet[at | 1] = static_cast<uint32_t>(address >> 32);
      }
    }
  }

  std::mt19937_64 random_;
  const std::vector<AqlPacket> valid_;
  const std::vector<uint64_t> addresses_;
};

TEST(AqlFuzz, AnyPacketIsExecutedOrWaitsOrStopsItsQueue) {
  const uint64_t seed = number_from_environment("BAREWAVE_FUZZ_SEED", 1);
  const uint64_t packets = number_from_environment("BAREWAVE_FUZZ_PACKETS", 1500);
  // A process has no further queues after a memory fault that are worth much, and memory is taken for each queue.
  constexpr uint64_t kPerMachine = 50;
  std::mt19937_64 seeds(seed);
  for (uint64_t done = 0; done < packets; done += kPerMachine) {
    const uint64_t machine_seed = seeds();
    SCOPED_TRACE("machine seed " + std::to_string(machine_seed));
    Machine machine;
    const TestBuffer data = machine.gtt();
    AqlClient first(machine);
    const AqlSignal signal = first.signal(1 << 20), zero = first.signal(0);
    const uint64_t kernel = first.load(0x60af0000, 0x84, 0x408, {0xbfb00000});
    data.dwords()[0] = 0xffff1000;
    PacketSource source(machine_seed,
                        {testing::dispatch_packet({{100, 3, 1}, {64, 1, 1}, 2}, kernel, data.va, signal),
                         testing::barrier_packet(testing::kAqlBarrierAnd, {zero.handle}, signal),
                         testing::barrier_packet(testing::kAqlBarrierOr, {signal.handle, zero.handle}, signal),
                         testing::indirect_buffer_packet(data.va, 1, signal)},
                        {data.va, kernel, signal.handle, zero.handle, first.amd_queue(), 0x10000, ~uint64_t{7}});
    for (uint64_t i = 0; i < kPerMachine; ++i) {
      AqlClient client(machine);
      const size_t faults = machine.driver().fault_reports().size();
      client.submit(source.next());
      client.submit(source.next());
      for (int look = 0; look < 20 && client.read_index() < 2; ++look) {
        if (machine.driver().fault_reports().size() > faults) break;
        std::this_thread::sleep_for(std::chrono::microseconds(50));
      }
      EXPECT_EQ(machine.destroy(client.queue()), 0);
    }
  }
}

}  // namespace
}  // namespace bw::emulator
