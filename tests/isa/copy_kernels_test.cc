// Kernels that copy memory through FLAT, as AMD's runtime does, and small workgroups that the shader cores have side by
// side.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::Dispatch;

class CopyKernels : public ProgramTest {
 protected:
  static constexpr size_t kBytes = 1 << 16;

  void SetUp() override {
    for (size_t i = 0; i < kBytes; ++i) gpu_.at<uint8_t>(source_)[i] = static_cast<uint8_t>(i * 13 + i / 256 * 7);
    gpu_.at<uint64_t>(arguments_)[0] = source_;
    gpu_.at<uint64_t>(arguments_)[1] = destination_;
  }
  uint8_t source(size_t at) { return gpu_.at<uint8_t>(source_)[at]; }
  uint8_t destination(size_t at) { return gpu_.at<uint8_t>(destination_)[at]; }
  // v[2:3] and v[4:5] become the source's and the destination's address, each lane `stride` bytes behind the one
  // before.
  static std::string addresses(const std::string& stride) {
    return R"(
      s_load_b128 s[4:7], s[0:1], 0x0
      s_waitcnt lgkmcnt(0)
      v_mul_u32_u24 v1, )" +
           stride + R"(, v0
      v_add_co_u32 v2, vcc_lo, v1, s4
      v_add_co_ci_u32_e64 v3, vcc_lo, 0, s5, vcc_lo
      v_add_co_u32 v4, vcc_lo, v1, s6
      v_add_co_ci_u32_e64 v5, vcc_lo, 0, s7, vcc_lo
    )";
  }
  // The same for wave64.
  static std::string in_wave64(std::string text) {
    for (size_t at = 0; (at = text.find("vcc_lo", at)) != std::string::npos;) text.replace(at, 6, "vcc");
    return text;
  }
  void run_in(uint32_t wave_size, const std::string& text) {
    std::fill_n(gpu_.at<uint8_t>(destination_), kBytes, uint8_t{0});
    run(wave_size == 64 ? in_wave64(text) : text, arguments_, 128, wave_size);
  }

  uint64_t source_ = gpu_.allocate(kBytes);
  uint64_t destination_ = gpu_.allocate(kBytes);
  uint64_t arguments_ = gpu_.allocate(4096);
};

constexpr uint32_t kWaveSizes[] = {32, 64};

TEST_F(CopyKernels, FlatMovesEveryWidth) {
  const struct {
    const char *load, *store;
    uint32_t bytes;
  } widths[] = {{"flat_load_u8 v8", "flat_store_b8 v[4:5], v8", 1},
                {"flat_load_i8 v8", "flat_store_b8 v[4:5], v8", 1},
                {"flat_load_u16 v8", "flat_store_b16 v[4:5], v8", 2},
                {"flat_load_i16 v8", "flat_store_b16 v[4:5], v8", 2},
                {"flat_load_b32 v8", "flat_store_b32 v[4:5], v8", 4},
                {"flat_load_b64 v[8:9]", "flat_store_b64 v[4:5], v[8:9]", 8},
                {"flat_load_b96 v[8:10]", "flat_store_b96 v[4:5], v[8:10]", 12},
                {"flat_load_b128 v[8:11]", "flat_store_b128 v[4:5], v[8:11]", 16}};
  for (const auto& [load, store, bytes] : widths) {
    for (uint32_t stride : {bytes, 20u}) {
      for (uint32_t wave_size : kWaveSizes) {
        run_in(wave_size, addresses(std::to_string(stride)) + load + ", v[2:3] offset:24\n s_waitcnt vmcnt(0)\n" +
                              store + " offset:40\n s_endpgm\n");
        for (size_t i = 0; i < 128 * stride; ++i) {
          const uint8_t expected = i % stride < bytes ? source(24 + i) : 0;
          ASSERT_EQ(destination(40 + i), expected) << load << " stride " << stride << " wave" << wave_size << " " << i;
        }
      }
    }
  }
}

TEST_F(CopyKernels, FlatLeavesLanesAloneThatAreNotActive) {
  for (uint32_t wave_size : kWaveSizes) {
    run_in(wave_size, addresses("16") + R"(
      v_mov_b32 v8, 1
      v_mov_b32 v9, 2
      v_mov_b32 v10, 3
      v_mov_b32 v11, 4
      v_and_b32 v12, 1, v0
      v_cmpx_eq_u32 1, v12
      flat_load_b128 v[8:11], v[2:3]
      s_waitcnt vmcnt(0)
      s_mov_b64 exec, -1
      v_cmpx_gt_u32 100, v0
      flat_store_b128 v[4:5], v[8:11]
      s_endpgm
    )");
    for (size_t i = 0; i < 2048; ++i) {
      const size_t lane = i / 16;
      const uint8_t kept = i % 4 == 0 ? static_cast<uint8_t>(i % 16 / 4 + 1) : 0;
      ASSERT_EQ(destination(i), lane >= 100 ? 0 : lane % 2 == 1 ? source(i) : kept) << i;
    }
  }
}

