// Owns: the queues of one process: their ids, doorbells, the hardware queues they occupy, and the engines that serve
// them. Semantics follow Linux, kfd_process_queue_manager.c, kfd_queue.c and kfd_doorbell.c. Not here: what the engines
// do (emulator/queue). Callers hold the process's mutex.
#pragma once

#include <atomic>
#include <bitset>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "emulator/card.h"
#include "emulator/fault_report.h"
#include "emulator/kernel/buffers.h"
#include "emulator/kernel/events.h"
#include "emulator/memory/arena.h"
#include "emulator/queue/engine.h"
#include "emulator/queue/queue_processor.h"
#include "emulator/trace/recorder.h"
#include "kfd/uapi.h"

namespace bw::emulator {

// Makes the shader cores when the first compute queue comes.
using ShaderCoresFactory = std::function<Result<std::unique_ptr<ShaderCores>>()>;

// What requests that are not about a queue's own life know of it.
struct QueueInfo {
  kfd::uapi::CreateQueueArgs args;  // as it was created, or updated since
  uint32_t card = 0;
  bool is_active = false;  // has a share of the hardware
};

// How packets are looked at.
struct QueueChecks {
  Strictness strictness = Strictness::kOff;
  PacketEdit edit_packet = {};
};

// Calls that return int return 0 or a negative errno.
class QueueTable {
 public:
  QueueTable(const Arena& arena, std::span<const Card> cards, BufferTable& buffers, EventTable& events,
             ShaderCoresFactory make_shader_cores, std::shared_ptr<TraceRecorder> trace = nullptr,
             QueueChecks checks = {});
  ~QueueTable();

  // Sets queue_id and doorbell_offset in `args`. `runtime_enabled`: whether RUNTIME_ENABLE is in force.
  int create(uint32_t card, bool runtime_enabled, kfd::uapi::CreateQueueArgs& args);
  int destroy(uint32_t queue_id);
  int update(const kfd::uapi::UpdateQueueArgs& args);
  // One bit for each compute unit. Each work-group runs wherever the host has room, so that it changes no result.
  int set_cu_mask(uint32_t queue_id, std::span<const uint32_t> mask);
  bool empty() const { return queues_.empty(); }
  std::optional<QueueInfo> find(uint32_t queue_id) const;
  // In the order of their ids.
  std::vector<QueueInfo> list() const;

  // From any thread.
  const FaultLog& fault_log() const { return fault_log_; }
  FaultLog& fault_log() { return fault_log_; }
  // Wave instructions that the shader cores have executed.
  uint64_t instruction_count() const;
  TranslationCounts translation_counts() const;

 private:
  struct Queue;
  class Device;

  int check(uint32_t card, const kfd::uapi::CreateQueueArgs& args) const;
  int check_compute_buffers(const AddressSpace& space, const kfd::uapi::CreateQueueArgs& args) const;
  int require_shader_cores();
  QueueContext context_of(const Queue& queue, const std::string& engine, const std::string& doorbell_unit);
  void start(Queue& queue);
  bool stop(Queue& queue);

  const Arena& arena_;
  BufferTable& buffers_;
  ShaderCoresFactory make_shader_cores_;
  const std::shared_ptr<TraceRecorder> trace_;  // null: none
  const QueueChecks checks_;
  FaultLog fault_log_;
  std::unique_ptr<ShaderCores> shader_cores_;
  std::atomic<const ShaderCores*> shader_cores_view_{nullptr};  // the same, for instruction_count()
  std::vector<std::unique_ptr<Device>> devices_;
  std::map<uint32_t, std::unique_ptr<Queue>> queues_;
  // Last: it uses all of the above until it is destroyed.
  Engine engine_;
};

}  // namespace bw::emulator
