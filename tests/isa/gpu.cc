#include "tests/isa/gpu.h"

#include <cstdio>

#include "base/bits.h"
#include "base/check.h"
#include "emulator/jit/jit.h"

namespace bw::test {
namespace {
constexpr uint64_t kPageBytes = 4096;

// Translated at once, with no other excuse.
void allow_too_large(const Status& status) {
  if (status.code() == StatusCode::kUnsupported) return;
  std::fprintf(stderr, "%s\n", status.message().c_str());
  BW_CHECK(status.is_ok());
}
emulator::JitOptions jit_options() {
  emulator::JitOptions options;
  options.tiering.warn = allow_too_large;
  return options;
}

Result<std::unique_ptr<emulator::ShaderCores>> make_cores(size_t threads, Engine engine) {
  if (engine == Engine::kJit) return emulator::make_jit(threads, jit_options());
  const bool strict = engine == Engine::kStrict;
  return emulator::make_interpreter(threads, strict ? emulator::Strictness::kOn : emulator::Strictness::kOff);
}
}  // namespace

Gpu::Gpu(size_t threads, Engine engine) : Gpu(make_cores(threads, engine)) {}

Gpu::Gpu(size_t threads, emulator::Strictness strictness) : Gpu(emulator::make_interpreter(threads, strictness)) {}

Gpu::Gpu(Result<std::unique_ptr<emulator::ShaderCores>> cores) {
  BW_CHECK(cores.is_ok());
  cores_ = std::move(cores).value();
}

uint64_t Gpu::allocate(size_t size_bytes, Rights rights) {
  const uint64_t size = align_up(size_bytes, kPageBytes);
  auto block = std::make_unique<Block>();
  block->bytes.resize(size + kPageBytes);
  const uintptr_t start = reinterpret_cast<uintptr_t>(block->bytes.data());
  block->aligned = block->bytes.data() + (align_up(start, kPageBytes) - start);
  block->address = map({block->aligned, size}, rights);
  blocks_.push_back(std::move(block));
  return blocks_.back()->address;
}

uint64_t Gpu::map(std::span<std::byte> pages, Rights rights) {
  emulator::Mapping mapping;
  mapping.begin = next_address_;
  mapping.end = mapping.begin + pages.size();
  mapping.host = pages.data();
  mapping.writable = rights == Rights::kReadWrite;
  mapping.executable = rights == Rights::kExecute;
  BW_CHECK(space_.map(mapping) == 0);
  next_address_ = mapping.end + 16 * kPageBytes;
  return mapping.begin;
}

std::byte* Gpu::host(uint64_t address) {
  for (const auto& block : blocks_) {
    if (address >= block->address && address < block->address + block->bytes.size() - kPageBytes) {
      return block->aligned + (address - block->address);
    }
  }
  return nullptr;
}

uint64_t Gpu::load(std::span<const uint32_t> code) {
  const uint64_t address = allocate(code.size_bytes(), Rights::kExecute);
  std::memcpy(host(address), code.data(), code.size_bytes());
  return address;
}

emulator::Dispatch Gpu::dispatch(uint64_t program, uint32_t lanes, uint64_t kernarg) {
  emulator::Dispatch d;
  d.program_address = program;
  // 256 VGPRs, FLOAT_MODE 0xc0, DX10_CLAMP, IEEE_MODE, WGP_MODE, MEM_ORDERED; 2 user SGPRs, workgroup id x, 64 KiB of
  // LDS.
  d.pgm_rsrc1 = 0x60ac001f;
  d.pgm_rsrc2 = 0x00400085;
  d.user_data[0] = lo32(kernarg);
  d.user_data[1] = hi32(kernarg);
  d.workgroup_size = {lanes, 1, 1};
  d.workgroup_count = {1, 1, 1};
  return d;
}

}  // namespace bw::test
