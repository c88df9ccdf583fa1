// When a queue raises an interrupt, on a queue by itself.
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <optional>

#include "emulator/queue/queue_processor.h"

namespace bw::emulator {
namespace {

constexpr uint64_t kAddress = 0x7f00'0000'0000;
constexpr uint64_t kReadPointer = 2048;  // behind the ring

class Listener final : public QueueListener {
 public:
  explicit Listener(const std::byte* memory) : memory_(memory) {}
  void interrupt(uint32_t) override { read_pointer = *reinterpret_cast<const uint64_t*>(memory_ + kReadPointer); }
  void fault(FaultReport report) override { ADD_FAILURE() << report.message; }
  std::optional<uint64_t> read_pointer;  // at the last interrupt

 private:
  const std::byte* const memory_;
};

// kfdtest's KFDQMTest.QueueLatency looks for room in the ring as soon as it wakes.
TEST(Interrupts, ComeAfterTheReadPointerThatGivesTheRoomBack) {
  alignas(4096) std::array<std::byte, 4096> memory{};
  AddressSpace space;
  ASSERT_EQ(space.map({kAddress, kAddress + 4096, memory.data(), true, false}), 0);
  const std::array<uint32_t, 2> trap = {6, 0x55};
  std::memcpy(memory.data(), trap.data(), sizeof(trap));
  std::atomic<uint64_t> doorbell{sizeof(trap)};
  QueueSetup setup;
  setup.ring_address = kAddress;
  setup.ring_bytes = kReadPointer;
  setup.read_pointer_address = kAddress + kReadPointer;
  setup.doorbell = &doorbell;
  Listener listener(memory.data());
  const auto queue = make_sdma_queue(setup, {space, listener});
  EXPECT_EQ(queue->step(Turn::kWork), StepResult::kProgress);
  EXPECT_EQ(listener.read_pointer, sizeof(trap));
}

}  // namespace
}  // namespace bw::emulator
