// MUBUF and MTBUF on buffer resources: addressing, swizzling, range checks, formats, atomics.
#include <array>
#include <cmath>

#include "amdgpu/gfx11/isa/buffer.h"
#include "emulator/shader/buffer_format.h"
#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

constexpr uint32_t kStructured = 0, kIndexOnly = 1, kNotEmpty = 2, kRaw = 3;

struct Resource {
  uint32_t records = 0;
  uint32_t stride = 0;
  uint32_t oob = kRaw;
  uint32_t swizzle = 0;       // 1, 2, 3: elements of 4, 8, 16 bytes
  uint32_t index_stride = 0;  // 8 << this
  uint32_t format = 0;
  uint32_t selects = 4 | 5 << 3 | 6 << 6 | 7 << 9;
  uint32_t add_tid = 0;
};

class Buffers : public ProgramTest {
 protected:
  // The resource stands at s[4:7], the output at s[0:1], lane number times 16 in v3; v0 is the lane.
  std::string prologue(const Resource& r) {
    data_ = gpu_.allocate(8192);
    const std::array<uint32_t, 4> words = {
        lo32(data_), hi32(data_) | r.stride << 16 | r.swizzle << 30, r.records,
        r.selects | r.format << 12 | r.index_stride << 21 | r.add_tid << 23 | r.oob << 28};
    std::string text;
    for (unsigned i = 0; i < 4; ++i) text += fmt::format("s_mov_b32 s{}, {:#x}\n", 4 + i, words[i]);
    return text + "v_lshlrev_b32 v3, 4, v0\n";
  }
  // Runs the instructions with v[8:11] = 0xaaaaaaaa at first, and returns v[8:11] of each lane.
  std::vector<std::array<uint32_t, 4>> rows(const Resource& r, const std::string& body, uint32_t lanes,
                                            uint32_t wave_size = 32) {
    std::string text = prologue(r);
    for (unsigned i = 8; i < 12; ++i) text += fmt::format("v_mov_b32 v{}, 0xaaaaaaaa\n", i);
    text += body + "\n global_store_b128 v3, v[8:11], s[0:1]\n s_endpgm\n";
    for (uint32_t i = 0; i < 2048; ++i) gpu_.at<uint32_t>(data_)[i] = i;
    const uint64_t out = gpu_.allocate(4096);
    run(text, out, lanes, wave_size);
    std::vector<std::array<uint32_t, 4>> result(lanes);
    std::memcpy(result.data(), gpu_.host(out), lanes * 16);
    return result;
  }
  uint32_t* data() { return gpu_.at<uint32_t>(data_); }

  uint64_t data_ = 0;
};

using Four = std::array<uint32_t, 4>;

TEST_F(Buffers, RawLoadsAddOffsetsAndCheckEachDword) {
  // Lane l reads 16 bytes at 16 l + 4 of 40 bytes.
  const auto got = rows({.records = 40}, "buffer_load_b128 v[8:11], v3, s[4:7], 0 offen offset:4", 3);
  EXPECT_EQ(got[0], (Four{1, 2, 3, 4}));
  EXPECT_EQ(got[1], (Four{5, 6, 7, 8}));
  EXPECT_EQ(got[2], (Four{9, 0, 0, 0}));
}

TEST_F(Buffers, TheScalarOffsetMovesTheAddressButNotTheCheck) {
  const auto got = rows({.records = 32}, "s_movk_i32 s8, 0x100\n buffer_load_b32 v8, v3, s[4:7], s8 offen", 3);
  EXPECT_EQ(got[0][0], 64u);
  EXPECT_EQ(got[1][0], 68u);
  EXPECT_EQ(got[2][0], 0u);
}

TEST_F(Buffers, OffsetsDoNotWrapAroundTheCheck) {
  const auto got = rows({.records = 64}, "v_mov_b32 v4, -4\n buffer_load_b64 v[8:9], v4, s[4:7], 0 offen", 1);
  EXPECT_EQ(got[0], (Four{0, 0, 0xaaaaaaaa, 0xaaaaaaaa}));
}

