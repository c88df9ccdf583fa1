// Owns: running the `barewave` command as a user does.
#pragma once

#include <string>
#include <vector>

namespace bw::tests {

struct CommandResult {
  int exit_status = -1;  // 128 + signal if one ended it
  std::string out;
  std::string err;
};

// Runs build/barewave with `arguments`, its caches below the test's temporary folder.
CommandResult run_barewave(const std::vector<std::string>& arguments);
// The same with stdout going to a file or device.
CommandResult run_barewave(const std::vector<std::string>& arguments, const std::string& stdout_path);

}  // namespace bw::tests
