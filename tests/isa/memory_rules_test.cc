// Rules of memory that need more than one instruction to show: float atomics, lane exchange in wave64, apertures,
// ranges. Source: RDNA3 ISA guide, "Float Memory Atomics", "Memory Error Checking", "Address and GPR Range Checking".
#include <array>
#include <bit>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::ShaderFaultKind;

constexpr uint32_t kDenormal = 0x00400000, kSmallestNormal = 0x00800000, kQuietNan = 0x7fc00123,
                   kSignalingNan = 0x7fa00123;

class MemoryRules : public ProgramTest {
 protected:
  // What `op` on `memory` with `data` (and `compare`) leaves in LDS and in memory.
  struct Both {
    uint32_t lds, global;
  };
  Both atomic(const std::string& op, uint32_t memory, uint32_t data, const std::string& mode = "",
              uint32_t compare = 0) {
    const uint64_t out = gpu_.allocate(4096);
    gpu_.at<uint32_t>(out)[16] = memory;
    const bool compares = op.find("cmp") != op.npos;
    const std::string lds = compares ? "cmpstore_f32 v1, v3, v4" : op + "_f32 v1, v3";
    const std::string global = compares ? "cmpswap_f32 v1, v[3:4]" : op + "_f32 v1, v3";
    run(mode + "\n v_mov_b32 v1, 0\n v_mov_b32 v2, " + std::to_string(memory) + "\n v_mov_b32 v3, " +
            std::to_string(data) + "\n v_mov_b32 v4, " + std::to_string(compare) + "\n ds_store_b32 v1, v2\n ds_" +
            lds + "\n ds_load_b32 v5, v1\n global_atomic_" + global + ", s[0:1] offset:64\n s_waitcnt lgkmcnt(0)\n" +
            "global_store_b32 v1, v5, s[0:1]\n s_endpgm\n",
        out, 1);
    return {gpu_.at<uint32_t>(out)[0], gpu_.at<uint32_t>(out)[16]};
  }
  void expect(const Both& got, uint32_t lds, uint32_t global) {
    EXPECT_EQ(got.lds, lds) << std::hex << got.lds;
    EXPECT_EQ(got.global, global) << std::hex << got.global;
  }
};

constexpr const char* kKeepDenormals = "s_denorm_mode 0xf";
constexpr const char* kFlushInput = "s_denorm_mode 0xe";
constexpr const char* kFlushOutput = "s_denorm_mode 0xd";

TEST_F(MemoryRules, FloatAdditionsRoundToNearestWhateverModeSays) {
  // 1 + 2^-25 is 1 to nearest, and the next number upwards.
  expect(atomic("add", std::bit_cast<uint32_t>(1.0f), std::bit_cast<uint32_t>(0x1p-25f), "s_round_mode 0x5"),
         0x3f800000, 0x3f800000);
}

TEST_F(MemoryRules, FloatAdditionsFlushDenormalsByModeInLdsAndAlwaysInMemory) {
  expect(atomic("add", kDenormal, kSmallestNormal, kKeepDenormals), 0x00c00000, kSmallestNormal);
  expect(atomic("add", kDenormal, kSmallestNormal, kFlushInput), kSmallestNormal, kSmallestNormal);
  // 1.5 * 2^-126 - 2^-126 is a denormal result.
  expect(atomic("add", 0x00c00000, kSmallestNormal | 0x80000000, kKeepDenormals), kDenormal, kDenormal);
  expect(atomic("add", 0x00c00000, kSmallestNormal | 0x80000000, kFlushOutput), 0, kDenormal);
}

TEST_F(MemoryRules, FloatAdditionsKeepPayloadsAndMakePositiveNans) {
  expect(atomic("add", kSignalingNan, 0x3f800000), kSignalingNan | 0x400000, kSignalingNan | 0x400000);
  expect(atomic("add", 0x3f800000, kQuietNan | 0x80000000), kQuietNan | 0x80000000, kQuietNan | 0x80000000);
  expect(atomic("add", 0x7f800000, 0xff800000), 0x7fc00000, 0x7fc00000);
}

TEST_F(MemoryRules, MinimumAndMaximumLetQuietNansLoseAndSignalingOnesWin) {
  for (const char* op : {"min", "max"}) {
    expect(atomic(op, kQuietNan, 0x40000000), 0x40000000, 0x40000000);
    expect(atomic(op, 0x40000000, kQuietNan), 0x40000000, 0x40000000);
    expect(atomic(op, kSignalingNan, 0x40000000), kSignalingNan | 0x400000, kSignalingNan | 0x400000);
    expect(atomic(op, 0x40000000, kSignalingNan), kSignalingNan | 0x400000, kSignalingNan | 0x400000);
  }
}