TEST_F(Buffers, StructuredLoadsCheckIndexAndStride) {
  const Resource r{.records = 3, .stride = 12, .oob = kStructured};
  const auto inside = rows(r, "buffer_load_b32 v8, v0, s[4:7], 0 idxen offset:8", 4);
  for (unsigned lane = 0; lane < 4; ++lane) EXPECT_EQ(inside[lane][0], lane < 3 ? lane * 3 + 2 : 0) << lane;
  const auto beyond = rows(r, "buffer_load_b64 v[8:9], v0, s[4:7], 0 idxen offset:8", 2);
  EXPECT_EQ(beyond[1], (Four{5, 0, 0xaaaaaaaa, 0xaaaaaaaa}));
  // A VGPR pair has the index first, the offset second.
  const auto both = rows(r, "v_mov_b32 v4, 1\n v_mov_b32 v5, 4\n buffer_load_b32 v8, v[4:5], s[4:7], 0 idxen offen", 1);
  EXPECT_EQ(both[0][0], 4u);
}

TEST_F(Buffers, OobSelectChoosesTheCheck) {
  const std::string load = "buffer_load_b32 v8, v0, s[4:7], 0 idxen offset:16";
  EXPECT_EQ(rows({.records = 1, .stride = 4, .oob = kStructured}, load, 1)[0][0], 0u);
  EXPECT_EQ(rows({.records = 1, .stride = 4, .oob = kIndexOnly}, load, 2)[0][0], 4u);
  EXPECT_EQ(rows({.records = 1, .stride = 4, .oob = kIndexOnly}, load, 2)[1][0], 0u);
  EXPECT_EQ(rows({.records = 1, .stride = 4, .oob = kNotEmpty}, load, 2)[1][0], 5u);
  EXPECT_EQ(rows({.records = 0, .stride = 4, .oob = kNotEmpty}, load, 1)[0][0], 0u);
  EXPECT_EQ(rows({.records = 20, .stride = 4, .oob = kRaw}, load, 1)[0][0], 4u);
  EXPECT_EQ(rows({.records = 19, .stride = 4, .oob = kRaw}, load, 1)[0][0], 0u);
}

TEST_F(Buffers, SwizzledBuffersKeepElementsOfNeighboursTogether) {
  // Structures of 8 bytes in elements of 4: the first dwords of 8 indices, then the second dwords.
  const Resource r{.records = 64, .stride = 8, .oob = kStructured, .swizzle = 1, .index_stride = 0};
  const auto got = rows(r, "buffer_load_b64 v[8:9], v0, s[4:7], 0 idxen", 20);
  for (unsigned lane = 0; lane < 20; ++lane) {
    EXPECT_EQ(got[lane][0], lane / 8 * 16 + lane % 8) << lane;
    EXPECT_EQ(got[lane][1], lane / 8 * 16 + 8 + lane % 8) << lane;
  }
  const Resource wide{.records = 64, .stride = 32, .oob = kRaw, .swizzle = 3, .index_stride = 1};
  const auto quads = rows(wide, "buffer_load_b128 v[8:11], v0, s[4:7], 0 idxen offset:16", 2);
  EXPECT_EQ(quads[1], (Four{68, 69, 70, 71}));
}

TEST_F(Buffers, ThreadIdsAddToTheIndex) {
  const auto got = rows({.records = 64, .stride = 4, .oob = kIndexOnly, .add_tid = 1},
                        "buffer_load_b32 v8, off, s[4:7], 0 offset:4", 40, 64);
  for (unsigned lane = 0; lane < 40; ++lane) EXPECT_EQ(got[lane][0], lane + 1) << lane;
}

TEST_F(Buffers, SmallLoadsExtendAndD16KeepsTheOtherHalf) {
  const auto got = rows({.records = 64}, R"(
    v_mov_b32 v4, 0x8f91
    buffer_store_b16 v4, off, s[4:7], 0 offset:2
    buffer_load_i8 v8, off, s[4:7], 0 offset:3
    buffer_load_u16 v9, off, s[4:7], 0 offset:2
    buffer_load_d16_hi_u8 v10, off, s[4:7], 0 offset:2
    buffer_load_d16_b16 v11, off, s[4:7], 0 offset:2)",
                        1);
  EXPECT_EQ(got[0], (Four{0xffffff8f, 0x8f91, 0x0091aaaa, 0xaaaa8f91}));
}

TEST_F(Buffers, StoresOutOfRangeAreDropped) {
  rows({.records = 20}, "v_mov_b32 v4, 7\n v_mov_b32 v5, 8\n buffer_store_b64 v[4:5], v3, s[4:7], 0 offen", 2);
  EXPECT_EQ(data()[0], 7u);
  EXPECT_EQ(data()[1], 8u);
  EXPECT_EQ(data()[4], 7u);
  EXPECT_EQ(data()[5], 5u);
}

