// Owns: the functions for extended attributes of files by name, which `ls -l` asks for; the machine's files have none.
#include <sys/types.h>

#include "emulator/shim/paths.h"
#include "emulator/shim/real.h"

namespace bw::emulator::shim {
extern "C" {

ssize_t interposed_getxattr(const char* path, const char* name, void* value, size_t size) BW_INTERPOSES("getxattr");
ssize_t interposed_getxattr(const char* path, const char* name, void* value, size_t size) {
  return syscall(SYS_getxattr, HostPath(path).get(), name, value, size);
}

ssize_t interposed_lgetxattr(const char* path, const char* name, void* value, size_t size) BW_INTERPOSES("lgetxattr");
ssize_t interposed_lgetxattr(const char* path, const char* name, void* value, size_t size) {
  return syscall(SYS_lgetxattr, HostPath(path).get(), name, value, size);
}

ssize_t interposed_listxattr(const char* path, char* list, size_t size) BW_INTERPOSES("listxattr");
ssize_t interposed_listxattr(const char* path, char* list, size_t size) {
  return syscall(SYS_listxattr, HostPath(path).get(), list, size);
}

ssize_t interposed_llistxattr(const char* path, char* list, size_t size) BW_INTERPOSES("llistxattr");
ssize_t interposed_llistxattr(const char* path, char* list, size_t size) {
  return syscall(SYS_llistxattr, HostPath(path).get(), list, size);
}

}  // extern "C"
}  // namespace bw::emulator::shim