TEST_F(MemoryRules, MinimumAndMaximumFlushForTheComparisonOnly) {
  // Flushed, both are +0 and memory keeps what it has.
  expect(atomic("min", kDenormal, 1, kFlushInput), kDenormal, kDenormal);
  expect(atomic("min", kDenormal, 1, kKeepDenormals), 1, 1);
  expect(atomic("max", 1, kDenormal, kFlushInput), 1, 1);
  // A flushed denormal is chosen as it was.
  expect(atomic("min", 0x3f800000, kDenormal, kFlushInput), kDenormal, kDenormal);
  expect(atomic("max", 0x80000000, 0, kFlushInput), 0, 0);
  expect(atomic("min", 0, 0x80000000, kKeepDenormals), 0x80000000, 0x80000000);
}

TEST_F(MemoryRules, CompareAndStoreTakesZerosAsEqualAndNansAsDifferent) {
  expect(atomic("cmp", 0x80000000, 5, kKeepDenormals, 0), 5, 5);
  expect(atomic("cmp", kQuietNan, 5, kKeepDenormals, kQuietNan), kQuietNan, kQuietNan);
  expect(atomic("cmp", kDenormal, 0x3f800000, kFlushInput, 0), 0x3f800000, 0x3f800000);
  expect(atomic("cmp", kDenormal, 0x3f800000, kKeepDenormals, 0), kDenormal, kDenormal);
}

TEST_F(MemoryRules, DoublesInLdsFollowTheirOwnDenormalMode) {
  const uint64_t out = gpu_.allocate(4096);
  // f32 flushes, f64 does not: the smaller of two denormals wins.
  run(R"(
    s_denorm_mode 0xc
    v_mov_b32 v1, 0
    v_dual_mov_b32 v2, 9 :: v_dual_mov_b32 v3, 0
    v_dual_mov_b32 v4, 5 :: v_dual_mov_b32 v5, 0
    ds_store_b64 v1, v[2:3]
    ds_min_f64 v1, v[4:5]
    ds_load_b64 v[6:7], v1
    s_waitcnt lgkmcnt(0)
    global_store_b64 v1, v[6:7], s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(*gpu_.at<uint64_t>(out), 5u);
}

TEST_F(MemoryRules, AddressesInLdsWrapAt32Bits) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_mov_b32 v1, -8
    v_mov_b32 v2, 5
    v_mov_b32 v4, 0
    ds_store_b32 v1, v2 offset:12
    ds_add_u32 v1, v2 offset:12
    ds_load_b32 v3, v4 offset:4
    ds_load_2addr_b32 v[6:7], v1 offset0:3 offset1:1    ; 4 and beyond the end
    s_waitcnt lgkmcnt(0)
    v_mov_b32 v5, v3
    global_store_b96 v4, v[5:7], s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[0], 10u);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[1], 10u);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[2], 0u);
}

TEST_F(MemoryRules, MisalignedAtomicsInLdsFault) {
  for (const char* op : {"ds_add_u32 v1, v2 offset:2", "ds_add_rtn_u64 v[4:5], v1, v[2:3] offset:4",
                         "ds_storexchg_2addr_rtn_b64 v[4:7], v2, v[2:3], v[2:3] offset0:1 offset1:2"}) {
    const auto fault = fault_of(std::string("v_mov_b32 v1, 0\n v_mov_b32 v2, 4\n ") + op + "\n s_endpgm\n");
    EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory) << op;
    EXPECT_NE(fault.message.find("misaligned atomic"), std::string::npos) << fault.message;
  }
}

