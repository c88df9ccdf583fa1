// Memory of the client that it takes away from under a program: the program faults, and the host lives on.
#include <gmock/gmock.h>
#include <sys/mman.h>

#include <atomic>
#include <thread>

#include "tests/isa/program_test.h"

namespace bw::test {
namespace {

using emulator::Access;
using emulator::ShaderFault;
using emulator::ShaderFaultKind;
using testing::HasSubstr;

constexpr size_t kPage = 4096;
constexpr size_t kBytes = 4 * kPage;

class ClientMemory : public ProgramTest {
 protected:
  void SetUp() override {
    void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    host_ = static_cast<std::byte*>(memory);
    address_ = gpu_.map({host_, kBytes}, Gpu::Rights::kReadWrite);
  }
  void TearDown() override { ::munmap(host_, kBytes); }

  // Takes the second page away. Its place is kept, for others would move in.
  void lose_page() {
    ASSERT_NE(::mmap(host_ + kPage, kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), MAP_FAILED);
  }
  void expect_lost(const ShaderFault& fault) const {
    EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
    EXPECT_GE(fault.address, address_ + kPage);
    EXPECT_LT(fault.address, address_ + 2 * kPage);
  }
  void expect_working() {
    run("v_lshlrev_b32 v1, 2, v0\n global_store_b32 v1, v0, s[0:1]\n s_endpgm\n", address_);
    EXPECT_EQ(reinterpret_cast<const uint32_t*>(host_)[31], 31u);
  }

  std::byte* host_ = nullptr;
  uint64_t address_ = 0;
};

struct Lost {
  const char* name;
  const char* text;              // s[0:1]: the memory, whose second page is gone
  std::optional<Access> access;  // none: the host may fault at the read or at the write
};
class LostPages : public ClientMemory, public testing::WithParamInterface<Lost> {};
INSTANTIATE_TEST_SUITE_P(
    Instructions, LostPages,
    testing::Values(
        Lost{"load", "v_lshlrev_b32 v1, 2, v0\n global_load_b32 v2, v1, s[0:1] offset:4092\n s_endpgm\n",
             Access::kRead},
        Lost{"loads_of_16", "v_lshlrev_b32 v1, 4, v0\n global_load_b128 v[2:5], v1, s[0:1] offset:4000\n s_endpgm\n",
             Access::kRead},
        Lost{"load_byte", "v_lshlrev_b32 v1, 8, v0\n global_load_u8 v2, v1, s[0:1]\n s_endpgm\n", Access::kRead},
        Lost{"store", "v_lshlrev_b32 v1, 2, v0\n global_store_b32 v1, v0, s[0:1] offset:4080\n s_endpgm\n",
             Access::kWrite},
        Lost{"store_scattered", "v_lshlrev_b32 v1, 8, v0\n global_store_b64 v1, v[0:1], s[0:1]\n s_endpgm\n",
             Access::kWrite},
        Lost{"atomic", "v_mov_b32 v1, 0x1000\n global_atomic_add_u32 v1, v0, s[0:1]\n s_endpgm\n", std::nullopt},
        Lost{"flat",
             "v_mov_b32 v1, s0\n v_mov_b32 v2, s1\n flat_load_b32 v3, v[1:2] offset:4092\n"
             "flat_load_b32 v3, v[1:2] offset:4095\n s_endpgm\n",
             Access::kRead},
        Lost{"scalar", "s_load_b128 s[4:7], s[0:1], 0x1000\n s_endpgm\n", Access::kRead},
        Lost{"buffer",
             "s_mov_b32 s4, s0\n s_mov_b32 s5, s1\n s_mov_b32 s6, 0x4000\n s_mov_b32 s7, 0x30000000\n"
             "buffer_load_b32 v1, off, s[4:7], 0 offset:4092\n s_movk_i32 s8, 0x1000\n"
             "buffer_store_b32 v1, off, s[4:7], s8\n s_endpgm\n",
             Access::kWrite}),
    [](const auto& tested) { return tested.param.name; });

TEST_P(LostPages, Fault) {
  lose_page();
  const ShaderFault fault = fault_of(GetParam().text, address_);
  expect_lost(fault);
  EXPECT_EQ(fault.access, GetParam().access.value_or(fault.access));
  EXPECT_THAT(fault.message, HasSubstr("which the client has unmapped from its own memory"));
  EXPECT_THAT(fault.message, HasSubstr("workgroup (0, 0, 0), wave 0, pc 0x"));
  EXPECT_FALSE(fault.disassembly.empty());
  expect_working();
}

TEST_F(ClientMemory, CodeThatIsLostFaults) {
  const auto code = mc32_.assemble("s_endpgm\n");
  std::memcpy(host_, code->data(), code->size() * 4);
  const uint64_t program = gpu_.map({host_, kBytes}, Gpu::Rights::kExecute);
  emulator::Dispatch dispatch = Gpu::dispatch(program, 32, 0);
  EXPECT_FALSE(gpu_.run(dispatch).has_value());
  ASSERT_EQ(::mprotect(host_, kPage, PROT_NONE), 0);
  const auto fault = gpu_.run(dispatch);
  ASSERT_TRUE(fault.has_value());
  EXPECT_EQ(fault->access, Access::kExecute);
  EXPECT_EQ(fault->address, program);
}

// Writes for ever, to all four pages.
constexpr const char* kWriteForEver = R"(
  v_lshlrev_b32 v1, 9, v0
  v_mov_b32 v2, -1
  again:
  global_store_b32 v1, v2, s[0:1]
  s_branch again
)";

TEST_F(ClientMemory, LosingItWhileAProgramWritesFaults) {
  for (int i = 0; i < 8; ++i) {
    std::thread client([&] {
      while (std::atomic_ref(*reinterpret_cast<uint32_t*>(host_ + kPage)) == 0) std::this_thread::yield();
      lose_page();
    });
    const ShaderFault fault = fault_of(kWriteForEver, address_);
    client.join();
    expect_lost(fault);
    EXPECT_EQ(fault.access, Access::kWrite);
    ASSERT_NE(::mmap(host_, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
              MAP_FAILED);
  }
}

TEST_F(ClientMemory, NothingIsWrittenAfterItHasBeenUnmapped) {
  for (int i = 0; i < 8; ++i) {
    std::thread client([&] {
      auto* words = reinterpret_cast<uint32_t*>(host_);
      while (std::atomic_ref(words[0]) == 0) std::this_thread::yield();
      gpu_.unmap(address_, kBytes);
      std::memset(host_, 0, kBytes);
      for (int look = 0; look < 20; ++look) {
        std::this_thread::yield();
        for (size_t at = 0; at < kBytes / 4; at += 128) ASSERT_EQ(std::atomic_ref(words[at]), 0u);
      }
    });
    const ShaderFault fault = fault_of(kWriteForEver, address_);
    client.join();
    EXPECT_EQ(fault.kind, ShaderFaultKind::kMemory);
    address_ = gpu_.map({host_, kBytes}, Gpu::Rights::kReadWrite);
  }
}

}  // namespace
}  // namespace bw::test
