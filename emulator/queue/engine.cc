#include "emulator/queue/engine.h"

#include <immintrin.h>
#include <sys/prctl.h>

#include <algorithm>
#include <utility>

#include "emulator/thread_signals.h"

namespace bw::emulator {
namespace {

using std::chrono::steady_clock;

// Shorter pauses are spent looking: a sleep would cost more than the pause. Now and then the thread yields, for on a
// busy machine the client may be waiting for this processor.
constexpr std::chrono::microseconds kSpin{50};
constexpr uint32_t kLooksPerYield = 16;
// The host's default slack is as long as the shortest sleeps here.
constexpr unsigned long kTimerSlackNs = 10'000;

// When a stand-by would have had to make progress last, to sleep for a nap now.
steady_clock::time_point taken_over() {
  return steady_clock::now() - 8 * Engine::kNap;
}

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
  while (threads_.size() < first_threads_) start_thread(Start::kLooking);
  changed_.notify_all();
}

void Engine::start_thread(Start start) {
  const ThreadSignals signals;
  ++(start == Start::kLooking ? awake_ : napping_);
  threads_.emplace_back([this, start] { run(start); });
}

void Engine::call_standby() {
  if (napping_ + calls_ != 0) return;
  if (lying_ == 0) return start_thread(Start::kStandingBy);
  ++calls_;
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

void Engine::run(Start start) {
  prctl(PR_SET_NAME, "bw-emu-engine");
  prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
  std::unique_lock lock(mutex_);
  if (start == Start::kStandingBy) nap(lock);
  // Who takes over from a thread whose turn is long does so as one that has been idle.
  auto last_progress = start == Start::kStandingBy ? taken_over() : steady_clock::now();
  for (uint32_t look = 0; !ending_; ++look) {
    if (slots_.empty()) {
      changed_.wait(lock, [&] { return ending_ || !slots_.empty(); });
      last_progress = steady_clock::now();
    } else if (give_turns(lock)) {
      last_progress = steady_clock::now();
    } else if (lookouts() > 1) {
      stand_by(lock);
      last_progress = taken_over();
    } else {
      pause(lock, last_progress, look);
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
  if (turn == Turn::kWork) {
    ++turns_of_work_;
    if (lookouts() == 1) call_standby();
  }
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

void Engine::pause(std::unique_lock<std::mutex>& lock, steady_clock::time_point last_progress, uint32_t look) {
  const auto idle = steady_clock::now() - last_progress;
  if (idle < kSpin) {
    lock.unlock();
    look % kLooksPerYield == 0 ? std::this_thread::yield() : _mm_pause();
    lock.lock();
  } else {
    const auto longest = idle > kDeepIdle ? 2 * kLongestSleep : kLongestSleep;
    changed_.wait_until(lock, steady_clock::now() + std::min<steady_clock::duration>(idle / 8, longest));
  }
}

void Engine::stand_by(std::unique_lock<std::mutex>& lock) {
  --awake_;
  if (napping_ + calls_ != 0) {
    lie_down(lock);
  } else {
    ++napping_;
  }
  nap(lock);
}

// Counted as napping from the call on.
void Engine::lie_down(std::unique_lock<std::mutex>& lock) {
  ++lying_;
  called_.wait(lock, [&] { return ending_ || calls_ != 0; });
  --lying_;
  if (calls_ != 0) --calls_;
  ++napping_;
}

void Engine::nap(std::unique_lock<std::mutex>& lock) {
  uint64_t turns_before = turns_of_work_;
  uint32_t quiet_naps = 0;
  while (!ending_) {
    called_.wait_for(lock, kNap);
    const bool same_turns = std::exchange(turns_before, turns_of_work_) == turns_of_work_;
    if (same_turns && in_turn_ != 0 && lookouts() == 0) break;
    quiet_naps = same_turns && in_turn_ == 0 ? quiet_naps + 1 : 0;
    if (quiet_naps < kNapsBeforeLyingDown) continue;
    --napping_;
    lie_down(lock);
    quiet_naps = 0;
  }
  --napping_;
  ++awake_;
}

}  // namespace bw::emulator
