// Owns: programs of several parts on a GPU: compiled programs, one after the other, as one, and in a command graph what
// happens between them. Not here: recording the parts themselves (device_executor.cc).
#pragma once

#include "amdgpu/graph/graph_recorder.h"
#include "compiler/compiler.h"
#include "tensor/executor.h"

namespace bw::tensor {

// Lets `program` do what `part` does, after what it did before; its outputs come last. Buffers are those of both, also
// where two are one param.
void append_part(compiler::Program part, compiler::Program& program);

// All buffers are GpuBuffers. `before`: the program's meeting before this one; null for the first.
void record_meeting(const Meeting& meeting, const Meeting* before, amdgpu::GraphRecorder& recorder);

}  // namespace bw::tensor
