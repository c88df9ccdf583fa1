#include "tests/fuzz/random_frame.h"

#include <fmt/format.h>

#include <iterator>

namespace bw::test {

using Frame = RandomProgramFrame;

std::string RandomProgramFrame::prologue(uint32_t wave_size) {
  const std::string exec = wave_size == 32 ? "exec_lo" : "exec";
  const std::string saved = wave_size == 32 ? "s86" : "s[86:87]";
  const std::string mov = wave_size == 32 ? "s_mov_b32 " : "s_mov_b64 ";
  std::string text = "s_mov_b64 s[80:81], s[0:1]\n s_mov_b64 s[82:83], s[2:3]\n";
  text += fmt::format("s_mul_i32 s84, s4, {}\n s_add_u32 s82, s82, s84\n s_addc_u32 s83, s83, 0\n", kOutputBytes);
  text +=
      fmt::format("s_add_u32 s88, s82, {}\n s_addc_u32 s89, s83, 0\n s_mov_b64 s[92:93], s[88:89]\n", kMemoryCenter);
  text += mov + saved + ", " + exec + "\n " + mov + exec + ", -1\n";
  text += "v_mbcnt_lo_u32_b32 v255, -1, 0\n";
  if (wave_size == 64) text += "v_mbcnt_hi_u32_b32 v255, -1, v255\n";
  text += "v_lshlrev_b32 v254, 2, v255\n";
  for (uint32_t i = 0; i < kVgprs; ++i) {
    text += fmt::format("global_load_b32 v{}, v254, s[80:81]\n s_add_u32 s80, s80, {}\n s_addc_u32 s81, s81, 0\n", i,
                        kRowBytes);
  }
  text += "s_waitcnt vmcnt(0)\n";
  const uint32_t lane_bytes = kLdsBytes / wave_size;
  text += fmt::format("v_mul_u32_u24 v253, {}, v255\n", lane_bytes);
  for (uint32_t at = 0; at < lane_bytes; at += 16) {
    text += fmt::format("ds_store_b128 v253, v[{}:{}] offset:{}\n", at / 4, at / 4 + 3, at);
  }
  for (uint32_t at = 0; at < kScratchBytesPerLane; at += 16) {
    text += fmt::format("scratch_store_b128 off, v[{}:{}], off offset:{}\n", at / 16, at / 16 + 3, at);
  }
  for (uint32_t i = 0; i < kSgprs; i += 16) {
    text += fmt::format("s_load_b512 s[{}:{}], s[80:81], {}\n", i, i + 15, i * 4);
  }
  text += "s_waitcnt lgkmcnt(0)\n s_mov_b64 vcc, s[10:11]\n s_mov_b32 m0, s12\n";
  return text + mov + exec + ", " + saved + "\n s_cmp_lt_u32 s13, s14\n";
}

std::string RandomProgramFrame::epilogue(uint32_t wave_size) {
  std::string text =
      "s_cselect_b32 s90, 1, 0\n s_mov_b32 s91, m0\n s_mov_b64 s[92:93], vcc\n s_mov_b64 s[94:95], exec\n"
      "s_getreg_b32 s96, hwreg(HW_REG_MODE)\n";
  text += "s_mov_b64 exec, -1\n s_waitcnt vmcnt(0) expcnt(0) lgkmcnt(0)\n v_mbcnt_lo_u32_b32 v255, -1, 0\n";
  if (wave_size == 64) text += "v_mbcnt_hi_u32_b32 v255, -1, v255\n";
  text += "v_lshlrev_b32 v254, 2, v255\n";
  const auto store = [&](const std::string& vgpr) {
    text += fmt::format("global_store_b32 v254, {}, s[82:83]\n s_add_u32 s82, s82, {}\n s_addc_u32 s83, s83, 0\n", vgpr,
                        kRowBytes);
  };
  for (uint32_t i = 0; i < kVgprs; ++i) store(fmt::format("v{}", i));
  const auto store_scalar = [&](uint32_t number) {
    text += fmt::format("v_mov_b32 v253, s{}\n", number);
    store("v253");
  };
  for (uint32_t i = 0; i < kSgprs; ++i) store_scalar(i);
  for (const uint32_t i : {92, 93, 94, 95, 91, 90, 96}) store_scalar(i);
  return text + "s_endpgm\n";
}

std::string RandomProgramFrame::output_name(uint32_t dword) {
  static constexpr const char* kSpecial[] = {"vcc_lo", "vcc_hi", "exec_lo", "exec_hi", "m0", "scc", "mode"};
  const uint32_t row = dword / (kRowBytes / 4), lane = dword % (kRowBytes / 4);
  if (dword >= kMemoryOffset / 4) return fmt::format("memory at {}", static_cast<int>(dword * 4 - kMemoryCenter));
  if (row < kVgprs) return fmt::format("v{} lane {}", row, lane);
  if (row < kVgprs + kSgprs) return fmt::format("s{}", row - kVgprs);
  if (row < kOutputRows) return kSpecial[row - kVgprs - kSgprs];
  return "nothing";
}

uint32_t random_value(std::mt19937& random) {
  static constexpr uint32_t kEdges[] = {0,           1,           0xffff'ffff, 0x8000'0000, 0x7fff'ffff, 0x3f80'0000,
                                        0xbf80'0000, 0x7f80'0000, 0xff80'0000, 0x7fc0'0000, 0x7f80'0001, 0x0000'0001,
                                        0x0080'0000, 0x007f'ffff, 0x7f7f'ffff, 0x3c00'3c00, 0x7c00'fc00, 0x7e00'0001,
                                        0x7ff0'0000, 0x3ff0'0000, 0x4b00'0000, 0x4f00'0000, 0xffd1'2345, 0x7fa5'4321,
                                        0x7d01'fe01, 0xfff0'0001, 0x8000'0001, 0x807f'ffff, 0x4e7f'ffff, 0xcf00'0000};
  const uint32_t choice = below(random, 8);
  if (choice < 2) return kEdges[below(random, std::size(kEdges))];
  if (choice < 4) return (static_cast<uint32_t>(random()) & 0x80ff'ffff) | 0x3f00'0000;  // floats around 1
  if (choice < 5) return below(random, 64);
  return static_cast<uint32_t>(random());
}

}  // namespace bw::test
