#include "emulator/shader/interpreter.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "amdgpu/gfx11/isa/decode.h"
#include "emulator/memory/client_fault.h"
#include "emulator/shader/disassembler.h"
#include "emulator/shader/group_runner.h"
#include "emulator/shader/handlers.h"
#include "emulator/thread_signals.h"

namespace bw::emulator {
namespace {

// One dispatch in execution. Threads take workgroups by incrementing next_group; who meets a fault, or cancels the
// dispatch, sets `stop`. What has a comment 'pool mutex' is written and read under the mutex of the pool.
//
// A thread runs one workgroup at a time, or a few side by side where they are small; but as on the card those that have
// begun need each other: while one waits, the thread begins another and goes on with all it has in turn, as many as the
// card has room for.
struct Job {
  Job(const Dispatch& d, const AddressSpace& m, const DispatchShape& s, Program& p)
      : dispatch(d), memory(m), shape(s), program(p) {}

  const Dispatch& dispatch;
  const AddressSpace& memory;
  const DispatchShape& shape;
  Program& program;
  std::atomic<uint64_t> next_group{0};
  std::atomic<bool> stop{false};
  uint32_t threads = 0;              // inside work() now (pool mutex)
  uint32_t slots_taken = 0;          // by runners of workgroups; none is given back (pool mutex)
  uint64_t instructions = 0;         // (pool mutex)
  uint64_t fault_group = 0;          // (pool mutex)
  std::optional<ShaderFault> fault;  // of the lowest workgroup that met one (pool mutex)

  bool has_work() const {
    return !stop.load(std::memory_order_relaxed) && next_group.load(std::memory_order_relaxed) < shape.group_count;
  }
  bool has_slot() const { return slots_taken < shape.resident_groups; }
};

using Runners = std::vector<std::unique_ptr<GroupRunner>>;

class Interpreter final : public ShaderCores {
 public:
  Interpreter(size_t threads, Strictness strictness, std::unique_ptr<Tiering> tiering)
      : checks_{strictness, 0}, tiering_(std::move(tiering)) {
    const ThreadSignals signals;
    for (size_t i = 1; i < threads; ++i) workers_.emplace_back([this] { worker(); });
  }
  ~Interpreter() override {
    {
      std::lock_guard lock(mutex_);
      quit_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : workers_) thread.join();
  }

  std::optional<ShaderFault> run(const Dispatch& dispatch, const AddressSpace& memory, std::stop_token cancel) override;
  void set_watchdog(uint64_t wave_instructions) override { checks_.wave_budget = wave_instructions; }
  uint64_t instruction_count() const override { return instructions_.load(std::memory_order_relaxed); }
  TranslationCounts translation_counts() const override {
    return tiering_ != nullptr ? tiering_->counts() : TranslationCounts{};
  }

 private:
  void worker();
  void work(Job& job, uint32_t slot);
  // Begins with one more workgroup, if there is one and room for it.
  bool start_group(Job& job, Tlb& tlb, GroupSource& source, Runners& running, Runners& spare);
  void end_group(Job& job, GroupRunner& runner);
  std::vector<Row> borrow_registers();
  Job* find_job();

