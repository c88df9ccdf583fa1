#include "emulator/shader/interpreter.h"

#include <immintrin.h>

#include <atomic>
#include <chrono>
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

using Runners = std::vector<std::unique_ptr<GroupRunner>>;

// What one thread has of a job. While the job is suspended it stays with that.
struct Share {
  Share(const AddressSpace& memory, std::atomic<uint64_t>& next_group, const DispatchShape& shape)
      : tlb(memory), source(next_group, shape) {}

  bool has_more() const { return !running.empty() || source.has_more(); }

  Tlb tlb;
  GroupSource source;
  std::unique_ptr<DispatchCounter> counter;  // null: nothing is counted
  std::unique_ptr<AccessRecorder> accesses;  // null: nobody asks
  Runners running;                           // have begun and not ended
  Runners spare;
  size_t current = 0;  // of those that run, the one whose turn it is
};

// One dispatch in execution. Threads take workgroups by incrementing next_group; who meets a fault, or cancels or
// suspends the dispatch, sets `stop`. What has a comment 'pool mutex' is written and read under the mutex of the pool.
//
// A thread runs one workgroup at a time, or a few side by side where they are small; but as on the card those that have
// begun need each other: while one waits, the thread begins another and goes on with all it has in turn, as many as the
// card has room for.
struct Job final : SuspendedDispatch {
  Job(const Dispatch& d, const AddressSpace& m, const DispatchShape& s, std::shared_ptr<Program> p)
      : dispatch(d), memory(m), shape(s), program(std::move(p)) {}

  const Dispatch dispatch;
  const AddressSpace& memory;
  const DispatchShape shape;
  const std::shared_ptr<Program> program;
  std::atomic<uint64_t> next_group{0};
  std::atomic<bool> stop{false};
  std::atomic<bool> suspends{false};           // the reason for `stop`, or one of them
  std::atomic<size_t> left_shares{0};          // shares.size(), to look at in passing
  std::vector<std::unique_ptr<Share>> shares;  // left by threads that were suspended (pool mutex)
  std::atomic<uint32_t> threads{0};            // inside work() now; up under the pool mutex, down last of all
  uint32_t slots_taken = 0;                    // by runners of workgroups; none is given back (pool mutex)
  uint64_t instructions = 0;                   // (pool mutex)
  std::vector<RangeCounts> ranges;             // that are counted
  std::unique_ptr<DispatchCounter> counter;    // of the shares that have ended (pool mutex)
  uint64_t fault_group = 0;                    // (pool mutex)
  std::optional<ShaderFault> fault;            // of the lowest workgroup that met one (pool mutex)

  bool has_work() const {
    return !stop.load(std::memory_order_relaxed) && next_group.load(std::memory_order_relaxed) < shape.group_count;
  }
  bool has_slot() const { return slots_taken < shape.resident_groups; }
  // Under the pool mutex.
  bool has_place() const { return !shares.empty() ? !stop.load(std::memory_order_relaxed) : has_work() && has_slot(); }
};

// A dispatch is often followed by the next one at once, of which a thread that sleeps would learn too late.
constexpr std::chrono::nanoseconds kLongestSpinForWork{50'000};
constexpr std::chrono::nanoseconds kSpinForWorkers{50'000};

// False: it has taken too long. Between looks at the clock others may have this processor.
template <class Condition>
bool spin_until(std::chrono::nanoseconds limit, const Condition& holds) {
  constexpr int kLooksPerClock = 32;
  const auto begin = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < kLooksPerClock; ++i) {
      if (holds()) return true;
      _mm_pause();
    }
    std::this_thread::yield();
  } while (std::chrono::steady_clock::now() - begin < limit);
  return holds();
}

