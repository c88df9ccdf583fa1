#include "amdgpu/gfx11/text/packet_text.h"

#include <gtest/gtest.h>

#include <random>

namespace bw::amdgpu::gfx11 {
namespace {

std::string pm4(std::vector<uint32_t> dwords) {
  return to_string(describe_pm4(dwords));
}
std::string sdma(std::vector<uint32_t> dwords) {
  return to_string(describe_sdma(dwords));
}
std::string aql(std::vector<uint32_t> dwords) {
  dwords.resize(16);
  return to_string(describe_aql(dwords));
}

TEST(Pm4Text, NamesRegistersAndTheirFields) {
  EXPECT_EQ(pm4({0xc0027600, 0x20c, 0x7f0010, 0x7f}), "SET_SH_REG COMPUTE_PGM_LO=0x7f0010 COMPUTE_PGM_HI=0x7f");
  EXPECT_EQ(pm4({0xc0017600, 0x213, 0x184}), "SET_SH_REG COMPUTE_PGM_RSRC2={user_sgpr=2 tgid_x_en tgid_y_en}");
  EXPECT_EQ(pm4({0xc0017600, 0x207, 0x40}), "SET_SH_REG COMPUTE_NUM_THREAD_X={num_thread_full=64}");
  EXPECT_EQ(pm4({0xc0017600, 0x3f0, 7}), "SET_SH_REG register 0x2ff0=7");
}

TEST(Pm4Text, JoinsAddressesAndNamesWhatIsSelected) {
  EXPECT_EQ(
      pm4({0xc0064900, 0x0070f514, 0x42000000, 0x1000, 0x7f00, 5, 0, 9}),
      "RELEASE_MEM event_type=CACHE_FLUSH_AND_INV_TS_EVENT event_index=end_of_pipe glm_wb glm_inv glv_inv gl1_inv "
      "gl2_inv gl2_wb seq=forward dst_sel=memory_controller int_sel=send_interrupt_after_write_confirm "
      "data_sel=send_64_bit_data address=0x7f0000001000 data=5 int_ctxid=9");
  EXPECT_EQ(pm4({0xc0053c00, 0x15, 0x2000, 0x7f00, 3, 0xffffffff, 4}),
            "WAIT_REG_MEM function=greater_than_or_equal_reference_value mem_space=memory_space "
            "mem_poll_addr=0x7f0000002000 reference=3 mask=0xffffffff poll_interval=4");
  EXPECT_EQ(pm4({0xc0053c00, 0x45, 0xe26, 0xe27, 0xffffffff, 0xffffffff, 0x20}),
            "WAIT_REG_MEM function=greater_than_or_equal_reference_value operation=wr_wait_wr_reg "
            "reg_poll_addr=GPU_HDP_FLUSH_REQ reg_write_addr2=GPU_HDP_FLUSH_DONE reference=0xffffffff mask=0xffffffff "
            "poll_interval=32");
}

TEST(Pm4Text, ReadsADwordAsItsSelectorSays) {
  EXPECT_EQ(pm4({0xc0044000, 0x00110205, 0x11, 0x22, 0x3000, 0x7f00}),
            "COPY_DATA src_sel=immediate_data dst_sel=tc_l2 count_sel=64_bits_of_data wr_confirm=wait_for_confirmation "
            "imm_data=0x2200000011 dst_addr=0x7f0000003000");
  EXPECT_EQ(pm4({0xc0044000, 0x00010209, 0, 0, 0x3000, 0x7f00}),
            "COPY_DATA src_sel=gpu_clock_count dst_sel=tc_l2 count_sel=64_bits_of_data dst_addr=0x7f0000003000");
}

TEST(Pm4Text, ShowsTheGridAndTheInitiatorOfADispatch) {
  EXPECT_EQ(pm4({0xc0031500, 16, 2, 1, 0x8005}),
            "DISPATCH_DIRECT dim_x=16 dim_y=2 dim_z=1 compute_shader_en force_start_at_000 cs_w32_en");
}

TEST(Pm4Text, ShowsTheCachesOfAcquireMem) {
  EXPECT_EQ(pm4({0xc0065800, 0, 0xffffffff, 0xff, 0, 0, 0, 0x4381}),
            "ACQUIRE_MEM coher_size=0xffffffffff00 coher_base=0 gli_inv=all glk_inv glv_inv gl1_inv gl2_inv");
}

TEST(Pm4Text, EndsListsAfterEightValues) {
  EXPECT_EQ(pm4({0xc0033700, 0x500, 0x1000, 0x7f00, 42}),
            "WRITE_DATA dst_sel=memory dst_mem_addr=0x7f0000001000 data=[0x2a]");
  EXPECT_EQ(pm4({0xc0081000, 1, 2, 3, 4, 5, 6, 7, 8, 9}), "NOP data=[1 2 3 4 5 6 7 8 ...]");
  EXPECT_EQ(pm4({0xffff1000}), "NOP");
}

TEST(Pm4Text, TakesAnEventWithoutAnAddressAsItIs) {
  EXPECT_EQ(pm4({0xc0004600, 0x407}), "EVENT_WRITE event_type=CS_PARTIAL_FLUSH event_index=cs_partial_flush");
}

TEST(Pm4Text, SurvivesWhatIsMalformed) {
  EXPECT_EQ(pm4({}), "nothing");
  EXPECT_EQ(pm4({0x00000001}), "header 0x00000001");
  EXPECT_EQ(pm4({0xc0000300, 7}), "opcode 0x3 data=[7]");
  EXPECT_EQ(pm4({0xc0001500, 16}), "DISPATCH_DIRECT dim_x=16 dwords=2 instead of 5");
  EXPECT_EQ(pm4({0xc0007600}), "SET_SH_REG");
}

// Whatever a ring holds: headers of packets that exist, with any number of any dwords behind them.
TEST(PacketText, SurvivesRandomPackets) {
  constexpr uint64_t kSeed = 4;
  std::mt19937_64 random(kSeed);
  size_t total = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::vector<uint32_t> packet(1 + random() % 24);
    for (uint32_t& dword : packet) dword = static_cast<uint32_t>(random() % 3 == 0 ? random() : random() % 4);
    if (random() % 4 != 0) packet[0] = 0xc0000000 | static_cast<uint32_t>(random() % 256) << 8;
    if (random() % 4 == 0) packet[0] = static_cast<uint32_t>(random() % 0x2000);
    total += to_string(describe_pm4(packet)).size() + to_string(describe_sdma(packet)).size();
    packet.resize(random() % 8 == 0 ? packet.size() : 16);
    total += to_string(describe_aql(packet)).size();
  }
  EXPECT_GT(total, 1'000'000u);
}

TEST(SdmaText, NamesPacketsBySubOpcodeToo) {
  EXPECT_EQ(sdma({0x1, 0xfff, 0, 0x1000, 0x7f00, 0x2000, 0x7f01}),
            "COPY_LINEAR bytes=4096 src_addr=0x7f0000001000 dst_addr=0x7f0100002000");
  EXPECT_EQ(sdma({0x30005, 0x1000, 0x7f00, 7}), "FENCE mtype=MTYPE_UC addr=0x7f0000001000 data=7");
  EXPECT_EQ(sdma({6, 3}), "TRAP int_context=3");
  EXPECT_EQ(sdma({0xb0000008, 0x1000, 0x7f00, 1, 0xffffffff, 0x0fff0004}),
            "POLL_REGMEM func=equal mem_poll addr=0x7f0000001000 value=1 mask=0xffffffff interval=4 retry_count=4095");
  EXPECT_EQ(sdma({0x20d, 0x1000, 0x7f00}), "TIMESTAMP_GET_GLOBAL write_addr=0x7f0000001000");
  EXPECT_EQ(sdma({0x2, 0x1000, 0x7f00, 1, 0x11, 0x22}),
            "WRITE_UNTILED dst_addr=0x7f0000001000 dwords=2 data=[0x11 0x22]");
  EXPECT_EQ(sdma({0x111, 0, 0x43810000, 0, 0}),
            "GCR_REQ base_va=0 limit_va=0 gli_inv=all glk_inv glv_inv gl1_inv gl2_inv");
  EXPECT_EQ(
      sdma({0x40000401, 0x1000, 0x7f00, 1 | 2 << 16, 63u << 13, 4095, 0x2000, 0x7f00, 0, 63u << 13, 4095, 23 | 48 << 16,
            0}),
      "COPY_LINEAR_SUBWIN elementsize=2 src_addr=0x7f0000001000 src_x=1 src_y=2 src_pitch=64 src_slice_pitch=4096 "
      "dst_addr=0x7f0000002000 dst_pitch=64 dst_slice_pitch=4096 rect_x=24 rect_y=49 rect_z=1");
  EXPECT_EQ(sdma({0xee, 1}), "opcode 238 data=[1]");
  EXPECT_EQ(sdma({0x7701, 1}), "COPY sub_op 119 data=[1]");
}

TEST(AqlText, ShowsWhatADispatchAsksFor) {
  std::vector<uint32_t> packet = {0x1502 | 3 << 16, 64 | 2 << 16, 1,      1000,   2, 1, 64,     1024,
                                  0x3000,           0x7f00,       0x4000, 0x7f00, 0, 0, 0x5000, 0x7f00};
  EXPECT_EQ(aql(packet),
            "KERNEL_DISPATCH barrier acquire=system release=system dimensions=3 workgroup=64x2x1 grid=1000x2x1 "
            "private_segment=0x40 group_segment=0x400 kernel_object=0x7f0000003000 kernarg=0x7f0000004000 "
            "completion_signal=0x7f0000005000");
}

TEST(AqlText, ShowsBarriersAndVendorPackets) {
  EXPECT_EQ(aql({0x3, 0, 0x1000, 0x7f00, 0, 0, 0x2000, 0x7f00}),
            "BARRIER_AND dep_signals=[0x7f0000001000 0x7f0000002000]");
  EXPECT_EQ(aql({0x5}), "BARRIER_OR");
  EXPECT_EQ(aql({1u << 16, 0xc0023f00, 0x1000, 0x7f00, 0x0080000c, 0xa}),
            "VENDOR_SPECIFIC PM4_IB ib_jump_cmd=INDIRECT_BUFFER ib_base=0x7f0000001000 ib_size=12 valid");
  EXPECT_EQ(aql({1}), "INVALID");
  EXPECT_EQ(aql({9}), "type 9 header=9");
}

}  // namespace
}  // namespace bw::amdgpu::gfx11
