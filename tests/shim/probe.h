// Owns: what the probes share. A probe is a program that runs under `barewave shim`, does one thing named by its first
// argument, and ends with 0, or says on stderr what was not as Linux has it.
#pragma once

#include <errno.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

// Ends the program where `condition` does not hold.
#define PROBE(condition)                                                                                  \
  do {                                                                                                    \
    if (!(condition)) {                                                                                   \
      const int probe_errno = errno;                                                                      \
      std::fprintf(stderr, "line %d: %s (errno %s)\n", __LINE__, #condition, std::strerror(probe_errno)); \
      std::_Exit(1);                                                                                      \
    }                                                                                                     \
  } while (false)

// `call` fails with that errno.
#define PROBE_ERRNO(call, expected) \
  do {                              \
    errno = 0;                      \
    PROBE((call) == -1);            \
    PROBE(errno == (expected));     \
  } while (false)
