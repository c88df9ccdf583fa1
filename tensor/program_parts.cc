#include "tensor/program_parts.h"

#include <iterator>
#include <utility>

#include "tensor/gpu_buffer.h"

namespace bw::tensor {
namespace {

template <typename T>
void move_all(std::vector<T>& from, std::vector<T>& to) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

}  // namespace

void append_part(compiler::Program part, compiler::Program& program) {
  const size_t first_kernel = program.kernels.size();
  const size_t first_buffer = program.buffers.size();
  for (compiler::Launch& launch : part.launches) {
    launch.kernel += first_kernel;
    for (size_t& buffer : launch.buffers) buffer += first_buffer;
  }
  for (size_t& output : part.outputs) output += first_buffer;
  move_all(part.kernels, program.kernels);
  move_all(part.buffers, program.buffers);
  move_all(part.launches, program.launches);
  move_all(part.outputs, program.outputs);
}

void record_meeting(const Meeting& meeting, const Meeting* before, amdgpu::GraphRecorder& recorder) {
  const auto buffer_of = [](const std::shared_ptr<DeviceBuffer>& buffer) {
    return &static_cast<const GpuBuffer&>(*buffer).buffer();
  };
  std::vector<amdgpu::BufferUse> uses;
  for (const auto& buffer : meeting.publishes) uses.push_back({buffer_of(buffer), amdgpu::Access::kRead});
  // Whoever is told here may go on to the next run, and overwrite there what arrived at the meeting before.
  if (before != nullptr) {
    for (const Meeting::Arrival& arrival : before->awaits) {
      for (const auto& buffer : arrival.buffers) uses.push_back({buffer_of(buffer), amdgpu::Access::kWrite});
    }
  }
  for (const Meeting::Word& word : meeting.told) {
    recorder.signal({.word = {buffer_of(word.buffer), word.offset_bytes}, .value = 1, .publishes = uses});
  }
  for (const Meeting::Arrival& arrival : meeting.awaits) {
    uses.clear();
    for (const auto& buffer : arrival.buffers) uses.push_back({buffer_of(buffer), amdgpu::Access::kWrite});
    recorder.wait({.word = {buffer_of(arrival.word.buffer), arrival.word.offset_bytes},
                   .compare = amdgpu::Compare::kEqual,
                   .value = 1,
                   .reset = 0,
                   .arrives = uses});
  }
}

}  // namespace bw::tensor
