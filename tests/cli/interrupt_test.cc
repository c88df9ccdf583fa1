// Owns: what `barewave generate` does when the user presses Ctrl-C.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <string>
#include <vector>

namespace bw::tests {
namespace {

struct Ended {
  std::string out;
  int status = 0;  // of waitpid()
};

// Runs the command and sends it SIGINT as soon as it has written something.
Ended interrupt_after_first_output(std::vector<std::string> words) {
  Ended ended;
  int ends[2] = {};
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  words.insert(words.begin(), BAREWAVE_COMMAND);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  std::string cache = "XDG_CACHE_HOME=" + testing::TempDir() + "/barewave_cli_cache";
  char* environment[] = {cache.data(), nullptr};
  pid_t pid = 0;
  EXPECT_EQ(posix_spawn(&pid, BAREWAVE_COMMAND, &actions, nullptr, argv.data(), environment), 0);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof buffer)) > 0;) {
    if (ended.out.empty()) kill(pid, SIGINT);
    ended.out.append(buffer, static_cast<size_t>(count));
  }
  close(ends[0]);
  waitpid(pid, &ended.status, 0);
  return ended;
}

TEST(Generate, EndsCleanlyWhenInterrupted) {
  for (const std::vector<std::string>& loop :
       {std::vector<std::string>{"--host-loop"}, {"--block", "400"}, {"--gpus", "2", "--block", "400"}}) {
    std::vector<std::string> words = {
        "--device", "emulated", "generate", "--model",  BAREWAVE_TEST_DATA_DIR "/kjv-3m/kjv-3m.Q8_0.gguf",
        "--prompt", "In the",   "--ids",    "--tokens", "400"};
    words.insert(words.end(), loop.begin(), loop.end());
    const Ended ended = interrupt_after_first_output(words);
    ASSERT_TRUE(WIFEXITED(ended.status)) << loop[0];
    EXPECT_EQ(WEXITSTATUS(ended.status), 130) << loop[0];
    EXPECT_EQ(ended.out.back(), '\n');
    EXPECT_LT(std::count(ended.out.begin(), ended.out.end(), ' '), 300) << ended.out;
  }
}

}  // namespace
}  // namespace bw::tests
