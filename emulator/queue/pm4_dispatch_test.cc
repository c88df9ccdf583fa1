// The PM4 packets that set registers and start programs, as literal dwords; the shader cores only take notes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/bits.h"
#include "emulator/testing/packet_test.h"

namespace bw::emulator {
namespace {

using testing::eventually;
using ::testing::HasSubstr;
using testing::Pm4;
using testing::TestQueue;

using Registers = Pm4;
TEST_F(Registers, UnknownOnesAreFaults) {
  EXPECT_THAT(fault({0xc0017600, 0x3f0, 1}), HasSubstr("0x2ff0 (offset 0x3f0) is no register"));
}

TEST_F(Registers, UconfigKnowsItsOwn) {
  run({0xc0017900, 0x200, 0xe0000000});  // GRBM_GFX_INDEX
  EXPECT_THAT(fault({0xc0017900, 0x1, 1}), HasSubstr("0xc001 is no register"));
}

TEST_F(Registers, UconfigCanBeReadBack) {
  run({0xc0027900, 0x340, 0x11, 0x22});  // SQ_THREAD_TRACE_USERDATA_0 and 1
  run({0xc0044000, 0x00010200, 0xc340, 0, lo32(at(0)), hi32(at(0))});
  EXPECT_EQ(data_.qword(0), 0x2200000011u);
}

TEST_F(Registers, AreSetByIndexInPairsAndFromMemory) {
  run({0xc0029b00, 0x30000216, 0xf, 0xf0});                  // COMPUTE_STATIC_THREAD_MGMT_SE0 and 1 with a CU mask
  run({0xc006bb00, 4, 0x02410240, 1, 2, 0x02430242, 3, 4});  // COMPUTE_USER_DATA_0 to 3
  run({0xc003bd00, 2, 0x02450244, 5, 6});
  data_.dword(0) = 7;
  data_.dword(1) = 8;
  run({0xc0036300, lo32(at(0)), hi32(at(0)), 0x246, 2});
  for (uint32_t i = 0; i < 8; ++i) {
    run({0xc0044000, 0x00000200, 0x2e40 + i, 0, lo32(at(8 + i)), hi32(at(8 + i))});
    EXPECT_EQ(data_.dword(8 + i), i + 1);
  }
  run({0xc0044000, 0x00000200, 0x2e17, 0, lo32(at(2)), hi32(at(2))});
  EXPECT_EQ(data_.dword(2), 0xf0u);
}

TEST_F(Registers, MalformedPacketsOfTheirsAreFaults) {
  EXPECT_THAT(fault_alone({0xc003bb00, 3, 0x02410240, 1, 2}), HasSubstr("REG_WRITES_COUNT 3 in a packet of 5"));
  EXPECT_THAT(fault_alone({0xc003bb00, 4, 0x02410240, 1, 2}), HasSubstr("REG_WRITES_COUNT 4 in a packet of 5"));
  EXPECT_THAT(fault_alone({0xc0007600, 0x240}), HasSubstr("has no values"));
  EXPECT_THAT(fault_alone({0xc0017600, 0x10000240, 1}), HasSubstr("INDEX 1"));
  EXPECT_THAT(fault_alone({0xc0017600, 0x200, 1}), HasSubstr("COMPUTE_DISPATCH_INITIATOR"));
  EXPECT_THAT(fault_alone({0xc0036300, lo32(at(0)) | 1, hi32(at(0)), 0x246, 2}), HasSubstr("indirect addresses"));
  EXPECT_THAT(fault_alone({0xc0036300, lo32(at(0)), hi32(at(0)), 0x80000246, 2}), HasSubstr("offsets in memory"));
}

class Dispatches : public Pm4 {
 protected:
  // The registers as a working runtime sets them (facts of submission), for a program at 0x1234500.
  std::vector<uint32_t> state() const {
    return {0xc0027600, 0x20c, 0x12345,    0,                               // PGM_LO, HI
            0xc0027600, 0x212, 0x600f0001, 0x0000008c,                      // RSRC1, 2
            0xc0017600, 0x228, 0x5,                                         // RSRC3
            0xc0017600, 0x218, 0x00020200,                                  // TMPRING_SIZE
            0xc0027600, 0x210, 0x40,       0x1,                             // DISPATCH_SCRATCH_BASE
            0xc0027600, 0x240, 0xaaaa,     0xbbbb,                          // USER_DATA_0, 1
            0xc0087600, 0x204, 0,          0,          0, 32, 4, 2, 0, 0};  // START, NUM_THREAD, 0, 0
  }
  Dispatch only_dispatch() {
    std::lock_guard lock(machine_.cores().mutex);
    EXPECT_EQ(machine_.cores().dispatches.size(), 1u);
    return machine_.cores().dispatches.empty() ? Dispatch{} : machine_.cores().dispatches.back();
  }
};

TEST_F(Dispatches, DirectHandsTheRegistersToTheShaderCores) {
  submit(state());
  run({0xc0031500, 7, 8, 9, 0x00008005, 0xc0004600, 0x00000407});
  const Dispatch dispatch = only_dispatch();
  EXPECT_EQ(dispatch.program_address, 0x1234500u);
  EXPECT_EQ(dispatch.pgm_rsrc1, 0x600f0001u);
  EXPECT_EQ(dispatch.pgm_rsrc2, 0x8cu);
  EXPECT_EQ(dispatch.pgm_rsrc3, 5u);
  EXPECT_EQ(dispatch.user_data[0], 0xaaaau);
  EXPECT_EQ(dispatch.user_data[1], 0xbbbbu);
  EXPECT_THAT(dispatch.workgroup_size, ::testing::ElementsAre(32, 4, 2));
  EXPECT_THAT(dispatch.workgroup_count, ::testing::ElementsAre(7, 8, 9));
  EXPECT_THAT(dispatch.start_workgroup, ::testing::ElementsAre(0, 0, 0));
  EXPECT_THAT(dispatch.partial_size, ::testing::ElementsAre(0, 0, 0));
  EXPECT_EQ(dispatch.scratch_address, 0x10000004000u);
  EXPECT_EQ(dispatch.scratch_bytes_per_wave, 0x2000u);
  EXPECT_EQ(dispatch.scratch_wave_count, 0x200u * 6);
  EXPECT_EQ(dispatch.wave_size, 32u);
}

TEST_F(Dispatches, InThreadDimensionsRoundUpAndKeepTheRest) {
  submit(state());
  run({0xc0031500, 100, 8, 1, 0x00000025});
  const Dispatch dispatch = only_dispatch();
  EXPECT_THAT(dispatch.workgroup_count, ::testing::ElementsAre(4, 2, 1));
  EXPECT_THAT(dispatch.partial_size, ::testing::ElementsAre(4, 0, 1));
  EXPECT_EQ(dispatch.wave_size, 64u);
}

TEST_F(Dispatches, IndirectReadsItsSize) {
  data_.dwords()[0] = 3;
  data_.dwords()[1] = 1;
  data_.dwords()[2] = 2;
  submit(state());
  run({0xc0021600, lo32(at(0)), hi32(at(0)), 0x00008005});
  EXPECT_THAT(only_dispatch().workgroup_count, ::testing::ElementsAre(3, 1, 2));
}

TEST_F(Dispatches, OfNoWorkgroupDoNothing) {
  submit(state());
  run({0xc0031500, 7, 0, 9, 0x00008005});
  std::lock_guard lock(machine_.cores().mutex);
  EXPECT_TRUE(machine_.cores().dispatches.empty());
}

TEST_F(Dispatches, BadSizesAndInitiatorsAreFaults) {
  EXPECT_THAT(fault({0xc0031500, 1, 1, 1, 0x00008005}), HasSubstr("workgroups of 0 x 0 x 0"));
  TestQueue other = machine_.compute_queue();
  machine_.submit(other, state());
  machine_.submit(other, {0xc0031500, 1, 1, 1, 0x00008004});
  EXPECT_THAT(machine_.wait_fault(2).message, HasSubstr("COMPUTE_SHADER_EN is not set"));
}

TEST_F(Dispatches, AnInterruptOfAShaderSetsItsEvent) {
  const uint32_t event = machine_.create_event(0);
  *reinterpret_cast<uint64_t*>(machine_.mailbox(event)) = event;  // as a shader does before it sends the interrupt
  machine_.cores().tell([event](const Dispatch& dispatch, const AddressSpace&, std::stop_token) {
    dispatch.interrupt(event);
    return std::nullopt;
  });
  submit(state());
  run({0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_EQ(machine_.wait_event(event, 5000), 0u);
}

TEST_F(Dispatches, MemoryFaultOfAShaderReachesTheEventAndTheReport) {
  const uint32_t event = machine_.create_event(8);
  machine_.cores().tell([&](const Dispatch&, const AddressSpace&, std::stop_token) {
    ShaderFault fault;
    fault.kind = ShaderFaultKind::kMemory;
    fault.address = 0xdead1234;
    fault.access = Access::kWrite;
    fault.disassembly = "global_store_b32 v0, v1, s[0:1]";
    fault.message = "wave 0 of workgroup (0, 0, 0) at pc 0x1234508: write of 0xdead1234";
    return std::optional(fault);
  });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005});
  const FaultReport report = machine_.wait_fault();
  EXPECT_EQ(report.kind, FaultKind::kShader);
  ASSERT_TRUE(report.shader.has_value());
  EXPECT_EQ(report.shader->disassembly, "global_store_b32 v0, v1, s[0:1]");
  EXPECT_THAT(report.message, HasSubstr("DISPATCH_DIRECT"));
  EXPECT_THAT(report.message, HasSubstr("pc 0x1234508"));
  kfd::uapi::EventData data{};
  EXPECT_EQ(machine_.wait_event(event, 10'000, &data), 0u);
  EXPECT_EQ(data.memory_exception_data.va, 0xdead1000u);
}

TEST_F(Dispatches, IllegalInstructionRaisesAHwException) {
  const uint32_t event = machine_.create_event(3);
  machine_.cores().tell([](const Dispatch&, const AddressSpace&, std::stop_token) {
    ShaderFault fault;
    fault.kind = ShaderFaultKind::kIllegal;
    fault.message = "illegal";
    return std::optional(fault);
  });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_EQ(machine_.wait_event(event, 10'000), 0u);
}

TEST_F(Dispatches, DestroyingTheQueueWaitsForTheProgramAtHand) {
  std::atomic<bool> running{false};
  std::atomic<bool> ended{false};
  machine_.cores().tell([&](const Dispatch&, const AddressSpace&, std::stop_token) -> std::optional<ShaderFault> {
    running = true;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    ended = true;
    return std::nullopt;
  });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005, 0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_TRUE(eventually([&] { return running.load(); }));
  EXPECT_EQ(machine_.destroy(queue_), 0);
  EXPECT_TRUE(ended);
  std::lock_guard lock(machine_.cores().mutex);
  EXPECT_EQ(machine_.cores().dispatches.size(), 1u) << "the one after it is not begun";
}

// A program that ends when it is told to.
std::optional<ShaderFault> run_for_ever(std::stop_token cancel) {
  while (!cancel.stop_requested()) std::this_thread::yield();
  return std::nullopt;
}

TEST_F(Dispatches, DestroyingTheQueueAbandonsAProgramThatDoesNotEnd) {
  machine_.cores().tell([](auto&, auto&, std::stop_token cancel) { return run_for_ever(std::move(cancel)); });
  run(state());
  const uint64_t read_pointer = machine_.read_pointer(queue_);
  submit({0xc0031500, 1, 1, 1, 0x00008005, 0xc0033700, 0x00100500, lo32(at(0)), hi32(at(0)), 1});
  EXPECT_TRUE(eventually([&] { return machine_.cores().count == 1; }));
  EXPECT_EQ(machine_.destroy(queue_), 0);
  EXPECT_EQ(data_.dword(0).load(), 0u) << "the packet after the program";
  EXPECT_EQ(machine_.read_pointer(queue_), read_pointer);
  EXPECT_TRUE(machine_.driver().fault_reports().empty());
}

TEST_F(Dispatches, TheMachineGoesWithAProgramRunning) {
  machine_.cores().tell([](auto&, auto&, std::stop_token cancel) { return run_for_ever(std::move(cancel)); });
  submit(state());
  submit({0xc0031500, 1, 1, 1, 0x00008005});
  EXPECT_TRUE(eventually([&] { return machine_.cores().count == 1; }));
}

}  // namespace
}  // namespace bw::emulator