  GroupChecks checks_;                      // written while nothing runs
  const std::unique_ptr<Tiering> tiering_;  // none: steps only
  ProgramCache programs_;
  std::atomic<uint64_t> instructions_{0};
  std::mutex mutex_;
  std::condition_variable wake_;  // a job has come, or quit
  std::condition_variable done_;  // a thread has left a job
  std::vector<Job*> jobs_;        // guarded by mutex_
  bool quit_ = false;             // guarded by mutex_
  // Register memory between dispatches, so that each does not fetch pages anew; one piece a thread. Guarded by mutex_.
  std::vector<std::vector<Row>> spare_registers_;
  std::vector<std::thread> workers_;
};

std::string disassembly_at(uint64_t pc, const Dispatch& dispatch, const AddressSpace& memory) {
  std::vector<uint32_t> dwords;
  Tlb tlb(memory);
  for (size_t i = 0; i < amdgpu::gfx11::kMaxInstructionDwords; ++i) {
    uint32_t dword = 0;
    if (!read_client_memory(tlb, pc + i * 4, &dword, sizeof(dword), Access::kRead)) break;
    dwords.push_back(dword);
  }
  return dwords.empty() ? "(no code)" : disassemble(dwords, dispatch.wave_size);
}

// Makes the report complete: disassembly, and one line with everything.
void describe(ShaderFault& fault, const Dispatch& dispatch, const AddressSpace& memory) {
  fault.disassembly = disassembly_at(fault.pc, dispatch, memory);
  if (fault.cause_pc) {
    fault.message =
        fmt::format("{} {} pc {:#x} (program + {:#x}): {}", fault.message, fault.cause_relation, *fault.cause_pc,
                    *fault.cause_pc - dispatch.program_address, disassembly_at(*fault.cause_pc, dispatch, memory));
  }
  fault.message = fmt::format("{}: workgroup ({}, {}, {}), wave {}, pc {:#x} (program + {:#x}): {}", fault.message,
                              fault.workgroup[0], fault.workgroup[1], fault.workgroup[2], fault.wave, fault.pc,
                              fault.pc - dispatch.program_address, fault.disassembly);
}

ShaderFault refusal(const Dispatch& dispatch, std::string reason) {
  ShaderFault fault;
  fault.kind = ShaderFaultKind::kIllegal;
  fault.pc = dispatch.program_address;
  fault.message = fmt::format("dispatch of program {:#x}: {}", dispatch.program_address, reason);
  return fault;
}

std::optional<ShaderFault> Interpreter::run(const Dispatch& dispatch, const AddressSpace& memory,
                                            std::stop_token cancel) {
  DispatchShape shape;
  if (auto reason = DispatchShape::make(dispatch, &shape)) return refusal(dispatch, *reason);
  if (dispatch.program_address % 256 != 0) return refusal(dispatch, "the address of a program is a multiple of 256");
  if (shape.group_count == 0) return std::nullopt;
  Tlb tlb(memory);
  const std::shared_ptr<Program> program = programs_.find(dispatch.program_address, dispatch.wave_size, tlb);
  program->step_at(dispatch.program_address, tlb);
  if (tiering_ != nullptr) tiering_->before_dispatch(*program);
  Job job(dispatch, memory, shape, *program);
  const std::stop_callback on_cancel(std::move(cancel), [&job] { job.stop.store(true, std::memory_order_relaxed); });
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
    job.slots_taken = job.threads = 1;
  }
  if (shape.group_count > 1) wake_.notify_all();
  work(job, 0);
  std::unique_lock lock(mutex_);
  std::erase(jobs_, &job);
  job.threads -= 1;
  done_.wait(lock, [&] { return job.threads == 0; });
  lock.unlock();
  instructions_.fetch_add(job.instructions, std::memory_order_relaxed);
  if (dispatch.instructions != nullptr) *dispatch.instructions = job.instructions;
  if (job.fault) describe(*job.fault, dispatch, memory);
  return std::move(job.fault);
}

// Called under the mutex.
Job* Interpreter::find_job() {
  for (Job* job : jobs_) {
    if (job->has_work() && job->has_slot()) return job;
  }
  return nullptr;
}

void Interpreter::worker() {
  std::unique_lock lock(mutex_);
  for (;;) {
    Job* job = nullptr;
    wake_.wait(lock, [&] { return quit_ || (job = find_job()) != nullptr; });
    if (quit_) return;
    const uint32_t slot = job->slots_taken++;
    job->threads += 1;
    lock.unlock();
    work(*job, slot);
    lock.lock();
    job->threads -= 1;
    if (job->threads == 0) done_.notify_all();
  }
}

void Interpreter::work(Job& job, uint32_t slot) {
  Tlb tlb(job.memory);
  Runners running, spare;
  spare.push_back(std::make_unique<GroupRunner>(job.dispatch, job.shape, job.program, tlb, borrow_registers(), slot,
                                                checks_, tiering_.get()));
  GroupSource source(job.next_group, job.shape);
  const size_t side_by_side = job.shape.side_by_side;
  size_t current = 0, waiting = 0;
  bool wants_more = true;
  while (!job.stop.load(std::memory_order_relaxed)) {
    if (wants_more && start_group(job, tlb, source, running, spare)) current = running.size() - 1;
    while (running.size() < side_by_side && start_group(job, tlb, source, running, spare)) {
    }
    if (running.empty()) break;
    const GroupRunner::Result result = side_by_side == 1
                                           ? running[current]->advance(job.stop)
                                           : GroupRunner::advance_side_by_side(running, &current, source, job.stop);
    wants_more = result != GroupRunner::Result::kEnded;
    waiting = result == GroupRunner::Result::kWaiting ? waiting + 1 : 0;
    if (result == GroupRunner::Result::kEnded) {
      end_group(job, *running[current]);
      spare.push_back(std::move(running[current]));
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(current));
      wants_more = running.size() < side_by_side;
    } else {
      ++current;
    }
    if (current >= running.size()) current = 0;
    if (waiting > running.size()) {
      std::this_thread::yield();
      waiting = 0;
    }
  }
  std::lock_guard lock(mutex_);
  for (Runners* runners : {&running, &spare}) {
    for (const auto& runner : *runners) {
      job.instructions += runner->instructions();
      spare_registers_.push_back(std::move(*runner).take_registers());
    }
  }
}

bool Interpreter::start_group(Job& job, Tlb& tlb, GroupSource& source, Runners& running, Runners& spare) {
  if (job.stop.load(std::memory_order_relaxed) || !source.has_more()) return false;
  if (spare.empty()) {
    uint32_t slot = 0;
    {
      std::lock_guard lock(mutex_);
      if (!job.has_slot()) return false;
      slot = job.slots_taken++;
    }
    spare.push_back(std::make_unique<GroupRunner>(job.dispatch, job.shape, job.program, tlb, borrow_registers(), slot,
                                                  checks_, tiering_.get()));
  }
  uint64_t group = 0;
  if (!source.take(&group)) return false;
  spare.back()->start(group);
  running.push_back(std::move(spare.back()));
  spare.pop_back();
  return true;
}

void Interpreter::end_group(Job& job, GroupRunner& runner) {
  std::optional<ShaderFault> fault = runner.take_fault();
  if (!fault) return;
  job.stop.store(true, std::memory_order_relaxed);
  std::lock_guard lock(mutex_);
  if (job.fault && job.fault_group < runner.number()) return;
  job.fault = std::move(fault);
  job.fault_group = runner.number();
}

std::vector<Row> Interpreter::borrow_registers() {
  std::lock_guard lock(mutex_);
  if (spare_registers_.empty()) return {};
  std::vector<Row> registers = std::move(spare_registers_.back());
  spare_registers_.pop_back();
  return registers;
}

}  // namespace

Result<std::unique_ptr<ShaderCores>> make_interpreter(size_t threads, Strictness strictness,
                                                      std::unique_ptr<Tiering> tiering) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c")) {
    return error(StatusCode::kUnsupported,
                 "emulated shader cores: this processor lacks AVX2, FMA or F16C (x86-64-v3 is needed)");
  }
  if (threads == 0) return error(StatusCode::kInvalidArgument, "emulated shader cores: at least one thread is needed");
  return std::unique_ptr<ShaderCores>(std::make_unique<Interpreter>(threads, strictness, std::move(tiering)));
}

}  // namespace bw::emulator
