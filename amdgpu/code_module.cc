#include "amdgpu/code_module.h"

namespace bw::amdgpu {

Result<const Kernel*> CodeModule::kernel(std::string_view name) const {
  std::string names;
  for (const auto& kernel : kernels_) {
    if (kernel->info.name == name) return kernel.get();
    names += (names.empty() ? "" : ", ") + kernel->info.name;
  }
  return error(StatusCode::kNotFound, "no kernel named '{}' in the code object; it has: {}", name,
               names.empty() ? "none" : names);
}

}  // namespace bw::amdgpu