TEST_F(Buffers, AccessesInRangeOfAWrongResourceStillFault) {
  const auto fault = fault_of(prologue({.records = 1u << 20}) +
                              "v_mov_b32 v4, 0x10000\n"
                              "buffer_load_b32 v8, v4, s[4:7], 0 offen\n s_endpgm\n");
  EXPECT_EQ(fault.kind, emulator::ShaderFaultKind::kMemory);
  EXPECT_EQ(fault.address, data_ + 0x10000);
}

TEST_F(Buffers, TypedLoadsConvertAndSelect) {
  const std::string store = "v_mov_b32 v4, 0x80ff7f01\n buffer_store_b32 v4, off, s[4:7], 0\n";
  // 8_8_8_8_unorm, then with selects w, 1, 0, x.
  const auto unorm = rows({.records = 64, .format = 42}, store + "buffer_load_format_xyzw v[8:11], off, s[4:7], 0", 1);
  for (unsigned i = 0; i < 4; ++i) {
    const uint32_t byte = 0x80ff7f01u >> (i * 8) & 0xff;
    EXPECT_EQ(std::bit_cast<float>(unorm[0][i]), static_cast<float>(byte) / 255.0f) << i;
  }
  const auto selected = rows({.records = 64, .format = 47, .selects = 7 | 1 << 3 | 0 << 6 | 4 << 9},
                             store + "buffer_load_format_xyzw v[8:11], off, s[4:7], 0", 1);
  EXPECT_EQ(selected[0], (Four{0xffffff80, 1, 0, 1}));
  // MTBUF has its own format and no selects; 16-bit results come in pairs.
  const auto snorm = rows({.records = 64, .selects = 0},
                          store + "tbuffer_load_format_xy v[8:9], off, s[4:7], 0 format:[BUF_FMT_8_8_8_8_SNORM]", 1);
  EXPECT_EQ(std::bit_cast<float>(snorm[0][0]), 1.0f / 127.0f);
  EXPECT_EQ(snorm[0][1], 0x3f800000u);
  const auto missing = rows({.records = 64, .selects = 0},
                            store + "tbuffer_load_format_xyzw v[8:11], off, s[4:7], 0 format:[BUF_FMT_8_8_USCALED]", 1);
  EXPECT_EQ(missing[0][2], 0u);
  EXPECT_EQ(missing[0][3], 0u);
  const auto d16 =
      rows({.records = 64},
           store + "tbuffer_load_d16_format_xyz v[8:9], off, s[4:7], 0 format:[BUF_FMT_8_8_8_8_USCALED]", 1);
  EXPECT_EQ(d16[0][0], 0x57f03c00u);  // 127.0, 1.0
  EXPECT_EQ(d16[0][1], 0x00005bf8u);  // 255.0
}

TEST_F(Buffers, TypedAccessesAreCheckedAsAWhole) {
  const auto got = rows({.records = 14, .format = 61, .selects = 4 | 5 << 3 | 1 << 6 | 7 << 9},
                        "buffer_load_format_xyzw v[8:11], off, s[4:7], 0", 1);
  EXPECT_EQ(got[0], (Four{0, 0, 1, 0}));
}

TEST_F(Buffers, TypedStoresConvertAndSaturate) {
  rows({.records = 64, .format = 42}, R"(
    v_mov_b32 v4, 0.5
    v_mov_b32 v5, 2.0
    v_mov_b32 v6, -1.0
    v_mov_b32 v7, 0x7fc00000
    buffer_store_format_xyzw v[4:7], off, s[4:7], 0
    tbuffer_store_format_xy v[4:5], off, s[4:7], 0 format:[BUF_FMT_16_16_FLOAT] offset:4
    v_mov_b32 v4, 300
    v_mov_b32 v5, -300
    tbuffer_store_format_xy v[4:5], off, s[4:7], 0 format:[BUF_FMT_8_8_SINT] offset:8
    v_mov_b32 v4, 0x3c004000
    tbuffer_store_d16_format_xy v4, off, s[4:7], 0 format:[BUF_FMT_32_32_FLOAT] offset:12)",
       1);
  EXPECT_EQ(data()[0], 0x0000ff80u);
  EXPECT_EQ(data()[1], 0x40003800u);
  EXPECT_EQ(data()[2], 0x0000807fu);
  EXPECT_EQ(data()[3], 0x40000000u);
  EXPECT_EQ(data()[4], 0x3f800000u);
}

