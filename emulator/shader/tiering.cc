#include "emulator/shader/tiering.h"

#include <utility>

#include "emulator/thread_signals.h"

namespace bw::emulator {

Tiering::Tiering(std::unique_ptr<Translator> translator, TieringOptions options)
    : translator_(std::move(translator)), options_(std::move(options)) {}

Tiering::~Tiering() = default;

void Tiering::before_dispatch(Program& program) {
  if (!program.is_cold()) return;
  if (program.is_first_dispatch()) {
    if (auto found = translator_->find(program.code()); found != nullptr && program.leave_cold()) {
      program.adopt(std::move(found));
      std::lock_guard lock(mutex_);
      ++counts_.found;
      return;
    }
  }
  if (options_.instructions_before == 0 && program.leave_cold()) translate(program);
}

void Tiering::enqueue(Program& program) {
  if (!program.leave_cold()) return;
  {
    std::lock_guard lock(mutex_);
    queue_.push_back(program.shared_from_this());
    const ThreadSignals signals;
    if (!thread_.joinable()) thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
  }
  wake_.notify_one();
}

void Tiering::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [&] { return !queue_.empty(); })) {
    const std::shared_ptr<Program> program = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    if (!stop.stop_requested()) translate(*program);
    lock.lock();
  }
}

void Tiering::translate(Program& program) {
  auto translation = translator_->translate(program.code());
  {
    std::lock_guard lock(mutex_);
    if (translation.is_ok()) {
      ++counts_.translated;
    } else if (translation.status().code() == StatusCode::kUnsupported) {
      ++counts_.too_large;
    } else {
      ++counts_.failed;
    }
  }
  if (translation.is_ok()) return program.adopt(std::move(translation).value());
  if (options_.warn) options_.warn(std::move(translation).status().with_advice("the program stays interpreted"));
}

TranslationCounts Tiering::counts() const {
  std::lock_guard lock(mutex_);
  return counts_;
}

}  // namespace bw::emulator
