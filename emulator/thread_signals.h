// Owns: which signals the emulator's own threads take: none of the client's, but all that a thread brings upon itself.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace bw::emulator {

// Threads started while one lives take over its mask: the client's signals are none of their business, while a blocked
// fault would end the process past every handler (emulator/memory/client_fault.h).
class ThreadSignals {
 public:
  ThreadSignals() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS}) sigdelset(&blocked, own);
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~ThreadSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  ThreadSignals(const ThreadSignals&) = delete;
  ThreadSignals& operator=(const ThreadSignals&) = delete;

 private:
  sigset_t before_;
};

}  // namespace bw::emulator