TEST_F(MemoryRules, FlatAccessesGoByTheAddressBeforeTheOffset) {
  const uint64_t out = gpu_.allocate(4096);
  // The last dword before the shared aperture, and an offset that leads into it: global memory, which is not there.
  const auto fault = fault_of(R"(
    s_mov_b64 s[4:5], src_shared_base
    s_sub_u32 s4, s4, 4
    s_subb_u32 s5, s5, 0
    v_mov_b32 v1, s4
    v_mov_b32 v2, s5
    flat_load_b32 v3, v[1:2] offset:8
    s_endpgm
  )");
  EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.address, 0x1'0000'0000'0004u);
  // The end of the aperture and an offset beyond it: out of LDS.
  run(R"(
    s_mov_b64 s[4:5], src_shared_base
    v_mov_b32 v1, -4
    v_mov_b32 v2, s5
    v_mov_b32 v3, 7
    v_mov_b32 v4, 0
    ds_store_b32 v4, v3 offset:4
    flat_load_b32 v3, v[1:2] offset:8
    s_waitcnt vmcnt(0) lgkmcnt(0)
    global_store_b32 v4, v3, s[0:1]
    v_mov_b32 v1, 4
    flat_load_b32 v3, v[1:2]
    s_waitcnt vmcnt(0) lgkmcnt(0)
    global_store_b32 v4, v3, s[0:1] offset:4
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[0], 0u);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[1], 7u);
}

TEST_F(MemoryRules, HalvesOfAWave64ExchangeLanesAmongThemselves) {
  const uint64_t out = gpu_.allocate(4096);
  run(R"(
    v_lshlrev_b32 v1, 2, v0
    v_xor_b32 v2, 0x84, v1         ; lane ^ 33: bits above 6:2 do not count
    ds_bpermute_b32 v3, v2, v0
    ds_permute_b32 v4, v2, v0
    s_waitcnt lgkmcnt(0)
    global_store_b32 v1, v3, s[0:1]
    global_store_b32 v1, v4, s[0:1] offset:256
    s_endpgm
  )",
      out, 64, 64);
  for (uint32_t lane = 0; lane < 64; ++lane) {
    EXPECT_EQ(gpu_.at<uint32_t>(out)[lane], lane ^ 1) << lane;
    EXPECT_EQ(gpu_.at<uint32_t>(out)[64 + lane], lane ^ 1) << lane;
  }
}

TEST_F(MemoryRules, BufferLoadsReachTheLastRegister) {
  const uint64_t out = gpu_.allocate(4096);
  gpu_.at<uint32_t>(out)[1] = 99;
  run(R"(
    s_mov_b64 s[4:5], s[0:1]
    s_mov_b32 s6, 64
    s_mov_b32 s7, 0x31016fac
    buffer_load_b32 v255, off, s[4:7], 0 offset:4
    s_waitcnt vmcnt(0)
    v_mov_b32 v1, 0
    global_store_b32 v1, v255, s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[0], 99u);
}

TEST_F(MemoryRules, ScalarLoadsIgnoreTheLowBitsOfEachPartOfTheAddress) {
  const uint64_t out = gpu_.allocate(4096);
  for (uint32_t i = 0; i < 16; ++i) gpu_.at<uint32_t>(out)[16 + i] = 100 + i;
  run(R"(
    s_mov_b32 s4, 6
    s_load_b32 s5, s[0:1], s4 offset:0x42    ; 4 + 0x40
    s_add_u32 s2, s0, 3
    s_mov_b32 s3, s1
    s_mov_b32 s4, 0x4b
    s_load_b32 s6, s[2:3], s4 offset:-3      ; 0x48 - 4
    s_waitcnt lgkmcnt(0)
    v_mov_b32 v2, s5
    v_mov_b32 v3, s6
    v_mov_b32 v1, 0
    global_store_b64 v1, v[2:3], s[0:1]
    s_endpgm
  )",
      out, 1);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[0], 101u);
  EXPECT_EQ(gpu_.at<uint32_t>(out)[1], 101u);
}

TEST_F(MemoryRules, ScalarBufferLoadsAreInRangeAsFarAsTheirFirstByteIs) {
  const uint64_t out = gpu_.allocate(4096), data = gpu_.allocate(4096);
  for (uint32_t i = 0; i < 16; ++i) gpu_.at<uint32_t>(data)[i] = 100 + i;
  run("s_mov_b32 s4, " + std::to_string(lo32(data)) + "\n s_mov_b32 s5, " + std::to_string(hi32(data)) + R"(
    s_mov_b32 s6, 6
    s_mov_b32 s7, 0
    s_buffer_load_b128 s[8:11], s[4:7], 0
    s_waitcnt lgkmcnt(0)
    v_mov_b32 v2, s8
    v_mov_b32 v3, s9
    v_mov_b32 v4, s10
    v_mov_b32 v5, s11
    v_mov_b32 v1, 0
    global_store_b128 v1, v[2:5], s[0:1]
    s_endpgm
  )",
      out, 1);
  const uint32_t* got = gpu_.at<uint32_t>(out);
  EXPECT_EQ((std::array{got[0], got[1], got[2], got[3]}), (std::array{100u, 101u, 0u, 0u}));
}

