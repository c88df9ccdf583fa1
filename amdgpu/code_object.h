// Owns: what a code object (an ELF file for amdgcn) says: its kernels, their descriptors and metadata, and the bytes to
// place in GPU memory. Reads untrusted bytes. Not here: GPU memory (code_module.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "amdgpu/gfx11/abi.h"
#include "base/gpu_addr.h"
#include "base/status.h"

namespace bw::amdgpu {

// One argument of a kernel, as the metadata gives it.
struct KernelArgument {
  std::string name;
  std::string value_kind;  // "global_buffer", "by_value", "hidden_...", as AMD spells them
  uint32_t offset_bytes = 0;
  uint32_t size_bytes = 0;
};

struct KernelInfo {
  std::string name;                // without ".kd"
  uint64_t descriptor_offset = 0;  // in the image
  gfx11::amdhsa_kernel_descriptor_t descriptor{};
  // From the metadata note; zero or empty where a code object has none.
  uint32_t kernarg_size_bytes = 0;
  uint32_t kernarg_alignment_bytes = 0;
  uint32_t lds_size_bytes = 0;
  uint32_t private_segment_size_bytes = 0;
  uint32_t sgpr_count = 0;
  uint32_t vgpr_count = 0;
  uint32_t wavefront_size = 0;
  uint32_t max_workgroup_size = 0;
  std::vector<KernelArgument> arguments;

  bool is_wave32() const {
    return gfx11::kernel_code_properties::enable_wavefront_size32.get(descriptor.kernel_code_properties) != 0;
  }
  uint64_t entry_offset() const {
    return descriptor_offset + static_cast<uint64_t>(descriptor.kernel_code_entry_byte_offset);
  }
};

struct CodeObject {
  std::string target;            // "amdgcn-amd-amdhsa--gfx1100"; empty if there is no metadata
  std::vector<std::byte> image;  // all PT_LOAD segments at their addresses, from address 0 on, relocated for no address
  std::vector<KernelInfo> kernels;

  struct Relocation {
    uint64_t offset = 0;  // in the image; 8 bytes there become image address + addend
    int64_t addend = 0;
  };
  std::vector<Relocation> relocations;

  // Limits of what is read: far beyond any real kernel, so that hostile input cannot exhaust the host.
  static constexpr uint64_t kMaxImageBytes = uint64_t{64} << 20;

  // kDataLoss for truncated or corrupt bytes, kUnsupported for a valid ELF that is not a gfx1100 code object, or that
  // needs relocations beyond R_AMDGPU_RELATIVE64.
  static Result<CodeObject> parse(std::span<const std::byte> bytes);
};

}  // namespace bw::amdgpu
