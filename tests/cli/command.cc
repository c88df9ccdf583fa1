#include "tests/cli/command.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace bw::tests {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  std::stringstream content;
  content << in.rdbuf();
  return content.str();
}

// For exec: the texts, ended by null.
std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

CommandResult run_barewave(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  const std::string out_path = testing::TempDir() + "/barewave_stdout_" + std::to_string(getpid());
  CommandResult result = run_barewave_to(out_path, arguments, environment);
  result.out = read_file(out_path);
  unlink(out_path.c_str());
  return result;
}

CommandResult run_barewave_to(const std::string& stdout_path, const std::vector<std::string>& arguments,
                              const std::vector<std::string>& environment) {
  const std::string err_path = testing::TempDir() + "/barewave_stderr_" + std::to_string(getpid());
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, stdout_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&actions, 2, err_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);

  std::vector<std::string> words = {BAREWAVE_COMMAND};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<std::string> settings = environment;
  settings.push_back("XDG_CACHE_HOME=" + testing::TempDir() + "/barewave_cli_cache");
  std::vector<char*> argv = pointers_to(words), envp = pointers_to(settings);

  CommandResult result;
  pid_t pid = 0;
  const int spawned = posix_spawn(&pid, BAREWAVE_COMMAND, &actions, nullptr, argv.data(), envp.data());
  posix_spawn_file_actions_destroy(&actions);
  if (spawned != 0) return result;
  int status = 0;
  waitpid(pid, &status, 0);
  result.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  result.err = read_file(err_path);
  unlink(err_path.c_str());
  return result;
}

}  // namespace bw::tests