TEST_F(CopyKernels, OfLanesThatStoreTheSameBytesTheLastOneStays) {
  for (uint32_t wave_size : kWaveSizes) {
    // Each lane stores four dwords, all of its own number, 4 bytes behind the lane before.
    run_in(wave_size, addresses("4") + R"(
      v_mov_b32 v8, v0
      v_mov_b32 v9, v0
      v_mov_b32 v10, v0
      v_mov_b32 v11, v0
      flat_store_b128 v[4:5], v[8:11]
      s_endpgm
    )");
    const uint32_t* words = gpu_.at<uint32_t>(destination_);
    // Of one wave; between waves nothing is promised.
    for (uint32_t i = 0; i < wave_size; ++i) EXPECT_EQ(words[i], i) << wave_size;
  }
}

TEST_F(CopyKernels, FlatReachesLdsFromBothSidesOfTheAperture) {
  for (uint32_t wave_size : kWaveSizes) {
    // LDS takes the dwords; every second lane then loads from LDS, the others from memory.
    run_in(wave_size, addresses("16") + R"(
      v_lshlrev_b32 v6, 4, v0
      v_mov_b32 v8, v0
      v_mov_b32 v9, v0
      v_mov_b32 v10, v0
      v_mov_b32 v11, v0
      ds_store_b128 v6, v[8:11]
      s_waitcnt lgkmcnt(0)
      s_mov_b64 s[8:9], src_shared_base
      v_mov_b32 v7, s9
      flat_load_b128 v[12:15], v[6:7]
      s_waitcnt vmcnt(0) lgkmcnt(0)
      v_add_nc_u32 v12, v12, 1
      v_mov_b32 v16, v12
      flat_store_b32 v[6:7], v16 offset:4
      v_and_b32 v17, 1, v0
      v_cmp_eq_u32 vcc_lo, 1, v17
      v_cndmask_b32 v6, v2, v6, vcc_lo
      v_cndmask_b32 v7, v3, v7, vcc_lo
      s_waitcnt lgkmcnt(0)
      flat_load_b128 v[12:15], v[6:7]
      s_waitcnt vmcnt(0) lgkmcnt(0)
      flat_store_b128 v[4:5], v[12:15]
      s_endpgm
    )");
    const uint32_t* words = gpu_.at<uint32_t>(destination_);
    const uint32_t* from = gpu_.at<uint32_t>(source_);
    for (uint32_t lane = 0; lane < 128; ++lane) {
      for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t in_lds = i == 1 ? lane + 1 : lane;
        ASSERT_EQ(words[lane * 4 + i], lane % 2 == 1 ? in_lds : from[lane * 4 + i]) << lane << " " << i;
      }
    }
  }
}

// Small workgroups: one wave, few registers, no LDS. 2 user SGPRs and the workgroup's number in s2.
class SideBySide : public CopyKernels {
 protected:
  Dispatch small(const std::string& text, uint32_t wave_size, uint32_t groups) {
    Dispatch dispatch = dispatch_of(wave_size == 64 ? in_wave64(text) : text, arguments_, wave_size, wave_size);
    dispatch.pgm_rsrc1 = 0x60af0000 | (wave_size == 64 ? 3 : 1);  // 16 VGPRs
    dispatch.pgm_rsrc2 = 0x84;
    dispatch.workgroup_count = {groups, 1, 1};
    return dispatch;
  }
  // v1 becomes the work-item's number; the two addresses 16 bytes a work-item.
  static std::string work_item(uint32_t wave_size) {
    return "s_mul_i32 s2, s2, " + std::to_string(wave_size) + R"(
      s_load_b128 s[4:7], s[0:1], 0x0
      s_waitcnt lgkmcnt(0)
      v_add_nc_u32 v1, s2, v0
      v_lshlrev_b32 v6, 4, v1
      v_add_co_u32 v2, vcc_lo, v6, s4
      v_add_co_ci_u32_e64 v3, vcc_lo, 0, s5, vcc_lo
      v_add_co_u32 v4, vcc_lo, v6, s6
      v_add_co_ci_u32_e64 v5, vcc_lo, 0, s7, vcc_lo
    )";
  }
};

