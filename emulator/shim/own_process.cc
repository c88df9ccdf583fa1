// Owns: what libbarewave-card.so does otherwise than ordinary libraries within the process. All its code is linked into
// it, LLVM and the C++ library too, so that these definitions, which nobody else sees, stand in for the C library's.
#include <dlfcn.h>
#include <pthread.h>

#include "emulator/shim/card_library.h"

namespace bw::emulator::shim {
namespace {

struct ThreadStart {
  void* (*routine)(void*);
  void* argument;
};

void* run_thread(void* start) {
  const ThreadStart begin = *static_cast<ThreadStart*>(start);
  delete static_cast<ThreadStart*>(start);
  if (enter_thread != nullptr) enter_thread();
  return begin.routine(begin.argument);
}

}  // namespace

void (*enter_thread)() = nullptr;

}  // namespace bw::emulator::shim

extern "C" {

// Nothing is destroyed when the process ends. Threads of the engines run until the kernel ends them, as a real card
// does, and programs use the card in destructors of their own; a translation would find LLVM's static objects gone.
[[gnu::visibility("hidden")]] int __cxa_atexit(void (*)(void*), void*, void*) {
  return 0;  // registered, as far as the caller is concerned
}

// The emulator's own threads see the C library without what is interposed.
[[gnu::visibility("hidden")]] int pthread_create(pthread_t* thread, const pthread_attr_t* attributes,
                                                 void* (*routine)(void*), void* argument) noexcept {
  using namespace bw::emulator::shim;
  static auto* const real = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_DEFAULT, "pthread_create"));
  auto* start = new ThreadStart{routine, argument};
  const int status = real(thread, attributes, run_thread, start);
  if (status != 0) delete start;
  return status;
}

}  // extern "C"
