// Owns: an HSA runtime for tests of `barewave bench --compare rocr`: one CPU, one GPU whose kernels end when the
// doorbell rings without computing anything, memory of the host, code objects that it does not look into. It holds
// callers to the rules that it can check, and ends the process where they are broken. Not here: anything that computes.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using Code = uint32_t;
constexpr uint64_t kCpu = 1, kGpu = 2, kDevicePool = 3, kKernargPool = 4;

struct Queue {
  uint32_t type;
  uint32_t features;
  void* base_address;
  uint64_t doorbell;
  uint32_t size;
  uint32_t reserved;
  uint64_t id;
  uint64_t write_index;
  uint64_t read_index;
};

struct Signal {
  int64_t value;
  Queue* rings;  // of doorbells
};

// The descriptor of any kernel of a loaded code object.
std::byte loaded_kernel[64];
constexpr uint64_t kReader = 5, kExecutable = 6, kSymbol = 7;
bool is_frozen = false;

void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fake HSA runtime: %s\n", what);
  std::abort();
}

Signal* signal_at(uint64_t handle) {
  must(handle != 0, "a signal of handle 0");
  return reinterpret_cast<Signal*>(handle);
}

// Of hsa_kernel_dispatch_packet_t, by its documented offsets.
template <typename T>
T field(const std::byte* packet, size_t offset) {
  T value;
  std::memcpy(&value, packet + offset, sizeof value);
  return value;
}

void execute(Queue& queue, uint64_t last) {
  for (; queue.read_index <= last; ++queue.read_index) {
    std::byte* packet = static_cast<std::byte*>(queue.base_address) + queue.read_index % queue.size * 64;
    must((field<uint16_t>(packet, 0) & 0xff) == 2, "a packet that is no kernel dispatch");
    const auto kernel = field<uint64_t>(packet, 32);
    must(kernel != 0 && field<uint64_t>(packet, 40) != 0, "no kernel, or no arguments");
    const auto* descriptor = reinterpret_cast<const std::byte*>(kernel);
    if (descriptor == loaded_kernel) {
      must(field<uint64_t>(reinterpret_cast<const std::byte*>(field<uint64_t>(packet, 40)), 0) != 0, "no buffer");
      const auto group = field<uint16_t>(packet, 4);
      must(group != 0 && field<uint32_t>(packet, 12) % group == 0, "a grid of broken workgroups");
    } else {
      must(field<uint32_t>(packet, 12) == 64 && field<uint16_t>(packet, 4) == 64, "another grid than of one workgroup");
      must(field<uint32_t>(descriptor + field<int64_t>(descriptor, 16), 0) == 0xbfb00000, "no empty kernel");
    }
    if (const auto completion = field<uint64_t>(packet, 56)) --signal_at(completion)->value;
    std::memset(packet, 0, 2);
    packet[0] = std::byte{1};  // HSA_PACKET_TYPE_INVALID
  }
}

void* allocate(size_t size) {
  void* memory = std::aligned_alloc(4096, (size + 4095) / 4096 * 4096);
  must(memory != nullptr, "out of memory");
  return memory;
}

}  // namespace

