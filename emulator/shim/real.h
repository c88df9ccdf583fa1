// Owns: reaching what stands behind the interposed functions: the C library's own, and the kernel.
#pragma once

#include <dlfcn.h>
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

namespace bw::emulator::shim {

// The definition of a C library function that the program would see without this library. Looked up when first called:
// programs' constructors run before ours.
template <typename Function>
class Real {
 public:
  explicit constexpr Real(const char* name) : name_(name) {}

  Function* get() {
    Function* function = function_.load(std::memory_order_relaxed);
    if (function == nullptr) {
      function = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name_));
      function_.store(function, std::memory_order_relaxed);
    }
    return function;
  }
  template <typename... Args>
  auto operator()(Args... args) {
    return get()(args...);
  }

 private:
  const char* const name_;
  std::atomic<Function*> function_{nullptr};
};

// The C library's convention for what the kernel answers.
inline int as_libc_result(int kernel_result) {
  if (kernel_result >= 0) return kernel_result;
  errno = -kernel_result;
  return -1;
}

}  // namespace bw::emulator::shim

// Marks a definition that takes the place of the C library's function `name`. The C++ name is another, so that the
// headers' own declarations, with their attributes and macros, do not stand in the way.
#define BW_INTERPOSES(name) __asm__(name) __attribute__((visibility("default"), used))
