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

// Runs build/barewave with `arguments`, its caches below the test's temporary folder. Its environment is `environment`,
// entries NAME=value, and nothing of the test's own.
CommandResult run_barewave(const std::vector<std::string>& arguments, const std::vector<std::string>& environment = {});
// The same with stdout going to a file or device.
CommandResult run_barewave_to(const std::string& stdout_path, const std::vector<std::string>& arguments,
                              const std::vector<std::string>& environment = {});

}  // namespace bw::tests