class Interpreter final : public ShaderCores {
 public:
  Interpreter(size_t threads, Strictness strictness, std::unique_ptr<Tiering> tiering,
              std::shared_ptr<CounterLog> counters)
      : checks_{strictness, 0}, tiering_(std::move(tiering)), counters_(std::move(counters)) {
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

  std::optional<ShaderFault> run(const Dispatch& dispatch, const AddressSpace& memory, std::stop_token cancel,
                                 Suspension* suspension) override;
  void set_watchdog(uint64_t wave_instructions) override { checks_.wave_budget = wave_instructions; }
  uint64_t instruction_count() const override { return instructions_.load(std::memory_order_relaxed); }
  TranslationCounts translation_counts() const override {
    return tiering_ != nullptr ? tiering_->counts() : TranslationCounts{};
  }

 private:
  // Null and no fault: a dispatch without any workgroup.
  std::optional<ShaderFault> begin(const Dispatch& dispatch, const AddressSpace& memory, std::unique_ptr<Job>* job);
  // Until it has ended or is to stop.
  void execute(Job& job);
  void wait_for_threads(Job& job);
  void worker();
  void work(Job& job);
  // What a thread that comes to the job works on.
  std::unique_ptr<Share> take_share(Job& job);
  // Has those shares go on that no thread has come for.
  void change_share(Job& job, std::unique_ptr<Share>& share);
  void run_share(Job& job, std::unique_ptr<Share>& share);
  // Begins with one more workgroup, if there is one and room for it.
  bool start_group(Job& job, Share& share);
  std::unique_ptr<GroupRunner> make_runner(Job& job, Share& share, uint32_t slot);
  void end_group(Job& job, GroupRunner& runner);
  void end_share(Job& job, Share& share);
  // Of a job that has ended.
  void log_counters(const Job& job);
  std::vector<Row> borrow_registers();
  Job* find_job();

  GroupChecks checks_;                          // written while nothing runs
  const std::unique_ptr<Tiering> tiering_;      // none: steps only
  const std::shared_ptr<CounterLog> counters_;  // null: nothing is counted
  ProgramCache programs_;
  std::atomic<uint64_t> instructions_{0};
  // Jobs ever begun. Written under the mutex; workers that spin look at it and then, under the mutex, at jobs_.
  std::atomic<uint64_t> jobs_begun_{0};
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

// Code may also stand before the dispatch's first instruction.
std::string offset_text(uint64_t pc, const Dispatch& dispatch) {
  const bool is_before = pc < dispatch.program_address;
  const uint64_t distance = is_before ? dispatch.program_address - pc : pc - dispatch.program_address;
  return fmt::format("program {} {:#x}", is_before ? '-' : '+', distance);
}

// Makes the report complete: disassembly, and one line with everything.
void describe(ShaderFault& fault, const Dispatch& dispatch, const AddressSpace& memory) {
  fault.disassembly = disassembly_at(fault.pc, dispatch, memory);
  if (fault.cause_pc) {
    fault.message =
        fmt::format("{} {} pc {:#x} ({}): {}", fault.message, fault.cause_relation, *fault.cause_pc,
                    offset_text(*fault.cause_pc, dispatch), disassembly_at(*fault.cause_pc, dispatch, memory));
  }
  fault.message = fmt::format("{}: workgroup ({}, {}, {}), wave {}, pc {:#x} ({}): {}", fault.message,
                              fault.workgroup[0], fault.workgroup[1], fault.workgroup[2], fault.wave, fault.pc,
                              offset_text(fault.pc, dispatch), fault.disassembly);
}

ShaderFault refusal(const Dispatch& dispatch, std::string reason) {
  ShaderFault fault;
  fault.kind = ShaderFaultKind::kIllegal;
  fault.pc = dispatch.program_address;
  fault.message = fmt::format("dispatch of program {:#x}: {}", dispatch.program_address, reason);
  return fault;
}

std::optional<ShaderFault> Interpreter::begin(const Dispatch& dispatch, const AddressSpace& memory,
                                              std::unique_ptr<Job>* job) {
  DispatchShape shape;
  if (auto reason = DispatchShape::make(dispatch, &shape)) return refusal(dispatch, *reason);
  if (dispatch.program_address % 256 != 0) return refusal(dispatch, "the address of a program is a multiple of 256");
  if (shape.group_count == 0) return std::nullopt;
  Tlb tlb(memory);
  std::shared_ptr<Program> program = programs_.find(dispatch.program_address, dispatch.wave_size, tlb);
  program->step_at(dispatch.program_address, tlb);
  if (tiering_ != nullptr) tiering_->before_dispatch(*program);
  *job = std::make_unique<Job>(dispatch, memory, shape, std::move(program));
  if (counters_ != nullptr) (*job)->ranges = counters_->ranges();
  return std::nullopt;
}

std::optional<ShaderFault> Interpreter::run(const Dispatch& dispatch, const AddressSpace& memory,
                                            std::stop_token cancel, Suspension* suspension) {
  std::unique_ptr<Job> job;
  if (suspension != nullptr && suspension->dispatch != nullptr) {
    job.reset(static_cast<Job*>(suspension->dispatch.release()));
    job->stop = job->suspends = false;
  } else if (auto fault = begin(dispatch, memory, &job); fault || job == nullptr) {
    return fault;
  }
  {
    const std::stop_callback on_cancel(cancel, [&job] { job->stop.store(true, std::memory_order_relaxed); });
    const std::stop_callback on_suspend(suspension == nullptr ? std::stop_token() : suspension->request, [&job] {
      job->suspends.store(true, std::memory_order_relaxed);
      job->stop.store(true, std::memory_order_relaxed);
    });
    execute(*job);
  }
  if (!job->shares.empty() && !job->fault && !cancel.stop_requested()) {
    suspension->dispatch = std::move(job);
    return std::nullopt;
  }
  for (const auto& share : job->shares) end_share(*job, *share);
  instructions_.fetch_add(job->instructions, std::memory_order_relaxed);
  if (job->dispatch.instructions != nullptr) *job->dispatch.instructions = job->instructions;
  if (counters_ != nullptr && !job->fault && !cancel.stop_requested()) log_counters(*job);
  if (job->fault) describe(*job->fault, job->dispatch, memory);
  return std::move(job->fault);
}

void Interpreter::execute(Job& job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(&job);
    job.threads.store(1, std::memory_order_relaxed);
    jobs_begun_.store(jobs_begun_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  if (job.shape.group_count > 1) wake_.notify_all();
  work(job);
  {
    std::lock_guard lock(mutex_);
    std::erase(jobs_, &job);
  }
  job.threads.fetch_sub(1, std::memory_order_acq_rel);
  wait_for_threads(job);
}

// The others are at their last workgroups: mostly they are done within the time that going to sleep takes.
void Interpreter::wait_for_threads(Job& job) {
  const auto has_ended = [&job] { return job.threads.load(std::memory_order_acquire) == 0; };
  if (spin_until(kSpinForWorkers, has_ended)) return;
  std::unique_lock lock(mutex_);
  done_.wait(lock, has_ended);
}

// Called under the mutex.
Job* Interpreter::find_job() {
  for (Job* job : jobs_) {
    if (job->has_place()) return job;
  }
  return nullptr;
}

void Interpreter::worker() {
  std::chrono::nanoseconds patience{0};
  std::unique_lock lock(mutex_);
  for (;;) {
    Job* job = find_job();
    if (job == nullptr && !quit_ && patience.count() != 0) {
      const uint64_t seen = jobs_begun_.load(std::memory_order_relaxed);
      lock.unlock();
      spin_until(patience, [&] { return jobs_begun_.load(std::memory_order_acquire) != seen; });
      lock.lock();
      job = find_job();
      patience = job != nullptr ? kLongestSpinForWork : patience / 4;
      if (job == nullptr && jobs_begun_.load(std::memory_order_relaxed) != seen) continue;
    }
    const auto began = std::chrono::steady_clock::now();
    wake_.wait(lock, [&] { return quit_ || (job = find_job()) != nullptr; });
    if (quit_) return;
    // Work that comes soon after is worth waiting for.
    if (std::chrono::steady_clock::now() - began < kLongestSpinForWork) patience = kLongestSpinForWork;
    job->threads.fetch_add(1, std::memory_order_relaxed);
    lock.unlock();
    work(*job);
    // From here on the job may be gone. Who sleeps has looked at it under the mutex.
    const bool is_last = job->threads.fetch_sub(1, std::memory_order_acq_rel) == 1;
    lock.lock();
    if (is_last) done_.notify_all();
  }
}

std::unique_ptr<Share> Interpreter::take_share(Job& job) {
  uint32_t slot = 0;
  {
    std::lock_guard lock(mutex_);
    if (!job.shares.empty()) {
      std::unique_ptr<Share> share = std::move(job.shares.back());
      job.shares.pop_back();
      job.left_shares = job.shares.size();
      return share;
    }
    if (!job.has_slot()) return nullptr;
    slot = job.slots_taken++;
  }
  auto share = std::make_unique<Share>(job.memory, job.next_group, job.shape);
  if (counters_ != nullptr) share->counter = std::make_unique<DispatchCounter>(job.ranges);
  if (job.dispatch.accesses != nullptr) {
    share->accesses = std::make_unique<AccessRecorder>(job.dispatch.program_address, share->tlb);
  }
  share->spare.push_back(make_runner(job, *share, slot));
  return share;
}

void Interpreter::change_share(Job& job, std::unique_ptr<Share>& share) {
  std::lock_guard lock(mutex_);
  if (job.shares.empty()) return;
  job.shares.insert(job.shares.begin(), std::move(share));
  share = std::move(job.shares.back());
  job.shares.pop_back();
}

void Interpreter::work(Job& job) {
  std::unique_ptr<Share> share = take_share(job);
  while (share != nullptr) {
    run_share(job, share);
    std::unique_lock lock(mutex_);
    if (job.suspends && share->has_more()) {
      job.shares.push_back(std::move(share));
      job.left_shares = job.shares.size();
      return;
    }
    lock.unlock();
    end_share(job, *share);
    share = job.left_shares != 0 && !job.stop ? take_share(job) : nullptr;
  }
}

// Until all of its workgroups have ended and there are no others, or the job is to stop.
void Interpreter::run_share(Job& job, std::unique_ptr<Share>& share) {
  const size_t side_by_side = job.shape.side_by_side;
  size_t waiting = 0;
  bool wants_more = share->running.empty();
  while (!job.stop.load(std::memory_order_relaxed)) {
    Runners& running = share->running;
    if (wants_more && start_group(job, *share)) share->current = running.size() - 1;
    while (running.size() < side_by_side && start_group(job, *share)) {
    }
    if (running.empty()) break;
    size_t& current = share->current;
    const GroupRunner::Result result =
        side_by_side == 1 ? running[current]->advance(job.stop)
                          : GroupRunner::advance_side_by_side(running, &current, share->source, job.stop);
    wants_more = result != GroupRunner::Result::kEnded;
    waiting = result == GroupRunner::Result::kWaiting ? waiting + 1 : 0;
    if (result == GroupRunner::Result::kEnded) {
      if (!running[current]->has_ended()) break;
      end_group(job, *running[current]);
      share->spare.push_back(std::move(running[current]));
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
    if (result != GroupRunner::Result::kEnded && job.left_shares.load(std::memory_order_relaxed) != 0) {
      change_share(job, share);
    }
  }
}

void Interpreter::end_share(Job& job, Share& share) {
  std::lock_guard lock(mutex_);
  for (Runners* runners : {&share.running, &share.spare}) {
    for (const auto& runner : *runners) {
      job.instructions += runner->instructions();
      spare_registers_.push_back(std::move(*runner).take_registers());
    }
  }
  if (share.accesses != nullptr) job.dispatch.accesses->add(share.accesses->accesses());
  if (share.counter == nullptr) return;
  if (job.counter == nullptr) {
    job.counter = std::move(share.counter);
  } else {
    job.counter->add(*share.counter);
  }
}

void Interpreter::log_counters(const Job& job) {
  if (job.counter == nullptr) return;
  DispatchCounters counters = job.counter->finish();
  counters.program_address = job.dispatch.program_address;
  counters.wave_size = job.dispatch.wave_size;
  counters.workgroup_size = job.dispatch.workgroup_size;
  counters.workgroups = job.shape.group_count;
  counters.vgprs = job.shape.vgprs;
  counters.lds_bytes = job.shape.lds_bytes;
  if (job.shape.scratch_groups != 0) {
    counters.scratch_bytes_per_lane = job.dispatch.scratch_bytes_per_wave / job.dispatch.wave_size;
  }
  counters_->push(std::move(counters));
}

std::unique_ptr<GroupRunner> Interpreter::make_runner(Job& job, Share& share, uint32_t slot) {
  auto runner = std::make_unique<GroupRunner>(job.dispatch, job.shape, *job.program, share.tlb, borrow_registers(),
                                              slot, checks_, tiering_.get());
  if (share.counter != nullptr) runner->count_into(*share.counter);
  if (share.accesses != nullptr) runner->note_into(*share.accesses);
  return runner;
}

bool Interpreter::start_group(Job& job, Share& share) {
  if (job.stop.load(std::memory_order_relaxed) || !share.source.has_more()) return false;
  if (share.spare.empty()) {
    uint32_t slot = 0;
    {
      std::lock_guard lock(mutex_);
      if (!job.has_slot()) return false;
      slot = job.slots_taken++;
    }
    share.spare.push_back(make_runner(job, share, slot));
  }
  uint64_t group = 0;
  if (!share.source.take(&group)) return false;
  share.spare.back()->start(group);
  share.running.push_back(std::move(share.spare.back()));
  share.spare.pop_back();
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
                                                      std::unique_ptr<Tiering> tiering,
                                                      std::shared_ptr<CounterLog> counters) {
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("f16c")) {
    return error(StatusCode::kUnsupported,
                 "emulated shader cores: this processor lacks AVX2, FMA or F16C (x86-64-v3 is needed)");
  }
  if (threads == 0) return error(StatusCode::kInvalidArgument, "emulated shader cores: at least one thread is needed");
  return std::unique_ptr<ShaderCores>(
      std::make_unique<Interpreter>(threads, strictness, std::move(tiering), std::move(counters)));
}

}  // namespace bw::emulator
