// Owns: the functions of an HSA runtime (libhsa-runtime64.so.1, ROCr) that the comparison calls, loaded at run time,
// and their types and constants. Names, types and values are those of the HSA Runtime Programmer's Reference Manual 1.2
// (HSA Foundation), and for hsa_amd_* of AMD's extension (hsa_ext_amd.h of ROCm/rocm-systems). Not here: what is done
// with them (rocr_machine.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/status.h"

namespace bw::tools::hsa {

using Code = uint32_t;  // hsa_status_t; 0: success

inline constexpr Code kSuccess = 0;
inline constexpr Code kInfoBreak = 1;
inline constexpr uint32_t kSystemInfoVersionMajor = 0;
inline constexpr uint32_t kSystemInfoVersionMinor = 1;
inline constexpr uint32_t kAgentInfoName = 0;
inline constexpr uint32_t kAgentInfoDevice = 17;
inline constexpr uint32_t kDeviceTypeCpu = 0;
inline constexpr uint32_t kDeviceTypeGpu = 1;
inline constexpr uint32_t kQueueTypeMulti = 0;
inline constexpr uint32_t kSignalConditionLess = 2;
inline constexpr uint32_t kWaitStateBlocked = 0;
inline constexpr uint32_t kWaitStateActive = 1;
inline constexpr uint32_t kPoolInfoSegment = 0;
inline constexpr uint32_t kPoolInfoGlobalFlags = 1;
inline constexpr uint32_t kSegmentGlobal = 0;
inline constexpr uint32_t kPoolKernargInit = 1;
inline constexpr uint32_t kPoolCoarseGrained = 4;
inline constexpr uint32_t kAllocateExecutable = 4;
inline constexpr uint32_t kProfileFull = 1;
inline constexpr uint32_t kRoundingDefault = 0;
inline constexpr uint32_t kSymbolKernargSize = 11;
inline constexpr uint32_t kSymbolGroupSize = 13;
inline constexpr uint32_t kSymbolPrivateSize = 14;
inline constexpr uint32_t kSymbolKernelObject = 22;
// Of a packet's header.
inline constexpr uint32_t kPacketKernelDispatch = 2;
inline constexpr uint32_t kHeaderBarrierShift = 8;
inline constexpr uint32_t kHeaderAcquireShift = 9;
inline constexpr uint32_t kHeaderReleaseShift = 11;
inline constexpr uint32_t kFenceScopeSystem = 2;

struct Agent {
  uint64_t handle = 0;
};
struct Signal {
  uint64_t handle = 0;
};
struct Pool {
  uint64_t handle = 0;
};
struct CodeObjectReader {
  uint64_t handle = 0;
};
struct Executable {
  uint64_t handle = 0;
};
struct Symbol {
  uint64_t handle = 0;
};
// hsa_queue_t of the large model.
struct Queue {
  uint32_t type;
  uint32_t features;
  void* base_address;
  Signal doorbell_signal;
  uint32_t size;  // packets
  uint32_t reserved1;
  uint64_t id;
};
static_assert(offsetof(Queue, doorbell_signal) == 16 && sizeof(Queue) == 40);

// Members are called as the functions, without "hsa_".
struct Functions {
  Code (*init)();
  Code (*shut_down)();
  Code (*status_string)(Code status, const char** text);
  Code (*system_get_info)(uint32_t attribute, void* value);
  Code (*iterate_agents)(Code (*callback)(Agent agent, void* data), void* data);
  Code (*agent_get_info)(Agent agent, uint32_t attribute, void* value);
  Code (*queue_create)(Agent agent, uint32_t size, uint32_t type, void (*callback)(Code, Queue*, void*), void* data,
                       uint32_t private_segment_size, uint32_t group_segment_size, Queue** queue);
  Code (*queue_destroy)(Queue* queue);
  uint64_t (*queue_add_write_index_relaxed)(const Queue* queue, uint64_t value);
  uint64_t (*queue_load_read_index_relaxed)(const Queue* queue);
  Code (*signal_create)(int64_t initial, uint32_t consumer_count, const Agent* consumers, Signal* signal);
  Code (*signal_destroy)(Signal signal);
  int64_t (*signal_load_relaxed)(Signal signal);
  void (*signal_store_relaxed)(Signal signal, int64_t value);
  void (*signal_store_screlease)(Signal signal, int64_t value);
  int64_t (*signal_wait_scacquire)(Signal signal, uint32_t condition, int64_t value, uint64_t timeout_hint,
                                   uint32_t wait_state);
  Code (*memory_copy)(void* destination, const void* source, size_t size);
  Code (*code_object_reader_create_from_memory)(const void* code_object, size_t size, CodeObjectReader* reader);
  Code (*code_object_reader_destroy)(CodeObjectReader reader);
  Code (*executable_create_alt)(uint32_t profile, uint32_t rounding, const char* options, Executable* executable);
  Code (*executable_destroy)(Executable executable);
  Code (*executable_load_agent_code_object)(Executable executable, Agent agent, CodeObjectReader reader,
                                            const char* options, void* loaded);
  Code (*executable_freeze)(Executable executable, const char* options);
  Code (*executable_get_symbol_by_name)(Executable executable, const char* name, const Agent* agent, Symbol* symbol);
  Code (*executable_symbol_get_info)(Symbol symbol, uint32_t attribute, void* value);
  Code (*amd_agent_iterate_memory_pools)(Agent agent, Code (*callback)(Pool pool, void* data), void* data);
  Code (*amd_memory_pool_get_info)(Pool pool, uint32_t attribute, void* value);
  Code (*amd_memory_pool_allocate)(Pool pool, size_t size, uint32_t flags, void** pointer);
  Code (*amd_memory_pool_free)(void* pointer);
  Code (*amd_agents_allow_access)(uint32_t count, const Agent* agents, const uint32_t* flags, const void* pointer);
};

inline constexpr const char* kLibraryName = "libhsa-runtime64.so.1";

// Looks for `path` as the dynamic linker does, and for the usual name in /opt/rocm/lib as well. The library stays
// loaded until the process ends, as it does not like to be unloaded. kNotFound where there is none, or a function is
// missing.
Result<const Functions*> load(const std::string& path);

// `code`, of the call named `what`, as a status.
Status check(const Functions& functions, Code code, const char* what);

}  // namespace bw::tools::hsa
