// Owns: telling ThreadSanitizer which accesses go to memory of the client.
#pragma once

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
// race among themselves: a real card has nothing against it.
class ClientAccess {
 public:
#if defined(__SANITIZE_THREAD__)
  ClientAccess() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~ClientAccess() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
#else
  ClientAccess() {}
  ~ClientAccess() {}
#endif
  ClientAccess(const ClientAccess&) = delete;
  ClientAccess& operator=(const ClientAccess&) = delete;
};

}  // namespace bw::emulator
