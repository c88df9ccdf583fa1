#include "tools/barewave/bench/hsa_library.h"

#include <dlfcn.h>

namespace bw::tools::hsa {
namespace {

constexpr const char* kUsualFolder = "/opt/rocm/lib/";

template <typename Function>
Status find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function != nullptr) return Status::ok();
  return error(StatusCode::kNotFound, "the HSA runtime has no function {}: it is too old, or no HSA runtime", name);
}

Status find_all(void* library, Functions* f) {
  BW_RETURN_IF_ERROR(find(library, "hsa_init", f->init));
  BW_RETURN_IF_ERROR(find(library, "hsa_shut_down", f->shut_down));
  BW_RETURN_IF_ERROR(find(library, "hsa_status_string", f->status_string));
  BW_RETURN_IF_ERROR(find(library, "hsa_system_get_info", f->system_get_info));
  BW_RETURN_IF_ERROR(find(library, "hsa_iterate_agents", f->iterate_agents));
  BW_RETURN_IF_ERROR(find(library, "hsa_agent_get_info", f->agent_get_info));
  BW_RETURN_IF_ERROR(find(library, "hsa_queue_create", f->queue_create));
  BW_RETURN_IF_ERROR(find(library, "hsa_queue_destroy", f->queue_destroy));
  BW_RETURN_IF_ERROR(find(library, "hsa_queue_add_write_index_relaxed", f->queue_add_write_index_relaxed));
  BW_RETURN_IF_ERROR(find(library, "hsa_queue_load_read_index_relaxed", f->queue_load_read_index_relaxed));
  BW_RETURN_IF_ERROR(find(library, "hsa_signal_create", f->signal_create));
  BW_RETURN_IF_ERROR(find(library, "hsa_signal_destroy", f->signal_destroy));
  BW_RETURN_IF_ERROR(find(library, "hsa_signal_load_relaxed", f->signal_load_relaxed));
  BW_RETURN_IF_ERROR(find(library, "hsa_signal_store_relaxed", f->signal_store_relaxed));
  BW_RETURN_IF_ERROR(find(library, "hsa_signal_store_screlease", f->signal_store_screlease));
  BW_RETURN_IF_ERROR(find(library, "hsa_signal_wait_scacquire", f->signal_wait_scacquire));
  BW_RETURN_IF_ERROR(find(library, "hsa_memory_copy", f->memory_copy));
  BW_RETURN_IF_ERROR(
      find(library, "hsa_code_object_reader_create_from_memory", f->code_object_reader_create_from_memory));
  BW_RETURN_IF_ERROR(find(library, "hsa_code_object_reader_destroy", f->code_object_reader_destroy));
  BW_RETURN_IF_ERROR(find(library, "hsa_executable_create_alt", f->executable_create_alt));
  BW_RETURN_IF_ERROR(find(library, "hsa_executable_destroy", f->executable_destroy));
  BW_RETURN_IF_ERROR(find(library, "hsa_executable_load_agent_code_object", f->executable_load_agent_code_object));
  BW_RETURN_IF_ERROR(find(library, "hsa_executable_freeze", f->executable_freeze));
  BW_RETURN_IF_ERROR(find(library, "hsa_executable_get_symbol_by_name", f->executable_get_symbol_by_name));
  BW_RETURN_IF_ERROR(find(library, "hsa_executable_symbol_get_info", f->executable_symbol_get_info));
  BW_RETURN_IF_ERROR(find(library, "hsa_amd_agent_iterate_memory_pools", f->amd_agent_iterate_memory_pools));
  BW_RETURN_IF_ERROR(find(library, "hsa_amd_memory_pool_get_info", f->amd_memory_pool_get_info));
  BW_RETURN_IF_ERROR(find(library, "hsa_amd_memory_pool_allocate", f->amd_memory_pool_allocate));
  BW_RETURN_IF_ERROR(find(library, "hsa_amd_memory_pool_free", f->amd_memory_pool_free));
  return find(library, "hsa_amd_agents_allow_access", f->amd_agents_allow_access);
}

}  // namespace

Result<const Functions*> load(const std::string& path) {
  void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  const char* why = library == nullptr ? ::dlerror() : nullptr;
  const std::string first = why == nullptr ? "" : why;
  if (library == nullptr && path == kLibraryName) {
    library = ::dlopen((kUsualFolder + path).c_str(), RTLD_NOW | RTLD_LOCAL);
  }
  if (library == nullptr) {
    return error(StatusCode::kNotFound, "loading the HSA runtime: {} (install ROCr, or name it with --hsa-library)",
                 first);
  }
  auto functions = std::make_unique<Functions>();
  BW_RETURN_IF_ERROR(find_all(library, functions.get()));
  return functions.release();  // as long as the library, that is, for good
}

Status check(const Functions& functions, Code code, const char* what) {
  if (code == kSuccess || code == kInfoBreak) return Status::ok();
  const char* text = nullptr;
  functions.status_string(code, &text);
  return error(StatusCode::kDeviceFault, "ROCr: {}: status {:#x}: {}", what, code, text == nullptr ? "unknown" : text);
}

}  // namespace bw::tools::hsa
