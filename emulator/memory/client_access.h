// Owns: telling ThreadSanitizer which accesses go to memory of the client.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace bw::emulator {

// While one lives, ThreadSanitizer looks away from this thread's plain accesses. Client and engines order their
// accesses by doorbells and signals that each sees at an address of its own; to the sanitizer these are different
// words, and what they order (user memory, which has the same address for both) looks like a race. And programs may
// race among themselves: a real card has nothing against it. To be held where client memory is touched, no longer: what
// the emulator's own threads share stays in sight.
class ClientAccess {
 public:
#if defined(__SANITIZE_THREAD__)
  ClientAccess() {
    begin();
  }
  ~ClientAccess() {
    end();
  }

  static int count() {
    return count_;
  }
  // After a jump out of a signal handler: ThreadSanitizer has forgotten those of this thread, and `count` remain.
  static void restore(int count) {
    count_ = 0;
    while (count_ < count) begin();
  }
  // To be called before an atomic operation. ThreadSanitizer does those itself, and cannot be left while it does: where
  // the memory is gone, the fault has to come before.
  static void probe_read(const std::byte* host) {
    asm volatile("testb $0, %0" ::"m"(*host) : "cc");
  }
  static void probe_write(std::byte* host) {
    asm volatile("lock orb $0, %0" : "+m"(*host)::"cc");
  }
#else
  ClientAccess() {}
  ~ClientAccess() {}
  static int count() {
    return 0;
  }
  static void restore(int) {}
  static void probe_read(const std::byte*) {}
  static void probe_write(std::byte*) {}
#endif
  ClientAccess(const ClientAccess&) = delete;
  ClientAccess& operator=(const ClientAccess&) = delete;

#if defined(__SANITIZE_THREAD__)
 private:
  static void begin() {
    ++count_;
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  static void end() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
    --count_;
  }
  static inline thread_local int count_ = 0;
#endif
};

}  // namespace bw::emulator