TEST_F(SideBySide, CopyInStridesOfTheGrid) {
  for (uint32_t wave_size : kWaveSizes) {
    constexpr uint32_t kGroups = 11;
    const uint32_t stride = kGroups * wave_size * 16;
    const uint32_t end = 20 * 1024;
    std::fill_n(gpu_.at<uint8_t>(destination_), kBytes, uint8_t{0});
    const auto fault = gpu_.run(small(work_item(wave_size) + R"(
      again:
      v_cmp_gt_u32 vcc_lo, )" + std::to_string(end) +
                                          R"(, v6
      s_cbranch_vccz done
      s_and_saveexec_b)" + std::to_string(wave_size) +
                                          (wave_size == 32 ? " s8" : " s[8:9]") + R"(, vcc_lo
      flat_load_b128 v[8:11], v[2:3]
      s_waitcnt vmcnt(0)
      flat_store_b128 v[4:5], v[8:11]
      v_add_nc_u32 v6, )" + std::to_string(stride) +
                                          R"(, v6
      v_add_co_u32 v2, vcc_lo, )" + std::to_string(stride) +
                                          R"(, v2
      v_add_co_ci_u32_e64 v3, vcc_lo, 0, v3, vcc_lo
      v_add_co_u32 v4, vcc_lo, )" + std::to_string(stride) +
                                          R"(, v4
      v_add_co_ci_u32_e64 v5, vcc_lo, 0, v5, vcc_lo
      s_branch again
      done:
      s_endpgm
    )",
                                      wave_size, kGroups));
    ASSERT_FALSE(fault.has_value()) << fault->message;
    for (size_t i = 0; i < kBytes; ++i) ASSERT_EQ(destination(i), i < end ? source(i) : 0) << wave_size << " " << i;
  }
}

// Workgroup i goes through its loop (7 i) % 31 + 1 times.
constexpr const char* kUnequalLoops = R"(
  s_mul_i32 s8, s3, 7
  v_mov_b32 v7, s8
  v_mul_hi_u32 v8, 0x8421085, v7
  v_mul_lo_u32 v8, v8, 31
  v_sub_nc_u32 v7, v7, v8
  v_readfirstlane_b32 s8, v7
  v_mov_b32 v8, 0
  again:
  v_add_nc_u32 v8, v8, v1
  s_nop 0
  s_nop 0
  s_nop 0
  s_sub_i32 s8, s8, 1
  s_cmp_ge_i32 s8, 0
  s_cbranch_scc1 again
  flat_store_b32 v[4:5], v8
  s_endpgm
)";

TEST_F(SideBySide, EndEachInItsTime) {
  for (uint32_t wave_size : kWaveSizes) {
    constexpr uint32_t kGroups = 60;
    const auto before = gpu_.cores().instruction_count();
    const auto dispatch = small("s_mov_b32 s3, s2\n" + work_item(wave_size) + kUnequalLoops, wave_size, kGroups);
    const auto fault = gpu_.run(dispatch);
    ASSERT_FALSE(fault.has_value()) << fault->message;
    uint64_t expected = 0;
    for (uint32_t group = 0; group < kGroups; ++group) {
      const uint32_t times = group * 7 % 31 + 1;
      for (uint32_t lane = 0; lane < wave_size; ++lane) {
        const uint32_t item = group * wave_size + lane;
        ASSERT_EQ(gpu_.at<uint32_t>(destination_)[item * 4], item * times) << item;
      }
      expected += 1 + 9 + 7 + 7 * times + 2;
    }
    EXPECT_EQ(gpu_.cores().instruction_count() - before, expected);
  }
}

TEST_F(SideBySide, AFaultNamesItsWorkgroup) {
  // Workgroup 13 stores to nowhere after a while.
  const std::string text = "s_mov_b32 s3, s2\n" + work_item(32) + R"(
    s_mov_b32 s8, 100
    again:
    s_sub_i32 s8, s8, 1
    s_cmp_ge_i32 s8, 0
    s_cbranch_scc1 again
    s_cmp_lg_u32 s3, 13
    s_cbranch_scc1 fine
    v_mov_b32 v5, 0
    fine:
    flat_store_b32 v[4:5], v1
    s_endpgm
  )";
  const auto fault = gpu_.run(small(text, 32, 40));
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->workgroup[0], 13u);
  EXPECT_EQ(fault->kind, emulator::ShaderFaultKind::kMemory);
}

}  // namespace
}  // namespace bw::test