// Loads by the same address register follow each other directly; between them the register changes in every way that
// there is: by arithmetic, by a load, by an exchange of lanes, and for some lanes only.
TEST_F(MemoryRules, LoadsFollowTheirAddressRegister) {
  const uint64_t memory = gpu_.allocate(4096 * 4);
  uint32_t* words = gpu_.at<uint32_t>(memory);
  for (uint32_t i = 0; i < 1024; ++i) words[i] = i;
  words[1000] = 40;  // an address
  run(R"(
      v_and_b32 v1, 7, v0
      v_lshlrev_b32 v1, 4, v1
      v_mov_b32 v20, 0
      global_load_b128 v[2:5], v1, s[0:1]
      global_load_b128 v[6:9], v1, s[0:1] offset:256
      s_waitcnt vmcnt(0)
      v_add_nc_u32 v20, v4, v7
      v_add_nc_u32 v1, 16, v1
      global_load_b32 v2, v1, s[0:1]
      s_waitcnt vmcnt(0)
      v_add_nc_u32 v20, v20, v2
      s_mov_b32 exec_lo, 0xff00ff0f
      global_load_b64 v[2:3], v1, s[0:1] offset:64
      s_waitcnt vmcnt(0)
      v_add_nc_u32 v20, v20, v3
      v_mov_b32 v1, 0
      s_mov_b32 exec_lo, -1
      global_load_b32 v2, v1, s[0:1] offset:8
      s_waitcnt vmcnt(0)
      v_add_nc_u32 v20, v20, v2
      v_mov_b32 v1, 0
      global_load_b32 v1, v1, s[0:1] offset:4000
      s_waitcnt vmcnt(0)
      global_load_b32 v2, v1, s[0:1]
      v_writelane_b32 v1, 80, 3
      global_load_b32 v3, v1, s[0:1]
      global_load_u16 v4, v1, s[0:1] offset:4
      s_waitcnt vmcnt(0)
      v_add3_u32 v20, v20, v2, v3
      v_add_nc_u32 v20, v20, v4
      v_lshlrev_b32 v0, 2, v0
      global_store_b32 v0, v20, s[0:1] offset:4092
      s_endpgm)",
      memory);
  for (uint32_t l = 0; l < 32; ++l) {
    const bool is_active = (0xff00ff0fu >> l & 1) != 0;
    const uint32_t quad = 4 * (l % 8), next = quad + 4;
    uint32_t expected = (quad + 2) + (64 + quad + 1) + next;
    if (is_active) expected += next + 16 + 1;
    expected += (is_active ? 0 : next) + 2;
    expected += 10 + (l == 3 ? 20 + 21 : 10 + 11);
    EXPECT_EQ(words[1023 + l], expected) << "lane " << l;
  }
}

// The two halves of a wave64 have patterns of their own, and LDS is read at two addresses at once.
TEST_F(MemoryRules, LoadsOfPatternsThatRepeat) {
  const uint64_t memory = gpu_.allocate(4096);
  run(R"(
      v_lshlrev_b32 v1, 2, v0
      v_mul_u32_u24 v2, 3, v0
      ds_store_b32 v1, v2
      ds_store_b32 v1, v0 offset:256
      v_and_b32 v3, 15, v0
      v_cmp_gt_u32 vcc, 32, v0
      v_cndmask_b32 v3, 1, v3, vcc
      v_lshlrev_b32 v3, 2, v3
      s_waitcnt lgkmcnt(0)
      ds_load_2addr_b32 v[4:5], v3 offset0:65 offset1:1
      ds_load_b64 v[6:7], v3 offset:8
      s_waitcnt lgkmcnt(0)
      v_lshlrev_b32 v4, 8, v4
      v_lshlrev_b32 v6, 16, v6
      v_lshlrev_b32 v7, 24, v7
      v_or3_b32 v4, v4, v5, v6
      v_or_b32 v4, v4, v7
      global_store_b32 v1, v4, s[0:1]
      s_endpgm)",
      memory, 64, 64);
  for (uint32_t l = 0; l < 64; ++l) {
    const uint32_t at = l < 32 ? l % 16 : 1;
    const uint32_t expected = (at + 1) << 8 | (at + 1) * 3 | (at + 2) * 3 << 16 | (at + 3) * 3 << 24;
    EXPECT_EQ(gpu_.at<uint32_t>(memory)[l], expected) << "lane " << l;
  }
}

}  // namespace
}  // namespace bw::test