extern "C" {

Code hsa_init() {
  return std::getenv("FAKE_HSA_FAILS") == nullptr ? 0 : 0x1008;
}
Code hsa_shut_down() {
  return 0;
}
Code hsa_status_string(Code, const char** text) {
  *text = "FAKE_STATUS";
  return 0;
}
Code hsa_system_get_info(uint32_t attribute, void* value) {
  const uint16_t number = attribute == 0 ? 7 : 3;
  std::memcpy(value, &number, sizeof number);
  return 0;
}
Code hsa_iterate_agents(Code (*callback)(uint64_t, void*), void* data) {
  if (const Code code = callback(kCpu, data)) return code;
  return callback(kGpu, data);
}
Code hsa_agent_get_info(uint64_t agent, uint32_t attribute, void* value) {
  const uint32_t type = agent == kGpu ? 1 : 0;
  if (attribute == 17) std::memcpy(value, &type, sizeof type);
  if (attribute == 0) std::strcpy(static_cast<char*>(value), agent == kGpu ? "gfx1100" : "processor");
  return 0;
}
Code hsa_queue_create(uint64_t agent, uint32_t size, uint32_t type, void*, void*, uint32_t, uint32_t, Queue** queue) {
  must(agent == kGpu && (size & (size - 1)) == 0, "a queue on no GPU, or of no power of two");
  auto* made = new Queue{type, 0, allocate(size_t{size} * 64), 0, size, 0, 1, 0, 0};
  made->doorbell = reinterpret_cast<uint64_t>(new Signal{0, made});
  *queue = made;
  return 0;
}
Code hsa_queue_destroy(Queue* queue) {
  delete signal_at(queue->doorbell);
  std::free(queue->base_address);
  delete queue;
  return 0;
}
uint64_t hsa_queue_add_write_index_relaxed(Queue* queue, uint64_t value) {
  const uint64_t before = queue->write_index;
  queue->write_index += value;
  must(queue->write_index - queue->read_index <= queue->size, "more packets than the queue has room for");
  return before;
}
uint64_t hsa_queue_load_read_index_relaxed(const Queue* queue) {
  return queue->read_index;
}
Code hsa_signal_create(int64_t initial, uint32_t, const uint64_t*, uint64_t* signal) {
  *signal = reinterpret_cast<uint64_t>(new Signal{initial, nullptr});
  return 0;
}
Code hsa_signal_destroy(uint64_t signal) {
  delete signal_at(signal);
  return 0;
}
int64_t hsa_signal_load_relaxed(uint64_t signal) {
  return signal_at(signal)->value;
}
void hsa_signal_store_relaxed(uint64_t signal, int64_t value) {
  signal_at(signal)->value = value;
}
void hsa_signal_store_screlease(uint64_t signal, int64_t value) {
  Signal* stored = signal_at(signal);
  stored->value = value;
  if (stored->rings != nullptr) execute(*stored->rings, static_cast<uint64_t>(value));
}
int64_t hsa_signal_wait_scacquire(uint64_t signal, uint32_t condition, int64_t value, uint64_t, uint32_t) {
  must(condition == 2 && signal_at(signal)->value < value, "waiting for what will not come");
  return signal_at(signal)->value;
}
Code hsa_memory_copy(void* destination, const void* source, size_t size) {
  std::memcpy(destination, source, size);
  return 0;
}
Code hsa_code_object_reader_create_from_memory(const void* code_object, size_t size, uint64_t* reader) {
  must(size > 4 && std::memcmp(code_object, "\177ELF", 4) == 0, "a code object that is no ELF file");
  *reader = kReader;
  return 0;
}
Code hsa_code_object_reader_destroy(uint64_t reader) {
  must(reader == kReader, "another reader");
  return 0;
}
Code hsa_executable_create_alt(uint32_t, uint32_t, const char*, uint64_t* executable) {
  *executable = kExecutable;
  is_frozen = false;
  return 0;
}
Code hsa_executable_destroy(uint64_t executable) {
  must(executable == kExecutable, "another executable");
  return 0;
}
Code hsa_executable_load_agent_code_object(uint64_t executable, uint64_t agent, uint64_t reader, const char*, void*) {
  must(executable == kExecutable && agent == kGpu && reader == kReader && !is_frozen, "loading what cannot be loaded");
  return 0;
}
Code hsa_executable_freeze(uint64_t, const char*) {
  is_frozen = true;
  return 0;
}
Code hsa_executable_get_symbol_by_name(uint64_t, const char* name, const uint64_t* agent, uint64_t* symbol) {
  must(is_frozen && *agent == kGpu, "looking for a symbol too early, or on no GPU");
  const size_t length = std::strlen(name);
  must(length > 3 && std::strcmp(name + length - 3, ".kd") == 0, "a symbol that is no kernel descriptor");
  *symbol = kSymbol;
  return 0;
}
Code hsa_executable_symbol_get_info(uint64_t symbol, uint32_t attribute, void* value) {
  must(symbol == kSymbol, "another symbol");
  const auto object = reinterpret_cast<uint64_t>(&loaded_kernel[0]);
  const uint32_t size_bytes = attribute == 11 ? 24 : 0;  // three buffers
  if (attribute == 22) std::memcpy(value, &object, sizeof object);
  if (attribute == 11 || attribute == 13 || attribute == 14) std::memcpy(value, &size_bytes, sizeof size_bytes);
  return 0;
}
Code hsa_amd_agent_iterate_memory_pools(uint64_t agent, Code (*callback)(uint64_t, void*), void* data) {
  return callback(agent == kGpu ? kDevicePool : kKernargPool, data);
}
Code hsa_amd_memory_pool_get_info(uint64_t pool, uint32_t attribute, void* value) {
  const uint32_t flags = attribute == 0 ? 0 : pool == kDevicePool ? 4 : 3;
  std::memcpy(value, &flags, sizeof flags);
  return 0;
}
Code hsa_amd_memory_pool_allocate(uint64_t, size_t size, uint32_t, void** pointer) {
  *pointer = allocate(size);
  return 0;
}
Code hsa_amd_memory_pool_free(void* pointer) {
  std::free(pointer);
  return 0;
}
Code hsa_amd_agents_allow_access(uint32_t count, const uint64_t* agents, const uint32_t*, const void*) {
  must(count == 1 && *agents == kGpu, "access for no GPU");
  return 0;
}

}  // extern "C"
