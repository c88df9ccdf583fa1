#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace bw::detail {

void check_failed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "barewave bug at %s:%d: %s\n", file, line, condition);
  std::abort();
}

}  // namespace bw::detail
