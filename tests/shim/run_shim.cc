#include "tests/shim/run_shim.h"

namespace bw::tests {

CommandResult run_shim(const std::vector<std::string>& options, const std::vector<std::string>& program,
                       std::vector<std::string> environment) {
  std::vector<std::string> words = {"shim"};
  words.insert(words.end(), options.begin(), options.end());
  words.push_back("--");
  words.insert(words.end(), program.begin(), program.end());
  environment.push_back(kSearchPath);
  return run_barewave(words, environment);
}

}  // namespace bw::tests
