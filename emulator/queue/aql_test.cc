// AQL packets as literal dwords, one by one, on a machine that is reached through its system calls. Programs are only
// noted here; tests/device/aql_kernels_test.cc executes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/bits.h"
#include "emulator/testing/aql_client.h"

namespace bw::emulator {
namespace {

using testing::AqlClient;
using testing::AqlGrid;
using testing::AqlPacket;
using testing::AqlSignal;
using ::testing::ElementsAre;
using testing::eventually;
using ::testing::HasSubstr;
using testing::Machine;
using testing::TestBuffer;

constexpr std::chrono::milliseconds kAWhile{5};

class Aql : public ::testing::Test {
 protected:
  Dispatch last_dispatch() {
    std::lock_guard lock(machine_.cores().mutex);
    return machine_.cores().dispatches.back();
  }
  AqlPacket dispatch_of(uint64_t kernel, const AqlSignal& signal = {}) {
    return testing::dispatch_packet(AqlGrid{}, kernel, 0, signal);
  }

  Machine machine_;
  AqlClient client_{machine_};
  // SGPRs and VGPRs of no special size; the kernarg address in 2 user SGPRs; wave32.
  const uint64_t kernel_ = client_.load(0x60af0000, 0x84, 0x408, {0xbfb00000});
};

using AqlDispatch = Aql;
TEST_F(AqlDispatch, OfOneWorkItemRunsAndTakesOneFromItsSignal) {
  const AqlSignal signal = client_.signal(5);
  client_.submit(dispatch_of(kernel_, signal));
  ASSERT_TRUE(eventually([&] { return signal.value() == 4; }));
  EXPECT_GT(signal.start(), 0u);
  EXPECT_GE(signal.end(), signal.start());
  EXPECT_EQ(client_.read_index(), 1u);
  EXPECT_EQ(client_.header(0), 1u);  // invalid: the slot is the client's again
}

}  // namespace
}  // namespace bw::emulator
