#include "amdgpu/code_object_metadata.h"

#include <algorithm>
#include <limits>

#include "amdgpu/msgpack_reader.h"

namespace bw::amdgpu {
namespace {

Status read_u32(MsgpackReader& reader, std::string_view key, uint32_t& value) {
  BW_ASSIGN(uint64_t wide, reader.read_uint());
  if (wide > std::numeric_limits<uint32_t>::max()) return error(StatusCode::kDataLoss, "{} is {}", key, wide);
  value = static_cast<uint32_t>(wide);
  return Status::ok();
}

Status read_text(MsgpackReader& reader, std::string& value) {
  BW_ASSIGN(std::string_view text, reader.read_string());
  value = text;
  return Status::ok();
}

Result<KernelArgument> read_argument(MsgpackReader& reader) {
  KernelArgument argument;
  BW_ASSIGN(uint32_t count, reader.read_map());
  for (uint32_t i = 0; i < count; ++i) {
    BW_ASSIGN(std::string_view key, reader.read_string());
    Status status;
    if (key == ".name") {
      status = read_text(reader, argument.name);
    } else if (key == ".value_kind") {
      status = read_text(reader, argument.value_kind);
    } else if (key == ".offset") {
      status = read_u32(reader, key, argument.offset_bytes);
    } else if (key == ".size") {
      status = read_u32(reader, key, argument.size_bytes);
    } else {
      status = reader.skip();
    }
    BW_RETURN_IF_ERROR(status);
  }
  return argument;
}

Status read_arguments(MsgpackReader& reader, std::vector<KernelArgument>& arguments) {
  BW_ASSIGN(uint32_t count, reader.read_array());
  for (uint32_t i = 0; i < count; ++i) {
    BW_ASSIGN(KernelArgument argument, read_argument(reader));
    arguments.push_back(std::move(argument));
  }
  return Status::ok();
}

// Where a number of a kernel's map goes; nullptr for keys that are of no use here.
uint32_t* number_of(KernelInfo& kernel, std::string_view key) {
  if (key == ".kernarg_segment_size") return &kernel.kernarg_size_bytes;
  if (key == ".kernarg_segment_align") return &kernel.kernarg_alignment_bytes;
  if (key == ".group_segment_fixed_size") return &kernel.lds_size_bytes;
  if (key == ".private_segment_fixed_size") return &kernel.private_segment_size_bytes;
  if (key == ".sgpr_count") return &kernel.sgpr_count;
  if (key == ".vgpr_count") return &kernel.vgpr_count;
  if (key == ".wavefront_size") return &kernel.wavefront_size;
  if (key == ".max_flat_workgroup_size") return &kernel.max_workgroup_size;
  return nullptr;
}

Status read_kernel(MsgpackReader& reader, CodeObject& object) {
  KernelInfo read;
  std::string symbol;
  BW_ASSIGN(uint32_t count, reader.read_map());
  for (uint32_t i = 0; i < count; ++i) {
    BW_ASSIGN(std::string_view key, reader.read_string());
    Status status;
    if (key == ".symbol") {
      status = read_text(reader, symbol);
    } else if (key == ".args") {
      status = read_arguments(reader, read.arguments);
    } else if (uint32_t* number = number_of(read, key)) {
      status = read_u32(reader, key, *number);
    } else {
      status = reader.skip();
    }
    BW_RETURN_IF_ERROR(status);
  }
  auto kernel = std::find_if(object.kernels.begin(), object.kernels.end(),
                             [&symbol](const KernelInfo& k) { return symbol == k.name + ".kd"; });
  if (kernel == object.kernels.end()) {
    return error(StatusCode::kDataLoss, "the metadata describes kernel '{}', which the code object does not have",
                 symbol);
  }
  read.name = kernel->name;
  read.descriptor_offset = kernel->descriptor_offset;
  read.descriptor = kernel->descriptor;
  *kernel = std::move(read);
  return Status::ok();
}

}  // namespace

Status read_metadata(std::span<const std::byte> note, CodeObject& object) {
  MsgpackReader reader(note);
  BW_ASSIGN(uint32_t count, reader.read_map());
  for (uint32_t i = 0; i < count; ++i) {
    BW_ASSIGN(std::string_view key, reader.read_string());
    if (key == "amdhsa.target") {
      BW_RETURN_IF_ERROR(read_text(reader, object.target));
    } else if (key == "amdhsa.kernels") {
      BW_ASSIGN(uint32_t kernel_count, reader.read_array());
      for (uint32_t k = 0; k < kernel_count; ++k) BW_RETURN_IF_ERROR(read_kernel(reader, object));
    } else {
      BW_RETURN_IF_ERROR(reader.skip());
    }
  }
  return Status::ok();
}

}  // namespace bw::amdgpu
