// Owns: the emulated RX 7900 XTX as a KernelDriver: its device files, their descriptors and mappings. Behind it stand
// the driver's requests (emulator/kernel), the sysfs tree (emulator/sysfs), the engines (emulator/queue) and the shader
// cores (emulator/shader).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "emulator/fault_report.h"
#include "emulator/kernel/queues.h"
#include "emulator/shader/counters.h"
#include "kfd/driver.h"

namespace bw::emulator {

// What executes programs. The engines agree bit for bit.
enum class ShaderEngine : uint8_t {
  kJit,          // interprets each program until it is hot, and then translates it to code of the host
  kJitAtOnce,    // translates each program before its first wave
  kInterpreter,  // the reference; strict mode is its alone
  kNone,         // nothing: dispatches end as soon as they begin, so that what the host does can be measured alone
};

struct EmulatedOptions {
  uint32_t card_count = 1;
  uint32_t kfd_minor_version = 14;  // 12 to 17
  // Host threads that execute shaders; 0: one for each processor of the host.
  uint32_t worker_threads = 0;
  uint64_t vram_bytes = 24ull << 30;
  // What the interpreter checks beyond what it needs (docs/emulator.md, "Strict mode").
  Strictness strictness = Strictness::kOff;
  // Whether finished dispatches are counted (take_dispatch_counters()).
  Counting counting = Counting::kOff;
  // Instructions that a wave may execute before it faults; 0: any number.
  uint64_t watchdog_instructions = 0;
  // In strict mode and while counting the interpreter, whatever stands here.
  ShaderEngine engine = ShaderEngine::kJit;
  // Where translated programs are kept for other processes; "": nowhere. See default_cache_dir() (base/file_cache.h).
  std::string cache_dir;
  // Gets one line for each program that stays with the interpreter although it is hot, from any thread.
  std::function<void(const Status&)> warn;
  // Gets each fault report when its queue has stopped, from an engine's thread.
  std::function<void(const FaultReport&)> on_fault;
  // Is told what the queues do (docs/trace.md); null: nobody.
  std::shared_ptr<TraceRecorder> trace;
  // Changes packets before they are executed, from an engine's thread: for tests that leave one out.
  PacketEdit edit_packet;
  // What executes shaders in place of `engine`.
  ShaderCoresFactory make_shader_cores;
};

// One machine with emulated cards, seen by one process. Each open() of /dev/kfd sees the same process state, as on
// Linux, and closing it takes nothing away; a second program is a second EmulatedDriver. Threads start with the first
// queue.
//
// The read pointer of a compute queue is written back modulo the ring's size, in dwords, that of an SDMA queue counts
// bytes for ever; both as the hardware does. Paths that are no part of the emulated machine go to the host.
class EmulatedDriver final : public kfd::KernelDriver {
 public:
  // kInvalidArgument for options out of range; else what the host says.
  static Result<std::unique_ptr<EmulatedDriver>> create(EmulatedOptions options = {});
  // Queues and buffers go; memory that the client has mapped stays valid.
  ~EmulatedDriver() override;

  int open(const char* path, int flags) override;
  int close(int fd) override;
  int ioctl(int fd, unsigned long request, void* argument) override;
  int mmap(void* address, size_t length_bytes, int protection, int flags, int fd, off_t offset, void** result) override;
  int munmap(void* address, size_t length_bytes) override;
  int read_file(const std::string& path, std::string* content) override;
  int list_dir(const std::string& path, std::vector<std::string>* names) override;

  // The client has made `copy` a duplicate of its descriptor `fd` (dup): the same opening, a descriptor of this driver
  // from now on. -EBADF if `fd` is none.
  int add_duplicate(int copy, int fd);
  // The client has closed the descriptor without close().
  void forget(int fd);

  // Why queues stopped, oldest first; the latest 64.
  std::vector<FaultReport> fault_reports() const;
  // Wave instructions executed so far.
  uint64_t instruction_count() const;
  TranslationCounts translation_counts() const;
  // What was counted of the dispatches that have ended without a fault since the last call, in the order of their ends;
  // nothing unless EmulatedOptions::counting asks for it. A dispatch is there before what follows it in its queue
  // begins.
  std::vector<DispatchCounters> take_dispatch_counters();
  // Ranges of GPU virtual addresses, [begin, end) without overlaps, by which dispatches that begin from now on are
  // counted in particular: DispatchCounters::ranges. What else stands in `ranges` is where their counts begin.
  void count_ranges(std::vector<RangeCounts> ranges);

 private:
  struct Machine;
  explicit EmulatedDriver(std::unique_ptr<Machine> machine);

  std::unique_ptr<Machine> machine_;
};

}  // namespace bw::emulator
