// Owns: the environment by which `barewave shim` tells the preloaded library about the machine that it is to show. They
// are inherited, so programs that the command starts see the same machine. Engine, strict mode and watchdog are set as
// for the command itself (BAREWAVE_ENGINE, BAREWAVE_STRICT, BAREWAVE_WATCHDOG).
#pragma once

namespace bw::emulator::shim {

inline constexpr const char* kGpusVariable = "BAREWAVE_SHIM_GPUS";
inline constexpr const char* kKfdMinorVariable = "BAREWAVE_SHIM_KFD_MINOR";
// The file of the trace, which the command has begun; its format, if the file's name does not say it; and when it began
// (CLOCK_MONOTONIC, nanoseconds).
inline constexpr const char* kTraceVariable = "BAREWAVE_SHIM_TRACE";
inline constexpr const char* kTraceFormatVariable = "BAREWAVE_SHIM_TRACE_FORMAT";  // "text" or "chrome"
inline constexpr const char* kTraceStartVariable = "BAREWAVE_SHIM_TRACE_START";
// The root of the files that the machine shows (sysfs_tree.h); without it the library lays them out itself.
inline constexpr const char* kTreeVariable = "BAREWAVE_SHIM_TREE";

inline constexpr const char* kPreloadedLibrary = "libbarewave-shim.so";
inline constexpr const char* kCardLibrary = "libbarewave-card.so";

}  // namespace bw::emulator::shim
