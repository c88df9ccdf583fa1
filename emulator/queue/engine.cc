#include "emulator/queue/engine.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>

#include <algorithm>

namespace bw::emulator {
namespace {

using std::chrono::steady_clock;

// Shorter pauses are spent yielding: a sleep would cost more than the pause.
constexpr std::chrono::microseconds kSpin{50};

}  // namespace

Engine::Engine(std::string name) : name_(std::move(name)) {}

Engine::~Engine() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    for (const auto& queue : queues_) queue->request_stop();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::add(std::shared_ptr<QueueProcessor> queue) {
  std::lock_guard lock(mutex_);
  queue->allow_running();
  queues_.push_back(std::move(queue));
  if (!thread_.joinable()) {
    // The client's signals are none of this thread's business: it starts with all of them blocked.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  changed_.notify_all();
}

bool Engine::remove(const QueueProcessor* queue, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  for (const auto& candidate : queues_) {
    if (candidate.get() == queue) candidate->request_stop();
  }
  std::erase_if(queues_, [&](const auto& candidate) { return candidate.get() == queue; });
  return turn_ended_.wait_until(lock, steady_clock::now() + patience, [&] { return running_ != queue; });
}

void Engine::run() {
  prctl(PR_SET_NAME, name_.c_str());
  // The default slack of 50 us is as long as the shortest sleeps here.
  prctl(PR_SET_TIMERSLACK, 10'000);
  auto last_progress = steady_clock::now();
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (queues_.empty()) {
      changed_.wait(lock, [&] { return ending_ || !queues_.empty(); });
      last_progress = steady_clock::now();
      continue;
    }
    if (give_turns(lock)) {
      last_progress = steady_clock::now();
    } else {
      sleep(lock, last_progress);
    }
  }
}

bool Engine::give_turns(std::unique_lock<std::mutex>& lock) {
  bool progress = false;
  for (size_t i = 0; i < queues_.size() && !ending_; ++i) {
    const std::shared_ptr<QueueProcessor> queue = queues_[i];
    running_ = queue.get();
    lock.unlock();
    const StepResult result = queue->step();
    lock.lock();
    running_ = nullptr;
    turn_ended_.notify_all();
    progress |= result == StepResult::kProgress;
    // A stopped queue keeps its id until it is destroyed, but gets no more turns.
    if (result == StepResult::kStopped) std::erase(queues_, queue);
  }
  return progress;
}

void Engine::sleep(std::unique_lock<std::mutex>& lock, steady_clock::time_point last_progress) {
  const auto pause = steady_clock::now() - last_progress;
  if (pause < kSpin) {
    lock.unlock();
    std::this_thread::yield();
    lock.lock();
    return;
  }
  changed_.wait_until(lock, steady_clock::now() + std::min<steady_clock::duration>(pause / 8, kLongestSleep));
}

}  // namespace bw::emulator
