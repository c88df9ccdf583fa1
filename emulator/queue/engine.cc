#include "emulator/queue/engine.h"

#include <sys/prctl.h>

#include <algorithm>

#include "emulator/thread_signals.h"

namespace bw::emulator {
namespace {

using std::chrono::steady_clock;

// Shorter pauses are spent yielding: a sleep would cost more than the pause.
constexpr std::chrono::microseconds kSpin{50};
// The host's default slack is as long as the shortest sleeps here.
constexpr unsigned long kTimerSlackNs = 10'000;

}  // namespace

Engine::Engine(uint32_t first_threads) : first_threads_(first_threads) {}

Engine::~Engine() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    for (const auto& slot : slots_) slot->queue->cancel();
    changed_.notify_all();
    called_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
}

void Engine::add(std::shared_ptr<QueueProcessor> queue, uint32_t priority) {
  std::lock_guard lock(mutex_);
  queue->allow_running();
  std::shared_ptr<Slot> slot = find(queue.get());
  if (slot != nullptr) {
    std::erase(slots_, slot);
  } else {
    slot = std::make_shared<Slot>();
    slot->queue = std::move(queue);
  }
  slot->priority = priority;
  slot->is_leaving = false;
  const auto lower = [&](const auto& other) { return other->priority < priority; };
  slots_.insert(std::find_if(slots_.begin(), slots_.end(), lower), slot);
  while (threads_.size() < first_threads_) start_thread();
  changed_.notify_all();
}

void Engine::start_thread() {
  const ThreadSignals signals;
  threads_.emplace_back([this] { run(); });
  ++awake_;
}

void Engine::call_lookout() {
  if (awake_ == threads_.size()) return start_thread();
  ++calls_;
  ++awake_;
  called_.notify_one();
}

std::shared_ptr<Engine::Slot> Engine::find(const QueueProcessor* queue) const {
  const auto it =
      std::find_if(slots_.begin(), slots_.end(), [&](const auto& slot) { return slot->queue.get() == queue; });
  return it == slots_.end() ? nullptr : *it;
}

bool Engine::remove(const QueueProcessor* queue, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  const std::shared_ptr<Slot> slot = find(queue);
  if (slot == nullptr) return true;  // it had stopped by itself
  slot->queue->request_stop();
  slot->is_leaving = true;
  if (!turn_ended_.wait_until(lock, steady_clock::now() + patience, [&] { return !slot->has_turn; })) return false;
  std::erase(slots_, slot);
  return true;
}

void Engine::run() {
  prctl(PR_SET_NAME, "bw-emu-engine");
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  std::unique_lock lock(mutex_);
  auto last_progress = steady_clock::now();
  while (!ending_) {
    if (slots_.empty()) {
      changed_.wait(lock, [&] { return ending_ || !slots_.empty(); });
      last_progress = steady_clock::now();
    } else if (give_turns(lock)) {
      last_progress = steady_clock::now();
    } else {
      pause(lock, &last_progress);
    }
  }
}

bool Engine::give_turns(std::unique_lock<std::mutex>& lock) {
  bool progress = false;
  for (size_t i = 0; i < slots_.size() && !ending_; ++i) {
    const std::shared_ptr<Slot> slot = slots_[i];
    if (!slot->may_have_turn()) continue;
    const Turn turn = slot->queue->has_work() ? Turn::kWork : Turn::kLook;
    if (turn == Turn::kWork && slot->priority < slots_.front()->priority) {
      progress |= give_turns_above(lock, slot->priority);
      if (!slot->may_have_turn()) continue;
    }
    progress |= give_turn(lock, slot, turn);
  }
  return progress;
}

bool Engine::give_turns_above(std::unique_lock<std::mutex>& lock, uint32_t priority) {
  bool progress = false;
  for (size_t i = 0; i < slots_.size() && slots_[i]->priority > priority && !ending_; ++i) {
    const std::shared_ptr<Slot> slot = slots_[i];
    if (slot->may_have_turn() && slot->queue->has_work()) progress |= give_turn(lock, slot, Turn::kWork);
  }
  return progress;
}

bool Engine::give_turn(std::unique_lock<std::mutex>& lock, const std::shared_ptr<Slot>& slot, Turn turn) {
  if (turn == Turn::kWork && lookouts() == 1) call_lookout();
  slot->has_turn = true;
  ++in_turn_;
  lock.unlock();
  const StepResult result = slot->queue->step(turn);
  lock.lock();
  --in_turn_;
  slot->has_turn = false;
  turn_ended_.notify_all();
  // A stopped queue keeps its id until it is destroyed, but gets no more turns.
  if (result == StepResult::kStopped || slot->is_leaving) std::erase(slots_, slot);
  return result == StepResult::kProgress;
}

void Engine::pause(std::unique_lock<std::mutex>& lock, steady_clock::time_point* last_progress) {
  const auto idle = steady_clock::now() - *last_progress;
  if (idle < kSpin) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
  } else if (idle > kDrowsy && lookouts() > 1) {
    --awake_;  // who calls counts this thread as awake again
    called_.wait(lock, [&] { return ending_ || calls_ != 0; });
    if (calls_ != 0) --calls_;
    *last_progress = steady_clock::now();
  } else {
    const auto longest = idle > kDeepIdle ? 2 * kLongestSleep : kLongestSleep;
    changed_.wait_until(lock, steady_clock::now() + std::min<steady_clock::duration>(idle / 8, longest));
  }
}

}  // namespace bw::emulator