TEST_F(Buffers, LoadsToLdsGoToTheLanesDword) {
  const auto got = rows({.records = 8}, R"(
    v_lshlrev_b32 v4, 2, v0
    s_mov_b32 m0, 0x40
    buffer_load_lds_b32 v4, s[4:7], 0 offen offset:4
    v_add_nc_u32 v5, 0x44, v4
    ds_load_b32 v8, v5)",
                        2);
  EXPECT_EQ(got[0][0], 1u);
  EXPECT_EQ(got[1][0], 0u);
}

TEST_F(Buffers, AtomicsReturnTheOldValueAndZeroOutOfRange) {
  const auto got = rows({.records = 8}, R"(
    v_mov_b32 v8, 5
    buffer_atomic_add_u32 v8, off, s[4:7], 0 offset:4 glc
    v_mov_b32 v9, 5
    buffer_atomic_add_u32 v9, off, s[4:7], 0 offset:8 glc
    v_mov_b32 v10, 9
    v_mov_b32 v11, 6
    buffer_atomic_cmpswap_b32 v[10:11], off, s[4:7], 0 offset:4 glc)",
                        1);
  EXPECT_EQ(got[0], (Four{1, 0, 6, 6}));
  EXPECT_EQ(data()[1], 9u);
  EXPECT_EQ(data()[2], 2u);
}

TEST_F(Buffers, TexelFailEnableIsUnsupported) {
  const auto fault = fault_of(prologue({}) + "buffer_load_b32 v[8:9], off, s[4:7], 0 tfe\n s_endpgm\n");
  EXPECT_EQ(fault.kind, emulator::ShaderFaultKind::kUnsupported);
}

// Every value of every component survives unpacking and packing, in every format whose numbers 32 bits hold.
TEST(BufferFormats, RoundTripEveryFormat) {
  using namespace emulator;
  for (uint32_t number = 1; number < amdgpu::gfx11::buffer_formats().size(); ++number) {
    const auto* format = find_buffer_format(number);
    if (format == nullptr) continue;
    for (uint32_t seed = 0; seed < 2000; ++seed) {
      std::array<std::byte, 16> in{}, out{};
      for (uint32_t i = 0; i < 4; ++i) {
        const uint32_t dword = (seed * 4 + i) * 2654435761u;
        std::memcpy(in.data() + i * 4, &dword, 4);
      }
      const auto components = unpack_element(*format, RegisterWidth::k32, in.data());
      pack_element(*format, RegisterWidth::k32, components, out.data());
      const auto again = unpack_element(*format, RegisterWidth::k32, out.data());
      for (unsigned i = 0; i < 4; ++i) {
        const bool nan =
            (components[i] & 0x7fffffff) > 0x7f800000 && format->number == amdgpu::gfx11::BufferNumber::kFloat;
        EXPECT_TRUE(nan || again[i] == components[i]) << format->name << " component " << i;
      }
    }
  }
}

TEST(BufferFormats, PackedNamesBeginWithTheHighestComponent) {
  using namespace emulator;
  const uint32_t word = 3u << 30 | 1000u << 20 | 500u << 10 | 7u;
  std::array<std::byte, 16> bytes{};
  std::memcpy(bytes.data(), &word, 4);
  constexpr uint32_t kFormat_2_10_10_10_uint = 40, kFormat_10_11_11_float = 30;
  EXPECT_EQ(unpack_element(*find_buffer_format(kFormat_2_10_10_10_uint), RegisterWidth::k32, bytes.data()),
            (Four{7, 500, 1000, 3}));
  // 1.0 as x (11 bits), 2.0 as y (11 bits), 0.5 as z (10 bits).
  const uint32_t floats = 0x3c0u | 0x400u << 11 | 0x1c0u << 22;
  std::memcpy(bytes.data(), &floats, 4);
  EXPECT_EQ(unpack_element(*find_buffer_format(kFormat_10_11_11_float), RegisterWidth::k32, bytes.data()),
            (Four{0x3f800000, 0x40000000, 0x3f000000, 0x3f800000}));
}

}  // namespace
}  // namespace bw::test
