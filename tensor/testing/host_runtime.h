// Owns: the runtime that tests of tensors use.
#pragma once

#include <memory>

#include "tensor/runtime.h"
#include "tensor/testing/host_executor.h"

namespace bw::tensor::testing {

inline std::shared_ptr<Runtime> host_runtime() {
  return Runtime::create(std::make_unique<HostExecutor>());
}

}  // namespace bw::tensor::testing
