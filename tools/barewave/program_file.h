// Owns: what can be told of a program from its file before it is started.
#pragma once

#include <string>

namespace bw::tools {

// The file that execvp() would start for that word; "" if there is none.
std::string find_program(const std::string& word);

// Whether it is an ELF program that no dynamic loader starts, so that nothing can be preloaded into it. False where the
// file cannot be read, and for scripts.
bool is_static_program(const std::string& path);

}  // namespace bw::tools
