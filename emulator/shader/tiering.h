// Owns: which programs are translated and when, and the thread that has it done while waves go on interpreted. Waves
// change over when they start and between their turns. Not here: translation (translator.h).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "emulator/shader/dispatch.h"
#include "emulator/shader/program.h"
#include "emulator/shader/translator.h"

namespace bw::emulator {

struct TieringOptions {
  // Wave instructions that a program executes interpreted before it is translated. 0: none, the first dispatch waits.
  // What the translator finds ready-made is used from the first wave on.
  uint64_t instructions_before = 0;
  // Gets the reason, one line, when a program stays with the interpreter: once for each, from any thread.
  std::function<void(const Status&)> warn;
};

// Safe to use from several threads.
class Tiering {
 public:
  Tiering(std::unique_ptr<Translator> translator, TieringOptions options);
  // Waits for a translation that is under way.
  ~Tiering();

  // To be called before a dispatch of a program whose entry is decoded.
  void before_dispatch(Program& program);
  // To be called when waves have executed `instructions` more of a program.
  void executed(Program& program, uint64_t instructions) {
    if (program.is_cold() && program.count(instructions) >= options_.instructions_before) enqueue(program);
  }
  TranslationCounts counts() const;

 private:
  void enqueue(Program& program);
  void translate(Program& program);
  void run(const std::stop_token& stop);

  const std::unique_ptr<Translator> translator_;
  const TieringOptions options_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::deque<std::shared_ptr<Program>> queue_;
  TranslationCounts counts_;
  std::jthread thread_;  // started with the first program
};

}  // namespace bw::emulator
